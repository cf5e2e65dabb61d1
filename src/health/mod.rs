//! Health checks: what is declared, when it is probed, and what the answers mean. No I/O: that is
//! [`crate::effects::probe`].

pub mod baseline;
pub mod examination;
pub mod kind;
pub mod manifest;
pub mod probe_result;
pub mod report;
pub mod scheduler;
pub mod textfile;
pub mod unit_state;
pub mod unit_watch;
pub mod verdict;

pub use baseline::Baseline;
pub use kind::Kind;
pub use manifest::{Check, CheckName, Level, Manifest};
pub use probe_result::{ProbeResult, ProbeStatus};
pub use report::{CheckReport, Standing};
pub use scheduler::Scheduler;
pub use unit_state::{UnitState, Units};
pub use verdict::{Verdict, judge};
