//! `nqd-guard history` and `unban`: what is kept of transactions that are over.

use super::{internal, must_be_root, say, say_line};
use crate::effects::files::Lock;
use crate::effects::layout;
use crate::effects::this_machine::{read_bans, read_history, write_bans};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::model::StorePath;

/// Prints how many lines were torn, and then the newest records, the oldest of them first, each as it was written.
pub(super) fn history(limit: usize) -> Result<Exit, Failure> {
    must_be_root()?;
    let history = read_history()?;
    let first = history.lines.len().saturating_sub(limit);
    say(&Reply::History { torn: history.torn })?;
    for line in history.lines.iter().skip(first) {
        say_line(line)?;
    }
    Ok(Exit::Ok)
}

/// Lifts bans, and says which.
pub(super) fn unban(system: Option<&StorePath>) -> Result<Exit, Failure> {
    must_be_root()?;
    let lock = Lock::try_take(&layout::state("lock")).map_err(|e| internal("taking the lock", e))?;
    let Some(_lock) = lock else {
        return Err(
            Failure::new(Exit::Busy, "a transaction is running on this machine").hint("nqd follow shows it")
        );
    };
    let mut bans = read_bans()?;
    let lifted = bans.lift(system);
    if !lifted.is_empty() {
        write_bans(&bans)?;
    }
    say(&Reply::Unbanned(lifted))?;
    Ok(Exit::Ok)
}
