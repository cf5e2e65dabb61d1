//! Asks the name service cache daemon: nscd, or on NixOS nsncd. The protocol is glibc's `nscd-client.h`, version 2.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOCKET: &str = "/var/run/nscd/socket";
const VERSION: i32 = 2;
const GETAI: i32 = 14;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// What the daemon said.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// These; none if the name does not exist.
    Addresses(Vec<IpAddr>),
    /// There is no daemon, or it does not answer such questions.
    NoDaemon,
}

/// Asks for a host's addresses.
pub(super) fn query(host: &str, time: Duration) -> io::Result<Answer> {
    let mut stream = match UnixStream::connect(SOCKET) {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(Answer::NoDaemon);
        }
        Err(e) => return Err(e),
    };
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    ask(&mut stream, host)
}

fn ask(stream: &mut (impl Read + Write), host: &str) -> io::Result<Answer> {
    let len = i32::try_from(host.len() + 1).map_err(io::Error::other)?;
    let mut request = Vec::new();
    for word in [VERSION, GETAI, len] {
        request.extend(word.to_ne_bytes());
    }
    request.extend(host.as_bytes());
    request.push(0);
    stream.write_all(&request)?;
    let mut header = [0; 24];
    if stream.read_exact(&mut header).is_err() {
        // It closes the connection on questions that it does not know.
        return Ok(Answer::NoDaemon);
    }
    let word =
        |i: usize| header.get(i * 4..i * 4 + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_ne_bytes);
    let (version, found, count, bytes) = (word(0), word(1), word(2), word(3));
    match (version, found) {
        (VERSION, 0) => return Ok(Answer::Addresses(Vec::new())),
        (VERSION, 1) => {}
        _ => return Ok(Answer::NoDaemon),
    }
    let size = |n: i32| {
        usize::try_from(n).ok().filter(|n| *n <= 4096).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
    };
    let (mut addresses, mut families) = (vec![0; size(bytes)?], vec![0; size(count)?]);
    stream.read_exact(&mut addresses)?;
    stream.read_exact(&mut families)?;
    Ok(Answer::Addresses(parse(&addresses, &families)))
}

fn parse(mut bytes: &[u8], families: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for family in families {
        if let (AF_INET, Some((a, rest))) = (*family, bytes.split_first_chunk::<4>()) {
            found.push(IpAddr::V4(Ipv4Addr::from(*a)));
            bytes = rest;
        } else if let (AF_INET6, Some((a, rest))) = (*family, bytes.split_first_chunk::<16>()) {
            found.push(IpAddr::V6(Ipv6Addr::from(*a)));
            bytes = rest;
        } else {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn against(answer: Vec<u8>) -> Answer {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let daemon = thread::spawn(move || {
            let mut request = vec![0; 12 + "web\0".len()];
            theirs.read_exact(&mut request).unwrap();
            theirs.write_all(&answer).unwrap();
            request
        });
        let answer = ask(&mut ours, "web").unwrap();
        assert!(daemon.join().unwrap().ends_with(b"web\0"));
        answer
    }

    fn words(words: [i32; 6]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_ne_bytes()).collect()
    }

    #[test]
    fn addresses_of_both_families() {
        let mut bytes = words([2, 1, 2, 20, 0, 0]);
        bytes.extend([192, 0, 2, 1]);
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        bytes.extend([AF_INET, AF_INET6]);
        assert_eq!(
            against(bytes),
            Answer::Addresses(vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()])
        );
    }

    #[test]
    fn no_such_name_and_no_such_question() {
        assert_eq!(against(words([2, 0, 0, 0, 0, 1])), Answer::Addresses(Vec::new()));
        assert_eq!(against(words([2, -1, 0, 0, 0, 0])), Answer::NoDaemon);
        assert_eq!(against(Vec::new()), Answer::NoDaemon);
    }
}
