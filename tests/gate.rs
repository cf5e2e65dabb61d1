//! `nqd test`: hosts whose VM is really booted (Debian's kernel and root under QEMU, without KVM) and really asked by the
//! guard; and VMs that are scripts, which do what a guest must not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "gate/booted.rs"]
mod booted;
#[path = "gate/faked.rs"]
mod faked;
mod harness;

use std::path::PathBuf;

use harness::{Operator, guest};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let args = Arguments::from_args();
    if let Some(why) = harness::cannot_run().or_else(guest::cannot_run) {
        let required = std::env::var_os("NQD_REQUIRE_MACHINES").is_some();
        assert!(!required, "the tests of nqd test are required here, but {why}");
        println!("SKIPPED: the tests of nqd test, because {why}");
        return;
    }
    let rows = [faked::rows(), booted::rows()].concat();
    let trial = |(name, test): (&'static str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&args, rows.into_iter().map(trial).collect()).exit();
}

/// The guard: the one that is shipped, if `NQD_TEST_GUARD` names it.
fn guard() -> PathBuf {
    std::env::var_os("NQD_TEST_GUARD")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_nqd-guard")), PathBuf::from)
}

fn operator() -> Operator {
    Operator::new(&PathBuf::from(env!("CARGO_BIN_EXE_nqd")), &guard())
}

/// Gives an operator the host `web`, whose VM is started by this script; `more` is Nix of the host.
fn host(operator: &Operator, script: &str, more: &str) {
    let web = format!(
        "{{ nixos, httpd }}: {{ web = nixos {{ name = \"web\"; vm = {{ script = builtins.readFile ./vm.sh; gate = builtins.readFile ./gate.service; }}; {more} }}; }}\n"
    );
    operator.write_flake(&[("vm.sh", script), ("gate.service", &booted::gate()), ("hosts.nix", &web)]);
}
