//! Which packages modules name, found in their text: Nix cannot make up an attribute that nobody has written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Packages by name, and what is named inside each.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// Packages that are named where `pkgs` does not stand before them.
const MORE: [&str; 21] = [
    "cargo",
    "clippy",
    "deadnix",
    "installShellFiles",
    "mypy",
    "nano",
    "nixos-install-tools",
    "nixos-option",
    "nixos-rebuild",
    "nixos-rebuild-ng",
    "perl",
    "rsync",
    "rust-analyzer",
    "rustc",
    "rustfmt",
    "shellcheck",
    "statix",
    "strace",
    "hello",
    "debootstrap",
    "git",
];

/// The packages that the Nix files below these folders name.
pub fn of(folders: &[&Path]) -> Names {
    let mut names: Names = MORE.iter().map(|n| ((*n).to_owned(), BTreeSet::new())).collect();
    let mut open: Vec<_> = folders.iter().map(|f| f.to_path_buf()).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "nix") {
            add(&fs::read_to_string(&path).unwrap(), &mut names);
        }
    }
    names
}

fn add(text: &str, names: &mut Names) {
    for rest in text.split("kgs.").skip(1) {
        let name = word(rest);
        if !name.is_empty() {
            let inside = names.entry(name.to_owned()).or_default();
            let inner = rest[name.len()..].strip_prefix('.').map_or("", word);
            if !inner.is_empty() {
                inside.insert(inner.to_owned());
            }
        }
    }
    for rest in text.split("mkPackageOption pkgs").skip(1) {
        let quoted: Vec<&str> = rest.split('"').take(4).collect();
        match (quoted[0].trim(), quoted.as_slice()) {
            ("", [_, name, ..]) => {
                names.entry((*name).to_owned()).or_default();
            }
            ("[", [_, name, _, inner]) => {
                names.entry((*name).to_owned()).or_default().insert((*inner).to_owned());
            }
            _ => {}
        }
    }
}

fn word(text: &str) -> &str {
    let end =
        text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '\''))).unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_alphabetic() || c == '_') { &text[..end] } else { "" }
}
