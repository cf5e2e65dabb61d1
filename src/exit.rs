//! Exit codes: an API. Their numbers never change; README.md documents them and a test compares the two.

use serde::{Deserialize, Serialize};

/// How a command ended, as its exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Committed, healthy, or nothing to do.
    Ok,
    /// A fault of our own.
    Internal,
    /// The command line cannot be understood.
    Usage,
    /// Committed, but a `wanted` check fails.
    Degraded,
    /// `nqd diff --exit-code`: the two differ.
    Differs,
    /// `nqd check`: a check failed.
    CheckFailed,
    /// The candidate was not proved healthy and the machine is on its previous system again.
    RolledBack,
    /// The rollback failed too: a person is needed.
    Held,
    /// The operator lost contact and cannot know how it ended.
    Inconclusive,
    /// Somebody else switched the machine meanwhile; nothing was rolled back over it.
    Superseded,
    /// The machine went down before the candidate was proved.
    Interrupted,
    /// `nqd health`, `nqd test`: unhealthy.
    Unhealthy,
    /// Refused before anything changed.
    Refused,
    /// The flake could not be evaluated.
    Evaluation,
    /// The system could not be built.
    Build,
    /// The closure could not be copied.
    Copy,
    /// The target could not be reached.
    Unreachable,
    /// Another transaction is running.
    Busy,
}

/// Every exit, the worst first. Of several hosts the worst one is reported.
pub const WORST_FIRST: [Exit; 18] = [
    Exit::Held,
    Exit::Internal,
    Exit::Usage,
    Exit::Inconclusive,
    Exit::Interrupted,
    Exit::Superseded,
    Exit::RolledBack,
    Exit::Unhealthy,
    Exit::Unreachable,
    Exit::Copy,
    Exit::Build,
    Exit::Evaluation,
    Exit::CheckFailed,
    Exit::Refused,
    Exit::Busy,
    Exit::Differs,
    Exit::Degraded,
    Exit::Ok,
];

impl Exit {
    /// The process's exit status.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Degraded => 10,
            Self::Differs => 11,
            Self::CheckFailed => 13,
            Self::RolledBack => 20,
            Self::Held => 21,
            Self::Inconclusive => 22,
            Self::Superseded => 23,
            Self::Interrupted => 24,
            Self::Unhealthy => 25,
            Self::Refused => 30,
            Self::Evaluation => 40,
            Self::Build => 41,
            Self::Copy => 42,
            Self::Unreachable => 43,
            Self::Busy => 75,
        }
    }

    /// One phrase for the documentation and for JSON readers.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "committed, healthy, or nothing to do",
            Self::Internal => "internal error",
            Self::Usage => "the command line cannot be understood",
            Self::Degraded => "committed, but a wanted check fails",
            Self::Differs => "the two systems differ (nqd diff --exit-code)",
            Self::CheckFailed => "a check failed (nqd check)",
            Self::RolledBack => "not proved healthy: rolled back",
            Self::Held => "the rollback failed too: a person is needed",
            Self::Inconclusive => "not known: contact was lost, or a VM or a check left no answer",
            Self::Superseded => "somebody else switched the machine meanwhile",
            Self::Interrupted => "the machine went down before the candidate was proved",
            Self::Unhealthy => "unhealthy (nqd health, nqd test)",
            Self::Refused => "refused before anything changed",
            Self::Evaluation => "evaluation failed",
            Self::Build => "build failed",
            Self::Copy => "copying to the target failed",
            Self::Unreachable => "the target cannot be reached",
            Self::Busy => "another transaction is running there",
        }
    }

    /// The worst of several; [`Exit::Ok`] of none.
    pub fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        let rank = |e: &Self| WORST_FIRST.iter().position(|w| w == e);
        exits.into_iter().min_by_key(rank).unwrap_or(Self::Ok)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_first_holds_every_exit_once() {
        for (i, a) in WORST_FIRST.iter().enumerate() {
            assert!(WORST_FIRST[i + 1..].iter().all(|b| a != b && a.code() != b.code()), "{a:?} twice");
        }
    }

    #[test]
    fn the_worst_host_decides() {
        assert_eq!(Exit::worst([Exit::Ok, Exit::RolledBack, Exit::Degraded]), Exit::RolledBack);
        assert_eq!(Exit::worst([Exit::RolledBack, Exit::Held]), Exit::Held);
        assert_eq!(Exit::worst([Exit::Busy, Exit::Refused]), Exit::Refused);
        assert_eq!(Exit::worst([]), Exit::Ok);
    }

    #[test]
    fn the_readme_lists_every_code() {
        let readme = include_str!("../README.md");
        for exit in WORST_FIRST {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(readme.contains(&row), "README.md lacks the row {row:?}");
        }
    }
}
