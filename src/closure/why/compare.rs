//! What changed in a derivation itself.

use super::attributes::{self, Differing};
use super::change::{Change, Part};
use super::difference::only;
use super::files;
use super::inputs::{self, Inputs};
use super::label::{Label, Side};
use super::texts::Texts;
use crate::closure::mask;
use crate::derivation::{Derivation, Input, Output, OutputKind, Quoted};

/// What changed besides the paths of paired inputs.
pub(super) fn changes(old: &Side<'_>, new: &Side<'_>, inputs: &Inputs) -> Vec<Change> {
    let mut changes = Label::changes(&Label::of(old), &Label::of(new));
    // `python3.11-x` that becomes `python3.12-x` is what an input did to it.
    if changes.is_empty() && old.name != new.name && inputs.pairs.is_empty() {
        changes.push(Change::Name { old: old.name.to_owned(), new: new.name.to_owned() });
    }
    let named = old.name != new.name || !changes.is_empty();
    changes.extend(platform(old.drv, new.drv));
    changes.extend(outputs(old.drv, new.drv));
    let mut texts = Texts::new(old, new, inputs);
    for change in files::changes(old.drv, new.drv) {
        texts.explain_part(&change, changes.len(), &[]);
        changes.push(change);
    }
    input_changes(old.drv, new.drv, inputs, &mut texts, &mut changes);
    let found = text_changes(old.drv, new.drv, &texts, &mut changes);
    changes.extend(found.into_iter().filter(|c| !named || !is_name(c)));
    changes
}

/// Builder, arguments and attributes. `changes` note which attributes hold inputs that were added or removed.
fn text_changes(old: &Derivation, new: &Derivation, texts: &Texts, changes: &mut [Change]) -> Vec<Change> {
    let mut found = Vec::new();
    let mut differ = |old: String, new: String| {
        let (old, new) = (Some(old.into()), Some(new.into()));
        texts.differ(&Differing { key: "".into(), old, new, list: false }, changes)
    };
    let builder = |d: &Derivation| d.builder().text().into_owned();
    found.extend(differ(builder(old), builder(new)).map(|difference| Change::Builder { difference }));
    let joined = |d: &Derivation| mask::joined(d.arguments().map(Quoted::text));
    found.extend(differ(joined(old), joined(new)).map(|difference| Change::Arguments { difference }));
    for value in attributes::differing(old, new) {
        if let Some(difference) = texts.differ(&value, changes) {
            found.push(Change::Attribute { key: value.key.into_owned(), difference });
        }
    }
    found
}

/// Whether it says no more than the version and the name do.
fn is_name(change: &Change) -> bool {
    matches!(change, Change::Attribute { key, .. } if matches!(key.as_str(), "name" | "pname" | "version"))
}

fn platform(old: &Derivation, new: &Derivation) -> Option<Change> {
    let (old, new) = (old.platform().text(), new.platform().text());
    (old != new).then(|| Change::Platform { old: old.into_owned(), new: new.into_owned() })
}

fn outputs(old: &Derivation, new: &Derivation) -> Option<Change> {
    let words = |d: &Derivation| -> Vec<String> {
        let word = |o: Output<'_>| match o.kind() {
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
        let words = |i: &Input<'_>| {
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
