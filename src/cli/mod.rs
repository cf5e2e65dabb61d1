//! The operator's command line: `nqd`. One file a command, each turning flags into a request and running it.
#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

mod cancel;
mod check;
mod completions;
mod deploy;
mod diff;
mod doctor;
mod flags;
mod follow;
mod health;
mod history;
mod init;
mod man;
mod plan;
mod planning;
mod rollback;
mod sides;
mod snapshot;
mod status;
mod test;
mod trial;
mod unban;
mod why;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;

pub use self::flags::{Output, Place};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Deploys NixOS flakes so that no fault leaves a machine on a system that was not proved healthy.
#[derive(Debug, Parser)]
#[command(name = "nqd", version, styles = STYLES, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "Examples:
  nqd deploy web                     evaluate, build, show, ask, copy, activate, prove, commit or roll back
  nqd plan .#web                     the same up to the question
  nqd diff web .#web                 what would change on it, package by package
  nqd status web                     what it runs, what it boots, the last transaction
  nqd rollback web                   go back, with the same proof

Exit codes: 0 done, 2 usage, 10 degraded, 11 differs (--exit-code), 13 a check failed, 20 rolled back, 21 held: a person is needed, 22 not known, 23 superseded,
24 interrupted, 25 unhealthy, 30 refused, 40 evaluation, 41 build, 42 copy, 43 unreachable, 75 busy.")]
pub struct Cli {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a deployment would do
    Plan(plan::Args),
    /// Deploy, prove healthy, commit or roll back
    Deploy(deploy::Args),
    /// Show what differs between two systems
    Diff(diff::Args),
    /// Show why two systems differ: the root causes of rebuilds
    Why(why::Args),
    /// Write what a system consists of, to compare it elsewhere or later
    Snapshot(snapshot::Args),
    /// Boot a host's virtual machine and run its health checks there
    Test(test::Args),
    /// Evaluate and build a flake's checks, and say which failed
    Check(check::Args),
    /// Run the declared health checks now
    Health(health::Args),
    /// Show what a machine runs and boots, and its last transaction
    Status(status::Args),
    /// Go back to an earlier system, by a transaction like any other
    Rollback(rollback::Args),
    /// Attach to a running transaction, or show the last one
    Follow(follow::Args),
    /// Roll the running transaction back now
    Cancel(cancel::Args),
    /// Show the record of past transactions
    History(history::Args),
    /// Let systems that are known to be bad be deployed again
    Unban(unban::Args),
    /// Say what needs a person, and the commands for it
    Doctor(doctor::Args),
    /// Write a flake to begin with, or what to add to one
    Init(init::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Write the manual pages, for packages
    #[command(hide = true)]
    Man(man::Args),
}

impl Cli {
    /// How results are to be shown.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Whether the command reports events, and not only a result.
    pub fn has_events(&self) -> bool {
        matches!(
            self.command,
            Command::Plan(_) | Command::Deploy(_) | Command::Rollback(_) | Command::Follow(_)
        )
    }

    /// Runs the command.
    pub fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            Command::Plan(args) => args.run(app),
            Command::Deploy(args) => args.run(app),
            Command::Diff(args) => args.run(app),
            Command::Why(args) => args.run(app),
            Command::Snapshot(args) => args.run(app),
            Command::Test(args) => args.run(app),
            Command::Check(args) => args.run(app),
            Command::Health(args) => args.run(app),
            Command::Status(args) => args.run(app),
            Command::Rollback(args) => args.run(app),
            Command::Follow(args) => args.run(app),
            Command::Cancel(args) => args.run(app),
            Command::History(args) => args.run(app),
            Command::Unban(args) => args.run(app),
            Command::Doctor(args) => args.run(app),
            Command::Init(args) => args.run(app),
            Command::Completions(args) => Ok(args.run()),
            Command::Man(args) => args.run(app),
        }
    }
}

fn usage(why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, why.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "nqd {} --help has no examples", command.get_name());
        }
    }
}
