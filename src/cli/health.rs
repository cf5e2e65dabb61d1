//! `nqd health`.

use std::path::PathBuf;

use super::flags::OneHost;
use super::usage;
use crate::app::App;
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::health::examination::Examination;
use crate::report::reporter::{Form, print_json};
use crate::report::{health_text, junit};

/// Runs the health checks that the running system declares, now, and says by the exit code how it is: 0 healthy,
/// 10 degraded, 25 unhealthy, 22 not known.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd health                        this machine
  nqd health web --junit out.xml    a host, for a CI system
  nqd health --json                 for programs")]
pub(super) struct Args {
    #[command(flatten)]
    one: OneHost,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Use this guard on the target: a static program for its system
    #[arg(long, value_name = "FILE")]
    guard: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let text = app.examine(&name, target.as_ref(), self.guard.as_deref())?;
        let examination: Examination = serde_json::from_str(&text).map_err(|e| {
            Failure::new(Exit::Internal, format!("the guard's report cannot be understood: {e}"))
        })?;
        if let Some(file) = &self.junit {
            files::write_durable(file, junit::render(&examination).as_bytes(), 0o644).map_err(usage)?;
        }
        if app.reporter.form() == Form::Json {
            print_json(text.trim());
        } else {
            app.reporter.print(&health_text::render(&examination));
        }
        Ok(examination.verdict)
    }
}
