//! What is known before planning: gathered, never assumed.

use serde::{Deserialize, Serialize};

use crate::guard::protocol::Status;
use crate::model::{BootId, Described, Generation, StorePath, Triple};
use crate::nix::PathInfo;

/// What one evaluation of a host yields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// The toplevel's derivation.
    pub derivation: StorePath,
    /// The toplevel.
    pub toplevel: StorePath,
    /// The version of Nix that evaluated.
    pub nix_version: String,
    /// `config.networking.hostName`.
    pub host_name: Option<String>,
    /// `config.quickDeploy.deploy`, where the module is imported.
    #[serde(default)]
    pub deploy: Option<DeployOptions>,
}

/// `config.quickDeploy.deploy`: how this host wants to be deployed. What is absent is for flags and defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployOptions {
    /// Where it is reached.
    pub target_host: Option<String>,
    /// The user to log in as.
    pub target_user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// `local`, `target` or `ssh://…`.
    pub build_on: Option<String>,
    /// Become root by `sudo`: the same as `escalate = "sudo"`.
    pub sudo: bool,
    /// `sudo`, `doas` or `run0`.
    pub escalate: Option<String>,
    /// Seconds.
    pub confirm_timeout: Option<f64>,
    /// For choosing hosts.
    pub tags: Vec<String>,
}

/// The flake's revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit, if the flake lies in a repository.
    pub commit: Option<String>,
    /// Whether there are changes that are not committed.
    pub dirty: bool,
}

impl Revision {
    /// What a flake says of itself: `self.rev`, or `self.dirtyRev`, which ends with `-dirty`. `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (commit, dirty) = text.strip_suffix("-dirty").map_or((text, false), |commit| (commit, true));
        let is_commit = (7..=64).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
        is_commit.then(|| Self { commit: Some(commit.to_owned()), dirty })
    }

    /// `797e398a9375-dirty`; `None` where there is no repository.
    pub fn text(&self) -> Option<String> {
        let dirty = if self.dirty { "-dirty" } else { "" };
        self.commit.as_ref().map(|c| format!("{}{dirty}", c.get(..12).unwrap_or(c)))
    }
}

/// The candidate, wherever it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What its files say.
    pub described: Described,
    /// What the specialisation's files say, if one is to be activated.
    pub specialisation: Option<Described>,
    /// Its closure.
    pub closure: Vec<PathInfo>,
    /// The derivation that built it.
    pub derivation: Option<StorePath>,
    /// Paths of the closure that the target lacks.
    pub missing: Vec<StorePath>,
    /// What its switch script would do.
    pub dry_activation: DryActivation,
}

/// What a switch would do, in the words of the candidate's own script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DryActivation {
    /// Not known: the target does not have the candidate yet.
    NotThere,
    /// This.
    Says(Vec<String>),
    /// The script could not say.
    Failed(String),
}

/// The target as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFacts {
    /// Its host name.
    pub host_name: String,
    /// Which boot it is in.
    pub boot_id: BootId,
    /// What runs, what the profile names, what boots.
    pub triple: Triple,
    /// What runs.
    pub running: Described,
    /// What was booted, where that is known.
    pub booted: Option<Described>,
    /// The specialisations of what the profile names.
    pub profile_specialisations: Vec<StorePath>,
    /// The profile's generations, the oldest first.
    pub generations: Vec<Generation>,
    /// The closure of what runs.
    pub closure: Vec<StorePath>,
    /// Free bytes in the store.
    pub free: Option<u64>,
    /// What the guard there says of the last transaction; `None` if there never was a guard.
    pub status: Option<Status>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flake_says_of_itself() {
        let of = |text: &str| Revision::parse(text).map(|r| (r.text().unwrap(), r.dirty));
        let rev = "797e398a9375aabbccddeeff00112233445566ff";
        assert_eq!(of(rev).unwrap(), ("797e398a9375".to_owned(), false));
        assert_eq!(of(&format!("{rev}-dirty")).unwrap(), ("797e398a9375-dirty".to_owned(), true));
        for bad in ["", "main", "-dirty", "797e39", "797e398a93755\n", "--flake"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
