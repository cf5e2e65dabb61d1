//! Pairs that differ, and which of them are root causes.

use super::change::Change;
use super::label::Label;
use super::result::{Cause, Why};
use crate::model::StorePath;

/// A pair of derivations.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) old: StorePath,
    pub(super) new: StorePath,
    pub(super) old_label: Label,
    pub(super) new_label: Label,
    /// Pairs that are inputs of this one.
    pub(super) inputs: Vec<usize>,
    /// What changed in it; empty: only inputs.
    pub(super) changes: Vec<Change>,
    /// Nothing that uses it sees a difference.
    pub(super) same: bool,
    /// A download.
    pub(super) fixed: bool,
    /// Its output paths are not known before it is built.
    pub(super) unknown: bool,
    /// A download of which all that use it tell as part of their own change.
    pub(super) folded: bool,
}

impl Node {
    pub(super) fn new(old: StorePath, new: StorePath) -> Self {
        let label = Label { pname: String::new(), version: None };
        Self {
            old_label: label.clone(),
            new_label: label,
            inputs: Vec::new(),
            changes: Vec::new(),
            same: false,
            fixed: false,
            unknown: false,
            folded: false,
            old,
            new,
        }
    }

    fn is_root(&self) -> bool {
        !self.same && !self.folded && !self.changes.is_empty()
    }
}

/// The pairs, the toplevels' first.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// Pairs that differ and on which the toplevel depends, inputs before what uses them.
    order: Vec<usize>,
    /// For each cause of the answer, its pair.
    pub(super) roots: Vec<usize>,
}

/// Names in `used_by`, at most.
const MOST_USERS: usize = 8;

impl Graph {
    /// Settles which pairs differ, and which are root causes.
    pub(super) fn of(nodes: Vec<Node>) -> Self {
        let mut graph = Self { order: order(&nodes), nodes, roots: Vec::new() };
        graph.settle();
        graph.order = if graph.nodes.is_empty() { Vec::new() } else { order(&graph.nodes) };
        graph.fold();
        graph.roots = graph.order.iter().copied().filter(|i| graph.nodes[*i].is_root()).collect();
        graph
    }

    /// A pair whose inputs turned out to be the same is the same, unless something shows the contrary.
    fn settle(&mut self) {
        for index in &self.order {
            let node = &self.nodes[*index];
            let cascade = node.inputs.iter().any(|i| !self.nodes[*i].same);
            if cascade || !node.changes.is_empty() {
                continue;
            }
            let node = &mut self.nodes[*index];
            if node.unknown {
                node.same = true;
            } else {
                node.changes.push(Change::Unexplained);
            }
        }
    }

    /// A download that differs is told by those that use it, where they changed too; if all did, only there.
    fn fold(&mut self) {
        let own: Vec<bool> =
            self.nodes.iter().map(|n| !n.same && !n.fixed && !n.changes.is_empty()).collect();
        let mut users = vec![(0_usize, 0_usize); self.nodes.len()];
        for index in &self.order {
            for input in self.nodes[*index].inputs.clone() {
                if !self.nodes[input].fixed || self.nodes[input].same {
                    continue;
                }
                users[input].0 += 1;
                if own[*index] {
                    users[input].1 += 1;
                    let sources = self.nodes[input].changes.clone();
                    self.nodes[*index].changes.extend(sources);
                }
            }
        }
        for (node, (all, told)) in self.nodes.iter_mut().zip(users) {
            node.folded = all > 0 && all == told;
        }
    }

    /// The answer.
    pub(super) fn why(mut self, old: &StorePath, new: &StorePath) -> Why {
        let explains = self.explains();
        let mut order: Vec<usize> = (0..self.roots.len()).collect();
        let name = |i: usize| &self.nodes[self.roots[i]].new_label.pname;
        order.sort_by(|a, b| explains[*b].cmp(&explains[*a]).then_with(|| name(*a).cmp(name(*b))));
        let users = self.users();
        let cause = |i: &usize| {
            let node = &self.nodes[self.roots[*i]];
            Cause {
                name: node.new_label.pname.clone(),
                old: node.old_label.version.clone(),
                new: node.new_label.version.clone(),
                old_drv: node.old.clone(),
                new_drv: node.new.clone(),
                changes: node.changes.clone(),
                explains: explains[*i],
                used_by: users[*i].clone(),
            }
        };
        let roots = order.iter().map(cause).collect();
        self.roots = order.iter().map(|i| self.roots[*i]).collect();
        let cascade = |i: &&usize| self.nodes[**i].changes.is_empty();
        Why {
            old: old.clone(),
            new: new.clone(),
            roots,
            differing: self.order.len(),
            cascades: self.order.iter().filter(cascade).count(),
            absent: Vec::new(),
            notes: Vec::new(),
            graph: self,
        }
    }

    /// For each root, how many pairs depend on it, itself included. Sixty-four roots at a time: a pair's bits are
    /// those of its inputs.
    fn explains(&self) -> Vec<usize> {
        let mut counts = vec![0; self.roots.len()];
        let mut bits = vec![0_u64; self.nodes.len()];
        for (roots, counts) in self.roots.chunks(64).zip(counts.chunks_mut(64)) {
            bits.fill(0);
            for (bit, root) in roots.iter().enumerate() {
                bits[*root] = 1 << bit;
            }
            for index in &self.order {
                let mut all = bits[*index];
                all |= self.nodes[*index].inputs.iter().fold(0, |all, i| all | bits[*i]);
                bits[*index] = all;
                while all != 0 {
                    counts[all.trailing_zeros() as usize] += 1;
                    all &= all - 1;
                }
            }
        }
        counts
    }

    /// Differing pairs of a package.
    pub(super) fn named(&self, package: &str) -> impl Iterator<Item = usize> {
        let fits = move |node: &Node| {
            [&node.old_label, &node.new_label].iter().any(|l| l.pname == package)
                || [&node.old, &node.new].iter().any(|p| p.name().strip_suffix(".drv") == Some(package))
        };
        self.order.iter().rev().copied().filter(move |i| fits(&self.nodes[*i]))
    }

    /// For each root, names of the pairs that use it.
    fn users(&self) -> Vec<Vec<String>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for index in self.order.iter().rev() {
            let name = &self.nodes[*index].new_label.pname;
            for input in &self.nodes[*index].inputs {
                if users[*input].len() < MOST_USERS && !users[*input].contains(name) {
                    users[*input].push(name.clone());
                }
            }
        }
        self.roots.iter().map(|r| std::mem::take(&mut users[*r])).collect()
    }
}

/// Pairs that differ, reached from the first one through such: inputs before what uses them. Made-up graphs with
/// cycles end too.
fn order(nodes: &[Node]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; nodes.len()];
    let mut open: Vec<(usize, usize)> = Vec::new();
    if nodes.first().is_some_and(|n| !n.same) {
        seen[0] = true;
        open.push((0, 0));
    }
    while let Some((index, next)) = open.last_mut() {
        match nodes[*index].inputs.get(*next) {
            Some(&input) => {
                *next += 1;
                if !seen[input] && !nodes[input].same {
                    seen[input] = true;
                    open.push((input, 0));
                }
            }
            None => {
                order.push(*index);
                open.pop();
            }
        }
    }
    order
}
