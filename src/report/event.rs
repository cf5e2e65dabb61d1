//! Events: everything that is shown while something happens. The schema is documented in docs/EVENTS.md.

use serde::{Deserialize, Serialize};

use crate::guard::{Evidence, Outcome, State};
use crate::health::CheckReport;
use crate::model::HostName;

/// The version of the schema.
pub const VERSION: u32 = 1;

/// One event as it is written: one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// [`VERSION`].
    pub v: u32,
    /// Wall time, RFC 3339.
    pub at: String,
    /// Which host it concerns; `None` for the whole run, and in the guard's own lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A stage of the operator's work begins.
    StageStarted {
        /// Which.
        stage: Stage,
    },
    /// How far it is.
    Progress {
        /// Which.
        stage: Stage,
        /// So much is done…
        done: u64,
        /// …of so much, as far as is known.
        expected: u64,
        /// What is counted.
        unit: Unit,
        /// What is being worked on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        what: Option<String>,
    },
    /// It is over.
    StageFinished {
        /// Which.
        stage: Stage,
        /// How long it took.
        millis: u64,
    },
    /// A program was run, from and to in milliseconds of `CLOCK_BOOTTIME` of the machine that ran it.
    Ran {
        /// Its command line.
        command: String,
        /// When it was started.
        from: u64,
        /// When it had ended.
        to: u64,
    },
    /// Something to know.
    Notice {
        /// In words.
        text: String,
    },
    /// Something to worry about.
    Warning {
        /// In words.
        text: String,
    },
    /// A line that Nix or a switch script printed.
    Output {
        /// The line.
        line: String,
    },
    /// The plan, whole; see docs/FORMATS.md.
    Plan {
        /// It.
        plan: serde_json::Value,
    },
    /// The transaction has entered a state.
    State {
        /// Which transaction.
        id: String,
        /// Which state.
        state: State,
        /// `CLOCK_BOOTTIME` of the target in milliseconds.
        boot_ms: u64,
    },
    /// The token with which the operator confirms. It never leaves the operator's process.
    Armed {
        /// It.
        token: String,
    },
    /// A check stands otherwise than before.
    Check {
        /// How.
        report: CheckReport,
    },
    /// The transaction is over.
    Outcome {
        /// How it ended.
        outcome: Outcome,
    },
    /// The record of the attempt, after its outcome.
    Evidence {
        /// It.
        evidence: Box<Evidence>,
    },
}

/// A stage of the operator's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Evaluating the configuration.
    Evaluate,
    /// Building the system.
    Build,
    /// Asking the target how it is.
    Gather,
    /// Copying the closure.
    Copy,
    /// Handing over to the guard.
    Start,
    /// The candidate is being activated.
    Activate,
    /// It is being proved.
    Prove,
    /// It is being made the boot default.
    Commit,
    /// It is being rolled back.
    RollBack,
    /// A flake's checks are evaluated and built.
    Check,
    /// A host is tried in a virtual machine.
    Test,
}

impl Stage {
    /// For people: "evaluating".
    pub fn doing(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluating",
            Self::Build => "building",
            Self::Gather => "asking the target",
            Self::Copy => "copying",
            Self::Start => "starting the guard",
            Self::Activate => "activating",
            Self::Prove => "proving",
            Self::Commit => "committing",
            Self::RollBack => "rolling back",
            Self::Check => "checking",
            Self::Test => "testing in a VM",
        }
    }
}

/// What a progress counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Derivations built.
    Builds,
    /// Store paths copied.
    Paths,
    /// Bytes.
    Bytes,
    /// Checks of a flake.
    Checks,
}
