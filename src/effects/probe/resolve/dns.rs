//! Asks the servers of /etc/resolv.conf, over UDP, and over TCP when an answer was too long.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use crate::health::kind::dns::Record;

/// What resolv.conf(5) says, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(super) struct Config {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl Config {
    /// Lines that cannot be understood are ignored, as the C library does.
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|w| w.split('%').next()?.parse::<IpAddr>().ok());
                    config.servers.extend(address.map(|ip| SocketAddr::new(ip, 53)));
                }
                Some("search" | "domain") => config.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let ndots = words.find_map(|w| w.strip_prefix("ndots:")?.parse().ok());
                    config.ndots = ndots.unwrap_or(config.ndots);
                }
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53));
        }
        config
    }

    /// One server, which is asked for names as they stand.
    pub(super) fn of_server(server: SocketAddr) -> Self {
        Self { servers: vec![server], search: Vec::new(), ndots: 0 }
    }

    /// The full names to try for a host, in order.
    fn candidates(&self, host: &str) -> Vec<String> {
        let searched = self.search.iter().map(|domain| format!("{host}.{domain}"));
        let absolute = std::iter::once(host.to_owned());
        if host.matches('.').count() >= self.ndots {
            absolute.chain(searched).collect()
        } else {
            searched.chain(absolute).collect()
        }
    }
}

/// The addresses of a host.
pub(super) fn query(config: &Config, host: &str, record: Record, time: Duration) -> io::Result<Vec<IpAddr>> {
    let types: &[TYPE] = match record {
        Record::Any => &[TYPE::A, TYPE::AAAA],
        Record::A => &[TYPE::A],
        Record::Aaaa => &[TYPE::AAAA],
    };
    let mut failure = None;
    for name in config.candidates(host) {
        let share = (time / 4).max(Duration::from_millis(100));
        for server in config.servers.iter().take(3) {
            let asked = types.iter().map(|t| ask(*server, &name, *t, share));
            match asked.collect::<io::Result<Vec<_>>>().map(|found| found.concat()) {
                Ok(found) if !found.is_empty() => return Ok(found),
                // This name does not exist, says a server that answers: try the next name.
                Ok(_) => break,
                Err(e) => failure = Some(e),
            }
        }
    }
    failure.map_or(Ok(Vec::new()), Err)
}

fn ask(server: SocketAddr, name: &str, kind: TYPE, time: Duration) -> io::Result<Vec<IpAddr>> {
    let mut id = [0; 2];
    getrandom(&mut id, GetRandomFlags::empty())?;
    let id = u16::from_ne_bytes(id);
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(invalid)?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    let request = packet.build_bytes_vec().map_err(invalid)?;
    let bytes = over_udp(server, &request, time)?;
    match read(&bytes, id)? {
        Some(found) => Ok(found),
        None => Ok(read(&over_tcp(server, &request, time)?, id)?.unwrap_or_default()),
    }
}

fn invalid(e: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, e.to_string())
}

fn over_udp(server: SocketAddr, request: &[u8], time: Duration) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Connected: the kernel drops what comes from anybody else.
    socket.connect(server)?;
    socket.set_read_timeout(Some(time))?;
    socket.send(request)?;
    let mut answer = vec![0; 4096];
    let n = socket.recv(&mut answer)?;
    answer.truncate(n);
    Ok(answer)
}

fn over_tcp(server: SocketAddr, request: &[u8], time: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, time)?;
    stream.set_read_timeout(Some(time))?;
    let len = u16::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), request].concat())?;
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The addresses in an answer; `None` if it was cut short.
fn read(bytes: &[u8], id: u16) -> io::Result<Option<Vec<IpAddr>>> {
    let packet = Packet::parse(bytes).map_err(invalid)?;
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return Err(io::Error::new(ErrorKind::InvalidData, "an answer to another question"));
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Ok(None);
    }
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        other => return Err(io::Error::other(format!("the name server answers {other:?}"))),
    }
    let address = |data: &RData<'_>| match data {
        RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
        RData::AAAA(a) => Some(IpAddr::V6(Ipv6Addr::from(a.address))),
        _ => None,
    };
    Ok(Some(packet.answers.iter().filter_map(|r| address(&r.rdata)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::probe::resolve::fake::server;

    #[test]
    fn names_are_found_also_in_a_search_domain() {
        let config =
            |server| Config { search: vec!["example.org".into()], ndots: 1, ..Config::of_server(server) };
        let time = Duration::from_secs(2);
        let found = query(&config(server("web.example.org")), "web", Record::Any, time).unwrap();
        assert_eq!(found, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
        assert!(query(&config(server("other")), "web", Record::Any, time).unwrap().is_empty());
    }

    #[test]
    fn a_silent_server_is_an_error() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let config = Config::of_server(silent.local_addr().unwrap());
        assert!(query(&config, "web.example", Record::Any, Duration::from_millis(200)).is_err());
    }

    #[test]
    fn resolv_conf() {
        let config = Config::parse(
            "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions edns0 ndots:2\n",
        );
        assert_eq!(config.servers.len(), 2);
        assert_eq!(config.candidates("x.y"), ["x.y.a.example", "x.y.b.example", "x.y"]);
        assert_eq!(Config::parse("").servers, ["127.0.0.1:53".parse().unwrap()]);
    }
}
