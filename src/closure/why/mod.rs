//! Why two systems differ: the root causes of the rebuilds between two derivations. Pure: a reader hands in the
//! derivations.
//!
//! Two derivations are walked together from the roots. A pair whose outputs have the same paths (or the same
//! content) is the same, whatever its `.drv` says. Of any other pair the inputs are paired in turn; it is a root
//! cause if something of its own changed besides the paths of those, and else a cascade.

mod attributes;
mod change;
mod compare;
mod difference;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod graph;
mod inputs;
mod label;
mod normal;
mod package;
mod pairing;
mod result;
mod shelf;
mod source;
#[cfg(test)]
mod tests;
mod texts;
mod walk;
mod way;

pub use change::{Change, Part};
pub use difference::Difference;
pub use package::{Beneath, Chain, Ways};
pub use result::{Cause, Why};
pub use walk::explain;
pub use way::way;
