//! What differs between two closures, package by package.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change::{self, Change, Kind};
use super::name;
use super::{Closure, Member};

/// What changes between two closures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosureDiff {
    /// Packages whose versions differ, by name.
    pub changes: Vec<Change>,
    /// Packages and other paths that differ, but whose versions do not.
    pub rebuilt: usize,
    /// Which these are, by name.
    #[serde(default)]
    pub rebuilds: Vec<Change>,
    /// Paths that only the new closure has.
    pub new_paths: usize,
    /// Paths that only the old closure has.
    pub old_paths: usize,
    /// All paths of the old closure and of the new one.
    #[serde(default)]
    pub paths: [usize; 2],
    /// Bytes of the old closure and of the new one, as NARs; `None` where that is not known.
    #[serde(default)]
    pub bytes: Option<[u64; 2]>,
}

/// Which closure.
const OLD: usize = 0;
const NEW: usize = 1;

/// A path, and what its name says.
struct Named<'a> {
    member: &'a Member,
    name: &'a str,
    version: Option<&'a str>,
}

/// The differing paths of one package.
#[derive(Default)]
struct Group<'a> {
    members: [Vec<Named<'a>>; 2],
}

impl ClosureDiff {
    /// Compares two closures.
    pub fn between(old: &Closure, new: &Closure) -> Self {
        let only = differing(old, new);
        let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
        for side in [OLD, NEW] {
            for member in &only[side] {
                let (name, version) = name::split(member.path.name());
                groups.entry(name).or_default().members[side].push(Named { member, name, version });
            }
        }
        let kept = kept(new, &only[NEW], &groups);
        let mut diff = Self {
            old_paths: only[OLD].len(),
            new_paths: only[NEW].len(),
            paths: [old.members.len(), new.members.len()],
            bytes: old.bytes().zip(new.bytes()).map(|(a, b)| [a, b]),
            ..Self::default()
        };
        for (name, group) in &groups {
            let changes = group.changes(kept.get(name).map_or(&[], Vec::as_slice));
            let (rebuilds, others): (Vec<_>, Vec<_>) =
                changes.into_iter().partition(|c| c.kind == Kind::Rebuilt);
            diff.changes.extend(others);
            diff.rebuilds.extend(rebuilds);
        }
        diff.rebuilt = diff.rebuilds.len();
        diff.changes.sort_by(|a, b| a.name.cmp(&b.name));
        diff.rebuilds.sort_by(|a, b| a.name.cmp(&b.name));
        diff
    }

    /// Whether the two closures are one.
    pub fn is_empty(&self) -> bool {
        self.old_paths + self.new_paths == 0
    }

    /// One line for the record: `firefox: 127 → 128, 1 added, 14 rebuilt`.
    pub fn summary(&self) -> String {
        let is = |kind: Kind| self.changes.iter().filter(move |c| c.kind == kind).count();
        let changed: Vec<&Change> =
            self.changes.iter().filter(|c| !matches!(c.kind, Kind::Added | Kind::Removed)).collect();
        let mut parts: Vec<String> = changed.iter().take(5).map(|c| c.text()).collect();
        let more = changed.len().saturating_sub(5);
        for (n, text) in [
            (more, "more changed"),
            (is(Kind::Added), "added"),
            (is(Kind::Removed), "removed"),
            (self.rebuilt, "rebuilt"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {text}"));
            }
        }
        if parts.is_empty() { "no change".to_owned() } else { parts.join(", ") }
    }
}

/// The members that only one of the two has: both are sorted.
pub fn differing<'a>(old: &'a Closure, new: &'a Closure) -> [Vec<&'a Member>; 2] {
    let (mut a, mut b) = (old.members.iter().peekable(), new.members.iter().peekable());
    let mut only = [Vec::new(), Vec::new()];
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return only,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(x), Some(y)) => x.path.cmp(&y.path),
        };
        let (left, right) = (order.is_le().then(|| a.next()), order.is_ge().then(|| b.next()));
        match (left.flatten(), right.flatten()) {
            (Some(member), None) => only[OLD].push(member),
            (None, Some(member)) => only[NEW].push(member),
            _ => {}
        }
    }
}

/// The versions of these packages that both closures have as the very same paths.
fn kept<'a>(
    new: &'a Closure,
    only_new: &[&'a Member],
    groups: &BTreeMap<&str, Group<'_>>,
) -> BTreeMap<&'a str, Vec<String>> {
    let mut only = only_new.iter().peekable();
    let mut kept: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for member in &new.members {
        if only.next_if(|m| m.path == member.path).is_some() {
            continue;
        }
        let (name, version) = name::split(member.path.name());
        if let Some(version) = version.filter(|_| groups.contains_key(name)) {
            kept.entry(name).or_default().insert(version);
        }
    }
    kept.into_iter().map(|(name, set)| (name, set.into_iter().map(str::to_owned).collect())).collect()
}

impl Group<'_> {
    /// One change, or more where derivations tell packages apart that the names of their paths do not. What only one
    /// side's derivations tell is not used: its names could not be compared.
    fn changes(&self, kept: &[String]) -> Vec<Change> {
        let exact = self.members.iter().flatten().all(|m| m.member.package.is_some());
        let mut packages: BTreeMap<&str, change::Sides<'_>> = BTreeMap::new();
        let mut as_guessed = true;
        for side in [OLD, NEW] {
            let versions: BTreeSet<&str> = self.members[side].iter().filter_map(|m| m.version).collect();
            for Named { member, name, version } in &self.members[side] {
                let (exactly, version) = match &member.package {
                    Some(package) if exact => (package.name.as_str(), package.version.as_deref()),
                    _ => (*name, version.map(|v| folded(v, &versions))),
                };
                as_guessed &= exactly == *name;
                packages.entry(exactly).or_default().add(side, version, member);
            }
        }
        // What stays was not read: whose it is only the names tell, and they may be wrong here.
        let kept = if as_guessed { kept } else { &[] };
        packages.into_iter().map(|(name, sides)| sides.change(name.to_owned(), kept)).collect()
    }
}

/// `2.41-login` beside `2.41` is another output of it.
fn folded<'a>(version: &'a str, versions: &BTreeSet<&str>) -> &'a str {
    match version.rsplit_once('-') {
        Some((base, output))
            if versions.contains(base) && output.bytes().all(|b| b.is_ascii_alphabetic()) =>
        {
            base
        }
        _ => version,
    }
}
