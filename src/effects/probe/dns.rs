//! `dns`: a name has an address.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::resolve;
use crate::health::ProbeResult;
use crate::health::kind::Dns;

pub(super) fn probe(dns: &Dns, time: Duration) -> ProbeResult {
    let found = match (&dns.server, dns.server()) {
        (None, _) => resolve::resolve(&dns.name, time),
        (Some(_), Some(server)) => resolve::ask_server(server, &dns.name, dns.record, time),
        (Some(server), None) => return ProbeResult::unknown(format!("server {server:?} is not an address")),
    };
    judge(dns, found)
}

fn judge(dns: &Dns, found: io::Result<Vec<IpAddr>>) -> ProbeResult {
    let by = dns.server.as_deref().map_or_else(String::new, |s| format!(", says {s}"));
    let mut found = match found {
        Ok(found) => found,
        Err(e) => return ProbeResult::fail(format!("{}: {e}{by}", dns.name)),
    };
    found.retain(|ip| dns.record.holds(ip));
    found.sort_unstable();
    found.dedup();
    let list = found.iter().take(8).map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    if found.is_empty() {
        return ProbeResult::fail(format!("{} has no {}{by}", dns.name, dns.record.word()));
    }
    match dns.expect.iter().find(|ip| !found.contains(ip)) {
        Some(missing) => ProbeResult::fail(format!("{} is {list}, not {missing}{by}", dns.name)),
        None => ProbeResult::pass(format!("{} is {list}{by}", dns.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass};
    use crate::health::kind::dns::Record;

    fn dns(name: &str, record: Record, expect: &[&str]) -> Dns {
        let expect = expect.iter().map(|ip| ip.parse().unwrap()).collect();
        Dns { name: name.to_owned(), record, server: None, expect }
    }

    #[test]
    fn what_is_expected_must_be_among_the_answers() {
        let found = || Ok(vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()]);
        let rows = [
            (dns("web", Record::Any, &[]), found(), Pass),
            (dns("web", Record::Any, &["192.0.2.9", "2001:db8::9"]), found(), Pass),
            (dns("web", Record::Any, &["192.0.2.8"]), found(), Fail),
            (dns("web", Record::A, &["192.0.2.9"]), found(), Pass),
            (dns("web", Record::Aaaa, &[]), Ok(vec!["192.0.2.9".parse().unwrap()]), Fail),
            (dns("web", Record::Any, &[]), Ok(Vec::new()), Fail),
            (dns("web", Record::Any, &[]), Err(io::Error::from(io::ErrorKind::TimedOut)), Fail),
        ];
        for (dns, found, expected) in rows {
            let got = judge(&dns, found);
            assert_eq!(got.status, expected, "{dns:?}: {}", got.message);
        }
    }

    #[test]
    fn this_machine_resolves_localhost_and_not_what_cannot_be() {
        let time = Duration::from_secs(2);
        assert_eq!(probe(&dns("localhost", Record::A, &["127.0.0.1"]), time).status, Pass);
        assert_eq!(probe(&dns("localhost", Record::A, &["127.0.0.2"]), time).status, Fail);
        assert_eq!(probe(&dns("no-such-host.invalid", Record::Any, &[]), time).status, Fail);
    }

    #[test]
    fn a_server_of_its_own_is_asked() {
        let server = resolve::fake::server("web.example.org").to_string();
        let of = |name: &str, record, expect: &[&str]| {
            let dns = Dns { server: Some(server.clone()), ..dns(name, record, expect) };
            probe(&dns, Duration::from_secs(2))
        };
        assert_eq!(of("web.example.org", Record::Any, &["192.0.2.9"]).status, Pass);
        assert_eq!(of("web.example.org.", Record::A, &[]).status, Pass);
        assert_eq!(of("web.example.org", Record::Aaaa, &[]).status, Fail);
        // Neither /etc/hosts nor a search domain counts: the server is what is checked.
        let other = of("localhost", Record::Any, &[]);
        assert_eq!(other.status, Fail);
        assert!(other.message.contains(&server), "{}", other.message);
    }
}
