//! The inputs of two derivations, paired.

use std::collections::HashMap;
use std::rc::Rc;

use super::pairing::Paired;
use super::shelf::Shelf;
use crate::derivation::{Derivation, Input};
use crate::model::StorePath;

/// Inputs that are not the same on both sides, as indices into the inputs of either.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// One became the other.
    pub(super) pairs: Vec<(usize, usize)>,
    /// The same derivation, of which other outputs are used.
    pub(super) other_outputs: Vec<(usize, usize)>,
    pub(super) removed: Vec<usize>,
    pub(super) added: Vec<usize>,
}

/// At most so many inputs that are on one side only are read for their `pname`.
const MOST_READ: usize = 256;

impl Inputs {
    /// Pairs them: the same ones, then by name, then by name without the version, then by `pname`.
    pub(super) fn of<E>(old: &Derivation, new: &Derivation, shelf: &mut Shelf<'_, E>) -> Result<Self, E> {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut inputs = Self::default();
        let there: HashMap<&str, usize> = new.input_paths().enumerate().map(|(j, p)| (p, j)).collect();
        let mut same = vec![false; there.len()];
        for (i, path) in old.input_paths().enumerate() {
            match there.get(path) {
                Some(j) => {
                    same[*j] = true;
                    if !same_outputs(old.input(i).as_ref(), new.input(*j).as_ref()) {
                        inputs.other_outputs.push((i, *j));
                    }
                }
                None => a.push((i, path)),
            }
        }
        b.extend(new.input_paths().enumerate().filter(|(j, _)| !same[*j]));
        let paired = pair(&a, &b, shelf)?;
        inputs.pairs = paired.pairs.iter().map(|(i, j)| (a[*i].0, b[*j].0)).collect();
        inputs.removed = paired.removed.iter().map(|i| a[*i].0).collect();
        inputs.added = paired.added.iter().map(|j| b[*j].0).collect();
        Ok(inputs)
    }
}

fn same_outputs(old: Option<&Input<'_>>, new: Option<&Input<'_>>) -> bool {
    match (old, new) {
        (Some(a), Some(b)) => a.outputs == b.outputs && a.dynamic == b.dynamic,
        _ => false,
    }
}

fn pair<E>(old: &[(usize, &str)], new: &[(usize, &str)], shelf: &mut Shelf<'_, E>) -> Result<Paired, E> {
    let a: Vec<&str> = old.iter().map(|(_, p)| name(p)).collect();
    let b: Vec<&str> = new.iter().map(|(_, p)| name(p)).collect();
    let mut paired = Paired::none(old.len(), new.len());
    paired.by_name(&a, &b, |i, j| alike(old[i].1, new[j].1, shelf))?;
    paired.by_pname(&a, &b);
    let few = |n: usize| (1..=MOST_READ).contains(&n);
    if few(paired.removed.len()) && few(paired.added.len()) {
        let pnames = |all: &[(usize, &str)], some: &[usize], shelf: &mut Shelf<'_, E>| {
            some.iter().map(|i| Ok((*i, pname(all[*i].1, shelf)?))).collect::<Result<HashMap<_, _>, E>>()
        };
        let (x, y) = (pnames(old, &paired.removed, shelf)?, pnames(new, &paired.added, shelf)?);
        let of = |all: &HashMap<usize, Option<String>>, i: usize| all.get(&i).cloned().flatten();
        paired.by_key(|i| of(&x, i), |j| of(&y, j), |i, j| alike(old[i].1, new[j].1, shelf))?;
    }
    Ok(paired)
}

/// How many variables two derivations have in common.
fn alike<E>(old: &str, new: &str, shelf: &mut Shelf<'_, E>) -> Result<usize, E> {
    let (Some(old), Some(new)) = (read(old, shelf)?, read(new, shelf)?) else { return Ok(0) };
    let there: HashMap<_, _> = old.env().collect();
    Ok(new.env().filter(|(k, v)| there.get(k) == Some(v)).count())
}

fn pname<E>(path: &str, shelf: &mut Shelf<'_, E>) -> Result<Option<String>, E> {
    Ok(read(path, shelf)?.and_then(|d| d.attribute("pname")))
}

/// The path was checked when the derivation that names it was parsed.
fn read<E>(path: &str, shelf: &mut Shelf<'_, E>) -> Result<Option<Rc<Derivation>>, E> {
    match StorePath::parse(path) {
        Ok(path) => shelf.read(&path),
        Err(_) => Ok(None),
    }
}

/// The name of the derivation in a `.drv` path.
pub(super) fn name(drv: &str) -> &str {
    let name = drv.get(crate::model::store_path::PREFIX_LEN..).unwrap_or_default();
    name.strip_suffix(".drv").unwrap_or(name)
}
