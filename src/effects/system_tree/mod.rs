//! Reads what a system is made of, from this machine's store, a store elsewhere on its disks, or a target's.

mod local;
mod remote;

use std::collections::BTreeMap;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

pub use self::local::LocalTree;
pub use self::remote::RemoteTree;
use crate::closure::mask::Masker;
use crate::closure::system::tree::{
    Ask, DEPTH_BELOW, DIRECTORIES, Found, Listing, REQUIRED, Tree, as_one, linked_directories, wanted,
    wanted_below,
};
use crate::closure::system::{NoSystem, SystemReading, assemble};
use crate::failure::Failure;
use crate::model::StorePath;

/// Names of one system that are listed: fifty times what a large one has.
const MOST_NAMES: usize = 100_000;

/// A store whose systems can be read. One system takes five calls, so that a remote one costs
/// five round trips. What is missing is left out; what the operating system refuses is named in the answer.
pub trait SystemTree {
    /// Lists directories of a system to a depth. Each is followed if it is a link, within the store.
    fn list(&self, system: &StorePath, directories: &[(&str, usize)]) -> Result<Listing, Failure>;
    /// Reads small files of a system, their links followed within the store.
    fn read(&self, system: &StorePath, asks: &[Ask]) -> Result<BTreeMap<String, Found>, Failure>;
}

/// A masker with a key of its own; everything that is to be compared is read with one.
pub fn masker() -> io::Result<Masker> {
    let mut key = [0; 32];
    let mut filled = 0;
    while filled < key.len() {
        filled += getrandom(&mut key[filled..], GetRandomFlags::empty())?;
    }
    Ok(Masker::new(key))
}

/// Reads a system. An error is one of the connection; a closure that is no system is an answer.
pub fn read(tree: &dyn SystemTree, system: &StorePath, masker: &Masker) -> Result<SystemReading, Failure> {
    let listing = tree.list(system, &DIRECTORIES)?;
    if let Some(why) = no_system(system, &listing) {
        return Ok(SystemReading::Empty(why));
    }
    let mut files = tree.read(system, &wanted(&listing))?;
    read_directories(tree, system, &mut files)?;
    let mut found = Tree { listing, files };
    if let Some(path) = assemble::accounts_file(&found) {
        found.files.extend(tree.read(system, &[Ask::large(path)])?);
    }
    Ok(SystemReading::Facts(Box::new(assemble::facts(system, &found, masker))))
}

/// Reads what lies behind those links of `etc` that lead to directories, each as one.
fn read_directories(
    tree: &dyn SystemTree,
    system: &StorePath,
    files: &mut BTreeMap<String, Found>,
) -> Result<(), Failure> {
    let directories = linked_directories(files);
    if directories.is_empty() {
        return Ok(());
    }
    let asked: Vec<(&str, usize)> = directories.iter().map(|d| (d.as_str(), DEPTH_BELOW)).collect();
    let listing = tree.list(system, &asked)?;
    // Too many, or not to be listed: they stay directories, which are not compared.
    let Some(asks) = wanted_below(&listing) else { return Ok(()) };
    let below = tree.read(system, &asks)?;
    for directory in directories {
        let found = as_one(&directory, &listing, &below);
        files.insert(directory, found);
    }
    Ok(())
}

/// What was read of a file, at most one byte more than the limit.
fn text(bytes: Vec<u8>, limit: u64) -> Found {
    if bytes.len() as u64 > limit {
        return Found::NotRead(format!("it is larger than {}", crate::model::text::bytes(limit)));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Found::Text(text),
        Ok(text) => Found::Binary(digest(text.as_bytes())),
        Err(e) => Found::Binary(digest(e.as_bytes())),
    }
}

fn digest(bytes: &[u8]) -> String {
    crate::model::text::hex(&Sha256::digest(bytes))
}

fn no_system(system: &StorePath, listing: &Listing) -> Option<NoSystem> {
    let path = system.clone();
    if let Some(unread) = listing.unread.iter().find(|u| u.path.is_empty()) {
        return Some(NoSystem::Unreadable { path, why: unread.why.clone() });
    }
    if !listing.nodes.contains_key("") {
        return Some(NoSystem::Missing(path));
    }
    let lacks = REQUIRED.iter().find(|name| !listing.nodes.contains_key(**name))?;
    Some(NoSystem::NotNixos { path, lacks: (*lacks).to_owned() })
}

#[cfg(test)]
mod tests;
