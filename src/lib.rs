//! nixos-quick-deploy: deploys NixOS flakes so that no fault leaves a machine on a system that was not proved
//! healthy.
#![forbid(unsafe_code)]

#[cfg(feature = "operator")]
pub mod app;
#[cfg(feature = "operator")]
pub mod cli;
pub mod closure;
pub mod deploy;
pub mod derivation;
pub mod effects;
pub mod exit;
pub mod failure;
#[cfg(feature = "operator")]
pub mod flake_check;
#[cfg(feature = "operator")]
pub mod gate;
pub mod guard;
pub mod guard_cli;
pub mod health;
pub mod model;
pub mod nix;
pub mod report;
#[cfg(feature = "operator")]
pub mod templates;
