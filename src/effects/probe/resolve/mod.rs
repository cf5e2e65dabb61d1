//! Resolves names as the machine would, but without NSS modules: a static binary cannot load them. In this order:
//! literal addresses, /etc/hosts, the name service cache daemon's socket (on NixOS it answers for every NSS module),
//! the servers of /etc/resolv.conf.

mod dns;
#[cfg(test)]
pub(super) mod fake;
mod nscd;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::effects::clock;
use crate::effects::files::read_text;
use crate::health::kind::dns::Record;

/// The addresses of a host, at least one.
pub(super) fn resolve(host: &str, time: Duration) -> io::Result<Vec<IpAddr>> {
    let started = clock::start();
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let hosts = read_text(Path::new("/etc/hosts"), 4 << 20)?.unwrap_or_default();
    let listed = in_hosts(&hosts, host);
    if !listed.is_empty() {
        return Ok(listed);
    }
    // RFC 6761, 6.3: this name never leaves the machine.
    if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
        return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    }
    match nscd::query(host, time)? {
        nscd::Answer::Addresses(found) if !found.is_empty() => return Ok(found),
        nscd::Answer::Addresses(_) => return Err(none(host)),
        nscd::Answer::NoDaemon => {}
    }
    let conf = read_text(Path::new("/etc/resolv.conf"), 1 << 20)?.unwrap_or_default();
    let found =
        dns::query(&dns::Config::parse(&conf), host, Record::Any, time.saturating_sub(started.elapsed()))?;
    if found.is_empty() { Err(none(host)) } else { Ok(found) }
}

/// The addresses that one name server knows for a name as it stands; there may be none.
pub(super) fn ask_server(
    server: SocketAddr,
    name: &str,
    record: Record,
    time: Duration,
) -> io::Result<Vec<IpAddr>> {
    dns::query(&dns::Config::of_server(server), name.trim_end_matches('.'), record, time)
}

fn none(host: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{host} has no address"))
}

/// hosts(5): an address, then names.
fn in_hosts(hosts: &str, host: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(ip)
    };
    hosts.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hosts_and_localhost() {
        let time = Duration::from_secs(1);
        assert_eq!(resolve("192.0.2.1", time).unwrap(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(resolve("[::1]", time).unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
        assert!(!resolve("LOCALHOST.", time).unwrap().is_empty());
        let hosts = "# comment\n192.0.2.7 web web.example # old\n::1 localhost\n";
        assert_eq!(in_hosts(hosts, "WEB.example"), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert!(in_hosts(hosts, "old").is_empty());
    }
}
