//! Where a target is reached by SSH.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An SSH destination. The user's own SSH configuration decides what is not said here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Address {
    /// A name (of DNS or of the SSH configuration) or an IP address.
    pub host: String,
    /// The user to log in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
}

/// As a plan, or what is remembered of a host, says it.
#[derive(Deserialize)]
struct Written {
    host: String,
    user: Option<String>,
    port: Option<u16>,
}

impl TryFrom<Written> for Address {
    type Error = AddressError;

    fn try_from(Written { host, user, port }: Written) -> Result<Self, AddressError> {
        let address = Self { host, user, port };
        let known = Self::parse(&address.destination())?;
        if (&known.host, &known.user) == (&address.host, &address.user) {
            return Ok(address);
        }
        Err(AddressError(address.destination().chars().take(200).collect()))
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an SSH destination such as web.example.org, root@192.0.2.1 or ssh://root@host:2222")]
pub struct AddressError(String);

impl Address {
    /// Parses `[user@]host` or `ssh://[user@]host[:port]`. Nothing in it can be taken for an option or for a command.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError(text.chars().take(200).collect());
        let url = text.strip_prefix("ssh://").or_else(|| text.strip_prefix("ssh-ng://"));
        let rest = url.map_or(text, |u| u.trim_end_matches('/'));
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(u, h)| (Some(u), h));
        let (host, port) = match (url.is_some(), host.rsplit_once(':')) {
            (true, Some((h, p))) if !p.ends_with(']') => (h, Some(p.parse().map_err(|_| bad())?)),
            _ => (host, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let word = |s: &str| {
            let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'%');
            !s.is_empty() && s.len() <= 255 && !s.starts_with('-') && s.bytes().all(ok)
        };
        if word(host) && user.is_none_or(|u| word(u) && !u.contains(':')) {
            Ok(Self { host: host.to_owned(), user: user.map(str::to_owned), port })
        } else {
            Err(bad())
        }
    }

    /// `user@host`, as `ssh` takes it.
    pub fn destination(&self) -> String {
        self.user.as_ref().map_or_else(|| self.host.clone(), |u| format!("{u}@{}", self.host))
    }

    /// `ssh-ng://user@host`, as Nix takes it. The port goes into `NIX_SSHOPTS`.
    pub fn store_url(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let user = self.user.as_ref().map_or_else(String::new, |u| format!("{u}@"));
        format!("ssh-ng://{user}{host}")
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.destination())?;
        self.port.map_or(Ok(()), |p| write!(f, ":{p}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parts = |t: &str| {
            let a = Address::parse(t).unwrap();
            (a.user.clone(), a.host.clone(), a.port, a.store_url())
        };
        assert_eq!(parts("web"), (None, "web".into(), None, "ssh-ng://web".into()));
        assert_eq!(
            parts("root@192.0.2.1"),
            (Some("root".into()), "192.0.2.1".into(), None, "ssh-ng://root@192.0.2.1".into())
        );
        assert_eq!(parts("ssh://a@web:2222/").2, Some(2222));
        assert_eq!(parts("root@fe80::1").3, "ssh-ng://root@[fe80::1]");
        assert_eq!(
            parts("ssh://root@[::1]:22"),
            (Some("root".into()), "::1".into(), Some(22), "ssh-ng://root@[::1]".into())
        );
    }

    #[test]
    fn refuses_options_and_commands() {
        for bad in [
            "",
            "-oProxyCommand=id",
            "a b",
            "root@-x",
            "a;id",
            "$(id)",
            "a\nb",
            "@web",
            "ssh://web:x",
            "u:p@web",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
