//! The fault sweep: injected faults on real machines, each of which must leave its machine on a system that was
//! proved healthy, or say exactly what a person must do. `scripts/test --faults` runs all and writes
//! docs/RELIABILITY.md; without it the quick ones run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]
#![allow(clippy::too_many_lines, reason = "a table is as long as it has rows")]
#![allow(clippy::unnecessary_wraps, reason = "rows give what was reported, if anything was")]

#[path = "faults/checks.rs"]
mod checks;
#[path = "faults/clocks.rs"]
mod clocks;
#[path = "faults/disks.rs"]
mod disks;
#[path = "faults/garbage.rs"]
mod garbage;
mod harness;
#[path = "faults/holds.rs"]
mod holds;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/links.rs"]
mod links;
#[path = "faults/memory.rs"]
mod memory;
#[path = "faults/others.rs"]
mod others;
#[path = "faults/promise.rs"]
mod promise;
#[path = "faults/records.rs"]
mod records;
#[path = "faults/recoveries.rs"]
mod recoveries;
#[path = "faults/recovering.rs"]
mod recovering;
#[path = "faults/refusals.rs"]
mod refusals;
#[path = "faults/rollbacks.rs"]
mod rollbacks;
#[path = "faults/scene.rs"]
mod scene;
#[path = "faults/strangers.rs"]
mod strangers;
#[path = "faults/strikes.rs"]
mod strikes;
#[path = "faults/table.rs"]
mod table;
#[path = "faults/units.rs"]
mod units;
#[path = "faults/users.rs"]
mod users;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

use harness::Kind;
use scene::Scene;
use table::Line;

/// Injects the fault, and gives what `nqd` reported, if anything.
type Run = dyn Fn(&mut Scene) -> Option<i32> + Send + Sync;

/// One injected fault.
pub struct Row {
    name: String,
    /// What is injected.
    fault: String,
    /// When.
    when: String,
    /// Also run by `.ci/run`.
    quick: bool,
    /// What the machine runs on.
    kind: Kind,
    run: Box<Run>,
}

/// A row of the table: injects a fault into a scene, and gives what `nqd` reported, if anything.
pub fn row(name: &str, fault: &str, when: &str, run: fn(&mut Scene) -> Option<i32>) -> Row {
    Row {
        name: name.into(),
        fault: fault.into(),
        when: when.into(),
        quick: false,
        kind: Kind::Container,
        run: Box::new(run),
    }
}

impl Row {
    #[must_use]
    pub fn quick(self) -> Self {
        Self { quick: true, ..self }
    }

    /// On a machine with a kernel of its own.
    #[must_use]
    pub fn in_guest(self) -> Self {
        Self { kind: Kind::Guest, ..self }
    }
}

fn main() {
    let args = Arguments::from_args();
    if let Some(why) = harness::cannot_run().or_else(harness::guest::cannot_run) {
        assert!(
            std::env::var_os("NQD_REQUIRE_MACHINES").is_none(),
            "the fault sweep is required here, but {why}"
        );
        println!("SKIPPED: the fault sweep, because {why}");
        return;
    }
    let all = std::env::var_os("NQD_FAULTS").is_some_and(|v| v == "all");
    let rows = [
        refusals::rows(),
        units::rows(),
        users::rows(),
        checks::rows(),
        links::rows(),
        others::rows(),
        garbage::rows(),
        strangers::rows(),
        disks::rows(),
        rollbacks::rows(),
        records::rows(),
        recoveries::rows(),
        clocks::rows(),
        memory::rows(),
        strikes::rows(),
        kills::rows(),
        recovering::rows(),
    ];
    let rows = spread(rows.into_iter().flatten().filter(|r| all || r.quick).enumerate().collect());
    let lines: Arc<Mutex<Vec<(usize, Line)>>> = Arc::default();
    let trials = rows.into_iter().map(|(n, row)| {
        let lines = Arc::clone(&lines);
        Trial::test(row.name.clone(), move || {
            let line = play(&row);
            lines.lock().unwrap().push((n, line));
            Ok(())
        })
    });
    let began = Instant::now();
    let conclusion = libtest_mimic::run(&args, trials.collect());
    if let Some(file) = std::env::var_os("NQD_RELIABILITY").filter(|_| all && !conclusion.has_failed()) {
        table::write(&PathBuf::from(file), &mut lines.lock().unwrap(), began.elapsed());
    }
    conclusion.exit();
}

/// Rows that must wait for each other are spread among the rest, or all threads would wait for the first of them.
fn spread(rows: Vec<(usize, Row)>) -> Vec<(usize, Row)> {
    let (guests, mut spread): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, r)| r.kind == Kind::Guest);
    let distance = spread.len() / (guests.len() + 1);
    for (n, guest) in guests.into_iter().enumerate() {
        spread.insert(n * (distance + 1), guest);
    }
    spread
}

/// A guest takes as much of this machine as it can get: two at once, and each is too slow for its row.
static ONE_GUEST: Mutex<()> = Mutex::new(());

fn play(row: &Row) -> Line {
    // One that failed leaves nothing behind.
    let alone = || ONE_GUEST.lock().unwrap_or_else(PoisonError::into_inner);
    let _alone = (row.kind == Kind::Guest).then(alone);
    let mut scene = Scene::new(row.kind);
    let reported = (row.run)(&mut scene);
    let (ran, verdict) = scene.promise(reported);
    Line {
        kill: row.name.starts_with("kill-"),
        fault: row.fault.clone(),
        when: row.when.clone(),
        ran,
        verdict,
    }
}

/// The operator's program.
pub fn nqd() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nqd"))
}

/// The guard: the one that is shipped, if `NQD_TEST_GUARD` names it.
pub fn guard() -> PathBuf {
    std::env::var_os("NQD_TEST_GUARD")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_nqd-guard")), PathBuf::from)
}
