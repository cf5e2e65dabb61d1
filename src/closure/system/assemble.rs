//! Makes facts of the files of a system. Here every text is masked.

use std::collections::BTreeMap;

use super::accounts::Accounts;
use super::declared::Declared;
use super::facts::{EtcFile, Known, SystemFacts, Unit, UnitKind, Unread};
use super::tree::{Found, Node, Tree, pulls_in};
use crate::closure::mask::{Masked, Masker};
use crate::model::StorePath;

/// The names of the files that declare users, as NixOS's two ways of making them call them.
const ACCOUNTS: [&str; 2] = ["-users-groups.json", "-userborn.json"];

/// The store path that declares the users: `activate` names it, or userborn's unit.
pub fn accounts_file(tree: &Tree) -> Option<String> {
    let places = ["activate", "etc/systemd/system/userborn.service"];
    places.iter().filter_map(|p| tree.text(p)).find_map(|text| {
        let end = ACCOUNTS.iter().find_map(|name| text.find(name).map(|at| at + name.len()))?;
        let start = text[..end].rfind("/nix/store/")?;
        StorePath::parse(&text[start..end]).ok().map(String::from)
    })
}

/// The facts about a system. `tree` holds what [`super::tree::wanted`] asks for, and [`accounts_file`].
pub fn facts(toplevel: &StorePath, tree: &Tree, masker: &Masker) -> SystemFacts {
    let said = |path: &str| tree.text(path).map(|t| masker.mask(t.trim_end()).text);
    let link = |path: &str| tree.link(path).map(str::to_owned);
    let mask = |path: &str| tree.text(path).map(|t| masker.mask(t.trim_end())).unwrap_or_default();
    SystemFacts {
        toplevel: toplevel.clone(),
        nixos_version: said("nixos-version"),
        init_interface: said("init-interface-version"),
        kernel: link("kernel"),
        initrd: link("initrd"),
        kernel_modules: link("kernel-modules"),
        systemd: link("systemd"),
        kernel_params: mask("kernel-params"),
        fstab: mask("etc/fstab"),
        specialisations: links(tree, "specialisation"),
        system_units: units(tree, "etc/systemd/system", masker),
        user_units: units(tree, "etc/systemd/user", masker),
        etc: etc(tree, masker),
        tmpfiles: tmpfiles(tree, masker),
        accounts: accounts(tree, masker),
        declared: declared(tree),
        unread: unread(tree),
    }
}

fn links(tree: &Tree, directory: &str) -> BTreeMap<String, String> {
    let link = |(name, node): (&str, &Node)| match node {
        Node::Link(target) => Some((name.to_owned(), target.clone())),
        _ => None,
    };
    tree.below(directory).filter_map(link).collect()
}

fn units(tree: &Tree, directory: &str, masker: &Masker) -> BTreeMap<String, Unit> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for (name, node) in tree.below(directory).filter(|(name, _)| !name.contains('/')) {
        let path = format!("{directory}/{name}");
        let Some(kind) = unit_kind(tree, &path, name, node) else { continue };
        let text = match tree.files.get(&path) {
            Some(Found::Text(text)) if kind == UnitKind::File => text.clone(),
            // So that two of them can be told apart.
            Some(Found::Binary(sha256)) if matches!(kind, UnitKind::NotCompared(_)) => {
                format!("sha256:{sha256}")
            }
            _ => String::new(),
        };
        texts.insert(name.to_owned(), text);
        let path = masker.mask(tree.link(&path).unwrap_or_default()).text;
        let unit = Unit { kind, path, ..Unit::default() };
        units.insert(name.to_owned(), unit);
    }
    // In the order of their names, as `below` gives them: so systemd reads drop-ins.
    for (name, node) in tree.below(directory) {
        let Some((owner, file)) = name.split_once('/') else { continue };
        let path = format!("{directory}/{name}");
        if pulls_in(&path) {
            units.entry(file.to_owned()).or_default().pulled_in_by.insert(owner.to_owned());
        } else if let Some(owner) = owner.strip_suffix(".d").filter(|_| is_conf(file)) {
            let target = if let Node::Link(target) = node { target.as_str() } else { "" };
            let unit = units.entry(owner.to_owned()).or_default();
            unit.drop_ins.insert(file.to_owned(), masker.mask(target).text);
            let text = texts.entry(owner.to_owned()).or_default();
            match tree.text(&path) {
                Some(drop_in) => *text = format!("{text}\n# drop-in {file}\n{drop_in}"),
                None => *text = format!("{text}\n# drop-in {file} was not read\n"),
            }
        }
    }
    for (name, text) in texts {
        units.entry(name).or_default().text = masker.mask(&text);
    }
    units
}

fn is_conf(file: &str) -> bool {
    std::path::Path::new(file).extension().is_some_and(|e| e == "conf")
}

/// What a name in a directory of units is; `None` for a directory, whose files come by themselves.
fn unit_kind(tree: &Tree, path: &str, name: &str, node: &Node) -> Option<UnitKind> {
    let other = match node {
        Node::Directory => return None,
        Node::Link(target) if target == "/dev/null" => return Some(UnitKind::Masked),
        Node::Link(target) => target.rsplit('/').next().filter(|_| !target.starts_with('/')),
        _ => None,
    };
    if let Some(other) = other.filter(|other| *other != name) {
        return Some(UnitKind::Alias(other.to_owned()));
    }
    match tree.files.get(path) {
        Some(Found::Text(_)) => Some(UnitKind::File),
        found => Some(UnitKind::NotCompared(why(found))),
    }
}

fn why(found: Option<&Found>) -> String {
    match found {
        Some(Found::Missing) => "its link leads nowhere".to_owned(),
        Some(Found::Directory | Found::Below(_)) => "a directory".to_owned(),
        Some(Found::Binary(_)) => "it is not text".to_owned(),
        Some(Found::NotRead(why) | Found::Unreadable(why)) => why.clone(),
        Some(Found::Text(_)) | None => "it was not read".to_owned(),
    }
}

/// What other facts hold is left out: units, tmpfiles; and what describes how a file is copied is that file's.
fn etc(tree: &Tree, masker: &Masker) -> BTreeMap<String, EtcFile> {
    let elsewhere = ["systemd/system", "systemd/user", "tmpfiles.d"];
    let is_elsewhere = |name: &str| {
        elsewhere.iter().any(|e| name.strip_prefix(e).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    };
    let mut files = BTreeMap::new();
    for (name, node) in tree.below("etc") {
        let about = [".mode", ".uid", ".gid"].iter().find_map(|end| name.strip_suffix(end));
        let about_another = about.is_some_and(|n| tree.listing.nodes.contains_key(&format!("etc/{n}")));
        if *node == Node::Directory || about_another || is_elsewhere(name) {
            continue;
        }
        let path = format!("etc/{name}");
        let target = if let Node::Link(target) = node { Some(masker.mask(target).text) } else { None };
        let digest = |text: &str| masker.mask_etc(text).digested();
        let mut below = BTreeMap::new();
        let content = match tree.files.get(&path) {
            Some(Found::Text(text)) => Known::Known(digest(text)),
            Some(Found::Binary(sha256)) => Known::Known(digest(&format!("binary\n{sha256}"))),
            Some(Found::Below(all)) => {
                let one = |(name, what): (&String, &String)| format!("{name}: {what}\n");
                below.extend(all.iter().map(|f| (f.0.clone(), short(digest(&one(f)).text))));
                Known::Known(digest(&all.iter().map(one).collect::<String>()))
            }
            found => Known::NotKnown(why(found)),
        };
        files.insert(name.to_owned(), EtcFile { target, mode: mode(tree, &path), content, below });
    }
    files
}

/// Enough of a digest to tell a thousand files apart.
fn short(mut digest: String) -> String {
    digest.truncate(16);
    digest
}

fn mode(tree: &Tree, path: &str) -> Option<String> {
    let say = |what: &str| tree.text(&format!("{path}.{what}")).map(|t| t.trim().to_owned());
    let mode = say("mode").filter(|m| m != "symlink")?;
    // Numbers are written as `+0`.
    let owner = ["uid", "gid"].map(|w| say(w).unwrap_or_default().trim_start_matches('+').to_owned());
    Some(format!("{mode} {}", owner.join(":")).trim_end_matches([' ', ':']).to_owned())
}

fn tmpfiles(tree: &Tree, masker: &Masker) -> BTreeMap<String, Masked> {
    let file = |(name, _): (&str, &Node)| {
        let text = tree.text(&format!("etc/tmpfiles.d/{name}"))?;
        Some((name.to_owned(), masker.mask(text)))
    };
    tree.below("etc/tmpfiles.d").filter_map(file).collect()
}

fn accounts(tree: &Tree, masker: &Masker) -> Known<Accounts> {
    let Some(path) = accounts_file(tree) else {
        let what = "neither `activate` nor userborn.service names a file that declares users";
        return Known::NotKnown(what.to_owned());
    };
    let Some(text) = tree.text(&path) else {
        return Known::NotKnown(format!("{path}: {}", why(tree.files.get(&path))));
    };
    match Accounts::parse(text, masker) {
        Ok(accounts) => Known::Known(accounts),
        Err(why) => Known::NotKnown(format!("{path}: {why}")),
    }
}

fn declared(tree: &Tree) -> Known<Declared> {
    const PATH: &str = "etc/nqd/system.json";
    let parsed = match (tree.text(PATH), tree.listing.nodes.contains_key(PATH)) {
        (Some(text), _) => Declared::parse(text),
        (None, false) => Err(format!("the system has no {PATH}")),
        (None, true) => Err(format!("{PATH}: {}", why(tree.files.get(PATH)))),
    };
    parsed.map_or_else(Known::NotKnown, Known::Known)
}

/// Only what is missing is tolerated: what the operating system refused is named.
fn unread(tree: &Tree) -> Vec<Unread> {
    let refused = |(path, found): (&String, &Found)| match found {
        Found::Unreadable(why) => Some(Unread { path: path.clone(), why: why.clone() }),
        _ => None,
    };
    let mut unread: Vec<Unread> = tree.listing.unread.clone();
    unread.extend(tree.files.iter().filter_map(refused));
    unread.sort_unstable();
    unread.dedup();
    unread
}
