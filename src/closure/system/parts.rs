//! The smaller parts of a system, compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, Group, User};
use super::facts::{EtcFile, Known, Unread};
use super::paths::{name, normalised};
use crate::closure::mask::{Masked, Secrets};

/// Something that has one value on each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// What it is: `kernel`.
    pub what: String,
    /// Its old value.
    pub old: Option<String>,
    /// Its new one. The same as the old one if it was rebuilt without a new version.
    pub new: Option<String>,
}

impl Pair {
    /// Two links into the store, shown by the names of what they lead to; `None` if they are the same.
    pub fn of_links(what: &str, old: Option<&String>, new: Option<&String>) -> Option<Self> {
        let text = |p: Option<&String>| p.map(|p| name(p).to_owned());
        (old != new).then(|| Self { what: what.to_owned(), old: text(old), new: text(new) })
    }

    /// Two texts; `None` if they are the same.
    pub fn of(what: &str, old: Option<String>, new: Option<String>) -> Option<Self> {
        (old != new).then(|| Self { what: what.to_owned(), old, new })
    }
}

/// Words or lines that came and went, in the order of their text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Only in the new text.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// Whether a masked value changed.
    pub secrets: Secrets,
    /// How they differ where no word came or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Listed {
    /// Compares words, store hashes normalised.
    pub fn words(old: &Masked, new: &Masked) -> Self {
        let split = |t: &str| -> Vec<String> { t.split_whitespace().map(str::to_owned).collect() };
        let [before, after] = [old, new].map(|t| split(&normalised(&t.text)));
        let mut listed = Self::between(&before, &after, old.secrets(new));
        if listed.added.is_empty() && listed.removed.is_empty() {
            let note = match (before == after, split(&old.text) == split(&new.text)) {
                (true, true) => None,
                (true, false) => Some("the same but for the hashes of store paths"),
                (false, _) => Some("the same in another order or number"),
            };
            listed.note = note.map(str::to_owned);
        }
        listed
    }

    /// Compares lists; how often a word stands in one does not count.
    pub fn between(old: &[String], new: &[String], secrets: Secrets) -> Self {
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
            (old.iter().collect(), new.iter().collect());
        Self {
            added: new.iter().filter(|w| !before.contains(w)).cloned().collect(),
            removed: old.iter().filter(|w| !after.contains(w)).cloned().collect(),
            secrets,
            note: None,
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Names that came, went and changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// Only in the new system.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// In both, and how they differ.
    pub changed: BTreeMap<String, Vec<String>>,
    /// They differ only by the hashes of store paths.
    pub paths_only: Vec<String>,
    /// They lead elsewhere, and what lies there was not compared.
    pub not_compared: Vec<Unread>,
}

impl Names {
    /// Compares two maps; `how` says how two values differ, and nothing if they do not.
    pub fn between<T>(
        old: &BTreeMap<String, T>,
        new: &BTreeMap<String, T>,
        mut how: impl FnMut(&mut Self, &str, &T, &T) -> Vec<String>,
    ) -> Self {
        let mut names = Self {
            added: new.keys().filter(|n| !old.contains_key(*n)).cloned().collect(),
            removed: old.keys().filter(|n| !new.contains_key(*n)).cloned().collect(),
            ..Self::default()
        };
        for (name, a) in old {
            let Some(b) = new.get(name) else { continue };
            let changes = how(&mut names, name, a, b);
            if !changes.is_empty() {
                names.changed.insert(name.clone(), changes);
            }
        }
        names
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Files of `/etc`.
pub fn etc(old: &BTreeMap<String, EtcFile>, new: &BTreeMap<String, EtcFile>) -> Names {
    Names::between(old, new, |names, name, a, b| {
        let mut how = Vec::new();
        if a.mode != b.mode {
            let word = |m: &Option<String>| m.clone().unwrap_or("linked".to_owned());
            how.push(format!("mode {} → {}", word(&a.mode), word(&b.mode)));
        }
        // What a path in the store holds does not change; what is not read behind another link is nobody's.
        let unread = a.content.known().is_none() || b.content.known().is_none();
        let in_store = a.target.as_ref().is_some_and(|t| t.starts_with("/nix/store/"));
        let same_path = a.target == b.target && a.target.is_some() && (in_store || unread);
        let path = |f: &EtcFile| normalised(f.target.as_deref().unwrap_or_default()).into_owned();
        match (&a.content, &b.content) {
            _ if same_path => {}
            (Known::Known(x), Known::Known(y)) => match (x.text == y.text, x.secrets(y)) {
                (false, _) => how.push(content(a, b)),
                (true, Secrets::Changed) => how.push("a masked value".to_owned()),
                (true, Secrets::NotComparable) => {
                    let why = "its masked values cannot be compared with a snapshot's".to_owned();
                    names.not_compared.push(Unread { path: name.to_owned(), why });
                }
                (true, Secrets::Same) if how.is_empty() && a.target != b.target => {
                    names.paths_only.push(name.to_owned());
                }
                (true, Secrets::Same) => {}
            },
            // A link that leads elsewhere, whatever is there.
            _ if path(a) != path(b) => how.push(format!("{} → {}", path(a), path(b))),
            (Known::NotKnown(why), _) | (_, Known::NotKnown(why)) => {
                names.not_compared.push(Unread { path: name.to_owned(), why: why.clone() });
            }
        }
        how
    })
}

/// Names below a directory that are told; the rest is counted.
const MOST_BELOW: usize = 8;

/// What changed in a file; of a directory, which files below it.
fn content(old: &EtcFile, new: &EtcFile) -> String {
    let names: BTreeSet<&String> = old.below.keys().chain(new.below.keys()).collect();
    let changed = names.into_iter().filter_map(|name| match (old.below.get(name), new.below.get(name)) {
        (None, Some(_)) => Some(format!("+{name}")),
        (Some(_), None) => Some(format!("-{name}")),
        (a, b) => (a != b).then(|| name.clone()),
    });
    let changed: Vec<String> = changed.collect();
    // What a file is to a directory, or a snapshot of an earlier version to a later one, has no common names.
    if changed.is_empty() || old.below.is_empty() || new.below.is_empty() {
        return "content".to_owned();
    }
    let more = changed.len().saturating_sub(MOST_BELOW);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("content of {}{more}", changed.get(..MOST_BELOW).unwrap_or(&changed).join(", "))
}

/// Users and groups.
pub fn accounts(old: &Accounts, new: &Accounts) -> (Names, Names) {
    (
        Names::between(&old.users, &new.users, |_, _, a, b| user(a, b)),
        Names::between(&old.groups, &new.groups, |_, _, a, b| group(a, b)),
    )
}

fn user(old: &User, new: &User) -> Vec<String> {
    let number = |n: Option<u32>| n.map_or("chosen".to_owned(), |n| n.to_string());
    let text = |t: &Option<String>| t.as_deref().map_or("none".to_owned(), |t| normalised(t).into_owned());
    let mut how = Vec::new();
    for (what, a, b) in [
        ("uid", number(old.uid), number(new.uid)),
        ("group", text(&old.group), text(&new.group)),
        ("home", text(&old.home), text(&new.home)),
        ("shell", text(&old.shell), text(&new.shell)),
    ] {
        if a != b {
            how.push(format!("{what} {a} → {b}"));
        }
    }
    how.extend(members("groups", &old.groups, &new.groups));
    match (old.password.masked, new.password.masked, old.password.secrets(&new.password)) {
        (0, n, _) if n > 0 => how.push("a password is declared".to_owned()),
        (n, 0, _) if n > 0 => how.push("no password is declared any more".to_owned()),
        (_, _, Secrets::Changed) => how.push("password changed".to_owned()),
        (_, _, Secrets::NotComparable | Secrets::Same) => {}
    }
    // A snapshot of an earlier version holds none of them.
    let known = !old.other.text.is_empty() && !new.other.text.is_empty();
    if known && (old.other.text != new.other.text || old.other.secrets(&new.other) == Secrets::Changed) {
        how.push("other settings".to_owned());
    }
    how
}

fn group(old: &Group, new: &Group) -> Vec<String> {
    let number = |n: Option<u32>| n.map_or("chosen".to_owned(), |n| n.to_string());
    let mut how = Vec::new();
    if old.gid != new.gid {
        how.push(format!("gid {} → {}", number(old.gid), number(new.gid)));
    }
    how.extend(members("members", &old.members, &new.members));
    how
}

/// `groups +wheel -audio`.
fn members(what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Option<String> {
    let added = new.difference(old).map(|g| format!("+{g}"));
    let words: Vec<String> = added.chain(old.difference(new).map(|g| format!("-{g}"))).collect();
    (!words.is_empty()).then(|| format!("{what} {}", words.join(" ")))
}
