//! The machine harness: real targets (Debian roots with systemd, Nix and sshd, booted by systemd-nspawn from a loop
//! device, each on its own veth) and an operator with a Nix store of its own. Needs root and Debian's packages.
#![allow(dead_code, unused_imports, clippy::disallowed_methods, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod base;
pub mod machine;
pub mod nix_new;
pub mod operator;
pub mod run;

pub use machine::Machine;
pub use operator::{Ended, Operator};
