//! What differs between two closures. Pure.

pub mod change;
#[allow(clippy::module_inception, reason = "its noun")]
pub mod closure;
#[cfg(feature = "operator")]
pub mod comparison;
pub mod diff;
pub mod mask;
pub mod name;
pub mod paths;
#[cfg(feature = "operator")]
pub mod snapshot;
#[cfg(feature = "operator")]
pub mod system;
#[cfg(test)]
mod tests;
pub mod version;
#[cfg(feature = "operator")]
pub mod why;

pub use change::{Change, Kind, Move};
pub use closure::{Closure, Graph, Member, Node};
pub use diff::ClosureDiff;
pub use name::Package;
#[cfg(feature = "operator")]
pub use why::Why;
