//! A flake, and a host of it: `FLAKE#HOST`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::closure::mask;
use crate::model::HostName;
use crate::model::host_name::HostNameError;

/// A flake reference as Nix takes it: `.`, a path, `github:me/infra`. Only Nix knows what it means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlakeRef(String);

/// A host of a flake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FlakeHost {
    /// The flake.
    pub flake: FlakeRef,
    /// The attribute of its `nixosConfigurations`.
    pub host: HostName,
}

/// Why a text names no host of a flake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlakeRefError {
    /// The host.
    #[error(transparent)]
    Host(#[from] HostNameError),
    /// The flake.
    #[error("{0:?} is not a flake reference")]
    Flake(String),
    /// There is no host.
    #[error("{0:?} names no host: write FLAKE#HOST, or the host alone")]
    NoHost(String),
}

impl FlakeRef {
    /// Takes any reference that cannot be mistaken for an option.
    pub fn parse(text: &str) -> Result<Self, FlakeRefError> {
        if text.is_empty() || text.starts_with('-') || text.contains(['#', '\0', '\n']) {
            return Err(FlakeRefError::Flake(text.chars().take(200).collect()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The reference.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FlakeHost {
    /// Parses `FLAKE#HOST`, or `HOST` of the default flake.
    pub fn parse(text: &str, default: &FlakeRef) -> Result<Self, FlakeRefError> {
        match text.rsplit_once('#') {
            Some((_, "")) => Err(FlakeRefError::NoHost(text.to_owned())),
            Some(("", host)) => Ok(Self { flake: default.clone(), host: HostName::parse(host)? }),
            Some((flake, host)) => Ok(Self { flake: FlakeRef::parse(flake)?, host: HostName::parse(host)? }),
            None => Ok(Self { flake: default.clone(), host: HostName::parse(text)? }),
        }
    }

    /// The installable of this host's configuration.
    pub fn installable(&self) -> String {
        format!("{}#{}", self.flake.0, self.host.attribute())
    }

    /// How it is named in what is shown and kept: without the token or password that its URL may hold.
    pub fn shown(&self) -> String {
        mask::value("flake", &self.to_string()).into_owned()
    }
}

impl std::fmt::Display for FlakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.flake.0, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let dot = FlakeRef::parse(".").unwrap();
        let of = |t: &str| FlakeHost::parse(t, &dot).map(|h| h.installable());
        assert_eq!(of("web").unwrap(), r#".#nixosConfigurations."web""#);
        assert_eq!(of("#web").unwrap(), r#".#nixosConfigurations."web""#);
        assert_eq!(
            of("github:me/infra?ref=x#web.example").unwrap(),
            r#"github:me/infra?ref=x#nixosConfigurations."web.example""#
        );
        for bad in ["", "#", ".#", "--option#web", ".#a b", ".#a\"b"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
