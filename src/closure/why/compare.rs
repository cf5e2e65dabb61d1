//! What changed in a derivation itself.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::attributes;
use super::change::{Change, Part};
use super::difference::{self, Difference, only};
use super::files;
use super::inputs::{self, Inputs};
use super::normal::Normal;
use crate::closure::name;
use crate::derivation::{Derivation, OutputKind};
use crate::model::store_path::STORE_DIR;

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

/// What changed besides the paths of paired inputs.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, inputs: &Inputs) -> Vec<Change> {
    let mut changes = Label::changes(&Label::of(old), &Label::of(new));
    let named = !changes.is_empty();
    changes.extend(platform(old.drv, new.drv));
    changes.extend(outputs(old.drv, new.drv));
    let mut texts = Texts::new(old, new, inputs);
    for change in files::changes(old.drv, new.drv) {
        texts.explain_part(&change, changes.len(), &[]);
        changes.push(change);
    }
    input_changes(old.drv, new.drv, inputs, &mut texts, &mut changes);
    let mut found = Vec::new();
    let (a, b) = (old.drv.builder().text(), new.drv.builder().text());
    found.extend(
        texts.differ("", Some(&a), Some(&b), &mut changes).map(|d| Change::Builder { difference: d }),
    );
    let joined = |d: &Derivation| d.arguments().map(|a| a.text().into_owned()).collect::<Vec<_>>().join(" ");
    let (a, b) = (joined(old.drv), joined(new.drv));
    found.extend(
        texts.differ("", Some(&a), Some(&b), &mut changes).map(|d| Change::Arguments { difference: d }),
    );
    for attribute in attributes::differing(old.drv, new.drv) {
        let attributes::Differing { key, old, new } = attribute;
        if named && matches!(&*key, "name" | "pname" | "version") {
            continue;
        }
        if let Some(difference) = texts.differ(&key, old.as_deref(), new.as_deref(), &mut changes) {
            found.push(Change::Attribute { key: key.into_owned(), difference });
        }
    }
    changes.extend(found);
    changes
}

fn platform(old: &Derivation, new: &Derivation) -> Option<Change> {
    let (old, new) = (old.platform().text(), new.platform().text());
    (old != new).then(|| Change::Platform { old: old.into_owned(), new: new.into_owned() })
}

fn outputs(old: &Derivation, new: &Derivation) -> Option<Change> {
    let words = |d: &Derivation| -> Vec<String> {
        let word = |o: crate::derivation::Output<'_>| match o.kind() {
            // Whether it is deferred is a matter of its inputs.
            OutputKind::InputAddressed | OutputKind::Deferred => o.name.text().into_owned(),
            OutputKind::Fixed => format!("{} (fixed)", o.name.text()),
            OutputKind::Floating => format!("{} (content-addressed, {})", o.name.text(), o.algorithm.text()),
            OutputKind::Impure => format!("{} (impure)", o.name.text()),
        };
        d.outputs().map(word).collect()
    };
    let (old, new) = (words(old), words(new));
    (old != new).then_some(Change::Outputs { old, new })
}

/// Inputs added and removed, and inputs of which other outputs are used.
fn input_changes(
    old: &Derivation,
    new: &Derivation,
    inputs: &Inputs,
    texts: &mut Texts,
    changes: &mut Vec<Change>,
) {
    let part = |path: &str| Part { name: inputs::name(path).to_owned(), attributes: Vec::new() };
    let removed =
        inputs.removed.iter().filter_map(|i| old.input(*i)).map(|i| (Change::InputRemoved(part(i.path)), i));
    let added =
        inputs.added.iter().filter_map(|j| new.input(*j)).map(|j| (Change::InputAdded(part(j.path)), j));
    for (change, input) in removed.chain(added) {
        let outputs: Vec<_> = input.outputs.iter().map(|o| o.text()).collect();
        texts.explain_part(&change, changes.len(), &outputs);
        changes.push(change);
    }
    for (i, j) in inputs.other_outputs.iter().chain(&inputs.pairs) {
        let (Some(a), Some(b)) = (old.input(*i), new.input(*j)) else { continue };
        let words = |i: &crate::derivation::Input<'_>| {
            let dynamic = i.dynamic.map(|d| d.text().into_owned());
            i.outputs.iter().map(|o| o.text().into_owned()).chain(dynamic).collect::<Vec<_>>()
        };
        let (x, y) = (words(&a), words(&b));
        let (removed, added) = only(x.iter().map(String::as_str), y.iter().map(String::as_str));
        if removed.is_empty() && added.is_empty() {
            continue;
        }
        let owned = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
        let name = inputs::name(b.path).to_owned();
        changes.push(Change::InputOutputs { name, removed: owned(removed), added: owned(added) });
    }
}

/// The texts of the two derivations, made comparable.
struct Texts {
    old: Normal,
    new: Normal,
    /// Words that only one side can have, since only it has the input → that change's index.
    removed: HashMap<String, usize>,
    added: HashMap<String, usize>,
}

impl Texts {
    fn new(old: &Side<'_>, new: &Side<'_>, inputs: &Inputs) -> Self {
        let (mut a, mut b) = (normal(old.drv), normal(new.drv));
        let mut taken = HashSet::new();
        for (i, j) in &inputs.pairs {
            let (Some(x), Some(y)) = (old.drv.input(*i), new.drv.input(*j)) else { continue };
            let (from, to) = (inputs::name(x.path), inputs::name(y.path));
            if from == to {
                continue;
            }
            let pname = name::split(to).0;
            let word = if taken.insert(pname.to_owned()) { pname } else { to };
            for (normal, name, input) in [(&mut a, from, &x), (&mut b, to, &y)] {
                normal.name(name.to_owned(), word.to_owned());
                normal.name(format!("{name}.drv"), format!("{word}.drv"));
                for output in &input.outputs {
                    let output = output.text();
                    normal.name(format!("{name}-{output}"), format!("{word}-{output}"));
                }
            }
        }
        Self { old: a, new: b, removed: HashMap::new(), added: HashMap::new() }
    }

    /// Words of an input that is there on one side only are explained by that.
    fn explain_part(&mut self, change: &Change, index: usize, outputs: &[Cow<'_, str>]) {
        let (part, words) = match change {
            Change::InputRemoved(part) => (part, &mut self.removed),
            Change::InputAdded(part) => (part, &mut self.added),
            _ => return,
        };
        words.insert(part.name.clone(), index);
        words.insert(format!("{}.drv", part.name), index);
        words.extend(outputs.iter().map(|o| (format!("{}-{o}", part.name), index)));
    }

    /// How two values differ, if they do once they are normalised, and if no input that was added or removed
    /// explains it: that one notes the key instead.
    fn differ(
        &self,
        key: &str,
        old: Option<&str>,
        new: Option<&str>,
        changes: &mut [Change],
    ) -> Option<Difference> {
        if old == new {
            return None;
        }
        let list = [old, new].into_iter().flatten().any(|t| t.contains(STORE_DIR));
        let (a, b) = (old.map(|t| self.old.text(t)), new.map(|t| self.new.text(t)));
        if a == b {
            return None;
        }
        if !list {
            return Some(difference::between(key, a.as_deref(), b.as_deref(), false));
        }
        let words = |t: &Option<Cow<'_, str>>| t.as_deref().unwrap_or_default().to_owned();
        let (x, y) = (words(&a), words(&b));
        let (removed, added) = only(x.split_whitespace(), y.split_whitespace());
        let all = removed.len() + added.len();
        let removed = unexplained(key, removed, &self.removed, changes);
        let added = unexplained(key, added, &self.added, changes);
        if all > 0 && removed.is_empty() && added.is_empty() {
            return None;
        }
        if all == removed.len() + added.len() || x.trim().contains('\n') || y.trim().contains('\n') {
            return Some(difference::between(key, a.as_deref(), b.as_deref(), true));
        }
        Some(difference::between(key, Some(&removed.join(" ")), Some(&added.join(" ")), true))
    }
}

fn normal(drv: &Derivation) -> Normal {
    let mut normal = Normal::default();
    for output in drv.outputs() {
        if output.path.is_empty() {
            normal.placeholders = true;
        } else {
            normal.own(&output.path.text(), &output.name.text());
        }
    }
    normal
}

/// Words that no added or removed input explains. Those that one does note the key there.
fn unexplained<'w>(
    key: &str,
    words: Vec<&'w str>,
    explained: &HashMap<String, usize>,
    changes: &mut [Change],
) -> Vec<&'w str> {
    let mut rest = Vec::new();
    for word in words {
        let head = word.split('/').next().unwrap_or_default();
        match explained.get(head).and_then(|i| changes.get_mut(*i)) {
            Some(Change::InputAdded(part) | Change::InputRemoved(part)) => {
                if !key.is_empty() && !part.attributes.iter().any(|a| a == key) {
                    part.attributes.push(key.to_owned());
                }
            }
            _ => rest.push(word),
        }
    }
    rest
}
