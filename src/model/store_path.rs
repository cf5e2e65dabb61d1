//! A path in the Nix store: `/nix/store/<32 base-32 digits>-<name>`, nothing below it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where every store path lies; a store elsewhere (chroot, remote) still names its paths so.
pub const STORE_DIR: &str = "/nix/store";

pub(crate) const HASH_LEN: usize = 32;
/// Bytes before the name: `/nix/store/<hash>-`.
pub(crate) const PREFIX_LEN: usize = STORE_DIR.len() + 1 + HASH_LEN + 1;
/// Nix's own limit on the part after `/nix/store/` (`StorePath::MaxPathLen`, 211 for the name and 33 before it).
const MAX_NAME_LEN: usize = 211;

/// One object in the Nix store. Copies share the text: closures hold many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath(Arc<str>);

/// Why a text is not a store path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a store path: {why}")]
pub struct StorePathError {
    text: String,
    why: &'static str,
}

impl StorePath {
    /// Parses `/nix/store/<hash>-<name>`.
    pub fn parse(text: &str) -> Result<Self, StorePathError> {
        match check(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(why) => Err(StorePathError { text: text.chars().take(300).collect(), why }),
        }
    }

    /// Whether `parse` would take it; nothing is copied.
    pub fn is(text: &str) -> bool {
        check(text).is_ok()
    }

    /// The store path that `path` is, or lies below: `/nix/store/x-y/bin/z` gives `/nix/store/x-y`.
    pub fn containing(path: &Path) -> Result<Self, StorePathError> {
        let no = |why| StorePathError { text: path.to_string_lossy().chars().take(300).collect(), why };
        let below = path.strip_prefix(STORE_DIR).map_err(|_| no("it does not lie in /nix/store"))?;
        let base =
            below.iter().next().and_then(|c| c.to_str()).ok_or_else(|| no("it is the store itself"))?;
        Self::parse(&format!("{STORE_DIR}/{base}"))
    }

    /// The name after the hash, version included: `firefox-128.0`.
    pub fn name(&self) -> &str {
        self.0.get(PREFIX_LEN..).unwrap_or_default()
    }

    /// The first seven digits of the hash and the name: enough for a person to tell two apart.
    pub fn short(&self) -> String {
        let hash: String = self.0.chars().skip(STORE_DIR.len() + 1).take(7).collect();
        format!("{hash}-{}", self.name())
    }

    /// As a path.
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }

    /// A file below this path.
    pub fn join(&self, below: &str) -> PathBuf {
        self.as_path().join(below)
    }
}

/// Why it is none.
fn check(text: &str) -> Result<(), &'static str> {
    let base = text
        .strip_prefix(STORE_DIR)
        .and_then(|t| t.strip_prefix('/'))
        .ok_or("it does not lie directly in /nix/store")?;
    let (hash, rest) = base.split_at_checked(HASH_LEN).ok_or("it is too short")?;
    let name = rest.strip_prefix('-').ok_or("no dash after a hash of 32 digits")?;
    if !hash.bytes().all(is_base32) {
        return Err("its hash is not base 32 as Nix writes it");
    }
    if name.is_empty() || name.len() > MAX_NAME_LEN {
        return Err("its name is empty or too long");
    }
    if !name.bytes().all(is_name_byte) {
        return Err("its name holds a character that Nix does not allow");
    }
    Ok(())
}

pub(crate) fn is_base32(b: u8) -> bool {
    b.is_ascii_digit() || (b.is_ascii_lowercase() && !matches!(b, b'e' | b'o' | b't' | b'u'))
}

pub(crate) fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'?' | b'=')
}

super::string_newtype!(StorePath, StorePathError);

impl AsRef<Path> for StorePath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-nixos-system-web-1";

    #[test]
    fn parses_and_takes_apart() {
        let p = StorePath::parse(GOOD).unwrap();
        assert_eq!(p.name(), "nixos-system-web-1");
        assert_eq!(p.short(), "vakjsx5-nixos-system-web-1");
        assert_eq!(StorePath::containing(&p.join("bin/sh")).unwrap(), p);
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [
            "",
            "/nix/store",
            "/nix/store/",
            "/etc/passwd",
            "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p",
            "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-",
            "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a/b",
            "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a b",
            "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a;reboot",
            "/nix/store/eeeesx50nwzqhr3axzyw5c2b7k3fwy1p-a",
            "/nix/store/../../etc/passwd-xxxxxxxxxxxxxxxxxxx",
        ] {
            assert!(StorePath::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_what_it_takes(s in ".*") {
            if let Ok(p) = StorePath::parse(&s) {
                prop_assert_eq!(p.as_str(), s);
            }
        }
    }
}
