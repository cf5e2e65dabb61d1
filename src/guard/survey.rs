//! Probes the checks of a manifest until each is decided.

use std::collections::BTreeMap;

use crate::effects::machine::{Fault, Prober, Signal};
use crate::health::scheduler::Purpose;
use crate::health::{CheckName, CheckReport, Manifest, Scheduler, Standing};

/// The part of a manifest that `keep` names. What a kept check comes after is dropped with what is not kept.
pub fn part(manifest: &Manifest, keep: impl Fn(&CheckName) -> bool) -> Manifest {
    let mut checks: BTreeMap<_, _> =
        manifest.checks.iter().filter(|(n, _)| keep(n)).map(|(n, c)| (n.clone(), c.clone())).collect();
    let kept: Vec<CheckName> = checks.keys().cloned().collect();
    for check in checks.values_mut() {
        check.after.retain(|a| kept.contains(a));
    }
    Manifest { version: manifest.version, checks }
}

/// Probes until every check is decided; each has its own start deadline, so this ends. Signals that are no answers
/// of probes go to `other`, which may end it by an error.
pub fn survey<P: Prober + ?Sized, E: From<Fault>>(
    prober: &mut P,
    manifest: &Manifest,
    purpose: Purpose,
    mut other: impl FnMut(&mut P, Signal) -> Result<(), E>,
) -> Result<Vec<CheckReport>, E> {
    let mut scheduler = Scheduler::new(manifest, purpose, prober.now(), |_| None);
    loop {
        let now = prober.now();
        scheduler.tick(now);
        for (name, check) in scheduler.due(now) {
            prober.start_probe(&name, &check);
        }
        let reports = scheduler.reports();
        let open = reports.iter().any(|r| r.standing == Standing::Pending);
        let Some(wake) = scheduler.wake().filter(|_| open) else {
            return Ok(reports);
        };
        for signal in prober.wait(wake)? {
            match signal {
                Signal::Probe(name, result) => scheduler.answer(prober.now(), &name, result),
                asked @ Signal::Asked { .. } => other(prober, asked)?,
            }
        }
    }
}
