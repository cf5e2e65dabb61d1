//! What differs between two closures. Pure.

pub mod diff;
pub mod mask;
pub mod name;
pub mod why;

pub use diff::{Change, ClosureDiff};
pub use why::Why;
