//! Which derivations made a path.

use std::path::Path;

use super::runner::{Cmd, Runner};
use super::store_db::{DbError, StoreDb};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// What Nix prints where it notes none.
const UNKNOWN: &str = "unknown-deriver";

/// Derivations that may have made a path of the store under `root`, and a note if Nix had to be asked since the
/// database cannot be read.
pub fn makers(
    root: &Path,
    path: &StorePath,
    runner: &Runner,
) -> Result<(Vec<StorePath>, Option<String>), Failure> {
    match StoreDb::open(root).and_then(|db| db.makers(path)) {
        Ok(makers) => Ok((makers, None)),
        Err(e @ DbError::Unregistered { .. }) => Err(Failure::refused(e.to_string())),
        Err(e @ (DbError::Unreadable { .. } | DbError::Damaged(_))) => {
            let note = format!("{e}; `nix-store --query --deriver` was asked instead");
            Ok((ask_nix(root, path, runner)?, Some(note)))
        }
    }
}

fn ask_nix(root: &Path, path: &StorePath, runner: &Runner) -> Result<Vec<StorePath>, Failure> {
    let mut cmd = Cmd::new("nix-store");
    if root != Path::new("/") {
        cmd = cmd.args(["--store", &format!("local?root={}", root.display())]);
    }
    let out = runner
        .run(&cmd.args(["--query", "--deriver", path.as_str()]))
        .map_err(|e| Failure::refused(format!("asking which derivation made {}: {e}", path.short())))?;
    let internal = |e: &dyn std::fmt::Display| Failure::new(Exit::Internal, format!("nix-store: {e}"));
    let text = out.text().map_err(|e| internal(&e))?.trim();
    if text == UNKNOWN {
        return Ok(Vec::new());
    }
    Ok(vec![StorePath::parse(text).map_err(|e| internal(&e))?])
}
