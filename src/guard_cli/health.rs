//! `nqd-guard health` and `check-manifest`.

use std::path::{Path, PathBuf};

use super::{internal, say};
use crate::effects::files::{read_text, write_durable, write_line};
use crate::effects::machine::{Fault, Prober};
use crate::effects::runner::Runner;
use crate::effects::systemd::Systemd;
use crate::effects::this_machine::{HealthProber, read_journal};
use crate::effects::{clock, layout, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::survey;
use crate::health::examination::{Examination, NO_FAILED_UNIT, VERSION, no_failed_unit, verdict};
use crate::health::scheduler::Purpose;
use crate::health::{CheckReport, Manifest, textfile};
use crate::model::{BootTime, StorePath};

pub(super) fn check_manifest(file: &Path) -> Result<Exit, Failure> {
    let name = file.display();
    let text = read_text(file, 16 << 20).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    let text = text.ok_or_else(|| Failure::new(Exit::Usage, format!("{name}: there is no such file")))?;
    let manifest = Manifest::parse(&text).map_err(|e| Failure::new(Exit::Usage, format!("{name}: {e}")))?;
    println!("{name}: {} checks, all valid", manifest.checks.len());
    Ok(Exit::Ok)
}

/// Where the report goes besides standard output.
pub(super) struct Copies {
    /// For Prometheus' textfile collector, in one step.
    pub(super) textfile: Option<PathBuf>,
    /// The line itself, into a file or device that is there.
    pub(super) record: Option<PathBuf>,
}

pub(super) fn health(system: Option<StorePath>, settle: bool, copies: &Copies) -> Result<Exit, Failure> {
    let looked = look(system, settle);
    // Also if nothing could be seen: what was healthy an hour ago must not go on being shown.
    let measured = copies.textfile.as_deref().map_or(Ok(()), |file| measure(file, looked.as_ref().ok()));
    let (examination, _) = match (looked, &measured) {
        (Err(failure), Err(also)) => {
            return Err(Failure { what: format!("{}; and {}", failure.what, also.what), ..failure });
        }
        (looked, _) => looked?,
    };
    say(&examination)?;
    if let Some(file) = &copies.record {
        let line = serde_json::to_string(&examination).map_err(|e| internal("writing the record", e))?;
        write_line(file, &line).map_err(|e| {
            internal("writing the record", e)
                .hint("--record makes no file: name one, or a device, that is there")
        })?;
    }
    measured?;
    Ok(examination.verdict)
}

/// Runs the checks that a system declares, by default those of the running one, on this machine.
pub fn examine(system: Option<StorePath>) -> Result<Examination, Failure> {
    look(system, false).map(|(examination, _)| examination)
}

/// The same, with the manifest that it ran. Where it settles, checks and units get the time that a deployment gives.
fn look(system: Option<StorePath>, settle: bool) -> Result<(Examination, Manifest), Failure> {
    let running = system_files::system_link(layout::RUNNING)
        .map_err(|e| internal("reading /run/current-system", e))?
        .ok_or_else(|| Failure::refused("/run/current-system is not there: is this NixOS?"))?;
    let system = system.unwrap_or_else(|| running.clone());
    let described = system_files::describe(&system).map_err(|e| internal("reading the system's files", e))?;
    let manifest = match &described.manifest {
        Some(text) => Manifest::parse(text).map_err(|e| {
            Failure::new(Exit::Inconclusive, format!("{}: etc/nqd/health.json: {e}", system.short()))
        })?,
        None => Manifest::default(),
    };
    let mut prober = HealthProber::new(Runner::default(), running.clone(), settled(&running));
    let purpose = if settle { Purpose::Gate } else { Purpose::Survey };
    let mut checks = survey::survey(&mut prober, &manifest, purpose, |_, _| Ok::<(), Fault>(()))?;
    checks.insert(0, units(&mut prober, running, described.manifest.is_some(), settle)?);
    let examination = Examination {
        v: VERSION,
        at: clock::wall(),
        host: system_files::host_name().map_err(|e| internal("reading the host name", e))?,
        system,
        verdict: verdict(&checks),
        checks,
    };
    Ok((examination, manifest))
}

/// When a transaction of this boot that left the running system in place ended, if one did.
fn settled(running: &StorePath) -> Option<BootTime> {
    // Where that cannot be known, more of the journal counts as this system's, never less.
    let record = read_journal().ok().flatten()?;
    let boot = system_files::boot_id().ok()?;
    let left = record.outcome.as_ref().is_some_and(|o| o.runs == *running);
    (record.ended() && record.boot_id == boot && left).then_some(record.entered)
}

/// The built-in check of all units; `declared`: there is a manifest.
fn units(
    prober: &mut impl Prober,
    running: StorePath,
    declared: bool,
    settle: bool,
) -> Result<CheckReport, Failure> {
    let systemd = Systemd::new(Runner::default(), running);
    let units = || systemd.units().map_err(|e| Fault::new("asking systemd", e));
    let now = no_failed_unit(&units()?, declared);
    if !settle {
        return Ok(now);
    }
    let settled = survey::settle(prober, units)?;
    Ok(CheckReport { standing: settled.standing, message: settled.message, ..now })
}

/// Writes the metrics of an examination, or of none.
fn measure(file: &Path, looked: Option<&(Examination, Manifest)>) -> Result<(), Failure> {
    let text = match looked {
        Some((examination, manifest)) => {
            let kind = |check: &CheckReport| match manifest.checks.get(&check.name) {
                Some(declared) => declared.probe.word(),
                None if check.name == NO_FAILED_UNIT => "units",
                None => "built-in",
            };
            let checks: Vec<_> = examination.checks.iter().map(|c| (kind(c), c.clone())).collect();
            textfile::render(unix(&examination.at)?, examination.verdict, &checks)
        }
        None => textfile::render(unix(&clock::wall())?, Exit::Inconclusive, &[]),
    };
    write_durable(file, text.as_bytes(), 0o644).map_err(|e| internal("writing the text file", e))
}

fn unix(at: &str) -> Result<u64, Failure> {
    clock::unix(at).ok_or_else(|| internal("writing the text file", format!("{at} is no time")))
}
