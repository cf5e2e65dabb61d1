//! A flake's checks by Nix's command line: which there are, their derivations, and building them.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use super::nix_cli::{NixCli, failed, text_of};
use super::runner::{Cmd, RunError, Stream};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flake_check::Became;
use crate::flake_check::run::Hand;
use crate::model::{StorePath, text};
use crate::nix::eval_jobs::Job;
use crate::nix::internal_json::Told;
use crate::nix::{FlakeRef, error_text};
use crate::report::event::Event;

/// The program that evaluates many attributes at once.
pub const EVAL_JOBS: &str = "nix-eval-jobs";
/// Lines of a check's log that are kept.
const LOG: usize = 25;

/// Which checks, and the user's own arguments for Nix.
#[derive(Debug, Clone)]
pub struct Checks {
    /// The flake.
    pub flake: FlakeRef,
    /// `x86_64-linux`.
    pub system: String,
    /// `--override-input …`
    pub args: Vec<String>,
}

impl Checks {
    fn attribute(&self) -> String {
        format!("{}#checks.{}", self.flake.as_str(), self.system)
    }
}

/// How much an evaluation may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Evaluators at once.
    pub workers: usize,
    /// MiB for each; only `nix-eval-jobs` keeps to it.
    pub memory: u64,
}

impl NixCli<'_> {
    /// The system that this machine builds for.
    pub fn system(&self) -> Result<String, Failure> {
        let cmd = Self::nix(&["eval", "--raw", "--impure", "--expr", "builtins.currentSystem"]);
        let out =
            self.runner.run(&cmd).map_err(|e| failed(e, Exit::Evaluation, "asking for the system", &[]))?;
        Ok(text_of(&out)?.trim().to_owned())
    }

    /// The names of the checks; none is an error, since nothing would be checked.
    pub fn check_names(&self, checks: &Checks) -> Result<Vec<String>, Failure> {
        let none = || {
            let what = format!("{} has no checks for {}", checks.flake.as_str(), checks.system);
            Failure::refused(what).hint("lib.mkChecks { inherit self; } makes a VM test of each host")
        };
        let cmd = Self::nix(&["eval", "--json", "--apply", "builtins.attrNames"]);
        let cmd = cmd.args(&checks.args).arg(checks.attribute());
        let out = self.runner.run(&cmd).map_err(|e| {
            let absent = e.stderr().iter().any(|l| l.contains("does not provide attribute"));
            if absent { none() } else { failed(e, Exit::Evaluation, "listing the checks", &[]) }
        })?;
        let names: Vec<String> = serde_json::from_str(text_of(&out)?)
            .map_err(|e| Failure::new(Exit::Internal, format!("the names of the checks: {e}")))?;
        if names.is_empty() { Err(none()) } else { Ok(names) }
    }

    /// Whether [`EVAL_JOBS`] is on `PATH`.
    pub fn has_eval_jobs(&self) -> Result<bool, Failure> {
        match self.runner.run(&Cmd::new(EVAL_JOBS).arg("--help")) {
            Ok(_) => Ok(true),
            Err(RunError::Missing(_)) => Ok(false),
            Err(e) => Err(Failure::refused(format!("{EVAL_JOBS} is on PATH and does not work: {e}"))
                .hint("--evaluator nix does without it")),
        }
    }

    /// Evaluates the checks with [`EVAL_JOBS`] and hands each over as its line comes.
    pub fn eval_jobs(&self, checks: &Checks, limits: Limits, found: &Hand<'_>) -> Result<(), Failure> {
        let cmd = Cmd::new(EVAL_JOBS)
            .args(["--extra-experimental-features", "nix-command flakes"])
            .args(["--workers", &limits.workers.to_string()])
            .args(["--max-memory-size", &limits.memory.to_string()])
            .args(&checks.args)
            .args(["--flake", &checks.attribute()]);
        let mut wrong: Option<String> = None;
        let result = self.runner.run_with(&cmd, &mut |stream, line| match (stream, Job::parse(line)) {
            (Stream::Err, _) => (self.tell)(Event::Output { line: text::without_colour(line) }),
            (Stream::Out, Ok(Job { attribute: Some(name), derivation })) => found((name, derivation)),
            (Stream::Out, Ok(Job { attribute: None, derivation: Err(error) }) | Err(error)) => {
                wrong.get_or_insert(error);
            }
            (Stream::Out, Ok(Job { attribute: None, derivation: Ok(_) })) => {
                wrong.get_or_insert(format!("{EVAL_JOBS} names a derivation of no check"));
            }
        });
        match (result, wrong) {
            (Ok(_), None) => Ok(()),
            (Ok(_), Some(wrong)) => Err(Failure::new(Exit::Evaluation, wrong)),
            (Err(e), wrong) => Err(failed(e, Exit::Evaluation, "evaluating the checks", wrong.as_slice())),
        }
    }

    /// The same with `nix eval`, for each check one.
    pub fn eval_each(&self, checks: &Checks, names: &[String], workers: usize, found: &Hand<'_>) {
        let open = Mutex::new(names.iter().cloned().collect::<VecDeque<_>>());
        let next = || open.lock().ok()?.pop_front();
        let work = || {
            while let Some(name) = next() {
                let made = self.derivation_of(checks, &name).map_err(|failure| failure.to_string());
                found((name, made));
            }
        };
        thread::scope(|scope| {
            for _ in 0..workers.min(names.len()) {
                scope.spawn(work);
            }
        });
    }

    fn derivation_of(&self, checks: &Checks, name: &str) -> Result<StorePath, Failure> {
        let doing = format!("evaluating {name}");
        let apply = format!("checks: checks.{}.drvPath", quoted(name));
        let cmd = Self::nix(&["eval", "--raw", "--apply", &apply]).args(&checks.args).arg(checks.attribute());
        let out = self.runner.run(&cmd).map_err(|e| failed(e, Exit::Evaluation, &doing, &[]))?;
        StorePath::parse(text_of(&out)?.trim())
            .map_err(|e| Failure::new(Exit::Evaluation, format!("{doing}: this is no derivation: {e}")))
    }

    /// Builds a check.
    pub fn build_check(&self, name: &str, derivation: &StorePath, args: &[String]) -> Became {
        let cmd = Self::nix(&["build", "--no-link", "--log-format", "internal-json", "-v"]).args(args);
        let cmd = match self.outputs_of(derivation) {
            Ok(outputs) => cmd.arg(outputs),
            Err(failure) => return Became::NotRun { why: failure.to_string() },
        };
        let (result, watch) = self.watch(&cmd, &mut |_, told| {
            if let Told::BuildLog(text) | Told::Message(text) = told {
                let tell = |line: &str| (self.tell)(Event::Output { line: format!("{name}> {line}") });
                text.lines().for_each(tell);
            }
        });
        match result {
            Ok(_) => Became::Passed,
            Err(RunError::Failed { stderr, .. }) => {
                let said = if watch.messages().is_empty() { &stderr } else { watch.messages() };
                judged(said, watch.build_log())
            }
            Err(e) => Became::NotRun { why: failed(e, Exit::Build, &format!("building {name}"), &[]).what },
        }
    }
}

/// What Nix says where a builder failed, and where it could not be run on this machine at all: old words, new words.
fn judged(said: &[String], log: &[String]) -> Became {
    const NOT_HERE: [&str; 4] = [
        "is required to build",
        "required system or feature not available",
        "missing system features",
        "platform mismatch",
    ];
    let plain: Vec<String> = said.iter().map(|l| text::without_colour(l)).collect();
    let why = error_text::cause(&plain);
    if plain.iter().any(|l| NOT_HERE.iter().any(|w| l.contains(w))) {
        return Became::NotRun { why };
    }
    // Of a log that did not come by itself, Nix's error holds the end.
    let quoted = || plain.iter().filter_map(|l| l.trim_start().strip_prefix("> ")).map(str::to_owned);
    let log = if log.is_empty() { quoted().collect() } else { log.to_vec() };
    let from = log.len().saturating_sub(LOG);
    Became::Failed { why, log: log.into_iter().skip(from).collect() }
}

/// An attribute's name as a string of Nix's language.
fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn names_are_quoted_for_nix() {
        assert_eq!(quoted("vm-web"), r#""vm-web""#);
        assert_eq!(quoted(r#"a"b\${c}"#), r#""a\"b\\\${c}""#);
    }

    #[test]
    fn builders_that_failed_and_builders_that_could_not_be_run() {
        // Nix 2.8, then 2.34.
        for failed in [
            "error: builder for '/nix/store/x.drv' failed with exit code 1;\n       last 2 log lines:\n       > one\n       > two\n       For full logs, run 'nix log /nix/store/x.drv'.",
            "error: Cannot build '/nix/store/x.drv'.\n       Reason: builder failed with exit code 1.\n       Last 2 log lines:\n       > one\n       > two",
        ] {
            let Became::Failed { log, .. } = judged(&lines(failed), &[]) else { panic!("{failed}") };
            assert_eq!(log, ["one", "two"]);
            let Became::Failed { log, .. } = judged(&lines(failed), &lines("from the log")) else { panic!() };
            assert_eq!(log, ["from the log"]);
        }
        for elsewhere in [
            "error: a 'x86_64-linux' with features {kvm} is required to build '/nix/store/x.drv', but I am a 'x86_64-linux' with features {benchmark}",
            "error: Cannot build '/nix/store/x.drv'.\n       Reason: required system or feature not available\n       Required system: 'x86_64-linux' with features {kvm}",
            "error: Cannot build '/nix/store/x.drv'.\n       Reason: missing system features\n       Required features: {kvm}\n       Available features: {benchmark}",
        ] {
            assert!(matches!(judged(&lines(elsewhere), &[]), Became::NotRun { .. }), "{elsewhere}");
        }
    }
}
