//! What a person can name as one side of a comparison, as far as this machine's files tell.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{env, files, layout, rooted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::store_path::STORE_DIR;
use crate::model::{Generation, StorePath};

/// Links that are followed at most.
const LINKS: usize = 40;

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
/// no store is an error, not nothing. Two words for one path of one store are one reading.
pub fn readings(word: &str) -> Result<Vec<Reading>, Failure> {
    if word.is_empty() {
        return Err(Failure::new(Exit::Usage, "an empty word names nothing").hint(FORMS));
    }
    let mut found = Vec::new();
    if let Some(reading) = path(word)? {
        found.push(reading);
    }
    if word.bytes().all(|b| b.is_ascii_digit()) {
        let link = Path::new(layout::PROFILES).join(format!("system-{word}-link"));
        found.extend(linked(&link, &format!("generation {word}"))?.map(Reading::System));
        if found.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no generation {word} of the system profile"),
            )
            .hint(
                "ls /nix/var/nix/profiles lists them; root@NAME reaches a machine whose name is a number",
            ));
        }
    }
    if is_name(word) {
        for link in profiles(word) {
            found.extend(linked(&link, &format!("profile {word}"))?.map(Reading::System));
        }
    }
    Ok(distinct(found))
}

/// A profile may lie in two places and lead to one system: the first says how it was found.
fn distinct(readings: Vec<Reading>) -> Vec<Reading> {
    let mut found: Vec<Reading> = Vec::new();
    for reading in readings {
        let same = |other: &Reading| match (other, &reading) {
            (Reading::System(a), Reading::System(b)) => (&a.path, &a.root) == (&b.path, &b.root),
            (a, b) => a == b,
        };
        if !found.iter().any(same) {
            found.push(reading);
        }
    }
    found
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

/// The last generations of the system profile, the oldest first, and when each was made.
pub fn generations(last: usize) -> Result<Vec<(Local, SystemTime)>, Failure> {
    let base = Path::new(layout::PROFILES);
    let failed = |e: io::Error| unreadable(layout::PROFILES, &e);
    let mut links = Vec::new();
    for entry in std::fs::read_dir(base).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let number = Generation::number_of_link(&entry.file_name().to_string_lossy());
        links.extend(number.map(|number| (number, entry)));
    }
    links.sort_by_key(|(number, _)| *number);
    let first = links.len().saturating_sub(last);
    let generation = |(number, entry): &(u64, DirEntry)| {
        let time = entry.metadata().and_then(|m| m.modified()).map_err(failed)?;
        let system = linked(&entry.path(), &format!("generation {number}"))?;
        let gone = || Failure::refused(format!("generation {number} leads to nothing in the store"));
        Ok((system.ok_or_else(gone)?, time))
    };
    links[first..].iter().map(generation).collect()
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
    if let Some(found) = linked(given, word)? {
        return Ok(Some(Reading::System(found)));
    }
    match about {
        None if given.is_symlink() => {
            Err(Failure::new(Exit::Usage, format!("{word} is a link that leads to nothing in a store"))
                .hint(FORMS))
        }
        None => Ok(None),
        Some(about) if about.is_file() => Ok(Some(Reading::Snapshot(given.to_owned()))),
        // A directory that is no store path may have the name of a host.
        Some(_) if is_name(word) => Ok(None),
        Some(_) => Err(Failure::new(Exit::Usage, format!("{word} lies in no Nix store")).hint(FORMS)),
    }
}

/// The store path that a path is, or leads to. The store may still know what it consisted of if it is not on disk; but
/// what is not there below a store path is nothing: whoever mistypes it does not mean the whole.
fn linked(given: &Path, found: &str) -> Result<Option<Local>, Failure> {
    if let Some(local) = local(given, found.to_owned())? {
        return Ok(Some(local));
    }
    let unreadable = |e: io::Error| unreadable(&given.display().to_string(), &e);
    let mut path = std::path::absolute(given).map_err(unreadable)?;
    for _ in 0..LINKS {
        let root = root_of(&path);
        let inside = Path::new("/").join(path.strip_prefix(&root).unwrap_or(&path));
        if let Ok(path) = StorePath::containing(&inside) {
            if inside != Path::new(path.as_str()) {
                return Ok(None);
            }
            let found = format!("{found}, missing on disk").replace(&format!("{path}, "), "");
            return Ok(Some(Local { path, root, found }));
        }
        let Some(target) = files::read_link(&path).map_err(unreadable)? else { break };
        path = match target.strip_prefix("/") {
            // As in a chroot, whose links mean what is inside; else the root is `/`.
            Ok(target) => root.join(target),
            Err(_) => path.parent().unwrap_or(&path).join(target),
        };
    }
    Ok(None)
}

/// The store path that a path is or lies in, links resolved.
fn local(link: &Path, found: String) -> Result<Option<Local>, Failure> {
    // `absolute` resolves no links: those of a chroot are not to be resolved from here.
    let resolved = std::path::absolute(link).and_then(|path| {
        let (root, found) = resolved(&path)?;
        // A link from outside may lead into a chroot's store.
        if found.starts_with(STORE_DIR) || root != Path::new("/") {
            Ok((found, root))
        } else {
            resolved(&found).map(|(root, found)| (found, root))
        }
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

/// The root of the store that a path lies in, and what it leads to as seen from there.
fn resolved(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let root = root_of(path);
    let inside = Path::new("/").join(path.strip_prefix(&root).unwrap_or(path));
    let found = rooted::resolve(&root, &inside)?;
    Ok((root, found))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A store in a chroot with one path, `web`, and the path of another that is not on disk.
    fn chroot() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let at = |letter: &str| root.path().join(format!("nix/store/{}-web", letter.repeat(32)));
        let (there, gone) = (at("a"), at("b"));
        std::fs::create_dir_all(there.join("bin")).unwrap();
        std::fs::create_dir_all(root.path().join("nix/var/nix/db")).unwrap();
        std::fs::write(root.path().join("nix/var/nix/db/db.sqlite"), "").unwrap();
        (root, there, gone)
    }

    fn found(path: &Path) -> Option<String> {
        match readings(path.to_str().unwrap()).unwrap().as_slice() {
            [] => None,
            [Reading::System(local)] => Some(local.found.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_typo_below_a_store_path_is_nothing() {
        let (root, there, gone) = chroot();
        assert!(found(&there).is_some() && found(&there.join("bin")).is_some());
        assert_eq!(found(&there.join("bni")), None);
        assert_eq!(found(&there.join(".#web")), None, "from within it");
        // The store may still know what is missing as a whole.
        assert!(found(&gone).unwrap().ends_with("missing on disk"));
        assert_eq!(found(&gone.join("bin")), None);
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&gone, &link).unwrap();
        assert!(found(&link).unwrap().ends_with("missing on disk"));
    }

    #[test]
    fn an_empty_word_is_a_mistake() {
        assert_eq!(readings("").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn two_places_that_lead_to_one_path_are_one_reading() {
        let reading = |found: &str, letter: &str, root: &str| {
            let path = StorePath::parse(&format!("/nix/store/{}-web", letter.repeat(32))).unwrap();
            Reading::System(Local { path, root: root.into(), found: found.to_owned() })
        };
        let first = reading("profile web", "a", "/");
        let twice = distinct(vec![first.clone(), reading("again", "a", "/")]);
        assert_eq!(twice, std::slice::from_ref(&first));
        let others = vec![first, reading("profile web", "b", "/"), reading("profile web", "a", "/mnt")];
        assert_eq!(distinct(others.clone()), others);
    }
}
