//! The machine harness: real targets (Debian roots with systemd, Nix and sshd, booted by systemd-nspawn from a loop
//! device, each on its own veth; or, by QEMU, the same with a kernel of their own) and an operator with a Nix store of
//! its own. Needs root and Debian's packages.
#![allow(dead_code, unused_imports, clippy::disallowed_methods, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod base;
pub mod container;
pub mod guest;
pub mod kernel;
pub mod machine;
pub mod nix_new;
pub mod operator;
pub mod run;

pub use machine::{Kind, Machine};
pub use operator::{Ended, Operator};

/// Programs that the harness needs.
const NEEDED: [&str; 9] =
    ["debootstrap", "systemd-nspawn", "nix", "nix-store", "mkfs.ext4", "ip", "nsenter", "ssh", "git"];

/// Why machines cannot be made here, if so.
pub fn cannot_run() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("they need root".to_owned());
    }
    missing(&NEEDED)
}

/// What to say of programs that are not here, if so.
fn missing(programs: &[&str]) -> Option<String> {
    let there = |program: &&&str| {
        let script = format!("command -v {program}");
        std::process::Command::new("sh").args(["-c", &script]).output().is_ok_and(|o| o.status.success())
    };
    let missing: Vec<&str> = programs.iter().filter(|p| !there(p)).copied().collect();
    (!missing.is_empty()).then(|| format!("this machine lacks {}", missing.join(", ")))
}
