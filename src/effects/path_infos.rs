//! Closures as the `nix` command tells them, here or on a target.

use super::shell::quote;
use crate::closure::{Closure, Graph};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;
use crate::nix::path_info;

/// The script that asks a target's Nix for a closure: 2.33 wants the format to be named, earlier ones do not know the
/// flag.
pub fn script(system: &StorePath) -> String {
    let ask = "nix --extra-experimental-features nix-command path-info --recursive --json";
    let system = quote(system.as_str());
    format!("{ask} --json-format 1 {system} 2>/dev/null || {ask} {system}")
}

/// A closure as `nix path-info --recursive --json` tells it.
pub fn closure_of(path: &StorePath, json: &str) -> Result<Closure, Failure> {
    let odd = |why: String| Failure::new(Exit::Internal, format!("the closure of {}: {why}", path.short()));
    let infos = path_info::parse_graph(json).map_err(|e| odd(e.to_string()))?;
    let graph = Graph::of(infos).map_err(|missing| odd(format!("{missing} is not in it")))?;
    let root = graph.nodes.iter().zip(0..).find(|(node, _)| node.path == *path).map(|(_, n)| n);
    root.and_then(|n| graph.closures(&[n]).pop()).ok_or_else(|| odd("it is not in it itself".to_owned()))
}
