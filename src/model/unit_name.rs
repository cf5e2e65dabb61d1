//! The name of a systemd unit.

use serde::{Deserialize, Serialize};
use thiserror::Error;

const SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// A unit with its suffix, as systemd.unit(5) defines it: at most 255 of its allowed characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(String);

/// Why a text is not a unit's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not the name of a systemd unit (such as nginx.service)")]
pub struct UnitNameError(String);

impl UnitName {
    /// Parses a full name. `nginx` without a suffix is refused: which unit is meant is the caller's to say.
    pub fn parse(text: &str) -> Result<Self, UnitNameError> {
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.' | b'\\' | b'@');
        let (stem, suffix) = text.rsplit_once('.').unwrap_or_default();
        if !stem.is_empty()
            && !text.starts_with('-') | text.starts_with("-.")
            && text.len() <= 255
            && text.bytes().all(allowed)
            && SUFFIXES.contains(&suffix)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnitNameError(text.chars().take(80).collect()))
        }
    }

    /// `service`, `socket`, `timer`…
    pub fn suffix(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, s)| s)
    }

    /// The unit file's name: that of the template for an instance (`getty@tty1.service` → `getty@.service`).
    pub fn file_name(&self) -> String {
        match (self.0.split_once('@'), self.0.rsplit_once('.')) {
            (Some((prefix, _)), Some((_, suffix))) => format!("{prefix}@.{suffix}"),
            _ => self.0.clone(),
        }
    }
}

super::string_newtype!(UnitName, UnitNameError);

#[cfg(test)]
mod tests {
    use super::UnitName;

    #[test]
    fn parses_units() {
        for good in
            ["nginx.service", "getty@tty1.service", "-.mount", "-.slice", "dev-disk-by\\x2dlabel.device"]
        {
            assert!(UnitName::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["nginx", "", ".service", "a b.service", "x.exe", "-a.service", "a.service\n", "a;b.service"]
        {
            assert!(UnitName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn knows_the_file_of_an_instance() {
        assert_eq!(UnitName::parse("getty@tty1.service").unwrap().file_name(), "getty@.service");
        assert_eq!(UnitName::parse("nginx.service").unwrap().file_name(), "nginx.service");
    }
}
