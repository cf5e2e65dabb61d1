//! Package name, version and output in the name of a store path.

use serde::{Deserialize, Serialize};

/// Outputs whose names nixpkgs appends to a path's name.
const OUTPUTS: [&str; 20] = [
    "bin",
    "lib",
    "dev",
    "man",
    "doc",
    "info",
    "devdoc",
    "static",
    "debug",
    "dist",
    "data",
    "modules",
    "out",
    "py",
    "p11kit",
    "unbundled",
    "terminfo",
    "getent",
    "libgcc",
    "nfs4",
];
/// Suffixes of units: what comes after `unit-` is the unit's name, whatever digits are in it.
const UNITS: [&str; 8] =
    [".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice", ".automount"];

/// A package as a path's name tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Its name, as nixpkgs' `pname`.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Package {
    /// The best reading of a name.
    pub fn guess(name: &str) -> Self {
        let (pname, version) = split(name);
        Self { name: pname.to_owned(), version: version.map(str::to_owned) }
    }

    /// What a derivation says of itself, applied to the name of one of its outputs. The name stays the one of the
    /// path: `python3.12-requests-2.31` is not the `requests` that another Python has.
    pub fn exact(path_name: &str, pname: Option<&str>, version: &str) -> Option<Self> {
        let found = path_name.find(&format!("-{version}")).filter(|at| *at > 0);
        let ends = |at: usize| matches!(path_name.as_bytes().get(at + 1 + version.len()), None | Some(b'-'));
        let name = match found {
            Some(at) if ends(at) => path_name.get(..at)?,
            _ => pname?,
        };
        Some(Self { name: name.to_owned(), version: Some(version.to_owned()) })
    }
}

/// Splits `firefox-128.0.3-man` into `firefox` and `128.0.3`: the version starts after the first dash that a digit
/// or a git hash follows, not at the very start (as dix does); an output's name at its end is not a part of it. What
/// a name without such a dash holds is all name.
pub fn split(name: &str) -> (&str, Option<&str>) {
    if name.starts_with("unit-") && UNITS.iter().any(|u| name.ends_with(u)) {
        return (name, None);
    }
    let version = |at: &usize| {
        let rest = &name[at + 1..];
        match rest.bytes().next() {
            Some(b'0'..=b'9') => true,
            // Only these begin a hash: the rest of most words is not looked at.
            Some(b'a'..=b'g') => is_git_hash(rest.split('-').next().unwrap_or_default()),
            _ => false,
        }
    };
    let mut dashes = name.bytes().enumerate().skip(1).filter(|(_, b)| *b == b'-').map(|(at, _)| at);
    match dashes.find(version) {
        // `foo-unstable-2024-05-01`: the word belongs to the version.
        Some(at) => match name[..at].strip_suffix("-unstable").filter(|pname| !pname.is_empty()) {
            Some(pname) => (pname, Some(without_output(&name[pname.len() + 1..]))),
            None => (&name[..at], Some(without_output(&name[at + 1..]))),
        },
        None => (name, None),
    }
}

/// An abbreviated or whole git revision: 7 to 40 hexadecimal digits, not all of them letters or all decimal.
pub fn is_git_hash(word: &str) -> bool {
    let word = word.strip_prefix('g').unwrap_or(word);
    (7..=40).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_lowercase())
}

fn without_output(version: &str) -> &str {
    match version.rsplit_once('-') {
        Some((rest, last)) if OUTPUTS.contains(&last) => rest,
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::{Package, split};

    #[test]
    fn names_and_versions() {
        for (name, pname, version) in [
            ("firefox-128.0.3", "firefox", Some("128.0.3")),
            ("gcc-13.2.0-lib", "gcc", Some("13.2.0")),
            ("gcc-13.2.0-libx", "gcc", Some("13.2.0-libx")),
            ("etc", "etc", None),
            ("nixos-system-web-26.05", "nixos-system-web", Some("26.05")),
            ("source", "source", None),
            ("unit-nginx.service", "unit-nginx.service", None),
            ("unit-container-1.service", "unit-container-1.service", None),
            ("-1", "-1", None),
            ("x-", "x-", None),
            ("python3.12-requests-2.31", "python3.12-requests", Some("2.31")),
            ("tool-a1b2c3d", "tool", Some("a1b2c3d")),
            ("tool-a1b2c3d-dev", "tool", Some("a1b2c3d")),
            ("tool-decade-x", "tool-decade-x", None),
            ("foo-0-unstable-2024-05-01", "foo", Some("0-unstable-2024-05-01")),
            ("foo-unstable-2024-05-01", "foo", Some("unstable-2024-05-01")),
        ] {
            assert_eq!(split(name), (pname, version), "{name}");
        }
    }

    #[test]
    fn the_derivation_knows_better() {
        let exact = |name: &str, pname: Option<&str>, version: &str| {
            Package::exact(name, pname, version).map(|p| (p.name, p.version.unwrap()))
        };
        let is = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(exact("font-100dpi-1.0.3", Some("font-100dpi"), "1.0.3"), is("font-100dpi", "1.0.3"));
        assert_eq!(exact("python3.12-x-2.31-dist", Some("x"), "2.31"), is("python3.12-x", "2.31"));
        assert_eq!(exact("x-2.31", Some("x"), "2.3"), is("x", "2.3"), "another version than the name's");
        assert_eq!(exact("wrapped", Some("tool"), "2.3"), is("tool", "2.3"));
        assert_eq!(exact("wrapped", None, "2.3"), None);
    }
}
