//! `nqd-guard keep`: the systems that were proved last stay in the store.

use super::{internal, must_be_root};
use crate::effects::system_files;
use crate::effects::this_machine::{keep_proved, proved_roots, read_history};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::keep;
use crate::model::StorePath;

/// Keeps the last `n` systems that the history says were committed, and lets go of those before.
pub(super) fn keep(n: usize) -> Result<Exit, Failure> {
    must_be_root()?;
    let unreadable = |why: String| {
        internal("reading the history", why)
            .hint("nothing was changed; nqd-guard history prints what can be read of it")
    };
    let history = read_history()?;
    let mut proved = Vec::new();
    for system in keep::proved(&history.lines, history.torn).map_err(unreadable)? {
        let there = system_files::is_there(&system).map_err(|e| internal("looking for a system", e))?;
        proved.push((system, there));
    }
    let plan = keep::plan(proved, proved_roots()?, n).map_err(unreadable)?;
    keep_proved(&plan)?;
    println!("kept: {}", list(&plan.kept));
    println!("let go of: {}", list(&plan.dropped));
    Ok(Exit::Ok)
}

fn list(systems: &[StorePath]) -> String {
    let names: Vec<&str> = systems.iter().map(StorePath::as_str).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
}
