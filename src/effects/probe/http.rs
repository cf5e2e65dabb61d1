//! `http`: a GET request is answered as expected.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::{matches, resolve};
use crate::health::ProbeResult;
use crate::health::kind::Http;

/// The part of a body that is looked at.
const BODY: u64 = 64 << 10;
/// Where NixOS, and others, keep the certificates of the authorities that the machine trusts.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-bundle.crt"];

pub(super) fn probe(http: &Http, time: Duration) -> ProbeResult {
    let url = &http.url;
    let agent = match agent(url, http.verify_tls, time) {
        Ok(agent) => agent,
        Err(why) => return ProbeResult::unknown(why),
    };
    let mut response = match agent.get(url).call() {
        Ok(response) => response,
        Err(e) => return ProbeResult::fail(format!("{url}: {e}")),
    };
    let status = response.status().as_u16();
    if !http.expect_status.contains(&status) {
        return ProbeResult::fail(format!("{url}: http {status}"));
    }
    let Some(regex) = http.body_regex.as_deref() else {
        return ProbeResult::pass(format!("{url}: http {status}"));
    };
    let mut body = Vec::new();
    if let Err(e) = response.body_mut().as_reader().take(BODY).read_to_end(&mut body) {
        return ProbeResult::fail(format!("{url}: http {status}, but the body could not be read: {e}"));
    }
    match matches(regex, &String::from_utf8_lossy(&body)) {
        Ok(true) => ProbeResult::pass(format!("{url}: http {status}, body as expected")),
        Ok(false) => {
            ProbeResult::fail(format!("{url}: http {status}, but the body does not match {regex:?}"))
        }
        Err(why) => ProbeResult::unknown(why),
    }
}

/// Speaks HTTP as every probe does: to this one place, within this time, with no proxy.
pub(super) fn agent(url: &str, verify: bool, time: Duration) -> Result<Agent, String> {
    let mut tls = TlsConfig::builder().disable_verification(!verify);
    if url.starts_with("https:") && verify {
        tls = tls.root_certs(authorities()?);
    }
    let config = Agent::config_builder()
        .timeout_global(Some(time))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent("nixos-quick-deploy")
        .tls_config(tls.build())
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::new(), OwnResolver))
}

fn authorities() -> Result<RootCerts, String> {
    for path in AUTHORITIES.map(Path::new) {
        let text = crate::effects::files::read_text(path, 16 << 20).map_err(|e| e.to_string())?;
        if let Some(text) = text {
            let certificate = |item| if let Ok(PemItem::Certificate(c)) = item { Some(c) } else { None };
            let all = parse_pem(text.as_bytes()).filter_map(certificate).collect();
            return Ok(RootCerts::Specific(Arc::new(all)));
        }
    }
    Err(format!("this machine has no list of certificate authorities ({})", AUTHORITIES[0]))
}

/// Resolves names without NSS modules, which a static binary cannot load.
#[derive(Debug)]
struct OwnResolver;

impl Resolver for OwnResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let mut found = self.empty();
        for ip in resolve::resolve(host, *timeout.after)?.into_iter().take(16) {
            found.push(SocketAddr::new(ip, port));
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::health::ProbeStatus;

    /// Answers every request the same way; an empty answer never comes.
    fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 1024];
                let _n = stream.read(&mut buffer).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                if answer.is_empty() {
                    kept.push(stream);
                }
            }
        });
        url
    }

    fn status(answer: &'static str, regex: Option<&str>) -> ProbeResult {
        let http = Http {
            url: server(answer),
            expect_status: vec![200],
            body_regex: regex.map(str::to_owned),
            verify_tls: true,
        };
        probe(&http, Duration::from_millis(500))
    }

    #[test]
    fn statuses_and_bodies_decide() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nall well";
        assert_eq!(status(ok, None).status, ProbeStatus::Pass);
        assert_eq!(status(ok, Some("^all w")).status, ProbeStatus::Pass);
        assert_eq!(status(ok, Some("ill")).status, ProbeStatus::Fail);
        let broken = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert!(status(broken, None).message.contains("http 500"));
        let moved = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert!(status(moved, None).message.contains("http 302"));
    }

    #[test]
    fn no_answer_and_nonsense_fail_within_the_time() {
        let started = crate::effects::clock::start();
        assert_eq!(status("", None).status, ProbeStatus::Fail);
        assert_eq!(status("nonsense\r\n\r\n", None).status, ProbeStatus::Fail);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}
