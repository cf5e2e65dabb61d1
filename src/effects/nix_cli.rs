//! Nix by its command line, from 2.8 on.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use super::nix::{BuildOn, Nix};
use super::runner::{Cmd, Output, RunError, Runner, Stream};
use super::target::RemoteStore;
use super::{closures, env, files, system_files};
use crate::closure::Package;
use crate::deploy::facts::{Evaluation, Revision};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::{Described, StorePath, System, text};
use crate::nix::PathInfo;
use crate::nix::internal_json::{Told, Watch};
use crate::nix::{FlakeHost, FlakeRef, error_text, path_info};
use crate::report::event::{Event, Stage, Unit};

/// Everything that is needed of a host, in one evaluation.
const EVALUATE: &str = "c: let t = c.config.system.build.toplevel; in {
  derivation = t.drvPath;
  toplevel = t.outPath;
  nixVersion = builtins.nixVersion;
  hostName = c.config.networking.hostName or null;
  deploy = c.config.quickDeploy.deploy or null;
}";

/// Tells the operator's reporters of something.
pub type Tell<'a> = dyn Fn(Event) + Sync + 'a;

/// The `nix` on `PATH`.
pub struct NixCli<'a> {
    pub(super) runner: Runner,
    pub(super) tell: &'a Tell<'a>,
    version: OnceLock<String>,
}

impl<'a> NixCli<'a> {
    /// `tell` hears of progress.
    pub fn new(runner: Runner, tell: &'a Tell<'a>) -> Self {
        Self { runner, tell, version: OnceLock::new() }
    }

    pub(super) fn nix(subcommand: &[&str]) -> Cmd {
        Cmd::new("nix").args(["--extra-experimental-features", "nix-command flakes"]).args(subcommand)
    }

    /// Runs a Nix command whose log is read as it comes. `doing` names it in a failure.
    pub(super) fn watched(
        &self,
        cmd: &Cmd,
        (stage, exit): (Stage, Exit),
        doing: &str,
    ) -> Result<Output, Failure> {
        let (result, watch) = self.watch(cmd, &mut |watch, told| self.told(stage, watch, told));
        result.map_err(|e| {
            let mut said = watch.messages().to_vec();
            if !watch.build_log().is_empty() && exit == Exit::Build {
                said.insert(0, "the builder's last lines:".to_owned());
                said.splice(1..1, watch.build_log().iter().cloned());
            }
            failed(e, exit, doing, &said)
        })
    }

    /// The same for whoever wants to know all that was said.
    pub(super) fn watch(
        &self,
        cmd: &Cmd,
        told: &mut dyn FnMut(&Watch, Told),
    ) -> (Result<Output, RunError>, Watch) {
        let mut watch = Watch::default();
        let result = self.runner.run_with(cmd, &mut |stream, line| {
            if stream == Stream::Err {
                let now = watch.line(line);
                told(&watch, now);
            }
        });
        (result, watch)
    }

    fn told(&self, stage: Stage, watch: &Watch, told: Told) {
        let line = |line: String| (self.tell)(Event::Output { line });
        match told {
            Told::Nothing => {}
            Told::BuildLog(text) | Told::Message(text) => text.lines().map(str::to_owned).for_each(line),
            Told::Progress => {
                let what = watch.doing().map(|w| text::printable(w, false));
                let ((done, expected), unit) = match stage {
                    Stage::Copy => (watch.paths(), Unit::Paths),
                    _ => (watch.builds(), Unit::Builds),
                };
                if expected > 0 {
                    (self.tell)(Event::Progress { stage, done, expected, unit, what });
                }
            }
        }
    }

    /// The version of `nix`: known from an evaluation, else asked once.
    fn version(&self) -> Result<&str, Failure> {
        if let Some(version) = self.version.get() {
            return Ok(version);
        }
        let out = self
            .runner
            .run(&Cmd::new("nix").arg("--version"))
            .map_err(|e| failed(e, Exit::Refused, "asking Nix's version", &[]))?;
        let line = text_of(&out)?;
        let version = line.split_whitespace().last().unwrap_or_default().to_owned();
        Ok(self.version.get_or_init(|| version))
    }

    fn at_least(&self, major: u32, minor: u32) -> Result<bool, Failure> {
        let version = self.version()?;
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
        Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor))
    }

    /// A failed evaluation, with the hint that this Nix is older than what today's nixpkgs is made for, unless something
    /// else is known to help.
    fn perhaps_too_old(&self, failure: Failure) -> Failure {
        // Where the version is not known either, the failure itself says enough.
        let old = failure.hint.is_none() && self.at_least(2, 18).is_ok_and(|enough| !enough);
        if old { failure.hint(error_text::TOO_OLD) } else { failure }
    }

    /// How `nix build` is told to build all outputs of a derivation: `^*` since Nix 2.13.
    pub(super) fn outputs_of(&self, derivation: &StorePath) -> Result<String, Failure> {
        Ok(if self.at_least(2, 13)? { format!("{derivation}^*") } else { derivation.to_string() })
    }

    fn realise(&self, build: Cmd, derivation: &StorePath, args: &[String]) -> Result<StorePath, Failure> {
        let cmd = build
            .args(["--json", "--log-format", "internal-json", "-v"])
            .args(args)
            .arg(self.outputs_of(derivation)?);
        let out =
            self.watched(&cmd, (Stage::Build, Exit::Build), &format!("building {}", derivation.name()))?;
        built(text_of(&out)?).map_err(|why| Failure::new(Exit::Internal, why))
    }
}

/// The one output of `nix build --json`.
fn built(json: &str) -> Result<StorePath, String> {
    #[derive(Deserialize)]
    struct Built {
        outputs: Outputs,
    }
    #[derive(Deserialize)]
    struct Outputs {
        out: StorePath,
    }
    let built: Vec<Built> = serde_json::from_str(json).map_err(|e| format!("`nix build --json`: {e}"))?;
    built.into_iter().next().map(|b| b.outputs.out).ok_or_else(|| "`nix build` built nothing".to_owned())
}

pub(super) fn text_of(out: &Output) -> Result<&str, Failure> {
    out.text().map_err(|e| Failure::new(Exit::Internal, e.to_string()))
}

pub(super) fn failed(e: RunError, exit: Exit, doing: &str, said: &[String]) -> Failure {
    match e {
        RunError::Missing(program) => Failure::refused(format!("{program} is not installed, or not on PATH"))
            .hint("nqd needs Nix on the machine it is run on"),
        RunError::Cancelled(_) => Failure::refused(format!("interrupted while {doing}")),
        RunError::Failed { stderr, .. } if said.is_empty() => {
            let plain: Vec<String> = stderr.iter().map(|l| text::without_colour(l)).collect();
            error_text::failure(exit, doing, &plain)
        }
        RunError::Failed { .. } => error_text::failure(exit, doing, said),
        e => Failure::new(exit, format!("{doing} failed: {e}")),
    }
}

fn invalid(what: &'static str) -> impl FnOnce(serde_json::Error) -> Failure {
    move |e| Failure::new(Exit::Internal, format!("{what}: {e}"))
}

fn io(what: &str) -> impl FnOnce(std::io::Error) -> Failure + '_ {
    move |e| Failure::new(Exit::Internal, format!("{what}: {e}"))
}

impl Nix for NixCli<'_> {
    fn evaluate(&self, host: &FlakeHost, args: &[String]) -> Result<Evaluation, Failure> {
        let doing = format!("evaluating {}", host.shown());
        let cmd = Self::nix(&["eval", "--json", "--apply", EVALUATE]).args(args).arg(host.installable());
        let out = self
            .watched(&cmd, (Stage::Evaluate, Exit::Evaluation), &doing)
            .map_err(|failure| self.perhaps_too_old(failure))?;
        let evaluation: Evaluation = serde_json::from_str(text_of(&out)?).map_err(|e| {
            Failure::new(Exit::Evaluation, format!("{doing}: this is no NixOS configuration: {e}"))
        })?;
        // Asked once is enough.
        self.version.get_or_init(|| evaluation.nix_version.clone());
        Ok(evaluation)
    }

    fn hosts(&self, flake: &FlakeRef, args: &[String]) -> Result<Vec<String>, Failure> {
        let attribute = format!("{}#nixosConfigurations", flake.as_str());
        let cmd = Self::nix(&["eval", "--json", "--apply", "builtins.attrNames"]).args(args).arg(attribute);
        let out = self.runner.run(&cmd).map_err(|e| failed(e, Exit::Evaluation, "listing the hosts", &[]))?;
        serde_json::from_str(text_of(&out)?).map_err(invalid("the names of the hosts"))
    }

    fn revision(&self, flake: &FlakeRef) -> Result<Revision, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            revision: Option<String>,
            dirty_revision: Option<String>,
            #[serde(default)]
            resolved_url: String,
        }
        if let Some(given) = given_revision(flake)? {
            return Ok(given);
        }
        // Runs beside the evaluation: only that one may write the lock file.
        let cmd = Self::nix(&["flake", "metadata", "--json", "--no-write-lock-file", flake.as_str()]);
        let out = self
            .runner
            .run(&cmd)
            .map_err(|e| failed(e, Exit::Evaluation, "asking for the flake's revision", &[]))?;
        let metadata: Metadata =
            serde_json::from_str(text_of(&out)?).map_err(invalid("nix flake metadata"))?;
        let dirty_commit = metadata.dirty_revision.map(|r| r.trim_end_matches("-dirty").to_owned());
        // Nix before 2.17 gives no revision at all for a repository with changes.
        let dirty = metadata.revision.is_none()
            && (dirty_commit.is_some() || metadata.resolved_url.starts_with("git+"));
        Ok(Revision { commit: metadata.revision.or(dirty_commit), dirty })
    }

    fn build(
        &self,
        derivation: &StorePath,
        on: &BuildOn,
        args: &[String],
        keep_as: &str,
    ) -> Result<StorePath, Failure> {
        let mut cmd = Self::nix(&["build"]);
        cmd = match roots_dir()? {
            Some(dir) => cmd.arg("--out-link").arg(dir.join(keep_as)),
            None => cmd.arg("--no-link"),
        };
        if let BuildOn::Builder(builder) = on {
            cmd = cmd.args(["--builders", builder, "--max-jobs", "0"]);
        }
        self.realise(cmd, derivation, args)
    }

    fn keep(&self, derivation: &StorePath, keep_as: &str) -> Result<(), Failure> {
        let Some(dir) = roots_dir()? else { return Ok(()) };
        // Of all versions' commands only this one makes a root of a derivation and not of what it builds.
        let cmd = Cmd::new("nix-instantiate").arg("--add-root").arg(dir.join(format!("{keep_as}.drv")));
        let cmd = cmd.args(["--indirect", "--expr", &format!("import {derivation}")]);
        self.runner
            .run(&cmd)
            .map(drop)
            .map_err(|e| failed(e, Exit::Internal, &format!("keeping {}", derivation.short()), &[]))
    }

    fn build_in(
        &self,
        derivation: &StorePath,
        store: &RemoteStore,
        args: &[String],
    ) -> Result<StorePath, Failure> {
        let (url, doing) =
            (store.address.store_url(), format!("copying {} to {}", derivation.name(), store.address));
        let copy =
            Self::nix(&["copy", "--derivation", "--no-check-sigs", "--log-format", "internal-json", "-v"]);
        let copy = copy.args(["--to", &url, derivation.as_str()]).env("NIX_SSHOPTS", &store.ssh_options);
        self.watched(&copy, (Stage::Build, Exit::Copy), &doing)?;
        let build =
            Self::nix(&["build", "--no-link", "--store", &url]).env("NIX_SSHOPTS", &store.ssh_options);
        self.realise(build, derivation, args)
    }

    fn describe(&self, system: &StorePath) -> Result<Described, Failure> {
        system_files::describe(system).map_err(io("reading the files of the candidate"))
    }

    fn is_valid(&self, path: &StorePath) -> Result<bool, Failure> {
        let cmd = Cmd::new("nix-store").args(["--check-validity", path.as_str()]).accept(&[0, 1]);
        let out = self
            .runner
            .run(&cmd)
            .map_err(|e| failed(e, Exit::Internal, "asking whether a path is valid", &[]))?;
        Ok(out.status == 0)
    }

    fn substitute(&self, path: &StorePath) -> Result<(), Failure> {
        let cmd = Cmd::new("nix-store").args(["--realise", path.as_str()]);
        self.runner
            .run(&cmd)
            .map(drop)
            .map_err(|e| failed(e, Exit::Copy, &format!("fetching {}", path.short()), &[]))
    }

    fn packages(&self, paths: &[StorePath]) -> Result<Vec<Option<Package>>, Failure> {
        closures::packages(Path::new("/"), paths)
    }

    fn closure(&self, system: &StorePath) -> Result<Vec<PathInfo>, Failure> {
        let mut cmd = Self::nix(&["path-info", "--recursive", "--json"]);
        // 2.33 wants the format to be named; earlier versions do not know the flag.
        if self.at_least(2, 33)? {
            cmd = cmd.args(["--json-format", "1"]);
        }
        let out = self
            .runner
            .run(&cmd.arg(system.as_str()))
            .map_err(|e| failed(e, Exit::Internal, "listing the closure", &[]))?;
        path_info::parse(text_of(&out)?).map_err(|e| Failure::new(Exit::Internal, e.to_string()))
    }

    fn guard(&self, system: &System, given: Option<&Path>) -> Result<PathInfo, Failure> {
        let file = guard_file(system, given)?;
        let mut head = [0; 20];
        let (nar_size, read) = File::open(&file)
            .and_then(|f| Ok((f.metadata()?.len(), f.take(20).read(&mut head)?)))
            .map_err(io(&file.display().to_string()))?;
        let of = System::of_elf(head.get(..read).unwrap_or_default());
        if of.as_ref() != Some(system) && head.get(..2) != Some(b"#!") {
            let is = of.map_or("no Linux program".to_owned(), |s| format!("for {s}"));
            let what = format!("the guard {} is {is}, the target is {system}", file.display());
            return Err(Failure::refused(what).hint(NO_GUARD));
        }
        if let Ok(path) = StorePath::containing(&file) {
            return Ok(PathInfo { path, nar_size });
        }
        let out = self
            .runner
            .run(&Cmd::new("nix-store").arg("--add").arg(&file))
            .map_err(|e| failed(e, Exit::Internal, "adding the guard to the store", &[]))?;
        let path = StorePath::parse(text_of(&out)?.trim());
        Ok(PathInfo { path: path.map_err(|e| Failure::new(Exit::Internal, e.to_string()))?, nar_size })
    }

    fn copy(&self, paths: &[StorePath], to: &RemoteStore, substitute: bool) -> Result<(), Failure> {
        // What was built here is signed by nobody. A target that trusts its SSH user takes it, any other one refuses.
        let mut cmd = Self::nix(&["copy", "--no-check-sigs", "--log-format", "internal-json", "-v"]);
        cmd = cmd.args(["--to", &to.address.store_url()]);
        if substitute {
            cmd = cmd.arg("--substitute-on-destination");
        }
        let cmd = cmd.args(paths.iter().map(StorePath::as_str)).env("NIX_SSHOPTS", &to.ssh_options);
        self.watched(&cmd, (Stage::Copy, Exit::Copy), &format!("copying to {}", to.address)).map(drop)
    }
}

/// What the wrapper of `lib.mkApps` says of the flake that it names: in the store, where it lies, a flake has no revision.
/// Of another one, such as `--flake` names, it says nothing.
fn given_revision(flake: &FlakeRef) -> Result<Option<Revision>, Failure> {
    let of_this = env::text("NQD_FLAKE").is_some_and(|f| f == flake.as_str());
    let Some(text) = env::text("NQD_REVISION").filter(|_| of_this) else { return Ok(None) };
    let revision = Revision::parse(&text).ok_or_else(|| {
        let what = format!("NQD_REVISION is {text:?}, which is no revision");
        Failure::new(Exit::Usage, what).hint("set it to the flake's self.rev or self.dirtyRev, or not at all")
    })?;
    Ok(Some(revision))
}

const NO_GUARD: &str =
    "import nixosModules.default into the host's configuration, or name a static build for it with --guard";

/// The guard for a system: the one that was named, else the one that lies beside this program.
fn guard_file(system: &System, given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(file) = given {
        return file
            .canonicalize()
            .map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", file.display())));
    }
    let exe = env::current_exe().map_err(io("finding this program"))?;
    // In a Nix package it is a link: what goes to the target is the guard's own path, and not all of nqd's.
    let beside =
        |name: &str| exe.parent().and_then(|d| d.join(name).canonicalize().ok()).filter(|p| p.is_file());
    beside(&format!("nqd-guard-{system}")).or_else(|| beside("nqd-guard")).ok_or_else(|| {
        Failure::refused(format!("there is no nqd-guard beside {}", exe.display())).hint(NO_GUARD)
    })
}

/// Where links to what was built are kept; `None` without a home.
fn roots_dir() -> Result<Option<PathBuf>, Failure> {
    let Some(state) = env::state_dir() else { return Ok(None) };
    let dir = state.join("built");
    std::fs::create_dir_all(&dir).map_err(files::at(&dir)).map_err(io("keeping what was built"))?;
    Ok(Some(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nix_build_prints() {
        let json = r#"[{"drvPath":"/nix/store/x.drv","outputs":{"out":"/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a"}}]"#;
        assert_eq!(built(json).unwrap().name(), "a");
        assert!(built("[]").is_err() && built("x").is_err());
    }

    #[test]
    fn an_old_nix_is_named_where_an_evaluation_fails() {
        let hint = |version: &str, failure: Failure| {
            let nix = NixCli::new(Runner::default(), &|_| {});
            nix.version.set(version.into()).unwrap();
            nix.perhaps_too_old(failure).hint
        };
        let failure = || Failure::new(Exit::Evaluation, "evaluating web failed");
        assert_eq!(hint("2.8.0", failure()).as_deref(), Some(error_text::TOO_OLD));
        assert_eq!(hint("2.18.0", failure()), None);
        assert_eq!(hint("2.8.0", failure().hint("git add it")).as_deref(), Some("git add it"));
    }

    #[test]
    fn versions_decide_how_nix_is_called() {
        for (version, installable) in
            [("2.8.0", false), ("2.12", false), ("2.13.1", true), ("2.34.8", true), ("3.0pre", true)]
        {
            let nix = NixCli::new(Runner::default(), &|_| {});
            nix.version.set(version.into()).unwrap();
            assert_eq!(nix.at_least(2, 13).unwrap(), installable, "{version}");
        }
    }
}
