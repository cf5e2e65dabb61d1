//! `nqd-guard confirm`, `cancel` and `withdraw`: asking a running transaction for something.

use super::{must_be_root, read_input, say};
use crate::effects::this_machine::{Request, Wanted, ask, read_journal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::model::TxId;

pub(super) fn confirm(id: TxId) -> Result<Exit, Failure> {
    must_be_root()?;
    let token = read_input()?.trim().to_owned();
    put(&Request { id, what: Wanted::Confirm { token } }, Exit::Refused)
}

pub(super) fn cancel(by: String) -> Result<Exit, Failure> {
    must_be_root()?;
    let running = read_journal()?.filter(|r| !r.ended());
    let Some(record) = running else {
        return Err(Failure::refused("no transaction is running on this machine")
            .hint("nqd rollback goes back to an earlier system"));
    };
    put(&Request { id: record.id, what: Wanted::Cancel { by } }, Exit::Refused)
}

/// Gives a transaction up that has begun nothing. [`Exit::Busy`]: it has, and goes on.
pub(super) fn withdraw(id: TxId, by: String) -> Result<Exit, Failure> {
    must_be_root()?;
    if !read_journal()?.is_some_and(|r| r.id == id && !r.ended()) {
        return Err(Failure::refused(format!("transaction {id} is not running on this machine")));
    }
    put(&Request { id, what: Wanted::Withdraw { by } }, Exit::Busy)
}

fn put(request: &Request, refusal: Exit) -> Result<Exit, Failure> {
    match ask(request)? {
        Ok(text) => say(&Reply::Granted(text)).map(|()| Exit::Ok),
        Err(why) => Err(Failure::new(refusal, why)),
    }
}
