//! The package name and version in the name of a store path.

/// Splits `firefox-128.0.3` into `firefox` and `128.0.3`: the version starts after the first dash that a digit
/// follows, and not at the very start (as Nix's `DrvName` and dix do). What a name without such a dash holds is all
/// name.
pub fn split(name: &str) -> (&str, Option<&str>) {
    let bytes = name.as_bytes();
    let starts = |i: usize| bytes[i] == b'-' && bytes.get(i + 1).is_some_and(u8::is_ascii_digit);
    match (1..bytes.len()).find(|i| starts(*i)) {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_and_versions() {
        for (name, pname, version) in [
            ("firefox-128.0.3", "firefox", Some("128.0.3")),
            ("gcc-13.2.0-lib", "gcc", Some("13.2.0-lib")),
            ("etc", "etc", None),
            ("nixos-system-web-26.05", "nixos-system-web", Some("26.05")),
            ("source", "source", None),
            ("unit-nginx.service", "unit-nginx.service", None),
            ("-1", "-1", None),
            ("x-", "x-", None),
            ("python3.12-requests-2.31", "python3.12-requests", Some("2.31")),
        ] {
            assert_eq!(split(name), (pname, version), "{name}");
        }
    }
}
