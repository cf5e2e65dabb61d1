//! `port-closed`: nobody accepts a connection.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::resolve::resolve;
use crate::effects::clock;
use crate::health::ProbeResult;

/// So many addresses of a name are tried.
const ADDRESSES: usize = 16;

/// How a connection to one address went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tried {
    /// It was accepted.
    Open(SocketAddr),
    /// It was refused, or nobody answered.
    Closed,
    /// It could not even be tried.
    Unknown(String),
}

pub(super) fn probe(host: &str, port: u16, time: Duration) -> ProbeResult {
    let started = clock::start();
    let addresses = match resolve(host, time) {
        Ok(addresses) => addresses,
        // That a name is not known does not show that its port is closed.
        Err(e) => return ProbeResult::unknown(e.to_string()),
    };
    let left = time.saturating_sub(started.elapsed());
    if left.is_zero() {
        return ProbeResult::unknown(format!("{host} was not resolved within {} s", time.as_secs_f32()));
    }
    // At once: a filtered address takes all of the time.
    let tried: Vec<Tried> = thread::scope(|scope| {
        let each: Vec<_> = addresses
            .into_iter()
            .take(ADDRESSES)
            .map(|ip| scope.spawn(move || connect(ip, port, left)))
            .collect();
        let lost = |_| Tried::Unknown("a probe has ended in an unknown way".to_owned());
        each.into_iter().map(|t| t.join().unwrap_or_else(lost)).collect()
    });
    judge(host, port, &tried)
}

fn connect(ip: IpAddr, port: u16, time: Duration) -> Tried {
    let to = SocketAddr::new(ip, port);
    match TcpStream::connect_timeout(&to, time) {
        Ok(_) => Tried::Open(to),
        Err(e) => match e.kind() {
            // A firewall that rejects may also say that the host cannot be reached, or answer with a reset.
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::HostUnreachable => Tried::Closed,
            _ => Tried::Unknown(format!("{to}: {e}")),
        },
    }
}

/// One that is open decides. One that could not be tried (a machine without IPv6) does not, if another was.
fn judge(host: &str, port: u16, tried: &[Tried]) -> ProbeResult {
    if let Some(at) = tried.iter().find_map(|t| if let Tried::Open(at) = t { Some(at) } else { None }) {
        return ProbeResult::fail(format!("{host}:{port} accepts connections ({at})"));
    }
    if tried.contains(&Tried::Closed) {
        return ProbeResult::pass(format!("{host}:{port} accepts no connections"));
    }
    let why = tried.iter().find_map(|t| if let Tried::Unknown(why) = t { Some(why.as_str()) } else { None });
    ProbeResult::unknown(why.unwrap_or("there is no address to try"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass, Unknown};

    #[test]
    fn refused_passes_and_open_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let time = Duration::from_secs(2);
        let open = probe("localhost", port, time);
        assert_eq!(open.status, Fail, "also if only one of its addresses is open: {}", open.message);
        assert!(open.message.contains("accepts connections (127.0.0.1:"), "{}", open.message);
        drop(listener);
        assert_eq!(probe("127.0.0.1", port, time).status, Pass);
    }

    #[test]
    fn silence_passes_within_the_time() {
        // A listener whose queue is full answers as one behind a filter does: not at all.
        let listener =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)
                .unwrap();
        rustix::net::bind(&listener, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let to = SocketAddr::try_from(rustix::net::getsockname(&listener).unwrap()).unwrap();
        let time = Duration::from_millis(300);
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&to, time) {
            held.push(stream);
            assert!(held.len() < 100, "the queue never fills");
        }
        let started = clock::start();
        assert_eq!(probe("127.0.0.1", to.port(), time).status, Pass);
        assert!(started.elapsed() >= time && started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_could_not_be_tried_is_unknown() {
        let open = Tried::Open("192.0.2.1:22".parse().unwrap());
        let unknown = Tried::Unknown("no route".to_owned());
        let of = |tried: &[Tried]| judge("web", 22, tried).status;
        assert_eq!(of(&[Tried::Closed, open]), Fail);
        assert_eq!(of(&[unknown.clone(), Tried::Closed]), Pass);
        assert_eq!(of(&[unknown]), Unknown);
        assert_eq!(of(&[]), Unknown);
        assert_eq!(probe("no-such-host.invalid", 22, Duration::from_secs(2)).status, Unknown);
    }
}
