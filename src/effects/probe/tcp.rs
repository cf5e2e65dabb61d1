//! `tcp`: a connection is accepted.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::resolve::resolve;
use crate::effects::clock;
use crate::health::ProbeResult;

pub(super) fn probe(host: &str, port: u16, time: Duration) -> ProbeResult {
    let started = clock::start();
    let addresses = match resolve(host, time) {
        Ok(addresses) => addresses,
        Err(e) => return ProbeResult::fail(e.to_string()),
    };
    let mut last = format!("{host} has no address");
    for ip in addresses {
        let left = time.saturating_sub(started.elapsed());
        if left.is_zero() {
            return ProbeResult::fail(format!(
                "{host}:{port} did not accept within {} s",
                time.as_secs_f32()
            ));
        }
        match TcpStream::connect_timeout(&SocketAddr::new(ip, port), left) {
            Ok(_) => return ProbeResult::pass(format!("{host}:{port} accepts connections")),
            Err(e) => last = format!("{host}:{port}: {e}"),
        }
    }
    ProbeResult::fail(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::health::ProbeStatus;

    #[test]
    fn open_passes_and_closed_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(probe("localhost", port, Duration::from_secs(2)).status, ProbeStatus::Pass);
        drop(listener);
        let closed = probe("127.0.0.1", port, Duration::from_secs(2));
        assert_eq!(closed.status, ProbeStatus::Fail);
        assert!(closed.message.contains("refused"), "{}", closed.message);
    }
}
