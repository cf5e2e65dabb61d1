//! `nqd snapshot`.

use std::path::PathBuf;

use super::sides::{self, Sides};
use super::usage;
use crate::app::App;
use crate::closure::snapshot::{Snapshot, VERSION};
use crate::effects::{clock, files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::reporter::print;

/// Writes what a system consists of, so that it can be compared elsewhere or later.
#[derive(Debug, clap::Args)]
#[command(mut_arg("words", |a| a.num_args(1).value_name("SYSTEM").help(
    "A store path or a link to one, a generation's number, a profile, FLAKE#HOST, or a host, for what it runs",
)))]
#[command(after_help = "Examples:
  nqd snapshot /run/current-system > before.json
  nqd snapshot web --out web.json      what the host web runs
  nqd diff before.json .#web           compare with it")]
pub(super) struct Args {
    /// The file; standard output if it is not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sides: Sides,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let [word] = self.sides.words.as_slice() else {
            return Err(usage("name one system").hint(crate::effects::operand::FORMS));
        };
        let operand = self.sides.understand(word, app)?;
        let found = self.sides.find(operand, app)?;
        let closure = sides::closure_alone(&found, app)?;
        let system = sides::system(&found, &sides::masker()?)?;
        let snapshot = Snapshot {
            nqd_snapshot: VERSION,
            taken: clock::wall(),
            named: found.side.named.clone(),
            closure,
            system,
        };
        let text =
            serde_json::to_string(&snapshot).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        match &self.out {
            Some(file) => files::write_durable(file, format!("{text}\n").as_bytes(), 0o644).map_err(usage)?,
            None => print(&text),
        }
        Ok(Exit::Ok)
    }
}
