//! The texts of two derivations, made comparable.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::attributes::Differing;
use super::change::Change;
use super::difference::{self, Difference, only};
use super::inputs::{self, Inputs};
use super::label::Side;
use super::normal::Normal;
use crate::closure::{mask, name};
use crate::derivation::Derivation;
use crate::model::store_path::STORE_DIR;

/// The texts of the two derivations, made comparable.
pub(super) struct Texts {
    old: Normal,
    new: Normal,
    /// Words that only one side can have, since only it has the input → that change's index.
    removed: HashMap<String, usize>,
    added: HashMap<String, usize>,
}

impl Texts {
    pub(super) fn new(old: &Side<'_>, new: &Side<'_>, inputs: &Inputs) -> Self {
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
    pub(super) fn explain_part(&mut self, change: &Change, index: usize, outputs: &[Cow<'_, str>]) {
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
    /// explains it: that one notes the key instead. Variables that hold an own output are of no concern.
    pub(super) fn differ(&self, value: &Differing<'_>, changes: &mut [Change]) -> Option<Difference> {
        let (key, old, new) = (&*value.key, value.old.as_deref(), value.new.as_deref());
        if old == new {
            return None;
        }
        let list = value.list || [old, new].into_iter().flatten().any(|t| t.contains(STORE_DIR));
        let (a, b) = (old.map(|t| self.old.text(t)), new.map(|t| self.new.text(t)));
        let own = |t: &Option<Cow<'_, str>>| t.as_deref().is_none_or(|t| t.strip_prefix('$') == Some(key));
        if a == b || (own(&a) && own(&b)) {
            return None;
        }
        let hidden = |t: &Option<Cow<'_, str>>| t.as_deref().map(|t| mask::value(key, t).into_owned());
        let (x, y) = (hidden(&a), hidden(&b));
        if !list {
            return Some(difference::between(x.as_deref(), y.as_deref(), false));
        }
        let plain = self.unexplained(key, [a.as_deref(), b.as_deref()], changes);
        if plain.all > 0 && plain.rest() == 0 {
            return None;
        }
        let words = self.unexplained(key, [x.as_deref(), y.as_deref()], changes);
        let lines = [&x, &y].iter().any(|t| t.as_deref().is_some_and(|t| t.trim().contains('\n')));
        if words.all == words.rest() || lines {
            return Some(difference::between(x.as_deref(), y.as_deref(), true));
        }
        Some(difference::between(Some(&words.removed.join(" ")), Some(&words.added.join(" ")), true))
    }

    /// Words of one value only that no added or removed input explains. Those that one does note the key there.
    fn unexplained<'w>(
        &self,
        key: &str,
        values: [Option<&'w str>; 2],
        changes: &mut [Change],
    ) -> Unexplained<'w> {
        let [old, new] = values.map(|v| v.unwrap_or_default().split_whitespace());
        let (removed, added) = only(old, new);
        Unexplained {
            all: removed.len() + added.len(),
            removed: unexplained(key, removed, &self.removed, changes),
            added: unexplained(key, added, &self.added, changes),
        }
    }
}

struct Unexplained<'w> {
    /// How many words are in one only.
    all: usize,
    removed: Vec<&'w str>,
    added: Vec<&'w str>,
}

impl Unexplained<'_> {
    fn rest(&self) -> usize {
        self.removed.len() + self.added.len()
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
