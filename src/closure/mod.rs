//! What differs between two closures. Pure.

pub mod diff;
pub mod name;

pub use diff::{Change, ClosureDiff};
