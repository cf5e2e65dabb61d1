//! What a derivation is called.

use super::change::Change;
use crate::closure::name;
use crate::derivation::Derivation;

/// One of the two derivations.
pub(super) struct Side<'a> {
    pub(super) drv: &'a Derivation,
    /// `firefox-128.0`.
    pub(super) name: &'a str,
}

/// A package's name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) pname: String,
    pub(super) version: Option<String>,
}

impl Label {
    /// From a derivation's name alone.
    pub(super) fn from_name(whole: &str) -> Self {
        let (pname, version) = name::split(whole);
        Self { pname: pname.to_owned(), version: version.map(str::to_owned) }
    }

    /// `pname` and `version`, else from the name. A download has no version: its name is a file's.
    pub(super) fn of(side: &Side<'_>) -> Self {
        if side.drv.is_fixed() {
            return Self { pname: side.name.to_owned(), version: None };
        }
        let from_name = Self::from_name(side.name);
        let some = |v: Option<String>| v.filter(|v| !v.is_empty());
        Self {
            pname: some(side.drv.attribute("pname")).unwrap_or(from_name.pname),
            version: some(side.drv.attribute("version")).or(from_name.version),
        }
    }

    /// Another name, another version.
    pub(super) fn changes(old: &Self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if old.version != new.version {
            changes.push(Change::Version { old: old.version.clone(), new: new.version.clone() });
        }
        if old.pname != new.pname {
            changes.push(Change::Name { old: old.pname.clone(), new: new.pname.clone() });
        }
        changes
    }
}
