//! From what is asked to a plan, and from a plan to an outcome.

pub mod execute;
pub mod facts;
pub mod gather;
pub mod plan;
pub mod request;
#[cfg(test)]
mod sweep;
pub mod transact;

pub use plan::{Facts, Plan, plan};
pub use request::{Asked, Request};
