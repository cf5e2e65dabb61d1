//! A closure: a system, and everything that it needs at run time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::{self, Package};
use crate::model::StorePath;

/// A path and everything that it refers to, directly or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closure {
    /// What it is the closure of.
    pub root: StorePath,
    /// All of it, the root included, sorted by path; no path twice.
    pub members: Vec<Member>,
}

/// One path of a closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The path.
    pub path: StorePath,
    /// Its size as a NAR, in bytes; `None` where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nar_size: Option<u64>,
    /// What its derivation says it is; `None` where that was not read or is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// The derivation that is noted to have made it.
    #[serde(skip)]
    pub deriver: Option<StorePath>,
    /// Whether somebody chose it: it is named in `environment.systemPackages`, for a user, or in Home Manager.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selected: bool,
    /// The path through which it is reached from the root in the fewest steps; `None` for the root, and where
    /// references were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<StorePath>,
}

impl Member {
    /// A path of which nothing more is known.
    pub fn bare(path: StorePath) -> Self {
        Self { path, nar_size: None, package: None, deriver: None, selected: false, via: None }
    }
}

impl Closure {
    /// A closure of these paths, in any order.
    pub fn new(root: StorePath, mut members: Vec<Member>) -> Self {
        members.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        members.dedup_by(|a, b| a.path == b.path);
        Self { root, members }
    }

    /// Bytes of all of it; `None` if a size is not known.
    pub fn bytes(&self) -> Option<u64> {
        self.members.iter().map(|m| m.nar_size).sum()
    }

    /// A path of it.
    pub fn get(&self, path: &StorePath) -> Option<&Member> {
        self.members.binary_search_by(|m| m.path.cmp(path)).ok().map(|at| &self.members[at])
    }

    /// The versions of a package in it, in words.
    pub fn version_of(&self, package: &str) -> Option<String> {
        let mut versions: Vec<&str> = self
            .members
            .iter()
            .map(|m| m.path.name())
            .filter(|name| name.starts_with(package))
            .map(name::split)
            .filter(|(name, _)| *name == package)
            .filter_map(|(_, version)| version)
            .collect();
        versions.sort_unstable();
        versions.dedup();
        (!versions.is_empty()).then(|| versions.join(", "))
    }

    /// The shortest way from the root to a path, both included; empty if references were not read.
    pub fn way_to(&self, path: &StorePath) -> Vec<&StorePath> {
        let mut way = Vec::new();
        let mut at = self.get(path);
        // A way is no longer than the closure, whatever a snapshot says.
        while let Some(member) = at.filter(|_| way.len() <= self.members.len()) {
            way.push(&member.path);
            at = member.via.as_ref().and_then(|via| self.get(via));
        }
        way.reverse();
        if way.first() == Some(&&self.root) { way } else { Vec::new() }
    }
}

/// Where to look for the packages that somebody chose: what these refer to directly.
const CHOSEN: [&str; 4] = ["system-path", "home-manager-path", "user-environment", "user-path"];

/// A path as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The path.
    pub path: StorePath,
    /// Its size as a NAR, in bytes.
    pub nar_size: u64,
    /// The derivation that is noted to have made it.
    pub deriver: Option<StorePath>,
}

/// References of the paths of one or more closures, as a store gives them.
#[derive(Debug, Default)]
pub struct Graph {
    /// The paths.
    pub nodes: Vec<Node>,
    /// To which nodes each refers.
    pub references: Vec<Vec<u32>>,
}

impl Graph {
    /// A graph of paths with their references by name. What refers to a path that is not there is an error.
    pub fn of(infos: Vec<(StorePath, u64, Vec<StorePath>)>) -> Result<Self, StorePath> {
        let numbers: BTreeMap<StorePath, u32> =
            infos.iter().map(|(path, ..)| path.clone()).zip(0..).collect();
        let mut graph = Self::default();
        for (path, size, references) in infos {
            let number = |r: StorePath| numbers.get(&r).copied().ok_or(r);
            graph.references.push(references.into_iter().map(number).collect::<Result<_, _>>()?);
            graph.nodes.push(Node { path, nar_size: size, deriver: None });
        }
        Ok(graph)
    }

    /// The closures of some nodes.
    pub fn closures(&self, roots: &[u32]) -> Vec<Closure> {
        // Put in order once for all of them.
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_unstable_by(|a, b| self.nodes[*a].path.cmp(&self.nodes[*b].path));
        roots.iter().map(|root| self.closure(*root as usize, &order)).collect()
    }

    fn closure(&self, root: usize, order: &[usize]) -> Closure {
        let reached = self.reach(root);
        let mut members = Vec::with_capacity(reached.iter().flatten().count());
        let member = |&n: &usize| {
            let (via, selected) = reached[n]?;
            let Node { path, nar_size, deriver } = &self.nodes[n];
            Some(Member {
                path: path.clone(),
                nar_size: Some(*nar_size),
                deriver: deriver.clone(),
                package: None,
                selected,
                via: (n != root).then(|| self.nodes[via].path.clone()),
            })
        };
        members.extend(order.iter().filter_map(member));
        Closure::new(self.nodes[root].path.clone(), members)
    }

    /// Of each node that is reached from a root, breadth first, from which one, and whether somebody chose it.
    fn reach(&self, root: usize) -> Vec<Option<(usize, bool)>> {
        let mut reached = vec![None; self.nodes.len()];
        reached[root] = Some((root, false));
        let mut queue = vec![root];
        let mut next = 0;
        while let Some(&at) = queue.get(next) {
            next += 1;
            let chooses = CHOSEN.contains(&self.nodes[at].path.name());
            for to in self.references[at].iter().map(|to| *to as usize) {
                if let Some((_, selected)) = &mut reached[to] {
                    *selected |= chooses && to != at;
                } else {
                    reached[to] = Some((at, chooses));
                    queue.push(to);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> StorePath {
        StorePath::parse(&format!("/nix/store/{}-{name}", "a".repeat(32))).unwrap()
    }

    /// `name: references`, the root first.
    fn graph(lines: &[&str]) -> Graph {
        let info = |line: &&str| {
            let (name, refs) = line.split_once(':').unwrap();
            (path(name), 10, refs.split_whitespace().map(path).collect())
        };
        Graph::of(lines.iter().map(info).collect()).unwrap()
    }

    #[test]
    fn all_that_is_reached_by_the_shortest_way() {
        let graph =
            graph(&["sys: system-path lib sys", "system-path: web", "web: lib", "lib:", "elsewhere: lib"]);
        let closure = graph.closures(&[0]).pop().unwrap();
        let names: Vec<_> = closure.members.iter().map(|m| m.path.name()).collect();
        assert_eq!(names, ["lib", "sys", "system-path", "web"]);
        assert_eq!(closure.bytes(), Some(40));
        let way = |name| closure.way_to(&path(name)).iter().map(|p| p.name()).collect::<Vec<_>>();
        assert_eq!(way("lib"), ["sys", "lib"]);
        assert_eq!(way("web"), ["sys", "system-path", "web"]);
        assert!(way("elsewhere").is_empty());
        let selected: Vec<_> = closure.members.iter().filter(|m| m.selected).map(|m| m.path.name()).collect();
        assert_eq!(selected, ["web"]);
    }

    #[test]
    fn a_reference_to_nothing_is_an_error() {
        assert_eq!(Graph::of(vec![(path("a"), 1, vec![path("b")])]).unwrap_err(), path("b"));
    }
}
