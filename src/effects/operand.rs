//! What a person can name as one side of a comparison, as far as this machine's files tell.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{env, layout, rooted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::{Generation, StorePath};

/// What can be named.
pub const FORMS: &str = "name a store path or a link to one, a generation's number, a profile, a snapshot's file, FLAKE#HOST or a host";

/// One way to understand a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A path in a local store.
    System(Local),
    /// A file that `nqd snapshot` wrote.
    Snapshot(PathBuf),
}

/// A path in a local store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The store path.
    pub path: StorePath,
    /// The directory under which the store lies: `/`, or a chroot's.
    pub root: PathBuf,
    /// How it was found: a path, `generation 12`, `profile system`.
    pub found: String,
}

/// All ways to understand a word: an existing path, a generation of the system profile, a profile. A path that lies in
/// no store is an error, not nothing.
pub fn readings(word: &str) -> Result<Vec<Reading>, Failure> {
    let mut found = Vec::new();
    if let Some(reading) = path(word)? {
        found.push(reading);
    }
    if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
        let link = Path::new(layout::PROFILES).join(format!("system-{word}-link"));
        found.extend(local(&link, format!("generation {word}"))?.map(Reading::System));
    }
    if is_name(word) {
        for link in profiles(word) {
            found.extend(local(&link, format!("profile {word}"))?.map(Reading::System));
        }
    }
    Ok(found)
}

/// What runs here, if this is NixOS.
pub fn running() -> Result<Option<Local>, Failure> {
    local(Path::new(layout::RUNNING), "what runs".to_owned())
}

/// `./result`, if it is a system; else what the system profile names.
pub fn next() -> Result<Option<Local>, Failure> {
    let result = Path::new("result");
    if let Some(found) = local(result, "./result".to_owned())?
        && rooted::inside(&found.root, &found.path.join("nixos-version")).exists()
    {
        return Ok(Some(found));
    }
    local(Path::new(layout::PROFILE), "profile system".to_owned())
}

/// The generations of the system profile, the oldest first, and when each was made.
pub fn generations() -> Result<Vec<(Local, SystemTime)>, Failure> {
    let base = Path::new(layout::PROFILES);
    let failed = |e: io::Error| unreadable(layout::PROFILES, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(base).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(number) = Generation::number_of_link(&name) else { continue };
        let time = entry.metadata().and_then(|m| m.modified()).map_err(failed)?;
        let system = local(&entry.path(), format!("generation {number}"))?;
        let gone = || Failure::refused(format!("generation {number} leads to nothing in the store"));
        found.push((number, system.ok_or_else(gone)?, time));
    }
    found.sort_by_key(|(number, ..)| *number);
    Ok(found.into_iter().map(|(_, system, time)| (system, time)).collect())
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('.') && !word.contains(['/', '#'])
}

/// Where a profile of this name may lie.
fn profiles(name: &str) -> Vec<PathBuf> {
    let base = Path::new(layout::PROFILES);
    let mut found = vec![base.join(name), base.join("system-profiles").join(name)];
    let state = env::path("XDG_STATE_HOME").or_else(|| env::path("HOME").map(|h| h.join(".local/state")));
    found.extend(state.map(|s| s.join("nix/profiles").join(name)));
    found.extend(env::text("USER").map(|user| base.join("per-user").join(user).join(name)));
    found
}

fn path(word: &str) -> Result<Option<Reading>, Failure> {
    let given = Path::new(word);
    let about = match std::fs::metadata(given) {
        Ok(about) => Some(about),
        // A link of a chroot may lead nowhere as seen from here.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        Err(e) => return Err(unreadable(word, &e)),
    };
    if let Some(found) = local(given, word.to_owned())? {
        return Ok(Some(Reading::System(found)));
    }
    match about {
        None => registered(given),
        Some(about) if about.is_file() => Ok(Some(Reading::Snapshot(given.to_owned()))),
        // A directory that is no store path may have the name of a host.
        Some(_) if is_name(word) => Ok(None),
        Some(_) => Err(Failure::new(Exit::Usage, format!("{word} lies in no Nix store")).hint(FORMS)),
    }
}

/// A store path that is not on disk: the store may still know what it consisted of.
fn registered(given: &Path) -> Result<Option<Reading>, Failure> {
    let path = std::path::absolute(given).map_err(|e| unreadable(&given.display().to_string(), &e))?;
    let root = root_of(&path);
    let inside = Path::new("/").join(path.strip_prefix(&root).unwrap_or(&path));
    let found = "missing on disk".to_owned();
    Ok(StorePath::containing(&inside).ok().map(|path| Reading::System(Local { path, root, found })))
}

/// The store path that a path is or lies in, links resolved.
fn local(link: &Path, found: String) -> Result<Option<Local>, Failure> {
    // `absolute` resolves no links: those of a chroot are not to be resolved from here.
    let resolved = std::path::absolute(link).and_then(|path| {
        let root = root_of(&path);
        let inside = Path::new("/").join(path.strip_prefix(&root).unwrap_or(&path));
        Ok((rooted::resolve(&root, &inside)?, root))
    });
    let (path, root) = match resolved {
        Ok(found) => found,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(unreadable(&link.display().to_string(), &e)),
    };
    Ok(StorePath::containing(&path).ok().map(|path| Local { path, root, found }))
}

/// The chroot that a path lies in: where `nix/store` or `nix/var/nix` is what it goes on with, and a database is there.
fn root_of(path: &Path) -> PathBuf {
    let has_store = |root: &&Path| {
        let below = path.strip_prefix(root).unwrap_or(path);
        (below.starts_with("nix/store") || below.starts_with("nix/var/nix"))
            && root.join("nix/var/nix/db/db.sqlite").exists()
    };
    path.ancestors().filter(has_store).last().map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn unreadable(what: &str, e: &io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("{what} cannot be read: {e}"))
}
