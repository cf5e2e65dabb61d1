//! `nqd check`.

use std::path::PathBuf;

use super::usage;
use crate::app::App;
use crate::effects::nix_checks::{Checks, EVAL_JOBS, Limits};
use crate::effects::nix_cli::NixCli;
use crate::effects::{files, resources};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flake_check::run::{Hand, Works, run};
use crate::flake_check::{Checked, Found, Report, VERSION, evaluators};
use crate::nix::FlakeRef;
use crate::report::event::{Event, Stage, Unit};
use crate::report::reporter::{Form, print_json};
use crate::report::{check_text, junit_checks};

/// Evaluates and builds all checks of a flake, says which failed and shows the end of its log. One that fails keeps no
/// other from being run. With nix-eval-jobs on PATH, checks are evaluated by it; else by several `nix eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd check                              the checks of the flake here
  nqd check github:me/infra              those of another one
  nqd check --only vm-web --only lint    only these
  nqd check --junit checks.xml           for a CI system
  nqd check -- --override-input nixpkgs ../nixpkgs

Exit codes: 0 all passed, 13 a check failed, 40 one could not be evaluated, 41 one could not be run here (such as a VM test
without KVM), 30 there is none, or interrupted. Of 13, 40 and 41 the highest decides.")]
pub(super) struct Args {
    /// The flake
    #[arg(value_name = "FLAKE", env = "NQD_FLAKE", default_value = ".", value_parser = FlakeRef::parse)]
    flake: FlakeRef,
    /// Only this check (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The checks of this system, instead of this machine's
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many checks are built at once [default: one a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How many evaluate at once [default: one a processor, and one for each 4 GiB of free memory]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// MiB after which nix-eval-jobs starts an evaluator afresh
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(64..))]
    max_memory: u64,
    /// What evaluates
    #[arg(long, value_enum, default_value_t)]
    evaluator: Evaluator,
    /// Arguments for Nix: --override-input, …
    #[arg(last = true, value_name = "NIX-ARGUMENTS")]
    for_nix: Vec<String>,
}

/// What evaluates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Evaluator {
    /// nix-eval-jobs if it is on PATH.
    #[default]
    Auto,
    /// nix-eval-jobs.
    NixEvalJobs,
    /// `nix eval`, once for each check.
    Nix,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let tell = |event| {
            // Of many builds at once, what each counts says little.
            if !matches!(event, Event::Progress { .. }) {
                app.reporter.tell(None, event);
            }
        };
        let nix = NixCli::new(app.here()?, &tell);
        let system = self.system.clone().map_or_else(|| nix.system(), Ok)?;
        let checks = Checks { flake: self.flake.clone(), system, args: self.for_nix.clone() };
        let names = self.chosen(nix.check_names(&checks)?)?;
        let by_jobs = match self.evaluator {
            // It evaluates all checks, whichever are wanted.
            Evaluator::Auto => self.only.is_empty() && nix.has_eval_jobs()?,
            Evaluator::NixEvalJobs => true,
            Evaluator::Nix => false,
        };
        let limits = Limits { workers: self.workers()?, memory: self.max_memory };
        let evaluate = |found: &Hand<'_>| {
            let found = |one: Found| {
                if names.contains(&one.0) {
                    found(one);
                }
            };
            if by_jobs {
                return nix.eval_jobs(&checks, limits, &found);
            }
            nix.eval_each(&checks, &names, limits.workers, &found);
            Ok(())
        };
        let build = |name: &str, drv: &_| nix.build_check(name, drv, &checks.args);
        let jobs = self.jobs.map_or_else(resources::processors, usize::from);
        let works = Works { evaluate: &evaluate, build: &build, jobs, stopped: &|| app.stopped() };
        let results = Self::watch(app, &names, &works);
        let evaluator = if by_jobs { EVAL_JOBS } else { "nix eval" };
        let flake = self.flake.as_str().to_owned();
        let report = Report { v: VERSION, flake, system: checks.system, evaluator, checks: results };
        self.show(app, &report)
    }

    /// The names that were asked for, all of which there must be.
    fn chosen(&self, names: Vec<String>) -> Result<Vec<String>, Failure> {
        if let Some(unknown) = self.only.iter().find(|n| !names.contains(n)) {
            let what = format!("there is no check {unknown:?}");
            return Err(usage(what).hint(format!("the flake has these checks: {}", names.join(", "))));
        }
        let all = self.only.is_empty();
        Ok(names.into_iter().filter(|n| all || self.only.contains(n)).collect())
    }

    fn workers(&self) -> Result<usize, Failure> {
        if let Some(workers) = self.workers {
            return Ok(workers.into());
        }
        let memory = resources::available_memory().map_err(|e| {
            Failure::refused(format!("how much memory is free: {e}"))
                .hint("--workers says how many may evaluate")
        })?;
        Ok(evaluators(resources::processors(), memory))
    }

    /// Runs them, showing how far it is.
    fn watch(app: &App, names: &[String], works: &Works<'_>) -> Vec<Checked> {
        let stage = Stage::Check;
        let tell = |event| app.reporter.tell(None, event);
        tell(Event::StageStarted { stage });
        let started = crate::effects::clock::start();
        let expected = names.len() as u64;
        let mut done = 0;
        let results = run(names, works, &mut |one| {
            done += 1;
            let what = Some(one.name.clone());
            tell(Event::Notice { text: format!("{:<7} {}", check_text::word(&one.became), one.name) });
            tell(Event::Progress { stage, done, expected, unit: Unit::Checks, what });
        });
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tell(Event::StageFinished { stage, millis });
        results
    }

    fn show(&self, app: &App, report: &Report) -> Result<Exit, Failure> {
        if let Some(file) = &self.junit {
            files::write_durable(file, junit_checks::render(report).as_bytes(), 0o644).map_err(usage)?;
        }
        if app.reporter.form() == Form::Json {
            let json =
                serde_json::to_string(report).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
            print_json(&json);
        } else {
            app.reporter.print(&check_text::render(report));
        }
        // Of what was stopped nothing is known as a whole.
        Ok(if app.stopped() { Exit::Refused } else { report.exit() })
    }
}
