//! The flake and its NixOS modules, checked without nixpkgs' packages. What needs the real `lib` and `nixos/` takes them from
//! the folders that `NQD_NIXOS_LIB` and `NQD_NIXOS_TREE` name; without them, what was rendered with them is checked.
//! `NQD_RENDER=1` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "modules/evaluated.rs"]
mod evaluated;
#[path = "modules/files.rs"]
mod files;
#[path = "modules/flakes.rs"]
mod flakes;
mod harness;
#[path = "modules/names.rs"]
mod names;
#[path = "modules/rendered.rs"]
mod rendered;
#[path = "modules/trees.rs"]
mod trees;
#[path = "modules/vm_tests.rs"]
mod vm_tests;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let args = Arguments::from_args();
    let mut rows = [files::rows(), rendered::rows(), vm_tests::rendered_rows()].concat();
    match trees::missing() {
        Some(why) => println!("SKIPPED: evaluating the modules, the flake and nixos-tests/, because {why}"),
        None => rows.extend([evaluated::rows(), flakes::rows(), vm_tests::rows()].concat()),
    }
    let trial = |(name, test): Row| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&args, rows.into_iter().map(trial).collect()).exit();
}

type Row = (&'static str, fn());

/// The guard: the one that is shipped, if `NQD_TEST_GUARD` names it.
pub fn guard() -> std::path::PathBuf {
    std::env::var_os("NQD_TEST_GUARD").map_or_else(|| env!("CARGO_BIN_EXE_nqd-guard").into(), Into::into)
}
