//! What a NixOS system is made of beyond its packages, and what differs between two. Pure: `effects::system_tree`
//! reads the files ([`tree::Tree`]), [`assemble::facts`] makes [`SystemFacts`] of them and masks every secret,
//! [`SystemDiff::between`] compares, `report::system_text` shows.

pub mod accounts;
pub mod actions;
pub mod assemble;
pub mod declared;
pub mod derived;
pub mod diff;
pub mod dry_activate;
pub mod facts;
pub mod parts;
#[cfg(test)]
pub mod sample;
pub mod tree;
pub mod unit;
pub mod units_diff;

use super::paths;
pub use accounts::{Accounts, Group, User};
pub use actions::{Actions, Source};
pub use declared::Declared;
pub use diff::{Comparison, SystemDiff};
pub use facts::{EtcFile, Known, NoSystem, SystemFacts, SystemReading, Unit, UnitKind, Unread};
