//! A first diff: which packages changed their version.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::name;
use crate::model::StorePath;

/// What changes between two closures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosureDiff {
    /// Packages whose versions differ, by name.
    pub changes: Vec<Change>,
    /// Packages whose paths differ, but whose versions do not.
    pub rebuilt: usize,
    /// Paths that only the new closure has.
    pub new_paths: usize,
    /// Paths that only the old closure has.
    pub old_paths: usize,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its versions in the old closure; none if it is added.
    pub old: Vec<String>,
    /// Its versions in the new closure; none if it is removed.
    pub new: Vec<String>,
}

impl ClosureDiff {
    /// Compares two closures.
    pub fn between<'a>(
        old: impl IntoIterator<Item = &'a StorePath>,
        new: impl IntoIterator<Item = &'a StorePath>,
    ) -> Self {
        let old: BTreeSet<&StorePath> = old.into_iter().collect();
        let new: BTreeSet<&StorePath> = new.into_iter().collect();
        let (before, after) = (versions(old.iter().copied()), versions(new.iter().copied()));
        let differing: BTreeSet<&str> =
            old.symmetric_difference(&new).map(|p| name::split(p.name()).0).collect();
        let mut diff = Self {
            new_paths: new.difference(&old).count(),
            old_paths: old.difference(&new).count(),
            ..Self::default()
        };
        for name in differing {
            let (a, b) = (before.get(name), after.get(name));
            if a == b {
                diff.rebuilt += 1;
                continue;
            }
            let words =
                |set: Option<&BTreeSet<&str>>| set.into_iter().flatten().map(|v| (*v).to_owned()).collect();
            diff.changes.push(Change { name: name.to_owned(), old: words(a), new: words(b) });
        }
        diff
    }

    /// One line for the record: `firefox 127 → 128, +2, -1, 14 rebuilt`.
    pub fn summary(&self) -> String {
        let changed = |c: &&Change| !c.old.is_empty() && !c.new.is_empty();
        let mut parts: Vec<String> = self.changes.iter().filter(changed).take(5).map(Change::text).collect();
        let more = self.changes.iter().filter(changed).count().saturating_sub(5);
        let added = self.changes.iter().filter(|c| c.old.is_empty()).count();
        let removed = self.changes.iter().filter(|c| c.new.is_empty()).count();
        for (n, text) in
            [(more, "more changed"), (added, "added"), (removed, "removed"), (self.rebuilt, "rebuilt")]
        {
            if n > 0 {
                parts.push(format!("{n} {text}"));
            }
        }
        if parts.is_empty() { "no change".to_owned() } else { parts.join(", ") }
    }
}

impl Change {
    /// `firefox: 127.0 → 128.0`; a package without a version is `(no version)`.
    pub fn text(&self) -> String {
        let words = |v: &[String]| {
            let word = |w: &String| if w.is_empty() { "(no version)".to_owned() } else { w.clone() };
            v.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        match (self.old.as_slice(), self.new.as_slice()) {
            ([], new) => format!("{}: added {}", self.name, words(new)),
            (old, []) => format!("{}: removed {}", self.name, words(old)),
            (old, new) => format!("{}: {} → {}", self.name, words(old), words(new)),
        }
    }
}

fn versions<'a>(paths: impl Iterator<Item = &'a StorePath>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut map: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, version) in paths.map(|p| name::split(p.name())) {
        map.entry(name).or_default().insert(version.unwrap_or_default());
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closure(names: &[&str]) -> Vec<StorePath> {
        let path = |name: &&str| {
            // The hash of a path depends on its name here, unless the name says otherwise.
            let (hash, name) = name.split_once('/').unwrap_or(("a", name));
            StorePath::parse(&format!("/nix/store/{}-{name}", hash.repeat(32))).unwrap()
        };
        names.iter().map(path).collect()
    }

    fn diff(old: &[&str], new: &[&str]) -> (Vec<String>, usize) {
        let d = ClosureDiff::between(&closure(old), &closure(new));
        (d.changes.iter().map(Change::text).collect(), d.rebuilt)
    }

    #[test]
    fn versions_are_compared_by_name() {
        let old = ["web-1.0", "gone-3", "same-1", "a/lib-2", "etc"];
        let new = ["web-2.0", "new-7", "same-1", "b/lib-2", "b/etc"];
        let (lines, rebuilt) = diff(&old, &new);
        assert_eq!(lines, ["gone: removed 3", "new: added 7", "web: 1.0 → 2.0"]);
        assert_eq!(rebuilt, 2, "lib and etc");
    }

    #[test]
    fn a_closure_does_not_differ_from_itself() {
        let x = closure(&["web-1.0", "etc"]);
        assert_eq!(ClosureDiff::between(&x, &x), ClosureDiff::default());
        assert_eq!(ClosureDiff::between(&x, &x).summary(), "no change");
    }

    #[test]
    fn several_versions_of_one_name() {
        let (lines, _) = diff(&["ssl-1", "ssl-2"], &["ssl-2", "ssl-3"]);
        assert_eq!(lines, ["ssl: 1, 2 → 2, 3"]);
    }
}
