//! The transaction on the target: its states, its journal, and the driver that runs it over a
//! [`Machine`](crate::effects::machine::Machine).

pub mod admit;
pub mod ban;
pub mod evidence;
pub mod keep;
pub mod outcome;
pub mod protocol;
pub mod prove;
pub mod reason;
pub mod record;
pub mod recovery;
pub mod rollback;
pub mod snapshot;
pub mod spec;
pub mod state;
pub mod survey;
#[cfg(test)]
mod sweep;
pub mod switch_end;
pub mod transaction;

pub use ban::{Ban, Bans};
pub use evidence::{Evidence, UnitLog};
pub use outcome::Outcome;
pub use reason::Reason;
pub use record::{Frozen, Record};
pub use spec::{Options, Origin, PROTOCOL, Spec};
pub use state::State;
pub use transaction::Transaction;
