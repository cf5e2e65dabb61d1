//! The walk over the pairs of two derivation graphs.

use std::collections::HashMap;

use super::change::Change;
use super::compare;
use super::graph::{Graph, Node};
use super::inputs::{self, Inputs};
use super::label::{Label, Side};
use super::result::Why;
use super::shelf::{Read, Shelf};
use super::source;
use crate::derivation::{Derivation, OutputKind};
use crate::model::StorePath;

/// Root causes of the differences between two derivations (of toplevels, say). `read` gives a derivation, or none if
/// its file is not there any more; its errors end the walk. A file is read only if it differs, and once, or again if
/// 16 MiB of others were read since.
pub fn explain<E>(
    old: &StorePath,
    new: &StorePath,
    mut read: impl FnMut(&StorePath) -> Result<Option<Derivation>, E>,
) -> Result<Why, E> {
    let mut walk = Walk::new(&mut read);
    if old != new {
        walk.node(old.as_str(), new.as_str());
    }
    let mut next = 0;
    while next < walk.nodes.len() {
        walk.visit(next)?;
        next += 1;
    }
    let floating = walk.floating;
    let mut why = Graph::of(walk.nodes).why(old, new);
    why.absent = walk.shelf.absent();
    why.notes = notes(&why, floating);
    Ok(why)
}

struct Walk<'r, E> {
    shelf: Shelf<'r, E>,
    /// Pairs, in the order in which they were found; the roots first.
    nodes: Vec<Node>,
    /// Pairs by the numbers of their derivations.
    known: HashMap<(u32, u32), usize>,
    numbers: HashMap<String, u32>,
    /// Pairs whose output paths are not known before they are built.
    floating: usize,
}

impl<'r, E> Walk<'r, E> {
    fn new(read: Read<'r, E>) -> Self {
        Self {
            shelf: Shelf::new(read),
            nodes: Vec::new(),
            known: HashMap::new(),
            numbers: HashMap::new(),
            floating: 0,
        }
    }

    /// The index of a pair of different derivations.
    fn node(&mut self, old: &str, new: &str) -> Option<usize> {
        let key = (self.number(old), self.number(new));
        if let Some(index) = self.known.get(&key) {
            return Some(*index);
        }
        // The paths were checked when the derivations that name them were parsed.
        let (old, new) = (StorePath::parse(old).ok()?, StorePath::parse(new).ok()?);
        self.known.insert(key, self.nodes.len());
        self.nodes.push(Node::new(old, new));
        Some(self.nodes.len() - 1)
    }

    fn number(&mut self, path: &str) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(path.to_owned(), next);
        next
    }

    /// Compares a pair, and finds the pairs of its inputs.
    fn visit(&mut self, index: usize) -> Result<(), E> {
        let (old, new) = (self.nodes[index].old.clone(), self.nodes[index].new.clone());
        let (a, b) = (self.shelf.read(&old)?, self.shelf.read(&new)?);
        let node = &mut self.nodes[index];
        let (x, y) = (inputs::name(old.as_str()), inputs::name(new.as_str()));
        let (Some(a), Some(b)) = (&a, &b) else {
            (node.old_label, node.new_label) = (Label::from_name(x), Label::from_name(y));
            node.changes = Label::changes(&node.old_label, &node.new_label);
            node.changes.push(Change::Absent { old: a.is_none(), new: b.is_none() });
            return Ok(());
        };
        if same_outputs(a, b) {
            node.same = true;
            return Ok(());
        }
        let (x, y) = (Side { drv: a, name: x }, Side { drv: b, name: y });
        (node.old_label, node.new_label) = (Label::of(&x), Label::of(&y));
        if a.is_fixed() && b.is_fixed() {
            // What downloads it is of no concern: only the content counts.
            node.fixed = true;
            node.changes = vec![source::change(&x, &y)];
            return Ok(());
        }
        node.unknown = b.outputs().any(|o| o.path.is_empty());
        let floating = b.outputs().any(|o| matches!(o.kind(), OutputKind::Floating | OutputKind::Impure));
        self.floating += usize::from(floating);
        let inputs = Inputs::of(a, b, &mut self.shelf)?;
        self.nodes[index].changes = compare::changes(&x, &y, &inputs);
        for (i, j) in inputs.pairs {
            if let (Some(from), Some(to)) = (a.input_path(i), b.input_path(j)) {
                let input = self.node(from, to);
                self.nodes[index].inputs.extend(input);
            }
        }
        Ok(())
    }
}

/// Whether the two are the same to all that use them: their outputs have the same paths. A download's path is that of
/// its content, and that of any other derivation ignores how its downloads are made.
fn same_outputs(old: &Derivation, new: &Derivation) -> bool {
    let known = old.outputs().all(|o| !o.path.is_empty());
    known && old.outputs().map(|o| (o.name, o.path)).eq(new.outputs().map(|o| (o.name, o.path)))
}

fn notes(why: &Why, floating: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |n: usize, text: String| {
        if n > 0 {
            notes.push(text);
        }
    };
    let absent = why.absent.len();
    let count = |n| crate::model::text::count(n, "derivation");
    note(
        absent,
        format!("{} not there any more: what changed in or below is not known", is(&count(absent), absent)),
    );
    note(
        floating,
        format!(
            "{} content-addressed: where a rebuild gives the same content, what depends on it is not rebuilt",
            is(&count(floating), floating)
        ),
    );
    notes
}

fn is(subject: &str, n: usize) -> String {
    format!("{subject} {}", if n == 1 { "is" } else { "are" })
}
