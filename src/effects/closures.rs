//! Reads closures: from a local store's database, or by the `nix` command where that cannot be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use super::rooted::inside;
use super::runner::{Cmd, Runner};
use super::store_db::{DbError, StoreDb};
use super::{files, path_infos};
use crate::closure::{Closure, Member, Package, diff};
use crate::derivation::{Derivation, Header};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// A derivation's file is not read beyond this.
const LONGEST: u64 = 64 << 20;

/// Closures of one store.
pub struct Read {
    /// In the order in which they were asked for.
    pub closures: Vec<Closure>,
    /// The database they were read from; `None` if Nix had to be asked.
    pub db: Option<StoreDb>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Reads closures of the store under `root`.
pub fn read(root: &Path, paths: &[&StorePath], runner: &Runner) -> Result<Read, Failure> {
    match StoreDb::open(root).and_then(|mut db| Ok((db.graph(paths)?, db))) {
        Ok(((graph, numbers), db)) => {
            Ok(Read { closures: graph.closures(&numbers), db: Some(db), notes: Vec::new() })
        }
        Err(e @ DbError::Unregistered { .. }) => Err(Failure::refused(e.to_string()).hint(
            "it may have been garbage collected, or lie in another store: nix path-info PATH asks Nix",
        )),
        Err(e @ (DbError::Unreadable { .. } | DbError::Damaged(_))) => {
            let said = |failure: Failure| Failure { what: format!("{e}; {}", failure.what), ..failure };
            let closures = paths.iter().map(|p| ask_nix(root, p, runner).map_err(said));
            let closures = closures.collect::<Result<_, _>>()?;
            let note = format!(
                "{e}; `nix path-info` was asked instead, and names and versions are as well as paths tell them"
            );
            Ok(Read { closures, db: None, notes: vec![note] })
        }
    }
}

fn ask_nix(root: &Path, path: &StorePath, runner: &Runner) -> Result<Closure, Failure> {
    let mut cmd = Cmd::new("nix").args(["--extra-experimental-features", "nix-command", "path-info"]);
    if root != Path::new("/") {
        cmd = cmd.args(["--store", &format!("local?root={}", root.display())]);
    }
    let cmd = cmd.args(["--recursive", "--json"]);
    // 2.33 wants the format to be named; earlier versions do not know the flag.
    let named = runner.run(&cmd.clone().args(["--json-format", "1", path.as_str()]));
    let out = named.or_else(|_| runner.run(&cmd.arg(path.as_str()))).map_err(|e| {
        Failure::refused(format!("listing what {} needs: {e}", path.short()))
            .hint("is it in this store? It may have been garbage collected")
    })?;
    let text = out.text().map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
    path_infos::closure_of(path, text)
}

/// A store whose derivations may tell what its paths are.
pub struct Deriving<'a> {
    /// Its database.
    pub db: &'a StoreDb,
    /// The directory under which it lies.
    pub root: &'a Path,
}

/// Puts down what derivations say of the paths that differ, and gives what a person should know. A derivation that is
/// not there any more says nothing, nor does one that is damaged, but that is told; one that cannot be read is an error.
pub fn name_exactly(
    closures: [&mut Closure; 2],
    stores: [Option<Deriving<'_>>; 2],
) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let [old, new] = closures;
    let only = diff::differing(old, new).map(|side| side.into_iter().map(Made::of).collect::<Vec<_>>());
    for ((closure, made), store) in [old, new].into_iter().zip(&only).zip(stores) {
        let Some(store) = store else { continue };
        let (packages, said) = store.packages(made)?;
        notes.extend(said);
        let mut named = made.iter().zip(packages).peekable();
        for member in &mut closure.members {
            if let Some((_, package)) = named.next_if(|(made, _)| made.path == member.path) {
                member.package = package;
            }
        }
    }
    notes.dedup();
    Ok(notes)
}

/// A path, and the derivation that is noted to have made it.
struct Made {
    path: StorePath,
    deriver: Option<StorePath>,
}

impl Made {
    fn of(member: &Member) -> Self {
        Self { path: member.path.clone(), deriver: member.deriver.clone() }
    }
}

/// The same for every path of one closure.
pub fn name_all(closure: &mut Closure, store: &Deriving<'_>) -> Result<Vec<String>, Failure> {
    let made: Vec<Made> = closure.members.iter().map(Made::of).collect();
    let (packages, notes) = store.packages(&made)?;
    for (member, package) in closure.members.iter_mut().zip(packages) {
        member.package = package;
    }
    Ok(notes)
}

/// What the derivations in a store say that some paths are, whether the paths are there or not. One that is damaged
/// says nothing.
pub fn packages(root: &Path, paths: &[StorePath]) -> Result<Vec<Option<Package>>, Failure> {
    let db = StoreDb::open(root).map_err(|e| failure(&e))?;
    let made: Vec<Made> = paths.iter().map(|path| Made { path: path.clone(), deriver: None }).collect();
    Ok(Deriving { db: &db, root }.packages(&made)?.0)
}

impl Deriving<'_> {
    /// What the paths are, and which derivations are damaged.
    fn packages(&self, made: &[Made]) -> Result<(Vec<Option<Package>>, Vec<String>), Failure> {
        let said = parallel(made, self.root)?;
        let damaged = |said: &Said| if let Said::Damaged(why) = said { Some(why.clone()) } else { None };
        let notes: BTreeSet<String> = said.iter().filter_map(damaged).collect();
        let gone = |(made, said): (&'_ Made, &Said)| matches!(said, Said::Gone).then(|| made.path.clone());
        let paths: Vec<StorePath> = made.iter().zip(&said).filter_map(gone).collect();
        // Where the noted derivation is not there any more, any other that has this path as an output will do.
        let mut others =
            self.db.derivers(&paths.iter().collect::<Vec<_>>()).map_err(|e| failure(&e))?.into_iter();
        let last = |(made, said): (&Made, Said)| match said {
            Said::Gone => self.another(&made.path, &others.next().unwrap_or_default()),
            said => Ok(said.package()),
        };
        let packages: Vec<_> = made.iter().zip(said).map(last).collect::<Result<_, Failure>>()?;
        Ok((packages, notes.into_iter().collect()))
    }

    fn another(&self, path: &StorePath, derivers: &[StorePath]) -> Result<Option<Package>, Failure> {
        for derivation in derivers {
            match ask(self.root, path, derivation)? {
                Said::Gone => {}
                said => return Ok(said.package()),
            }
        }
        Ok(None)
    }
}

fn failure(e: &DbError) -> Failure {
    Failure::refused(e.to_string())
}

/// What a derivation says of one of its outputs.
enum Said {
    /// The derivation is not there.
    Gone,
    /// The derivation's file is no derivation, and why.
    Damaged(String),
    /// It names no version.
    Nothing,
    /// What it is.
    Is(Package),
}

impl Said {
    fn package(self) -> Option<Package> {
        if let Self::Is(package) = self { Some(package) } else { None }
    }
}

/// Reads many derivations, on two threads: most of the time goes into opening files.
fn parallel(made: &[Made], root: &Path) -> Result<Vec<Said>, Failure> {
    let one = |made: &Made| made.deriver.as_ref().map_or(Ok(Said::Gone), |d| ask(root, &made.path, d));
    let read = |made: &[Made]| made.iter().map(one).collect::<Result<Vec<_>, Failure>>();
    if made.iter().all(|made| made.deriver.is_none()) {
        return read(made);
    }
    let (first, second) = made.split_at(made.len() / 2);
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| read(second));
        (read(first), other.join())
    });
    let second = second.map_err(|_| Failure::new(Exit::Internal, "reading derivations panicked"))?;
    let mut all = first?;
    all.extend(second?);
    Ok(all)
}

/// The derivation of this path; `None`: its file is not there, or is empty as after a power cut.
pub fn derivation(root: &Path, path: &StorePath) -> Result<Option<Derivation>, Failure> {
    let file = inside(root, path.as_path());
    let bytes = files::read_bytes(&file, LONGEST).map_err(|e| Failure::refused(e.to_string()))?;
    let damaged = |e| Failure::refused(format!("the derivation {} is damaged: {e}", file.display()));
    bytes.filter(|b| !b.is_empty()).map(|b| Derivation::from_vec(b).map_err(damaged)).transpose()
}

fn ask(root: &Path, path: &StorePath, deriver: &StorePath) -> Result<Said, Failure> {
    let file: PathBuf = inside(root, deriver.as_path());
    let bytes = files::read_bytes(&file, LONGEST).map_err(|e| Failure::refused(e.to_string()))?;
    // Empty after a power cut: as good as not there.
    let Some(bytes) = bytes.filter(|b| !b.is_empty()) else { return Ok(Said::Gone) };
    let header = match Header::scan(&bytes) {
        Ok(header) => header,
        Err(e) => {
            let file = file.display();
            return Ok(Said::Damaged(format!(
                "the derivation {file} is damaged: {e}; what it made is told by its name only"
            )));
        }
    };
    let version = header.version.as_deref();
    let package = version.and_then(|v| Package::exact(path.name(), header.pname.as_deref(), v));
    Ok(package.map_or(Said::Nothing, Said::Is))
}
