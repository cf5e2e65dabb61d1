//! How two texts differ, small enough to be shown.

use std::collections::HashMap;

use serde::Serialize;

use crate::closure::mask;

/// What differs between two values of one key. Secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// Both values; none where there is no such key.
    Values {
        /// Before.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// Words that are in one of them only.
    Words {
        /// Only before.
        removed: Vec<String>,
        /// Only after.
        added: Vec<String>,
    },
    /// Lines that are in one of them only.
    Lines {
        /// Only before.
        removed: Vec<String>,
        /// Only after.
        added: Vec<String>,
    },
    /// The same words in another order, or other white space.
    Order,
    /// Too much to show: sizes in bytes, without secrets; none where there is no such key.
    Size {
        /// Before.
        old: Option<usize>,
        /// After.
        new: Option<usize>,
    },
    /// A secret.
    Hidden,
}

/// Values up to so many bytes are shown whole.
const SHORT: usize = 60;
/// At most so many words or lines.
const MOST: usize = 12;
/// And each up to so many bytes.
const LONGEST: usize = 160;

/// Compares two values of a key (none: no such key), normalised and masked as a whole: words and lines alone would not
/// show that they are secrets. The unmasked ones differ. `list`: words are what counts in it.
pub(super) fn between(old: Option<&str>, new: Option<&str>, list: bool) -> Difference {
    if hides(old, new) {
        return Difference::Hidden;
    }
    let size = Difference::Size { old: old.map(str::len), new: new.map(str::len) };
    let values = || Difference::Values { old: old.map(str::to_owned), new: new.map(str::to_owned) };
    let (Some(a), Some(b)) = (old, new) else {
        let text = old.or(new).unwrap_or_default();
        return if text.len() > LONGEST || text.contains('\n') { size } else { values() };
    };
    if !list && a.len() <= SHORT && b.len() <= SHORT && !a.contains('\n') && !b.contains('\n') {
        return values();
    }
    if a.trim().contains('\n') || b.trim().contains('\n') {
        let (removed, added) = only(a.lines(), b.lines());
        return shown(&removed, &added, |removed, added| Difference::Lines { removed, added })
            .unwrap_or(size);
    }
    let (removed, added) = only(a.split_whitespace(), b.split_whitespace());
    shown(&removed, &added, |removed, added| Difference::Words { removed, added }).unwrap_or(size)
}

/// Whether masking left nothing to tell.
fn hides(old: Option<&str>, new: Option<&str>) -> bool {
    old == new || [old, new].contains(&Some(mask::MASKED))
}

/// Words or lines, if they are few enough.
fn shown(
    removed: &[&str],
    added: &[&str],
    form: impl Fn(Vec<String>, Vec<String>) -> Difference,
) -> Option<Difference> {
    let all = || removed.iter().chain(added);
    if removed.is_empty() && added.is_empty() {
        return Some(Difference::Order);
    }
    if removed.len() + added.len() > MOST || all().any(|w| w.len() > LONGEST) {
        return None;
    }
    if all().all(|w| *w == mask::MASKED) {
        return Some(Difference::Hidden);
    }
    let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    Some(form(owned(removed), owned(added)))
}

/// What is in only one of two sequences, as often as it is there more often, in its order.
pub(super) fn only<'a>(
    old: impl Iterator<Item = &'a str> + Clone,
    new: impl Iterator<Item = &'a str> + Clone,
) -> (Vec<&'a str>, Vec<&'a str>) {
    (surplus(old.clone(), new.clone()), surplus(new, old))
}

fn surplus<'a>(all: impl Iterator<Item = &'a str>, without: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for word in without {
        *there.entry(word).or_default() += 1;
    }
    let mut extra = Vec::new();
    for word in all {
        match there.get_mut(word) {
            Some(n) if *n > 0 => *n -= 1,
            _ => extra.push(word),
        }
    }
    extra
}
