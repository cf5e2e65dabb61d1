//! `nqd-guard confirm` and `cancel`: asking a running transaction for something.

use super::{must_be_root, read_input, say};
use crate::effects::this_machine::{Request, ask, read_journal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::model::TxId;

pub(super) fn confirm(id: TxId) -> Result<Exit, Failure> {
    must_be_root()?;
    let token = read_input()?.trim().to_owned();
    put(&Request { id, token: Some(token), by: String::new() })
}

pub(super) fn cancel(by: String) -> Result<Exit, Failure> {
    must_be_root()?;
    let running = read_journal()?.filter(|r| !r.ended());
    let Some(record) = running else {
        return Err(Failure::refused("no transaction is running on this machine")
            .hint("nqd rollback goes back to an earlier system"));
    };
    put(&Request { id: record.id, token: None, by })
}

fn put(request: &Request) -> Result<Exit, Failure> {
    match ask(request)? {
        Ok(text) => say(&Reply::Granted(text)).map(|()| Exit::Ok),
        Err(why) => Err(Failure::refused(why)),
    }
}
