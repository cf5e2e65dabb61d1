//! A store on this machine, perhaps below a prefix: `nix --store /mnt` keeps `/nix/store/x` in `/mnt/nix/store/x`, and
//! every link in there still says `/nix/store`. So links are resolved here, not by the kernel: an absolute one starts
//! again at the prefix, and `..` does not lead out of it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{MOST_NAMES, SystemTree};
use crate::closure::system::Unread;
use crate::closure::system::tree::{Ask, Found, Listing, Node};
use crate::effects::files::no_follow;
use crate::effects::rooted::{self, Stopped};
use crate::failure::Failure;
use crate::model::StorePath;
use crate::model::store_path::STORE_DIR;

/// Reads systems below a prefix.
#[derive(Debug)]
pub struct LocalTree {
    root: PathBuf,
    /// Directories that were resolved, as seen from inside.
    resolved: Mutex<HashMap<PathBuf, PathBuf>>,
}

impl LocalTree {
    /// `root` is `/`, or the root of a chroot store.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), resolved: Mutex::default() }
    }

    /// Where a path lies, from outside.
    fn outside(&self, inside: &Path) -> PathBuf {
        rooted::inside(&self.root, inside)
    }

    /// Resolves every link of a path, as seen from inside.
    fn resolve(&self, path: &Path) -> Result<PathBuf, Stopped> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.walk(path);
        };
        let known = self.resolved.lock().ok().and_then(|r| r.get(parent).cloned());
        let parent = match known {
            Some(known) => known,
            None => {
                let resolved = self.walk(parent)?;
                if let Ok(mut all) = self.resolved.lock() {
                    all.insert(parent.to_owned(), resolved.clone());
                }
                resolved
            }
        };
        self.walk(&parent.join(name))
    }

    fn walk(&self, path: &Path) -> Result<PathBuf, Stopped> {
        rooted::walk(&self.root, path)
    }

    fn in_store(&self, inside: &Path) -> bool {
        // The store may be a link itself.
        self.resolve(Path::new(STORE_DIR)).is_ok_and(|store| inside.starts_with(store))
    }

    fn list_one(&self, top: &StorePath, directory: &str, depth: usize, listing: &mut Listing) {
        let inside = match self.resolve(&top.join(directory)) {
            Ok(inside) => inside,
            Err(Stopped { error, .. }) if is_missing(&error) => return,
            Err(Stopped { error, .. }) => return listing.unread.push(unread(directory, &error)),
        };
        if !self.in_store(&inside) {
            return listing.unread.push(unread(directory, &"it leads out of the store"));
        }
        if !self.outside(&inside).is_dir() {
            // The path is there: it is only no system.
            if directory.is_empty() {
                listing.nodes.insert(String::new(), Node::File);
            }
            return;
        }
        listing.nodes.insert(directory.to_owned(), Node::Directory);
        let mut open = vec![(inside, directory.to_owned(), depth)];
        let mut count = 0;
        while let Some((inside, prefix, depth)) = open.pop() {
            for (name, node) in names(&self.outside(&inside), &prefix, listing) {
                count += 1;
                if count > MOST_NAMES {
                    return listing.unread.push(unread(directory, &format!("more than {MOST_NAMES} names")));
                }
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                if node == Node::Directory && depth > 1 {
                    open.push((inside.join(&name), path.clone(), depth - 1));
                }
                listing.nodes.insert(path, node);
            }
        }
    }

    fn read_one(&self, path: &Path, limit: u64) -> io::Result<Found> {
        let (inside, error) = match self.resolve(path) {
            Ok(inside) => (inside, None),
            Err(Stopped { at, error }) => (at, Some(error)),
        };
        // What lies elsewhere is none of ours, be it there or not.
        if !self.in_store(&inside) {
            return Ok(Found::NotRead("it leads out of the store".to_owned()));
        }
        if let Some(e) = error {
            return Err(e);
        }
        let outside = self.outside(&inside);
        let meta = fs::symlink_metadata(&outside)?;
        if meta.is_dir() {
            return Ok(Found::Directory);
        }
        // Not even opened: a FIFO would not let us go.
        if !meta.is_file() {
            return Ok(Found::NotRead("not a file".to_owned()));
        }
        let file = OpenOptions::new().read(true).custom_flags(no_follow()).open(&outside)?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(super::text(bytes, limit))
    }
}

/// The names in a directory. What cannot be listed is noted.
fn names(outside: &Path, prefix: &str, listing: &mut Listing) -> Vec<(String, Node)> {
    let entries = match fs::read_dir(outside) {
        Ok(entries) => entries,
        Err(e) => {
            listing.unread.push(unread(prefix, &e));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry.and_then(|e| Ok((node(&e)?, e.file_name()))) {
            Ok((node, name)) => match name.into_string() {
                Ok(name) => found.push((name, node)),
                Err(name) => listing.unread.push(unread(prefix, &format!("{} is not text", name.display()))),
            },
            Err(e) => listing.unread.push(unread(prefix, &e)),
        }
    }
    found
}

fn node(entry: &fs::DirEntry) -> io::Result<Node> {
    let kind = entry.file_type()?;
    Ok(match () {
        () if kind.is_symlink() => Node::Link(fs::read_link(entry.path())?.to_string_lossy().into_owned()),
        () if kind.is_dir() => Node::Directory,
        () if kind.is_file() => Node::File,
        () => Node::Other,
    })
}

fn is_missing(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unread(path: &str, why: &dyn std::fmt::Display) -> Unread {
    Unread { path: path.to_owned(), why: why.to_string() }
}

impl SystemTree for LocalTree {
    fn list(&self, system: &StorePath, directories: &[(&str, usize)]) -> Result<Listing, Failure> {
        let mut listing = Listing::default();
        for (directory, depth) in directories {
            self.list_one(system, directory, *depth, &mut listing);
        }
        Ok(listing)
    }

    fn read(&self, system: &StorePath, asks: &[Ask]) -> Result<BTreeMap<String, Found>, Failure> {
        let read = |ask: &Ask| {
            // Joining an absolute path gives that path.
            let found = match self.read_one(&system.join(&ask.path), ask.limit) {
                Ok(found) => found,
                Err(e) if is_missing(&e) => Found::Missing,
                Err(e) => Found::Unreadable(e.to_string()),
            };
            (ask.path.clone(), found)
        };
        Ok(asks.iter().map(read).collect())
    }
}
