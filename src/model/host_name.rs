//! The name of a host: an attribute of `nixosConfigurations`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A host of the user's flake. Any attribute name that Nix can quote without escapes; dots are allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a host name: use letters, digits, and . _ - (the name in nixosConfigurations)")]
pub struct HostNameError(String);

impl HostName {
    /// Parses an attribute name of letters, digits and `.` `_` `-` that does not start with a dash, so that no
    /// program can take it for an option and no shell or Nix expression for anything but a word.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let ok = !text.is_empty()
            && text.len() <= 253
            && !text.starts_with(['-', '.'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if ok { Ok(Self(text.to_owned())) } else { Err(HostNameError(text.chars().take(80).collect())) }
    }

    /// The attribute path of this host's configuration, quoted for Nix: `nixosConfigurations."web.example.org"`.
    pub fn attribute(&self) -> String {
        format!("nixosConfigurations.\"{}\"", self.0)
    }
}

super::string_newtype!(HostName, HostNameError);

#[cfg(test)]
mod tests {
    use super::HostName;

    #[test]
    fn quotes_dots_for_nix() {
        let name = HostName::parse("web.example.org").unwrap();
        assert_eq!(name.attribute(), r#"nixosConfigurations."web.example.org""#);
    }

    #[test]
    fn refuses_what_could_be_something_else() {
        for bad in ["", "-oProxyCommand=x", "a b", "a\"b", "a${b}", "a/b", "a\nb", ".hidden"] {
            assert!(HostName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
