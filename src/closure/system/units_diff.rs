//! Which units differ, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::facts::{Unit, UnitKind, Unread};
use super::paths::normalised;
use crate::closure::mask::Secrets;

/// Lines around a change.
const CONTEXT: usize = 2;

/// The units of one manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitsDiff {
    /// Only in the new system.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// With another text, or pulled in by something else.
    pub changed: Vec<UnitChange>,
    /// They differ only by the hashes of store paths.
    pub paths_only: Vec<String>,
    /// At least one side was not read, or only masked values of a snapshot may differ.
    pub not_compared: Vec<Unread>,
}

/// A unit that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitChange {
    /// Its name.
    pub name: String,
    /// What changed beside its text: `pulled in by multi-user.target`, `masked`.
    pub notes: Vec<String>,
    /// A unified diff without a header, of the masked texts with store hashes as `…`; empty if they are the same.
    pub diff: String,
    /// Whether a masked value changed.
    pub secrets: Secrets,
}

impl UnitsDiff {
    /// Compares two directories of units.
    pub fn between(old: &BTreeMap<String, Unit>, new: &BTreeMap<String, Unit>) -> Self {
        let mut diff = Self::default();
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            match (old.get(name), new.get(name)) {
                (Some(a), Some(b)) => diff.compare(name, a, b),
                (None, Some(_)) => diff.added.push(name.clone()),
                _ => diff.removed.push(name.clone()),
            }
        }
        diff
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn compare(&mut self, name: &str, old: &Unit, new: &Unit) {
        if old == new {
            return;
        }
        if let (UnitKind::NotCompared(_), true) = (&old.kind, old.kind == new.kind)
            && !old.text.text.is_empty()
            && !new.text.text.is_empty()
        {
            // Not text: of both, a digest is known.
            return self.digests(name, old, new);
        }
        for unit in [old, new] {
            if let UnitKind::NotCompared(why) = &unit.kind {
                // The same link into the store leads to the same text.
                if old.path != new.path || !old.path.starts_with("/nix/store/") {
                    self.not_compared.push(Unread { path: name.to_owned(), why: why.clone() });
                }
                return;
            }
        }
        let (a, b) = (normalised(&old.text.text), normalised(&new.text.text));
        let secrets = old.text.secrets(&new.text);
        let notes = notes(old, new);
        let diff = if a == b { String::new() } else { unified(&a, &b) };
        let same = diff.is_empty() && notes.is_empty();
        match secrets {
            Secrets::Same if same && paths(old) == paths(new) && old.text.text == new.text.text => {}
            Secrets::Same if same => self.paths_only.push(name.to_owned()),
            Secrets::NotComparable if same && old.path == new.path && old.drop_ins == new.drop_ins => {}
            Secrets::NotComparable if same => {
                let why = "its masked values cannot be compared with a snapshot's".to_owned();
                self.not_compared.push(Unread { path: name.to_owned(), why });
            }
            _ => self.changed.push(UnitChange { name: name.to_owned(), notes, diff, secrets }),
        }
    }
}

impl UnitsDiff {
    fn digests(&mut self, name: &str, old: &Unit, new: &Unit) {
        let mut notes = notes(old, new);
        if old.text.text != new.text.text {
            notes.push("it is not text, and its content changed".to_owned());
        }
        if notes.is_empty() {
            return self.paths_only.push(name.to_owned());
        }
        let change = UnitChange { name: name.to_owned(), notes, diff: String::new(), secrets: Secrets::Same };
        self.changed.push(change);
    }
}

fn paths(unit: &Unit) -> (&str, &BTreeMap<String, String>) {
    (&unit.path, &unit.drop_ins)
}

/// A short unified diff.
fn unified(old: &str, new: &str) -> String {
    let text = TextDiff::from_lines(old, new);
    text.unified_diff().context_radius(CONTEXT).missing_newline_hint(false).to_string()
}

fn notes(old: &Unit, new: &Unit) -> Vec<String> {
    let mut notes = Vec::new();
    if old.kind != new.kind {
        notes.push(match &new.kind {
            UnitKind::File => "has a file of its own now".to_owned(),
            UnitKind::Alias(of) => format!("another name of {of} now"),
            UnitKind::Masked => "masked now: it cannot be started".to_owned(),
            UnitKind::Elsewhere => "has no file here any more".to_owned(),
            UnitKind::NotCompared(why) => why.clone(),
        });
    }
    let by = |d: &String| {
        let (unit, how) = d.rsplit_once('.').unwrap_or((d, ""));
        if how == "wants" { unit.to_owned() } else { format!("{unit} ({how})") }
    };
    notes.extend(
        new.pulled_in_by.difference(&old.pulled_in_by).map(|d| format!("now pulled in by {}", by(d))),
    );
    notes.extend(
        old.pulled_in_by.difference(&new.pulled_in_by).map(|d| format!("no longer pulled in by {}", by(d))),
    );
    notes
}
