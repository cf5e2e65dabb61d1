//! `nqd diff` on small real stores that Nix builds. Each row is one kind of difference, as people see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "diff/cases.rs"]
mod cases;
mod harness;
#[path = "diff/scene.rs"]
mod scene;
#[path = "diff/stores.rs"]
mod stores;
#[path = "diff/systems.rs"]
mod systems;
#[path = "diff/why.rs"]
mod why;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let args = Arguments::from_args();
    if let Some(why) = harness::cannot_run() {
        let required = std::env::var_os("NQD_REQUIRE_MACHINES").is_some();
        assert!(!required, "the store tests are required here, but {why}");
        println!("SKIPPED: the store tests, because {why}");
        return;
    }
    let rows = [cases::rows(), stores::rows(), systems::rows(), why::rows()].concat();
    let trial = |(name, test): (&'static str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&args, rows.into_iter().map(trial).collect()).exit();
}
