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
    /// The new system needs it, or another version of it besides.
    pub added: bool,
    /// The old one did.
    pub removed: bool,
    /// Names from the system to it; none if neither needs it, or if it is rebuilt and the two are not both built.
    pub way: Option<Vec<String>>,
}

/// Names from the system to a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// To what only the old system has of it.
    pub lost: Option<Vec<String>>,
    /// To what only the new one has.
    pub come: Option<Vec<String>>,
    /// To any of it.
    pub there: Option<Vec<String>>,
}

impl Ways {
    /// Of the old system and of the new one, of which no more is known than whether they need it.
    pub fn of(sides: [Option<Vec<String>>; 2]) -> Self {
        match sides {
            [Some(_), Some(new)] => Self { there: Some(new), ..Self::default() },
            [lost, come] => Self { lost, come, there: None },
        }
    }
}

impl Beneath {
    /// How the old and the new system come to need it.
    pub fn found(&mut self, ways: Ways) {
        let Ways { lost, come, there } = ways;
        (self.added, self.removed) = (lost.is_none() && come.is_some(), lost.is_some() && come.is_none());
        self.way = come.or(lost).or(there);
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
