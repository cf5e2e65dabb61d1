//! A name server for tests.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, RCODE, ResourceRecord, TYPE};

/// One that knows one name, whose address is 192.0.2.9.
pub(in crate::effects::probe) fn server(knows: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((n, peer)) = socket.recv_from(&mut buffer) {
            let query = Packet::parse(&buffer[..n]).unwrap();
            let question = query.questions[0].clone();
            let mut reply = Packet::new_reply(query.id());
            if question.qname.to_string() != knows {
                *reply.rcode_mut() = RCODE::NameError;
            } else if question.qtype == TYPE::A.into() {
                let data = RData::A(A { address: u32::from(Ipv4Addr::new(192, 0, 2, 9)) });
                reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data));
            }
            reply.questions.push(question);
            socket.send_to(&reply.build_bytes_vec().unwrap(), peer).unwrap();
        }
    });
    address
}
