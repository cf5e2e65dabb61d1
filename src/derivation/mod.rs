//! What a `.drv` file says: how one store path is built. Pure: the bytes come from elsewhere.
//!
//! The format is the one that Nix writes (an `ATerm`): `Derive([(out,path,algo,hash)…],[(drv,[outs])…],[srcs],platform,builder,
//! [args],[(key,value)…])` without white space, or `DrvWithVersion("xp-dyn-drv",…)` with dynamic inputs
//! (Nix's `src/libstore/derivations.cc`). The derivation's name is not inside.

mod cursor;
#[cfg(test)]
pub(crate) mod fixture;
mod header;
mod output;
mod parse;
mod quoted;
#[cfg(test)]
mod tests;

pub use cursor::ParseError;
pub use header::Header;
pub use output::{Output, OutputKind};
pub use parse::{Derivation, Input};
pub use quoted::Quoted;
