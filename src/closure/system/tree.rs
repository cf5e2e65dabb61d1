//! The files of a system as a reader found them, unmasked: never shown, never written.

use std::collections::BTreeMap;

use super::facts::Unread;

/// What a name is, not following it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A link, and what it says.
    Link(String),
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A socket, a device, …
    Other,
}

/// What reading a file gave, its links followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its text.
    Text(String),
    /// Nothing is there: a link that leads nowhere.
    Missing,
    /// A directory.
    Directory,
    /// A directory behind a link, and what each name below it holds.
    Below(BTreeMap<String, String>),
    /// It is not text: the SHA-256 of its bytes, in hex.
    Binary(String),
    /// It is not read, and why: too large, not text, outside the store.
    NotRead(String),
    /// The operating system refused, and what it said.
    Unreadable(String),
}

/// What lies below some directories. Keys are paths below the toplevel without a slash at the start; the toplevel
/// itself is the empty one, and is missing if it is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What each name is.
    pub nodes: BTreeMap<String, Node>,
    /// What could not be listed.
    pub unread: Vec<Unread>,
}

/// A system's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// What there is.
    pub listing: Listing,
    /// What was read, by path below the toplevel, or from the root.
    pub files: BTreeMap<String, Found>,
}

/// The directories that are listed, and how deep. Each is followed if it is a link; what lies below is not.
pub const DIRECTORIES: [(&str, usize); 6] = [
    ("", 1),
    ("specialisation", 1),
    ("etc", 16),
    ("etc/systemd/system", 2),
    ("etc/systemd/user", 2),
    ("etc/tmpfiles.d", 1),
];

/// What every system has: without them it is none.
pub const REQUIRED: [&str; 3] = ["nixos-version", "etc", "init"];

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its path below the toplevel, or from the root.
    pub path: String,
    /// A larger file, in bytes, is not read.
    pub limit: u64,
}

/// Files beside those of `etc`.
const TEXTS: [&str; 4] = ["nixos-version", "init-interface-version", "kernel-params", "activate"];
/// Limits in bytes: of most files, and of those that grow with the system, `activate` and the list of users.
const LIMIT: u64 = 256 << 10;
/// See [`LIMIT`].
const LARGE: u64 = 8 << 20;
/// More files are not read: the store of a system that has as many is not one that NixOS made.
const MOST: usize = 20_000;

impl Ask {
    /// A file that grows with the system.
    pub fn large(path: String) -> Self {
        Self { path, limit: LARGE }
    }
}

/// Which files facts are made of.
pub fn wanted(listing: &Listing) -> Vec<Ask> {
    let is_file = |path: &str| matches!(listing.nodes.get(path), Some(Node::File | Node::Link(_)));
    let etc = listing.nodes.keys().filter(|p| p.starts_with("etc/") && is_file(p) && !pulls_in(p));
    let texts = TEXTS.iter().filter(|p| is_file(p)).map(|p| Ask::large((*p).to_owned()));
    texts.chain(etc.map(|p| Ask { path: p.clone(), limit: LIMIT })).take(MOST).collect()
}

/// Links in `X.wants` and the like name units that are read where they lie.
pub fn pulls_in(path: &str) -> bool {
    let directory = path.rsplit('/').nth(1).unwrap_or_default();
    path.starts_with("etc/systemd/")
        && [".wants", ".requires", ".upholds"].iter().any(|end| directory.ends_with(end))
}

/// How deep a directory behind a link of `etc` is listed.
pub const DEPTH_BELOW: usize = 8;
/// More files behind such links are not read: `zoneinfo` has 1,800.
const MOST_BELOW: usize = 5_000;

/// Which links of `etc` lead to directories that are one part of it: units and tmpfiles are facts of their own.
pub fn linked_directories(files: &BTreeMap<String, Found>) -> Vec<String> {
    let own = |path: &str| path.starts_with("etc/systemd/") || path.starts_with("etc/tmpfiles.d/");
    let linked = |(path, found): (&String, &Found)| {
        (*found == Found::Directory && path.starts_with("etc/") && !own(path)).then(|| path.clone())
    };
    files.iter().filter_map(linked).collect()
}

/// Which files lie in such directories; none if there are too many.
pub fn wanted_below(listing: &Listing) -> Option<Vec<Ask>> {
    let is_file = |n: &Node| matches!(n, Node::File | Node::Link(_));
    let files = listing.nodes.iter().filter(|(_, n)| is_file(n));
    let asks: Vec<Ask> = files.map(|(p, _)| Ask::large(p.clone())).collect();
    (asks.len() <= MOST_BELOW && listing.unread.is_empty()).then_some(asks)
}

/// What a directory holds: names, and what is in each. Where one of them is not known, none of it is.
pub fn as_one(directory: &str, listing: &Listing, files: &BTreeMap<String, Found>) -> Found {
    let below = format!("{directory}/");
    let mut all = BTreeMap::new();
    for (path, node) in listing.nodes.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below)) {
        let name = &path[below.len()..];
        let what = match (node, files.get(path)) {
            (Node::Directory, _) => "directory".to_owned(),
            (_, Some(Found::Text(content))) => format!("text\n{content}"),
            (_, Some(Found::Binary(digest))) => format!("binary\n{digest}"),
            // What lies there is told by its own names.
            (Node::Link(to), Some(Found::Directory | Found::Missing)) if !to.starts_with('/') => {
                format!("→ {to}")
            }
            (_, Some(Found::NotRead(why) | Found::Unreadable(why))) => {
                return Found::NotRead(format!("{name}: {why}"));
            }
            _ => return Found::NotRead(format!("{name}: it is no file")),
        };
        all.insert(name.to_owned(), what);
    }
    Found::Below(all)
}

impl Tree {
    /// A file's text, if it is one.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.files.get(path) {
            Some(Found::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Where a link leads, one step.
    pub fn link(&self, path: &str) -> Option<&str> {
        match self.listing.nodes.get(path) {
            Some(Node::Link(target)) => Some(target),
            _ => None,
        }
    }

    /// The names below a directory, with what comes after its slash.
    pub fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let from = self.listing.nodes.range(format!("{directory}/")..);
        from.map_while(move |(path, node)| Some((path.strip_prefix(directory)?.strip_prefix('/')?, node)))
    }
}
