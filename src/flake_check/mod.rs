//! `nqd check`: a flake's checks, and what became of each.

pub mod run;

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::exit::Exit;
use crate::model::StorePath;

/// The version of [`Report`].
pub const VERSION: u32 = 1;
/// What an evaluator of a NixOS configuration may need, in bytes.
const EVALUATOR: u64 = 4 << 30;

/// A check that was evaluated: its derivation, or why there is none.
pub type Found = (String, Result<StorePath, String>);

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Became {
    /// It was built.
    Passed,
    /// Its builder failed.
    Failed {
        /// The cause.
        why: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// There is no derivation.
    NotEvaluated {
        /// What Nix says.
        why: String,
    },
    /// Nothing is known of it: it was not begun, or could not be here.
    NotRun {
        /// Why.
        why: String,
    },
}

/// A check and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The attribute of `checks.<system>`.
    pub name: String,
    /// What was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivation: Option<StorePath>,
    /// What became of it.
    #[serde(flatten)]
    pub became: Became,
    /// How long building it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
}

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// The whole of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`VERSION`].
    pub v: u32,
    /// The flake.
    pub flake: String,
    /// Whose checks.
    pub system: String,
    /// What evaluated them: `nix-eval-jobs` or `nix eval`.
    pub evaluator: &'static str,
    /// Every check, by name.
    pub checks: Vec<Checked>,
}

impl Became {
    fn exit(&self) -> Exit {
        match self {
            Self::Passed => Exit::Ok,
            Self::Failed { .. } => Exit::CheckFailed,
            Self::NotEvaluated { .. } => Exit::Evaluation,
            Self::NotRun { .. } => Exit::Build,
        }
    }
}

impl Report {
    /// The worst of its checks: 41 if one was not run, 40 if one could not be evaluated, 13 if one failed.
    pub fn exit(&self) -> Exit {
        Exit::worst(self.checks.iter().map(|c| c.became.exit()))
    }
}

/// How many evaluators may run at once: one a processor, one for each 4 GiB that are free, and at least one. `available`
/// is in bytes.
pub fn evaluators(processors: usize, available: u64) -> usize {
    let fit = usize::try_from(available / EVALUATOR).unwrap_or(usize::MAX);
    processors.min(fit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluators_fit_into_memory() {
        for (processors, gib, expected) in [(8, 64, 8), (8, 17, 4), (8, 3, 1), (2, 64, 2), (0, 0, 1)] {
            assert_eq!(evaluators(processors, gib << 30), expected, "{processors} processors, {gib} GiB");
        }
    }

    #[test]
    fn the_worst_check_decides() {
        let of = |all: &[Became]| {
            let one = |became: &Became| Checked {
                name: "a".into(),
                derivation: None,
                became: became.clone(),
                time: Duration::ZERO,
            };
            let checks = all.iter().map(one).collect();
            Report { v: VERSION, flake: ".".into(), system: "x".into(), evaluator: "nix eval", checks }.exit()
        };
        let (failed, not_run) =
            (Became::Failed { why: String::new(), log: Vec::new() }, Became::NotRun { why: String::new() });
        let broken = Became::NotEvaluated { why: String::new() };
        assert_eq!(of(&[Became::Passed]), Exit::Ok);
        assert_eq!(of(&[Became::Passed, failed.clone()]), Exit::CheckFailed);
        assert_eq!(of(&[failed.clone(), broken.clone()]), Exit::Evaluation);
        assert_eq!(of(&[failed, broken, not_run]), Exit::Build);
    }
}
