//! Nix's own languages, typed: flake references, its JSON, its log. No I/O.

pub mod error_text;
pub mod eval_jobs;
pub mod flake_ref;
pub mod internal_json;
pub mod path_info;

pub use flake_ref::{FlakeHost, FlakeRef};
pub use path_info::PathInfo;
