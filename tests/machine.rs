//! Deployments on real machines. Each row is one promise; see tests/harness for what a machine is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "machine/bad.rs"]
mod bad;
#[path = "machine/good.rs"]
mod good;
#[path = "machine/guards.rs"]
mod guards;
mod harness;
#[path = "machine/lost.rs"]
mod lost;
#[path = "machine/refused.rs"]
mod refused;
#[cfg(feature = "operator")]
#[path = "machine/systems.rs"]
mod systems;
#[path = "machine/units.rs"]
mod units;

use std::path::PathBuf;

use libtest_mimic::{Arguments, Trial};

use harness::{Machine, Operator};

fn main() {
    let args = Arguments::from_args();
    if let Some(why) = harness::cannot_run() {
        assert!(
            std::env::var_os("NQD_REQUIRE_MACHINES").is_none(),
            "the machine tests are required here, but {why}"
        );
        println!("SKIPPED: the machine tests, because {why}");
        return;
    }
    let rows =
        [good::rows(), bad::rows(), lost::rows(), refused::rows(), units::rows(), guards::rows()].concat();
    #[cfg(feature = "operator")]
    let rows = [rows, systems::rows()].concat();
    libtest_mimic::run(&args, rows.into_iter().map(trial).collect()).exit();
}

type Row = (&'static str, fn());

fn trial((name, test): Row) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
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

/// An operator, and a machine that runs the host `web` of these hosts.
pub fn start(hosts: &str) -> (Operator, Machine, String) {
    let operator = Operator::new(&nqd(), &guard());
    operator.hosts(hosts);
    let mut machine = Machine::new(&operator.key());
    let system = operator.install(&mut machine, "web");
    (operator, machine, system)
}

/// The plainest host.
pub const PLAIN: &str = r#"web = nixos { name = "web"; };"#;

/// Its next version.
pub const NEXT: &str = r#"web = nixos { name = "web"; version = "2"; };"#;

/// Asserts that a machine runs, has as its profile and boots this system, and that its generations are so many.
pub fn assert_all(machine: &Machine, system: &str, generations: usize) {
    assert_eq!(machine.triple(), [system; 3]);
    assert_eq!(machine.generations(), generations, "generations");
}
