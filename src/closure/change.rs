//! What happens to one package: which version becomes which.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Member, version};

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its versions that differ in the old closure, in order; empty text where a path has none; nothing if it is
    /// added.
    pub old: Vec<String>,
    /// Its versions that differ in the new closure; nothing if it is removed.
    pub new: Vec<String>,
    /// What happens to it.
    #[serde(default)]
    pub kind: Kind,
    /// Which version becomes which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Versions of it that both have, unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Bytes of its differing paths, old and new, as NARs; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<[u64; 2]>,
    /// Its differing paths, old and new.
    #[serde(default)]
    pub paths: [usize; 2],
    /// Whether somebody chose it.
    #[serde(default)]
    pub selected: bool,
}

/// What happens to a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Its versions cannot be put in order, or some rise and some fall.
    #[default]
    Changed,
    /// To a newer version.
    Upgraded,
    /// To an older version.
    Downgraded,
    /// Only the new closure has it.
    Added,
    /// Only the old closure has it.
    Removed,
    /// The same versions, other paths.
    Rebuilt,
}

/// One version of a package becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// `None`: this one is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// `None`: this one is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// What that is.
    pub kind: Kind,
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

    /// By how many bytes it grows.
    pub fn growth(&self) -> Option<i64> {
        self.bytes.map(|[old, new]| new.cast_signed().wrapping_sub(old.cast_signed()))
    }

    /// Whether no path of it has a version.
    pub fn is_versionless(&self) -> bool {
        self.old.iter().chain(&self.new).all(String::is_empty)
    }
}

/// A package's differing paths, gathered.
#[derive(Default)]
pub(super) struct Sides<'a> {
    versions: [BTreeSet<&'a str>; 2],
    bytes: [Option<u64>; 2],
    paths: [usize; 2],
    selected: bool,
}

impl<'a> Sides<'a> {
    pub(super) fn add(&mut self, side: usize, version: Option<&'a str>, member: &Member) {
        self.versions[side].insert(version.unwrap_or_default());
        let before = if self.paths[side] == 0 { Some(0) } else { self.bytes[side] };
        self.bytes[side] = before.zip(member.nar_size).map(|(a, b)| a + b);
        self.paths[side] += 1;
        self.selected |= member.selected;
    }

    pub(super) fn change(self, name: String, kept: &[String]) -> Change {
        let lists = self.versions.map(|side| {
            let mut versions: Vec<String> = side.into_iter().map(str::to_owned).collect();
            version::sort(&mut versions);
            versions
        });
        let bytes = |side: usize| if self.paths[side] == 0 { Some(0) } else { self.bytes[side] };
        let bytes = bytes(0).zip(bytes(1)).map(|(a, b)| [a, b]);
        let Sides { paths, selected, .. } = self;
        let [all_old, all_new] = lists;
        // Each side has what stays besides. Where both have the same versions, only paths differ: another build of one,
        // or an output more or less.
        let has = |list: &[String], v: &String| list.contains(v) || kept.contains(v);
        if all_old.iter().all(|v| has(&all_new, v)) && all_new.iter().all(|v| has(&all_old, v)) {
            let mut versions: Vec<String> = all_old.into_iter().chain(all_new).collect();
            version::sort(&mut versions);
            versions.dedup();
            let kept = kept.iter().filter(|v| !versions.contains(v)).cloned().collect();
            let (old, new, kind, moves) = (versions.clone(), versions, Kind::Rebuilt, Vec::new());
            return Change { name, old, new, kind, moves, kept, bytes, paths, selected };
        }
        // Versions that both have were rebuilt, and are no change of version.
        let lacks = |list: &[String], other: &[String]| -> Vec<String> {
            list.iter().filter(|v| !other.contains(v)).cloned().collect()
        };
        let (mut old, mut new) = (lacks(&all_old, &all_new), lacks(&all_new, &all_old));
        // Nothing becomes what was there before, and nothing is lost that is there still.
        if old.is_empty() {
            new.retain(|v| !kept.contains(v));
        } else if new.is_empty() {
            old.retain(|v| !kept.contains(v));
        }
        let kept = kept.iter().filter(|v| !old.contains(v) && !new.contains(v)).cloned();
        let rebuilt = all_old.iter().filter(|v| all_new.contains(v)).cloned();
        let mut kept: Vec<String> = kept.chain(rebuilt).collect();
        version::sort(&mut kept);
        kept.dedup();
        let moves = pair(&old, &new);
        let kind = match overall(&moves) {
            // Both sides have the package, only not this version of it.
            Kind::Added | Kind::Removed if !kept.is_empty() => Kind::Changed,
            kind => kind,
        };
        Change { name, old, new, kind, moves, kept, bytes, paths, selected }
    }
}

fn overall(moves: &[Move]) -> Kind {
    let mut kinds = moves.iter().map(|m| m.kind);
    match kinds.next() {
        Some(first) if kinds.all(|k| k == first) => first,
        _ => Kind::Changed,
    }
}

fn kind_of(old: &str, new: &str) -> Kind {
    match version::compare(old, new) {
        Some(Ordering::Less) => Kind::Upgraded,
        Some(Ordering::Greater) => Kind::Downgraded,
        Some(Ordering::Equal) | None => Kind::Changed,
    }
}

/// Versions that are matched one by one at most; longer lists are shown as they are.
const MOST: usize = 64;

/// Which version becomes which, of sorted ones.
fn pair(old: &[String], new: &[String]) -> Vec<Move> {
    let aligned = aligned(old, new).unwrap_or_else(|| {
        let gone = (0..old.len()).map(|i| (Some(i), None));
        gone.chain((0..new.len()).map(|j| (None, Some(j)))).collect()
    });
    let one = |(i, j): (Option<usize>, Option<usize>)| {
        let (old, new) = (i.and_then(|i| old.get(i)).cloned(), j.and_then(|j| new.get(j)).cloned());
        let kind = match (&old, &new) {
            (Some(old), Some(new)) => kind_of(old, new),
            (Some(_), None) => Kind::Removed,
            _ => Kind::Added,
        };
        Move { old, new, kind }
    };
    aligned.into_iter().map(one).collect()
}

/// Indices into the old and the new versions of what belongs together, and of what is alone.
pub(super) type Aligned = Vec<(Option<usize>, Option<usize>)>;

/// Matches sorted versions, keeping their order: those that share the most leading parts (3.12.3 → 3.12.4 rather than
/// 3.11.8 → 3.12.4), and of those that share as much, as many as there can be. `None`: they are too many.
pub(super) fn aligned(old: &[String], new: &[String]) -> Option<Aligned> {
    if old.len() > MOST || new.len() > MOST {
        return None;
    }
    // One that shares more is worth several that share less.
    let score = |i: usize, j: usize| 1_u64 << (2 * version::shared(&old[i], &new[j]).min(20));
    let width = new.len() + 1;
    // best[i * width + j]: of old[i..] and new[j..].
    let mut best = vec![0_u64; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let skip = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            best[i * width + j] = skip.max(best[(i + 1) * width + j + 1] + score(i, j));
        }
    }
    let (mut i, mut j, mut aligned) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let here = best[i * width + j];
        // Where it does not matter which are matched, the newest are.
        if i < old.len() && here == best[(i + 1) * width + j] {
            aligned.push((Some(i), None));
            i += 1;
        } else if j < new.len() && here == best[i * width + j + 1] {
            aligned.push((None, Some(j)));
            j += 1;
        } else {
            aligned.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        }
    }
    Some(aligned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(old: &[&str], new: &[&str]) -> Vec<String> {
        let list = |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let word = |v: Option<String>| v.unwrap_or_else(|| "none".into());
        pair(&list(old), &list(new))
            .into_iter()
            .map(|m| format!("{} → {} {:?}", word(m.old), word(m.new), m.kind))
            .collect()
    }

    #[test]
    fn several_versions_are_matched_by_what_they_share() {
        assert_eq!(moves(&["1"], &["2"]), ["1 → 2 Upgraded"]);
        assert_eq!(
            moves(&["3.11.1", "3.12.1"], &["3.11.2", "3.12.2", "3.13.0"]),
            ["3.11.1 → 3.11.2 Upgraded", "3.12.1 → 3.12.2 Upgraded", "none → 3.13.0 Added"]
        );
        assert_eq!(
            moves(&["3.11.1", "3.12.1"], &["3.12.2"]),
            ["3.11.1 → none Removed", "3.12.1 → 3.12.2 Upgraded"]
        );
        assert_eq!(
            moves(&["3.11.8", "3.12.3"], &["3.12.4", "3.13.0"]),
            ["3.11.8 → none Removed", "3.12.3 → 3.12.4 Upgraded", "none → 3.13.0 Added"]
        );
        assert_eq!(moves(&["1", "2"], &["3"]), ["1 → none Removed", "2 → 3 Upgraded"]);
        assert_eq!(moves(&["a1b2c3d"], &["0b2c3d4"]), ["a1b2c3d → 0b2c3d4 Changed"]);
        assert_eq!(moves(&["2"], &[]), ["2 → none Removed"]);
        assert!(moves(&[], &[]).is_empty());
    }
}
