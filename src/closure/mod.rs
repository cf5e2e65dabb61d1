//! What differs between two closures. Pure.

pub mod diff;
#[cfg(feature = "operator")]
pub mod mask;
pub mod name;
#[cfg(feature = "operator")]
pub mod system;

pub use diff::{Change, ClosureDiff};
