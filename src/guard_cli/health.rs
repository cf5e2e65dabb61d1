//! `nqd-guard health` and `check-manifest`.

use std::path::Path;

use super::{internal, say};
use crate::effects::files::read_text;
use crate::effects::machine::Fault;
use crate::effects::runner::Runner;
use crate::effects::systemd::Systemd;
use crate::effects::this_machine::HealthProber;
use crate::effects::{clock, layout, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::survey;
use crate::health::Manifest;
use crate::health::examination::{Examination, VERSION, no_failed_unit, verdict};
use crate::health::scheduler::Purpose;
use crate::model::StorePath;

pub(super) fn check_manifest(file: &Path) -> Result<Exit, Failure> {
    let name = file.display();
    let text = read_text(file, 16 << 20).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
    let text = text.ok_or_else(|| Failure::new(Exit::Usage, format!("{name}: there is no such file")))?;
    let manifest = Manifest::parse(&text).map_err(|e| Failure::new(Exit::Usage, format!("{name}: {e}")))?;
    println!("{name}: {} checks, all valid", manifest.checks.len());
    Ok(Exit::Ok)
}

pub(super) fn health(system: Option<StorePath>) -> Result<Exit, Failure> {
    let examination = examine(system)?;
    say(&examination)?;
    Ok(examination.verdict)
}

/// Runs the checks that a system declares, by default those of the running one, on this machine.
pub fn examine(system: Option<StorePath>) -> Result<Examination, Failure> {
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
    let mut prober = HealthProber::new(Runner::default(), running.clone());
    let mut checks = survey::survey(&mut prober, &manifest, Purpose::Survey, |_, _| Ok::<(), Fault>(()))?;
    let units =
        Systemd::new(Runner::default(), running).units().map_err(|e| internal("asking systemd", e))?;
    checks.insert(0, no_failed_unit(&units, described.manifest.is_some()));
    Ok(Examination {
        v: VERSION,
        at: clock::wall(),
        host: system_files::host_name().map_err(|e| internal("reading the host name", e))?,
        system,
        verdict: verdict(&checks),
        checks,
    })
}
