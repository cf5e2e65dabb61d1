//! The two sides of a comparison: what a person named, found and read.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::flags::Place;
use super::usage;
use crate::app::App;
use crate::closure::Closure;
use crate::closure::comparison::Side;
use crate::closure::mask::Masker;
use crate::closure::snapshot::Snapshot;
use crate::closure::system::SystemReading;
use crate::deploy::facts::Evaluation;
use crate::deploy::gather::staged;
use crate::effects::closures::{self, Deriving, Read};
use crate::effects::files;
use crate::effects::gather::Purpose;
use crate::effects::nix::{BuildOn, Nix};
use crate::effects::nix_cli::NixCli;
use crate::effects::operand::{self, FORMS, Local, Reading};
use crate::effects::runner::Runner;
use crate::effects::store_db::StoreDb;
use crate::effects::system_tree::{self, LocalTree};
use crate::effects::target::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::nix::{FlakeHost, FlakeRef};
use crate::report::event::{Event, Stage};

/// A snapshot's file is not read beyond this.
const LONGEST: u64 = 1 << 30;

/// Which two, and how hosts and flakes among them are dealt with.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Sides {
    /// The old and the new one: a store path or a link to one, a generation's number, a profile, a snapshot's file,
    /// FLAKE#HOST, or a host, for what it runs. One alone is compared with what runs here; none means ./result, if it
    /// is a system, else what the system profile names
    #[arg(value_name = "A B", num_args = 0..=2)]
    pub words: Vec<String>,
    /// The flake of #HOST
    #[arg(long, value_name = "FLAKE", env = "NQD_FLAKE", default_value = ".", value_parser = FlakeRef::parse)]
    pub flake: FlakeRef,
    /// Arguments for Nix: --override-input, --impure, -L, …
    #[arg(last = true, value_name = "NIX-ARGUMENTS")]
    pub nix_args: Vec<String>,
    #[command(flatten)]
    pub place: Place,
}

/// What a word means.
pub(super) enum Operand {
    Local(Local),
    Snapshot(PathBuf),
    Flake(FlakeHost),
    Host(String),
}

/// A side that was found.
pub(super) struct Found {
    pub side: Side,
    pub from: From,
}

/// Where its closure is.
pub(super) enum From {
    /// In the store under this directory.
    Store(PathBuf),
    /// In a file.
    File(Box<Snapshot>),
    /// In the store of a machine.
    Machine(Box<dyn Target>),
}

impl From {
    /// Under which directory the store is that may hold the derivations: a machine's own are on no machine that its
    /// closure was copied to, but perhaps here.
    fn derived_in(&self) -> Option<&Path> {
        match self {
            From::Store(root) => Some(root),
            From::Machine(_) => Some(Path::new("/")),
            From::File(_) => None,
        }
    }
}

impl Sides {
    /// What the two words mean, with their defaults.
    pub(super) fn operands(&self, app: &App) -> Result<[Operand; 2], Failure> {
        let running = || {
            operand::running()?.map(Operand::Local).ok_or_else(|| {
                usage("this machine does not run NixOS: there is no /run/current-system")
                    .hint("name both sides")
            })
        };
        let next = || {
            operand::next()?.map(Operand::Local).ok_or_else(|| {
                usage("there is neither ./result nor a system profile to compare with")
                    .hint("name both sides")
            })
        };
        match self.words.as_slice() {
            [] => Ok([running()?, next()?]),
            [new] => Ok([running()?, self.understand(new, app)?]),
            [old, new, ..] => Ok([self.understand(old, app)?, self.understand(new, app)?]),
        }
    }

    /// What a word means. Two readings are an error: nobody should be shown another comparison than the one meant.
    pub(super) fn understand(&self, word: &str, app: &App) -> Result<Operand, Failure> {
        let mut meanings: Vec<(String, Operand)> = Vec::new();
        for reading in operand::readings(word)? {
            meanings.push(match reading {
                Reading::System(local) => {
                    (format!("{} ({})", local.found, local.path.short()), Operand::Local(local))
                }
                Reading::Snapshot(file) => (format!("the file {}", file.display()), Operand::Snapshot(file)),
            });
        }
        if word.contains('#') {
            let host = FlakeHost::parse(word, &self.flake).map_err(usage)?;
            meanings.push((format!("the host {} of a flake", host.host), Operand::Flake(host)));
        } else if app.knows(word)? || (meanings.is_empty() && !word.contains('/')) {
            meanings.push((format!("the host {word}"), Operand::Host(word.to_owned())));
        }
        match (meanings.pop(), meanings.first()) {
            (Some((_, operand)), None) => Ok(operand),
            (Some((this, _)), Some((that, _))) => Err(usage(format!("{word} may be {that} or {this}"))
                .hint("write ./NAME for a path, /nix/var/nix/profiles/NAME for a profile, .#NAME for a flake's host, USER@NAME for a machine")),
            (None, _) => Err(usage(format!("{word} names nothing")).hint(FORMS)),
        }
    }

    /// Builds, connects and reads what has to be, so that the closure can be had.
    pub(super) fn find(&self, operand: Operand, app: &App) -> Result<Found, Failure> {
        match operand {
            Operand::Local(Local { path, root, found }) => {
                Ok(Found { side: Side { named: found, path }, from: From::Store(root) })
            }
            Operand::Snapshot(file) => {
                let snapshot = snapshot(&file)?;
                let named = format!("{} ({}, {})", file.display(), snapshot.named, snapshot.taken);
                let side = Side { named, path: snapshot.closure.root.clone() };
                Ok(Found { side, from: From::File(Box::new(snapshot)) })
            }
            Operand::Flake(host) => self.build(&host, app),
            Operand::Host(word) => self.reach(&word, app),
        }
    }

    /// Evaluates a host of a flake.
    pub(super) fn evaluate(&self, host: &FlakeHost, app: &App) -> Result<Evaluation, Failure> {
        let tell = |event| app.reporter.tell(Some(&host.host), event);
        NixCli::new(app.runner(&host.host), &tell).evaluate(host, &self.nix_args)
    }

    fn build(&self, host: &FlakeHost, app: &App) -> Result<Found, Failure> {
        let tell = |event| app.reporter.tell(Some(&host.host), event);
        let nix = NixCli::new(app.runner(&host.host), &tell);
        let evaluation = staged(&tell, Stage::Evaluate, || nix.evaluate(host, &self.nix_args))?;
        let path = staged(&tell, Stage::Build, || {
            nix.build(&evaluation.derivation, &BuildOn::Local, &self.nix_args, &format!("diff-{}", host.host))
        })?;
        Ok(Found { side: Side { named: host.shown(), path }, from: From::Store("/".into()) })
    }

    fn reach(&self, word: &str, app: &App) -> Result<Found, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (name, place, escalate) = app.find(Some(word), &self.place).map_err(usage)?;
        let target = app.reach(&name, &place, escalate).map_err(|failure| match failure.exit {
            // A mistyped name of something else ends here too.
            Exit::Unreachable => {
                failure.hint(format!("there is no path, generation or profile {word} either: {FORMS}"))
            }
            _ => failure,
        })?;
        let path = target.gather(Purpose::Status)?.triple.running;
        let side = Side { named: format!("what {name} runs"), path };
        let from = if target.store().is_none() { From::Store("/".into()) } else { From::Machine(target) };
        Ok(Found { side, from })
    }
}

/// Two closures, named as exactly as their derivations still tell.
pub(super) fn closures(found: [&Found; 2], app: &App) -> Result<([Closure; 2], Vec<String>), Failure> {
    let runner = app.here()?;
    let mut notes = Vec::new();
    let [a, b] = found;
    let ([mut old, mut new], dbs) = match (&a.from, &b.from) {
        (From::Store(root), From::Store(other)) if root == other => {
            let Read { mut closures, db, notes: said } =
                closures::read(root, &[&a.side.path, &b.side.path], &runner)?;
            notes.extend(said);
            let db = db.map(Rc::new);
            let new = closures.pop();
            let pair = closures.pop().zip(new).map(|(a, b)| [a, b]);
            (
                pair.ok_or_else(|| Failure::new(Exit::Internal, "two closures were asked for"))?,
                [db.clone(), db],
            )
        }
        _ => {
            let (old, db_old) = closure(a, &runner, &mut notes)?;
            let (new, db_new) = closure(b, &runner, &mut notes)?;
            ([old, new], [db_old.map(Rc::new), db_new.map(Rc::new)])
        }
    };
    let deriving = [(a, &dbs[0]), (b, &dbs[1])]
        .map(|(found, db)| Some(Deriving { db: db.as_deref()?, root: found.from.derived_in()? }));
    notes.extend(closures::name_exactly([&mut old, &mut new], deriving)?);
    Ok(([old, new], notes))
}

/// What a side is made of beyond its packages.
pub(super) fn system(found: &Found, masker: &Masker) -> Result<SystemReading, Failure> {
    match &found.from {
        From::Store(root) => system_tree::read(&LocalTree::new(root), &found.side.path, masker),
        From::File(snapshot) => Ok(snapshot.system.clone()),
        From::Machine(target) => target.system(&found.side.path, masker),
    }
}

/// A masker: both sides of a comparison are read with one.
pub(super) fn masker() -> Result<Masker, Failure> {
    system_tree::masker().map_err(|e| Failure::new(Exit::Internal, format!("making a random key: {e}")))
}

fn closure(
    found: &Found,
    runner: &Runner,
    notes: &mut Vec<String>,
) -> Result<(Closure, Option<StoreDb>), Failure> {
    match &found.from {
        From::Store(root) => {
            let Read { mut closures, db, notes: said } = closures::read(root, &[&found.side.path], runner)?;
            notes.extend(said);
            let closure =
                closures.pop().ok_or_else(|| Failure::new(Exit::Internal, "a closure was asked for"))?;
            Ok((closure, db))
        }
        From::File(snapshot) => Ok((snapshot.closure.clone(), None)),
        // What made it is on no machine that it was copied to, but perhaps here.
        From::Machine(target) => Ok((target.closure(&found.side.path)?, of_this_machine(notes))),
    }
}

/// The store's database here, for the names of what a machine runs; without it they are guessed, which is said.
fn of_this_machine(notes: &mut Vec<String>) -> Option<StoreDb> {
    StoreDb::open(Path::new("/"))
        .inspect_err(|e| {
            notes
                .push(format!("{e}; names and versions of what the machine runs are guessed from its paths"));
        })
        .ok()
}

/// One closure, all of it named as exactly as its derivations still tell.
pub(super) fn closure_alone(found: &Found, app: &App) -> Result<Closure, Failure> {
    let mut notes = Vec::new();
    let (mut closure, db) = closure(found, &app.here()?, &mut notes)?;
    if let (Some(root), Some(db)) = (found.from.derived_in(), &db) {
        notes.extend(closures::name_all(&mut closure, &Deriving { db, root })?);
    }
    for text in notes {
        app.reporter.tell(None, Event::Notice { text });
    }
    Ok(closure)
}

fn snapshot(file: &Path) -> Result<Snapshot, Failure> {
    let name = file.display();
    let text = files::read_text(file, LONGEST)
        .map_err(usage)?
        .ok_or_else(|| usage(format!("{name}: there is no such file")))?;
    Snapshot::parse(&text).map_err(|e| usage(format!("{name}: {e}")).hint(FORMS))
}
