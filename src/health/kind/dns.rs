//! `dns`: a name has an address.

use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// The name.
    pub name: String,
    /// Which addresses count.
    #[serde(default)]
    pub record: Record,
    /// The name server that is asked, for the name as it stands: an address, or an address and a port. Without one,
    /// the name is resolved as the machine does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Addresses that must all be among the answers. If there are none, any address will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<IpAddr>,
}

/// The addresses that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Of both families.
    #[default]
    Any,
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

impl Record {
    /// Whether an address is one of these.
    pub fn holds(self, ip: &IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::A => ip.is_ipv4(),
            Self::Aaaa => ip.is_ipv6(),
        }
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "address",
            Self::A => "IPv4 address",
            Self::Aaaa => "IPv6 address",
        }
    }
}

impl Dns {
    /// The server's address. `None` if there is none, or what is there is not an address.
    pub fn server(&self) -> Option<SocketAddr> {
        let text = self.server.as_deref()?;
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
    }

    pub(super) fn fault(&self) -> Option<String> {
        // RFC 1035, 2.3.4; the underscore is common below names of services.
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let label = |l: &str| !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && l.bytes().all(fits);
        let name = self.name.strip_suffix('.').unwrap_or(&self.name);
        if name.parse::<IpAddr>().is_ok() {
            return Some(format!("name {name:?} is an address already"));
        }
        if name.len() > 253 || !name.split('.').all(label) {
            return Some(format!("name {name:?} is not a host name"));
        }
        if self.server.is_some() && self.server().is_none_or(|s| s.port() == 0) {
            return Some("server must be an address, such as 192.0.2.53 or [2001:db8::53]:5353".to_owned());
        }
        let odd = self.expect.iter().find(|ip| !self.record.holds(ip));
        odd.map(|ip| format!("expect holds {ip}, which is no {}", self.record.word()))
    }
}
