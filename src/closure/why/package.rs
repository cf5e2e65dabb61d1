//! Why one package is rebuilt.

use std::collections::VecDeque;

use serde::Serialize;

use super::result::Why;

/// The root causes beneath a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Beneath {
    /// The package's name.
    pub package: String,
    /// Pairs of this name that differ; 0: it is not rebuilt, or not there.
    pub differing: usize,
    /// One chain for each root cause beneath it, the nearest first.
    pub chains: Vec<Chain>,
    /// Only the new system needs it.
    pub added: bool,
    /// Only the old one did.
    pub removed: bool,
    /// Names from the system to it, where it is not rebuilt; none if neither needs it.
    pub way: Option<Vec<String>>,
}

impl Beneath {
    /// How the old and the new system come to need it.
    pub fn found(&mut self, old: Option<Vec<String>>, new: Option<Vec<String>>) {
        (self.added, self.removed) = (old.is_none() && new.is_some(), old.is_some() && new.is_none());
        self.way = new.or(old);
    }

    /// Whether the two systems differ in it.
    pub fn is_empty(&self) -> bool {
        self.differing == 0 && !self.added && !self.removed
    }
}

/// How a package depends on a root cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// The root cause: its index in `Why::roots`.
    pub root: usize,
    /// Names from the package to the root cause, both included; one if the package is the cause.
    pub path: Vec<String>,
}

impl Why {
    /// Root causes beneath the packages of this name (`pname`, or a derivation's name), with the shortest path of
    /// dependencies to each.
    pub fn beneath(&self, package: &str) -> Beneath {
        let nodes = &self.graph.nodes;
        let mut from = vec![None; nodes.len()];
        let mut queue: VecDeque<usize> = self.graph.named(package).collect();
        let differing = queue.len();
        for start in &queue {
            from[*start] = Some(*start);
        }
        let mut chains = Vec::new();
        let mut causes = vec![None; nodes.len()];
        for (root, index) in self.graph.roots.iter().enumerate() {
            causes[*index] = Some(root);
        }
        while let Some(index) = queue.pop_front() {
            if let Some(root) = causes[index] {
                chains.push(Chain { root, path: self.path(&from, index) });
            }
            for input in &nodes[index].inputs {
                if from[*input].is_none() && !nodes[*input].same {
                    from[*input] = Some(index);
                    queue.push_back(*input);
                }
            }
        }
        let package = package.to_owned();
        Beneath { package, differing, chains, added: false, removed: false, way: None }
    }

    fn path(&self, from: &[Option<usize>], to: usize) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = Some(to);
        while let Some(index) = at {
            path.push(self.graph.nodes[index].new_label.pname.clone());
            at = from[index].filter(|i| *i != index);
        }
        path.reverse();
        path
    }
}
