//! Flags that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::app::App;
use crate::deploy::request::{Confirm, PlaceArg, Settings, parse_build_on, parse_escalate};
use crate::effects::nix::BuildOn;
use crate::effects::target::Target;
use crate::effects::transport::Escalate;
use crate::failure::Failure;
use crate::guard::Options;
use crate::model::{Address, HostName, Seconds};
use crate::nix::FlakeRef;
use crate::report::reporter::Form;

/// How results are shown.
#[derive(Debug, Args)]
pub struct Output {
    /// Print JSON: the result, or one event a line and then the outcome (docs/EVENTS.md, docs/FORMATS.md)
    #[arg(long, global = true, conflicts_with_all = ["quiet", "verbose"])]
    json: bool,
    /// Print only the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print what Nix and switch scripts say; twice: also every program that is run
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Output {
    /// The form that was asked for.
    pub fn form(&self) -> Form {
        match (self.json, self.quiet) {
            (true, _) => Form::Json,
            (_, true) => Form::Quiet,
            _ => Form::Human(self.verbose),
        }
    }

    /// Whether colours were asked for or forbidden.
    pub fn colours(&self) -> Option<bool> {
        match self.color {
            ColorWhen::Auto => None,
            ColorWhen::Always => Some(true),
            ColorWhen::Never => Some(false),
        }
    }
}

/// Where a host is and how to become root there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub struct Place {
    /// Reach the host at this SSH destination: [USER@]HOST, an alias of your SSH configuration, or ssh://USER@HOST:PORT
    #[arg(long, value_name = "DESTINATION", value_parser = Address::parse, conflicts_with = "local")]
    target_host: Option<Address>,
    /// The host is this machine
    #[arg(long)]
    local: bool,
    /// Become root there with this program
    #[arg(long, value_name = "none|sudo|doas|run0", value_parser = escalate)]
    escalate: Option<Escalate>,
    /// Ask for the sudo password once; it is on no command line and in no environment
    #[arg(long)]
    pub ask_sudo_password: bool,
}

fn escalate(word: &str) -> Result<Escalate, String> {
    parse_escalate(word).ok_or_else(|| "use none, sudo, doas or run0".to_owned())
}

impl Place {
    /// This machine.
    pub fn here() -> Self {
        Self { target_host: None, local: true, escalate: None, ask_sudo_password: false }
    }

    /// `--target-host` or `--local`.
    pub fn place(&self) -> Option<PlaceArg> {
        match (&self.target_host, self.local) {
            (Some(address), _) => Some(PlaceArg::There(address.clone())),
            (None, true) => Some(PlaceArg::Here),
            (None, false) => None,
        }
    }

    /// These flags as somebody would type them, each with a blank before it.
    fn words(&self) -> String {
        let place = match (&self.target_host, self.local) {
            (Some(address), _) => format!(" --target-host {address}"),
            (None, true) => " --local".to_owned(),
            (None, false) => String::new(),
        };
        let escalate = self.escalate.map_or_else(String::new, |e| format!(" --escalate {}", e.word()));
        format!("{place}{escalate}")
    }

    /// How to become root; a password only makes sense for sudo.
    pub fn escalate(&self) -> Option<Escalate> {
        self.escalate.or(self.ask_sudo_password.then_some(Escalate::Sudo))
    }
}

/// The one host that a command is about.
#[derive(Debug, Clone, Args)]
pub struct OneHost {
    /// The host; this machine if none is named
    host: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl OneHost {
    /// The words by which a command finds the same machine.
    pub fn words(&self, name: &HostName) -> String {
        format!("{name}{}", self.place.words())
    }

    /// Finds and reaches it.
    pub fn meet(&self, app: &App) -> Result<(HostName, Box<dyn Target>), Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (name, place, escalate) = app.find(self.host.as_deref(), &self.place).map_err(super::usage)?;
        let target = app.reach(&name, &place, escalate)?;
        Ok((name, target))
    }
}

/// How a transaction is run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Transaction")]
pub struct Transaction {
    /// How long all must stay well before it is committed
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "10s")]
    soak: Seconds,
    /// How long there is to confirm that the machine can be reached [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    confirm_timeout: Option<Seconds>,
    /// Commit without anybody having to reach the machine
    #[arg(long, conflicts_with = "confirm_timeout")]
    no_confirm: bool,
    /// The longest time from the switch to the commit
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "10m")]
    cap: Seconds,
    /// How long one run of a switch script may take
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "10m")]
    switch_timeout: Seconds,
    /// Also refuse if a required check fails that failed before
    #[arg(long)]
    strict: bool,
    /// An activation script snippet that may fail (may be repeated)
    #[arg(long, value_name = "SNIPPET")]
    waive: Vec<String>,
    /// Reboot if the rollback fails; a machine with encrypted disks may not come back by itself
    #[arg(long)]
    reboot_on_failed_rollback: bool,
    /// Deploy although what runs, the profile and the boot default differ
    #[arg(long)]
    from_diverged: bool,
    /// Deploy a system although it was rolled back before and is known to be bad
    #[arg(long)]
    force: bool,
    /// Deploy although the candidate is for a host of another name
    #[arg(long)]
    allow_host_mismatch: bool,
    /// Use this guard on the target: a static program for its system
    #[arg(long, value_name = "FILE")]
    guard: Option<PathBuf>,
    /// Let the target fetch what it can from its own substituters
    #[arg(long)]
    substitute_on_destination: bool,
    /// Copy before showing the plan, so that it can say what restarts
    #[arg(long)]
    copy_first: bool,
}

impl Transaction {
    /// `--confirm-timeout` or `--no-confirm`.
    pub fn confirm(&self) -> Option<Confirm> {
        if self.no_confirm { Some(Confirm::No) } else { self.confirm_timeout.map(Confirm::Within) }
    }

    /// Everything but that.
    pub fn settings(
        &self,
        specialisation: Option<String>,
        nix_args: Vec<String>,
        operator: String,
    ) -> Settings {
        Settings {
            nix_args,
            specialisation,
            substitute_on_destination: self.substitute_on_destination,
            copy_first: self.copy_first,
            allow_host_mismatch: self.allow_host_mismatch,
            guard: self.guard.clone(),
            options: Options {
                confirm: None,
                soak: self.soak,
                cap: self.cap,
                switch: self.switch_timeout,
                strict: self.strict,
                waive: self.waive.clone(),
                reboot_on_failed_rollback: self.reboot_on_failed_rollback,
                from_diverged: self.from_diverged,
                force: self.force,
            },
            operator,
        }
    }
}

/// Which hosts of which flake.
#[derive(Debug, Clone, Args)]
pub struct FlakeHosts {
    /// Hosts: names in the flake's nixosConfigurations, or FLAKE#HOST
    #[arg(value_name = "[FLAKE#]HOST")]
    pub hosts: Vec<String>,
    /// The flake of hosts that are named alone
    #[arg(long, value_name = "FLAKE", env = "NQD_FLAKE", default_value = ".", value_parser = FlakeRef::parse)]
    pub flake: FlakeRef,
    /// Where to build: local, target, or a builder ssh://HOST
    #[arg(long, value_name = "WHERE", value_parser = parse_build_on)]
    pub build_on: Option<BuildOn>,
    /// Activate this specialisation
    #[arg(long, value_name = "NAME")]
    pub specialisation: Option<String>,
    /// Arguments for Nix: --override-input, --impure, -L, …
    #[arg(last = true, value_name = "NIX-ARGUMENTS")]
    pub nix_args: Vec<String>,
}

/// A time such as `90s`, `10m`, or `1.5` for seconds.
pub fn seconds(text: &str) -> Result<Seconds, String> {
    let duration = match text.parse::<f64>() {
        Ok(seconds) => return Seconds::try_from(seconds).map_err(|e| e.to_string()),
        Err(_) => humantime::parse_duration(text).map_err(|e| e.to_string())?,
    };
    Seconds::try_from(duration).map_err(|e| e.to_string())
}

/// The same, for the operator's own waiting.
pub fn time(text: &str) -> Result<Duration, String> {
    seconds(text).map(Seconds::duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(seconds("90s").unwrap(), Seconds::whole(90));
        assert_eq!(seconds("10m").unwrap(), Seconds::whole(600));
        assert_eq!(seconds("0").unwrap(), Seconds::whole(0));
        assert_eq!(seconds("1.5").unwrap().duration(), Duration::from_millis(1500));
        for bad in ["", "-1", "x", "10000d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
