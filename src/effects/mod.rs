//! Everything that talks to the world: processes, files, clocks, the network, the terminal. Nothing else does.
//!
//! Three traits are the seams: [`nix::Nix`] and [`target::Target`] are what an operator can do to Nix and to a
//! machine; [`machine::Machine`] is what the guard can do to the machine it runs on.

pub mod clock;
#[cfg(feature = "operator")]
pub mod closures;
pub mod connection;
#[cfg(feature = "operator")]
pub mod derivers;
pub mod env;
pub mod etc_identity;
#[cfg(test)]
pub mod fake_machine;
#[cfg(test)]
pub mod fake_operator;
pub mod files;
pub mod gather;
pub mod host;
pub mod layout;
pub mod machine;
pub mod nix;
#[cfg(feature = "operator")]
pub mod nix_checks;
pub mod nix_cli;
#[cfg(feature = "operator")]
pub mod nix_vm;
#[cfg(feature = "operator")]
pub mod operand;
pub mod path_infos;
pub mod probe;
#[cfg(feature = "operator")]
pub mod resources;
#[cfg(feature = "operator")]
pub mod rooted;
pub mod runner;
#[cfg(feature = "operator")]
pub mod scratch;
pub mod shell;
pub mod slots;
#[cfg(feature = "operator")]
pub mod store_db;
pub mod switch_lock;
pub mod system_files;
#[cfg(feature = "operator")]
pub mod system_tree;
pub mod systemd;
pub mod target;
#[cfg(feature = "operator")]
pub mod terminal;
pub mod this_machine;
pub mod transport;
#[cfg(feature = "operator")]
pub mod vm;
