//! The socket on which a running transaction can be asked to confirm or to cancel. Only root may.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::effects::machine::{Ask, Fault, Signal, tried};
use crate::effects::{connection, files, layout};
use crate::model::TxId;
use crate::model::text::hex;

/// A longer request is refused.
const LONGEST: u64 = 4096;
/// Time that an asker has to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time that an asker waits for its answer: a switch may have to end first.
const ANSWER: Duration = Duration::from_secs(900);

/// A request as it comes over the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Which transaction is meant.
    pub id: TxId,
    /// What it should do.
    #[serde(flatten)]
    pub what: Wanted,
}

/// What is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "kebab-case")]
pub enum Wanted {
    /// Take it as confirmed.
    Confirm {
        /// The confirmation token.
        token: String,
    },
    /// [`Ask::Cancel`].
    Cancel {
        /// Who asks.
        by: String,
    },
    /// [`Ask::Withdraw`].
    Withdraw {
        /// Who asks.
        by: String,
    },
}

type Waiting = Arc<Mutex<BTreeMap<u64, Sender<Result<String, String>>>>>;

/// The guard's end.
pub(super) struct Asks {
    token: Arc<Mutex<Option<String>>>,
    waiting: Waiting,
}

impl Asks {
    /// Listens until the process ends.
    pub(super) fn listen(id: &TxId, sender: Sender<Signal>) -> Result<Self, Fault> {
        let what = "listening for confirmation";
        let path = Path::new(layout::SOCKET);
        // The directory is ours alone, and the lock says that no other guard listens: what is left there is stale.
        files::remove(path).map_err(tried(what))?;
        let listener = UnixListener::bind(path).map_err(tried(what))?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(tried(what))?;
        let asks = Self { token: Arc::default(), waiting: Waiting::default() };
        let (token, waiting, id) = (asks.token.clone(), asks.waiting.clone(), id.clone());
        thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let Ok(stream) = stream else { continue };
                let (token, waiting, id, sender) =
                    (token.clone(), waiting.clone(), id.clone(), sender.clone());
                thread::spawn(move || {
                    let asker = Asker { number, id, token, waiting, sender };
                    if let Err(e) = asker.serve(stream) {
                        eprintln!("nqd-guard: a request could not be answered: {e}");
                    }
                });
            }
        });
        Ok(asks)
    }

    /// Makes the confirmation token: 128 random bits.
    pub(super) fn new_token(&self) -> Result<String, Fault> {
        let mut bytes = [0_u8; 16];
        getrandom(&mut bytes, GetRandomFlags::empty()).map_err(tried("making a token"))?;
        let token = hex(&bytes);
        *self.token.lock().map_err(tried("making a token"))? = Some(token.clone());
        Ok(token)
    }

    /// Answers an asker. What was granted once is not granted again: the token is void.
    pub(super) fn reply(&self, id: u64, answer: Result<String, String>) {
        if let (Ok(_), Ok(mut token)) = (&answer, self.token.lock()) {
            *token = None;
        }
        let asker = self.waiting.lock().ok().and_then(|mut w| w.remove(&id));
        if let Some(asker) = asker {
            // An asker that has gone away needs no answer.
            asker.send(answer).unwrap_or(());
        }
    }
}

/// One connection.
struct Asker {
    number: u64,
    id: TxId,
    token: Arc<Mutex<Option<String>>>,
    waiting: Waiting,
    sender: Sender<Signal>,
}

impl Asker {
    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let answer = self.answer(&stream)?;
        let text = serde_json::to_string(&answer)?;
        stream.write_all(format!("{text}\n").as_bytes())
    }

    fn answer(&self, stream: &UnixStream) -> io::Result<Result<String, String>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let peer = socket_peercred(stream)?;
        if !peer.uid.is_root() {
            return Ok(Err("only root may".to_owned()));
        }
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
        let request: Request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(e) => return Ok(Err(format!("this cannot be understood: {e}"))),
        };
        if request.id != self.id {
            return Ok(Err(format!("the transaction that runs is {}", self.id)));
        }
        let ask = match request.what {
            Wanted::Confirm { token } => Ask::Confirm {
                token_is_right: self.is_token(&token),
                connected: connection::opened(peer.pid.as_raw_nonzero().get()),
            },
            Wanted::Cancel { by } => Ask::Cancel { by },
            Wanted::Withdraw { by } => Ask::Withdraw { by },
        };
        Ok(self.put(ask))
    }

    /// Hands a request to the transaction and waits for what it says.
    fn put(&self, ask: Ask) -> Result<String, String> {
        let (sender, answer) = mpsc::channel();
        let gone = |_| "the transaction is over".to_owned();
        self.waiting.lock().map_err(|e| e.to_string())?.insert(self.number, sender);
        self.sender.send(Signal::Asked { id: self.number, ask }).map_err(|e| gone(e.to_string()))?;
        answer.recv_timeout(ANSWER).map_err(|e| gone(e.to_string()))?
    }

    fn is_token(&self, given: &str) -> bool {
        match self.token.lock() {
            Ok(token) => token.as_ref().is_some_and(|t| t.as_bytes().ct_eq(given.as_bytes()).into()),
            Err(_) => false,
        }
    }
}

/// Asks the running transaction for something. The answer's `Err` is its refusal.
pub fn ask(request: &Request) -> Result<Result<String, String>, Fault> {
    let what = "asking the running transaction";
    let mut stream = UnixStream::connect(layout::SOCKET).map_err(tried(what))?;
    let text = serde_json::to_string(request).map_err(tried(what))?;
    stream.write_all(format!("{text}\n").as_bytes()).map_err(tried(what))?;
    let mut line = String::new();
    BufReader::new(stream.take(4 * LONGEST)).read_line(&mut line).map_err(tried(what))?;
    serde_json::from_str(&line).map_err(|_| Fault::new(what, "it ended before it answered"))
}
