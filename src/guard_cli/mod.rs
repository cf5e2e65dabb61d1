//! `nqd-guard`: what runs on the target, as root. An operator's `nqd` calls it; a few commands are for people.

mod asking;
mod begin;
mod health;
mod keep;
mod record;
mod run;
mod watch;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::effects::env;
use crate::effects::this_machine::{Journal, journal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::model::text::printable;
use crate::model::{StorePath, TxId};

pub use self::health::examine;

/// Owns a deployment on the machine that it runs on: health checks, rollback, recovery.
#[derive(Debug, Parser)]
#[command(name = "nqd-guard", version, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  nqd-guard check-manifest health.json   validate a manifest of health checks
  nqd-guard health                       run the checks of the running system
  nqd-guard keep 5                       keep the last five systems that were proved
  nqd-guard status                       what the last transaction was, as JSON
  nqd-guard recover                      finish a transaction whose guard has died")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Validate a manifest of health checks (etc/nqd/health.json)
    CheckManifest {
        /// The file
        file: PathBuf,
    },
    /// Run the health checks of the running system and print a report as JSON
    Health {
        /// Use the checks of this system instead
        #[arg(long, value_name = "STORE-PATH")]
        system: Option<StorePath>,
        /// Give every check the time that a deployment gives it, and wait until no unit fails or is restarted
        #[arg(long)]
        settle: bool,
        /// Write the verdict for Prometheus' textfile collector, too
        #[arg(long, value_name = "FILE")]
        textfile: Option<PathBuf>,
        /// Write the report to this file or device, too; it must be there
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Print what is known of the last transaction, as JSON; one whose guard has died is finished first
    Status {
        /// Finish nothing
        #[arg(long)]
        as_is: bool,
    },
    /// Print the events of the last transaction as they come, to its end
    Follow {
        /// Only if it is this one
        id: Option<TxId>,
    },
    /// Print the records of past transactions, one JSON object a line, the newest last
    History {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Let systems that are known to be bad be deployed again
    Unban {
        /// Only this one
        system: Option<StorePath>,
    },
    /// Keep the last systems that were proved from the garbage collector, and let go of those before
    Keep {
        /// So many
        n: u16,
    },
    /// Finish a transaction whose guard has died
    Recover,
    /// Roll the running transaction back
    Cancel {
        /// Who asks, for the record
        #[arg(long)]
        by: String,
    },
    /// Begin a transaction: its specification comes on standard input (the operator's nqd does this)
    #[command(hide = true)]
    Begin,
    /// Confirm a transaction: the token comes on standard input (the operator's nqd does this)
    #[command(hide = true)]
    Confirm {
        /// Which
        id: TxId,
    },
    /// Give a transaction up that has begun nothing (the operator's nqd does this)
    #[command(hide = true)]
    Withdraw {
        /// Which
        id: TxId,
        /// Who asks, for the record
        #[arg(long)]
        by: String,
    },
    /// Run a transaction that `begin` has accepted (a transient unit does this)
    #[command(hide = true)]
    Run {
        /// Which
        id: TxId,
    },
    /// Take over if the guard of a transaction is dead (a timer does this)
    #[command(hide = true)]
    Tick {
        /// Which
        id: TxId,
    },
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything is read: a stranger is refused, not told that it cannot be read.
    let may = if cli.command.reads_the_journal() { must_be_root().and_then(|()| delegate()) } else { Ok(()) };
    let result = may.and_then(|()| run(cli.command));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // A manifest's words may be among it, and a person may read it here.
            eprintln!("nqd-guard: {}", printable(&failure.to_string(), true));
            let exit = failure.exit;
            // The operator reads the reply; where nobody reads it, what went to standard error must do.
            say(&Reply::Refused(failure)).unwrap_or(());
            exit.into()
        }
    }
}

impl Command {
    /// Whether it is about a transaction that a guard of another version may have begun.
    fn reads_the_journal(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Follow { .. }
                | Self::Recover
                | Self::Cancel { .. }
                | Self::Tick { .. }
        )
    }
}

/// Lets the guard that wrote the journal answer, where this one cannot read it. Does not return then.
fn delegate() -> Result<(), Failure> {
    match journal()? {
        Journal::Foreign(frozen) if !env::was_delegated() => {
            let why = env::delegate_to(&frozen.guard);
            Err(internal(&format!("running {}, which wrote the journal", frozen.guard.display()), why))
        }
        _ => Ok(()),
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::CheckManifest { file } => health::check_manifest(&file),
        Command::Health { system, settle, textfile, record } => {
            health::health(system, settle, &health::Copies { textfile, record })
        }
        Command::Keep { n } => keep::keep(n.into()),
        Command::Status { as_is } => watch::status(as_is),
        Command::Follow { id } => watch::follow(id.as_ref()),
        Command::History { limit } => record::history(limit),
        Command::Unban { system } => record::unban(system.as_ref()),
        Command::Recover => run::recover(),
        Command::Cancel { by } => asking::cancel(by),
        Command::Begin => begin::begin(),
        Command::Confirm { id } => asking::confirm(id),
        Command::Withdraw { id, by } => asking::withdraw(id, by),
        Command::Run { id } => run::run(&id),
        Command::Tick { id } => run::tick(&id),
    }
}

/// Writes one line of JSON to standard output.
fn say(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|e| internal("writing an answer", e))?;
    say_line(&text)
}

fn say_line(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| internal("writing to standard output", e))
}

fn internal(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, format!("{what}: {why}"))
}

/// Reads all of standard input, which must be short.
fn read_input() -> Result<String, Failure> {
    let text = io::read_to_string(io::Read::take(io::stdin().lock(), 1 << 20));
    text.map_err(|e| internal("reading standard input", e))
}

fn must_be_root() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::refused("this needs root").hint("log in as root, or use --escalate sudo"))
}
