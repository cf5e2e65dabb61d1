//! Files that were copied into the store and go into a derivation (`inputSrcs`): their hash is their content's.

use std::collections::HashSet;

use super::change::{Change, Part};
use super::pairing::Paired;
use crate::derivation::Derivation;
use crate::model::StorePath;

/// How they changed. A name with another hash is another content.
pub(super) fn changes(old: &Derivation, new: &Derivation) -> Vec<Change> {
    let (a, b): (HashSet<&str>, HashSet<&str>) = (old.sources().collect(), new.sources().collect());
    let old: Vec<StorePath> = parsed(old.sources().filter(|p| !b.contains(p)));
    let new: Vec<StorePath> = parsed(new.sources().filter(|p| !a.contains(p)));
    let names = |all: &[StorePath]| all.iter().map(|p| p.name().to_owned()).collect::<Vec<_>>();
    let (x, y) = (names(&old), names(&new));
    let (x, y): (Vec<&str>, Vec<&str>) =
        (x.iter().map(String::as_str).collect(), y.iter().map(String::as_str).collect());
    let mut paired = Paired::none(x.len(), y.len());
    match paired.by_name(&x, &y, |_, _| Ok::<_, std::convert::Infallible>(0)) {
        Ok(()) => {}
        Err(never) => match never {},
    }
    paired.by_pname(&x, &y);
    let part = |p: &StorePath| Part { name: p.name().to_owned(), attributes: Vec::new() };
    let source = |(i, j): &(usize, usize)| Change::Source { old: old[*i].short(), new: new[*j].short() };
    let mut changes: Vec<Change> = paired.pairs.iter().map(source).collect();
    changes.extend(paired.removed.iter().map(|i| Change::InputRemoved(part(&old[*i]))));
    changes.extend(paired.added.iter().map(|j| Change::InputAdded(part(&new[*j]))));
    changes
}

/// A derivation's paths were checked when it was parsed: none is lost here.
fn parsed<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<StorePath> {
    paths.filter_map(|p| StorePath::parse(p).ok()).collect()
}
