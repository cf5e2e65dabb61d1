//! Systems for tests, as lists of files.
#![allow(clippy::unwrap_used, missing_docs, reason = "only tests use it")]

use super::tree::{Found, Node, Tree};
use super::{SystemFacts, assemble};
use crate::closure::mask::Masker;
use crate::model::StorePath;

/// A store path whose hash is one letter.
pub fn store(letter: char, name: &str) -> String {
    format!("/nix/store/{}-{name}", letter.to_string().repeat(32))
}

pub fn toplevel(letter: char) -> StorePath {
    StorePath::parse(&store(letter, "nixos-system-web-1")).unwrap()
}

/// Facts of files: `path` with its text, or with `→ TARGET` for a link (and its text after a line's end).
pub fn facts(letter: char, files: &[(&str, &str)]) -> SystemFacts {
    facts_with(letter, files, &Masker::new([7; 32]))
}

pub fn facts_with(letter: char, files: &[(&str, &str)], masker: &Masker) -> SystemFacts {
    let mut tree = Tree::default();
    for (path, text) in files {
        let (node, text) = match text.strip_prefix("→ ") {
            Some(link) => {
                let (target, text) = link.split_once('\n').unwrap_or((link, ""));
                (Node::Link(target.to_owned()), text)
            }
            None => (Node::File, *text),
        };
        tree.listing.nodes.insert((*path).to_owned(), node);
        tree.files.insert((*path).to_owned(), Found::Text(text.to_owned()));
    }
    assemble::facts(&toplevel(letter), &tree, masker)
}

/// A file of the units' directory.
pub fn unit(letter: char, name: &str, text: &str) -> (String, String) {
    let path = store(letter, &format!("unit-{name}"));
    (format!("etc/systemd/system/{name}"), format!("→ {path}/{name}\n{text}"))
}
