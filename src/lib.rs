//! nixos-quick-deploy: deploys NixOS flakes so that no fault leaves a machine on a system that was not proved
//! healthy.
#![forbid(unsafe_code)]

pub mod closure;
pub mod exit;
pub mod failure;
pub mod model;
