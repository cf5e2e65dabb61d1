//! Which derivations made a path.

use std::cell::Cell;
use std::path::Path;

use super::closures;
use super::runner::{Cmd, Runner};
use super::store_db::{DbError, StoreDb};
use crate::derivation::Derivation;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// What Nix prints where it notes none.
const UNKNOWN: &str = "unknown-deriver";

/// What a store knows of how a path was made.
pub struct Makers {
    /// Derivations that may have made it.
    pub derivations: Vec<StorePath>,
    /// Whether the path is there: a derivation's output is known before it is built.
    pub registered: bool,
    /// That Nix had to be asked, and why.
    pub note: Option<String>,
}

/// Which derivations may have made a path of the store under `root`. Nix is asked if the database cannot be read.
pub fn makers(root: &Path, path: &StorePath, runner: &Runner) -> Result<Makers, Failure> {
    match StoreDb::open(root).and_then(|db| Ok((db.makers(path)?, db.has(path)?))) {
        Ok((derivations, registered)) => Ok(Makers { derivations, registered, note: None }),
        Err(e @ DbError::Unregistered { .. }) => Err(Failure::refused(e.to_string())),
        Err(e @ (DbError::Unreadable { .. } | DbError::Damaged(_))) => {
            let note = Some(format!("{e}; `nix-store --query --deriver` was asked instead"));
            // It refuses to answer for what is not registered.
            Ok(Makers { derivations: ask_nix(root, path, runner)?, registered: true, note })
        }
    }
}

/// The derivations of one store.
pub struct Derivations<'a> {
    root: &'a Path,
    /// `None` if it cannot be read: whoever asked it for a system's derivation was told so.
    db: Option<StoreDb>,
    resolved: Cell<usize>,
}

impl<'a> Derivations<'a> {
    /// Those of the store under `root`.
    pub fn of(root: &'a Path) -> Self {
        Self { root, db: StoreDb::open(root).ok(), resolved: Cell::new(0) }
    }

    /// How many were read that Nix had written anew once their content-addressed inputs were built.
    pub fn resolved(&self) -> usize {
        self.resolved.get()
    }

    /// A derivation; `None`: its file is not there. One that Nix resolved (its inputs are content-addressed) names
    /// files only: those that a derivation made are its inputs again.
    pub fn read(&self, path: &StorePath) -> Result<Option<Derivation>, Failure> {
        let Some(derivation) = closures::derivation(self.root, path)? else { return Ok(None) };
        let Some(db) = &self.db else { return Ok(Some(derivation)) };
        if derivation.input_paths().next().is_some() {
            return Ok(Some(derivation));
        }
        let sources: Vec<String> = derivation.sources().map(str::to_owned).collect();
        let mut made = Vec::new();
        for source in sources {
            let Ok(source) = StorePath::parse(&source) else { continue };
            let makers = db.makers(&source).map_err(|e| Failure::refused(e.to_string()))?;
            made.extend(makers.into_iter().find(|m| m != path).map(|maker| (source, maker)));
        }
        if made.is_empty() {
            return Ok(Some(derivation));
        }
        self.resolved.set(self.resolved.get() + 1);
        let damaged = |e| Failure::refused(format!("the derivation {path} is damaged: {e}"));
        derivation.unresolved(made).map(Some).map_err(damaged)
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
