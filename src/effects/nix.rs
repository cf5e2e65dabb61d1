//! What the operator can do with Nix. [`super::nix_cli::NixCli`] does it; a fake simulates it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::target::RemoteStore;
use crate::closure::Package;
use crate::deploy::facts::{Evaluation, Revision};
use crate::failure::Failure;
use crate::model::{Described, StorePath, System};
use crate::nix::PathInfo;
use crate::nix::{FlakeHost, FlakeRef};

/// Where a system is built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildOn {
    /// Here.
    #[default]
    Local,
    /// On the machine that is deployed to.
    Target,
    /// By this machine's Nix on a builder, which gives the result back: `ssh-ng://…`.
    Builder(String),
}

/// The operator's Nix.
pub trait Nix: Sync {
    /// Evaluates a host, once. `args` are the user's own.
    fn evaluate(&self, host: &FlakeHost, args: &[String]) -> Result<Evaluation, Failure>;
    /// The names of a flake's hosts.
    fn hosts(&self, flake: &FlakeRef, args: &[String]) -> Result<Vec<String>, Failure>;
    /// The flake's revision; empty where there is no repository.
    fn revision(&self, flake: &FlakeRef) -> Result<Revision, Failure>;
    /// Builds a derivation here, or by a builder for a system, and keeps the result from the garbage collector under
    /// this name.
    fn build(
        &self,
        derivation: &StorePath,
        on: &BuildOn,
        args: &[String],
        keep_as: &str,
    ) -> Result<StorePath, Failure>;
    /// Keeps a derivation from the garbage collector under this name.
    fn keep(&self, derivation: &StorePath, keep_as: &str) -> Result<(), Failure>;
    /// Builds a derivation in a target's store.
    fn build_in(
        &self,
        derivation: &StorePath,
        store: &RemoteStore,
        args: &[String],
    ) -> Result<StorePath, Failure>;
    /// What the files of a system in the local store say.
    fn describe(&self, system: &StorePath) -> Result<Described, Failure>;
    /// Whether a path is valid in the local store.
    fn is_valid(&self, path: &StorePath) -> Result<bool, Failure>;
    /// Gets a path that is not here from a substituter.
    fn substitute(&self, path: &StorePath) -> Result<(), Failure>;
    /// A system's closure in the local store.
    fn closure(&self, system: &StorePath) -> Result<Vec<PathInfo>, Failure>;
    /// What the derivations in the local store say that these paths are; `None` where it has none of a path.
    fn packages(&self, paths: &[StorePath]) -> Result<Vec<Option<Package>>, Failure>;
    /// The guard's program for a system, as a path in the local store, and how large it is.
    fn guard(&self, system: &System, given: Option<&Path>) -> Result<PathInfo, Failure>;
    /// Copies closures to a target.
    fn copy(&self, paths: &[StorePath], to: &RemoteStore, substitute: bool) -> Result<(), Failure>;
}
