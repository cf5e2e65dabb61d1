//! How a system comes to need a package, by its derivations alone: nothing has to be built.

use std::collections::{HashSet, VecDeque};

use super::inputs::name;
use super::label::{Label, Side};
use crate::derivation::Derivation;
use crate::model::StorePath;

/// More derivations are not read: a large system has forty thousand.
const MOST: usize = 200_000;

/// Names from `root` to the nearest derivation of a package (`pname`, or a derivation's name), both included; none if
/// it needs no such one. What is needed only to build counts too. Derivations that are not there any more end a way.
pub fn way<E>(
    root: &StorePath,
    package: &str,
    mut read: impl FnMut(&StorePath) -> Result<Option<Derivation>, E>,
) -> Result<Option<Vec<String>>, E> {
    let mut found: Vec<(StorePath, usize)> = vec![(root.clone(), 0)];
    let mut known: HashSet<StorePath> = HashSet::from([root.clone()]);
    let mut open = VecDeque::from([0]);
    while let Some(index) = open.pop_front() {
        let path = found[index].0.clone();
        let drv = read(&path)?;
        if is_named(&path, drv.as_ref(), package) {
            return Ok(Some(names(&found, index)));
        }
        let inputs = drv.iter().flat_map(Derivation::input_paths);
        for input in inputs.filter_map(|p| StorePath::parse(p).ok()) {
            if found.len() < MOST && known.insert(input.clone()) {
                open.push_back(found.len());
                found.push((input, index));
            }
        }
    }
    Ok(None)
}

fn is_named(path: &StorePath, drv: Option<&Derivation>, package: &str) -> bool {
    let whole = name(path.as_str());
    let label = drv.map_or_else(|| Label::from_name(whole), |drv| Label::of(&Side { drv, name: whole }));
    whole == package || label.pname == package
}

fn names(found: &[(StorePath, usize)], mut index: usize) -> Vec<String> {
    let mut names = vec![name(found[index].0.as_str()).to_owned()];
    while index != 0 {
        index = found[index].1;
        names.push(name(found[index].0.as_str()).to_owned());
    }
    names.reverse();
    names
}
