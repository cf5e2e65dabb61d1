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
        let mut packages = Packages::default();
        for (name, group) in &groups {
            packages.gather(name, group);
        }
        let kept = packages.kept(new, &only[NEW]);
        let mut diff = Self {
            old_paths: only[OLD].len(),
            new_paths: only[NEW].len(),
            paths: [old.members.len(), new.members.len()],
            bytes: old.bytes().zip(new.bytes()).map(|(a, b)| [a, b]),
            ..Self::default()
        };
        // In the order of their names.
        for (name, sides) in packages.sides {
            let change = sides.change(name.to_owned(), kept.get(name).map_or(&[], Vec::as_slice));
            if change.kind == Kind::Rebuilt { diff.rebuilds.push(change) } else { diff.changes.push(change) }
        }
        diff.rebuilt = diff.rebuilds.len();
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

/// What differs, by package.
#[derive(Default)]
struct Packages<'a> {
    sides: BTreeMap<&'a str, change::Sides<'a>>,
    /// Names that the names of paths suggest and derivations deny.
    denied: BTreeSet<&'a str>,
    /// `name-version` of packages that only derivations tell.
    told: BTreeMap<String, (&'a str, &'a str)>,
}

impl<'a> Packages<'a> {
    /// Adds the paths whose names suggest one package. They are of one or more if derivations tell them apart, and
    /// others' paths may be of the same. What only one side's derivations tell is not used: its names could not be
    /// compared.
    fn gather(&mut self, guessed: &'a str, group: &Group<'a>) {
        let exact = group.members.iter().flatten().all(|m| m.member.package.is_some());
        for side in [OLD, NEW] {
            let versions: BTreeSet<&str> = group.members[side].iter().filter_map(|m| m.version).collect();
            for Named { member, name, version } in &group.members[side] {
                let (exactly, version) = match &member.package {
                    Some(package) if exact => (package.name.as_str(), package.version.as_deref()),
                    _ => (*name, version.map(|v| folded(v, &versions))),
                };
                if exactly != guessed {
                    self.denied.insert(guessed);
                    self.told.extend(version.map(|v| (format!("{exactly}-{v}"), (exactly, v))));
                }
                self.sides.entry(exactly).or_default().add(side, version, member);
            }
        }
    }

    /// The versions of these packages that both closures have as the very same paths. What stays was not read: whose
    /// it is only the names tell, where derivations of the same name do not deny it.
    fn kept(&self, new: &'a Closure, only_new: &[&'a Member]) -> BTreeMap<&'a str, Vec<String>> {
        let mut only = only_new.iter().peekable();
        let mut kept: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for member in &new.members {
            if only.next_if(|m| m.path == member.path).is_some() {
                continue;
            }
            let whole = member.path.name();
            let (name, version) = name::split(whole);
            let is_one = |_: &&str| self.sides.contains_key(name) && !self.denied.contains(name);
            if let Some(version) = version.filter(is_one) {
                kept.entry(name).or_default().insert(version);
            }
            if let Some((name, version)) = self.told(whole) {
                kept.entry(name).or_default().insert(version);
            }
        }
        kept.into_iter().map(|(name, set)| (name, set.into_iter().map(str::to_owned).collect())).collect()
    }

    /// The package that only derivations tell, if a path is named like it: `foo-v1.2-man`.
    fn told(&self, whole: &str) -> Option<(&'a str, &'a str)> {
        if self.told.is_empty() {
            return None;
        }
        let mut ends = whole.match_indices('-').map(|(at, _)| at).chain([whole.len()]);
        ends.find_map(|at| self.told.get(whole.get(..at)?)).copied()
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
