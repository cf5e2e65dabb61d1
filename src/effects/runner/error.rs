//! Why running a program failed.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// Why running a program failed.
#[derive(Debug, Error)]
pub enum RunError {
    /// The program is not installed.
    #[error("{0} is not installed, or not on PATH")]
    Missing(String),
    /// The operating system refused.
    #[error("could not run `{cmd}`: {source}")]
    Spawn {
        /// What was run.
        cmd: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended with a status that was not accepted.
    #[error("`{cmd}` {how}{}", tail(.stderr))]
    Failed {
        /// What was run.
        cmd: String,
        /// "exited with 1", "was killed by signal 9".
        how: String,
        /// The status, if it exited.
        status: Option<i32>,
        /// Its last lines of standard error.
        stderr: Vec<String>,
    },
    /// It took too long and was killed.
    #[error("`{cmd}` did not end within {} s and was killed{}", .after.as_secs_f32(), tail(.stderr))]
    TimedOut {
        /// What was run.
        cmd: String,
        /// How long it had.
        after: Duration,
        /// Its last lines of standard error.
        stderr: Vec<String>,
    },
    /// It printed more than it may.
    #[error("`{cmd}` printed more than {limit} bytes and was killed")]
    Flooded {
        /// What was run.
        cmd: String,
        /// How much it may print.
        limit: usize,
    },
    /// We were asked to stop.
    #[error("interrupted while `{0}` ran")]
    Cancelled(String),
    /// Its output is not UTF-8.
    #[error("a program's output is not UTF-8 text")]
    NotText,
}

impl RunError {
    /// The last lines of the program's standard error, if it ran.
    pub fn stderr(&self) -> &[String] {
        match self {
            Self::Failed { stderr, .. } | Self::TimedOut { stderr, .. } => stderr,
            _ => &[],
        }
    }

    /// The exit status, if it exited with one.
    pub fn status(&self) -> Option<i32> {
        if let Self::Failed { status, .. } = self { *status } else { None }
    }
}

fn tail(lines: &[String]) -> String {
    lines.iter().rev().take(8).rev().fold(String::new(), |all, l| all + "\n  " + l)
}
