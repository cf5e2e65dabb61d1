//! A unit as switch-to-configuration reads and compares it. The rules are those of nixpkgs,
//! pkgs/by-name/sw/switch-to-configuration-ng/src/src/main.rs (`parse_systemd_ini`, `parse_systemd_bool`,
//! `compare_units`), which are also told in nixos/doc/manual/development/unit-handling.section.md.

use std::collections::BTreeMap;

/// Keys of `[Unit]` that may change without a restart.
const IGNORED: [&str; 13] = [
    "X-Reload-Triggers",
    "Description",
    "Documentation",
    "OnFailure",
    "OnSuccess",
    "OnFailureJobMode",
    "IgnoreOnIsolate",
    "StopWhenUnneeded",
    "RefuseManualStart",
    "RefuseManualStop",
    "AllowIsolate",
    "CollectMode",
    "SourcePath",
];

/// The sections of a unit, the keys of each, the values of each key. `[Install]` is left out: it says nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed(BTreeMap<String, BTreeMap<String, Vec<String>>>);

/// What a change of a unit's text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A reload.
    Reload,
    /// A restart.
    Restart,
}

impl Parsed {
    /// Reads a unit file, with its drop-ins after it. An empty value forgets the ones before it.
    pub fn read(text: &str) -> Self {
        let mut parsed = Self::default();
        let mut section = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                name.clone_into(&mut section);
                if section != "Install" {
                    parsed.0.entry(section.clone()).or_default();
                }
                continue;
            }
            while line.ends_with('\\') {
                line.pop();
                let Some(more) = lines.next() else { break };
                line = format!("{line} {}", more.trim());
            }
            let Some((key, value)) = line.split_once('=').filter(|_| section != "Install") else { continue };
            let values =
                parsed.0.entry(section.clone()).or_default().entry(key.trim().to_owned()).or_default();
            match value.trim() {
                "" => values.clear(),
                value => values.push(value.to_owned()),
            }
        }
        parsed
    }

    /// The values of a key.
    pub fn all(&self, section: &str, key: &str) -> &[String] {
        self.0.get(section).and_then(|s| s.get(key)).map_or(&[], Vec::as_slice)
    }

    /// Whether a key is true; `default` where it has no value.
    pub fn is(&self, section: &str, key: &str, default: bool) -> bool {
        let last = self.all(section, key).last();
        last.map_or(default, |v| matches!(v.as_str(), "1" | "yes" | "true" | "on"))
    }

    /// What a running unit needs whose text becomes `new`.
    pub fn needs(&self, new: &Self) -> Needs {
        let mut needs = Needs::Nothing;
        let sections: std::collections::BTreeSet<&String> = self.0.keys().chain(new.0.keys()).collect();
        for section in sections {
            let (old_keys, new_keys) = (self.0.get(section), new.0.get(section));
            // Only `[Unit]` may come or go.
            if section != "Unit" && old_keys.is_some() != new_keys.is_some() {
                return Needs::Restart;
            }
            let keys = old_keys.into_iter().chain(new_keys).flat_map(BTreeMap::keys);
            let is =
                |keys: Option<&BTreeMap<String, Vec<String>>>, k: &str| keys.and_then(|s| s.get(k).cloned());
            for key in keys.filter(|k| is(old_keys, k) != is(new_keys, k)) {
                let both = is(old_keys, key).is_some() && is(new_keys, key).is_some();
                match (section.as_str(), key.as_str()) {
                    // Triggers that are gone have nothing to reload for.
                    ("Unit", "X-Reload-Triggers") if is(new_keys, key).is_none() => {}
                    ("Unit", "X-Reload-Triggers") => needs = Needs::Reload,
                    ("Unit", key) if IGNORED.contains(&key) => {}
                    ("Mount", "Options") if both => needs = Needs::Reload,
                    _ => return Needs::Restart,
                }
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(old: &str, new: &str) -> Needs {
        Parsed::read(old).needs(&Parsed::read(new))
    }

    #[test]
    fn what_a_change_needs() {
        let unit = "[Unit]\nDescription=a\n[Service]\nExecStart=/a\n";
        for (old, new, expected) in [
            (unit, unit, Needs::Nothing),
            (
                unit,
                "# other\n[Unit]\nDescription=b\n[Service]\nExecStart = /a\n[Install]\nWantedBy=x\n",
                Needs::Nothing,
            ),
            (unit, "[Service]\nExecStart=/a\n", Needs::Nothing),
            (unit, "[Unit]\nDescription=a\nAfter=x\n[Service]\nExecStart=/a\n", Needs::Restart),
            (unit, "[Unit]\nDescription=a\n[Service]\nExecStart=/b\n", Needs::Restart),
            (unit, "[Unit]\nDescription=a\nX-Reload-Triggers=/x\n[Service]\nExecStart=/a\n", Needs::Reload),
            (unit, "[Unit]\nX-Reload-Triggers=/x\n[Service]\nExecStart=/b\n", Needs::Restart),
            ("[Unit]\nX-Reload-Triggers=/x\n", "", Needs::Nothing),
            ("[Unit]\nX-Reload-Triggers=/x\n", "[Unit]\nX-Reload-Triggers=/y\n", Needs::Reload),
            ("[Mount]\nWhat=/a\nOptions=ro\n", "[Mount]\nWhat=/a\nOptions=rw\n", Needs::Reload),
            ("[Mount]\nWhat=/a\n", "[Mount]\nWhat=/a\nOptions=rw\n", Needs::Restart),
            (unit, "[Unit]\nDescription=a\n[Service]\nExecStart=/a\n[Timer]\n", Needs::Restart),
            (
                unit,
                "[Unit]\nDescription=a\n[Service]\nExecStart=/b\n\n# drop-in x.conf\n[Service]\nExecStart=\nExecStart=/a\n",
                Needs::Nothing,
            ),
        ] {
            assert_eq!(needs(old, new), expected, "{old}\n→\n{new}");
        }
    }

    #[test]
    fn booleans_lists_and_continued_lines() {
        let p = Parsed::read(
            "[Service]\nX-StopIfChanged=true\nX-StopIfChanged=false\nSockets=a.socket \\\n  b.socket\n",
        );
        assert!(!p.is("Service", "X-StopIfChanged", true) && p.is("Unit", "X", true));
        assert_eq!(p.all("Service", "Sockets"), ["a.socket   b.socket".replace("   ", "  ")]);
    }
}
