//! What a switch would do to units, derived from their files where `dry-activate` cannot be asked. The rules are those of
//! switch-to-configuration-ng (nixpkgs, pkgs/by-name/sw/switch-to-configuration-ng/src/src/main.rs: the loop over active
//! units in `do_system_switch`, `handle_modified_unit`, and the comparison of the fstabs). It follows the program where
//! the manual says otherwise: `.path` units are restarted.
//!
//! Which units run is not known, so each line means "if it runs". A service of `Type=oneshot` without `RemainAfterExit`
//! runs only while it works: it counts as left alone.

use std::collections::BTreeMap;

use super::actions::Actions;
use super::facts::{SystemFacts, Unit, UnitKind};
use super::unit::{Needs, Parsed};
use crate::closure::mask::Secrets;

type Units = BTreeMap<String, Unit>;

/// What a switch from one system to the other would do.
pub fn actions(old: &SystemFacts, new: &SystemFacts) -> Actions {
    let mut actions = Actions::default();
    let (before, after) = (&old.system_units, &new.system_units);
    for (name, unit) in before.iter().filter(|(_, u)| u.kind == UnitKind::File) {
        let parsed = Parsed::read(&unit.text.text);
        match after.get(name).filter(|n| n.kind == UnitKind::File) {
            None if after.get(name).is_some_and(|n| matches!(n.kind, UnitKind::NotCompared(_))) => {}
            None if parsed.is("Unit", "X-StopOnRemoval", true) => add(&mut actions.stop, name),
            None => add(&mut actions.left_alone, name),
            // Targets are always started again, which starts what they newly pull in.
            Some(_) if ends(name, "target") => {}
            Some(new) => match change(unit, new, &parsed) {
                Needs::Nothing => {}
                Needs::Reload => add(&mut actions.reload, name),
                Needs::Restart => modified(name, new, (before, after), &mut actions),
            },
        }
    }
    for (name, unit) in after.iter().filter(|(_, u)| u.kind == UnitKind::File && !u.pulled_in_by.is_empty()) {
        let was = before.get(name).filter(|u| u.kind == UnitKind::File && !u.pulled_in_by.is_empty());
        let started =
            !Parsed::read(&unit.text.text).is("Unit", "RefuseManualStart", false) || !ends(name, "target");
        if was.is_none() && started {
            add(&mut actions.start, name);
        }
    }
    mounts(&old.fstab.text, &new.fstab.text, &mut actions);
    let conf = |s: &SystemFacts| s.etc.get("systemd/system.conf").and_then(|f| f.target.clone());
    actions.reexec = old.systemd != new.systemd || conf(old) != conf(new);
    actions.joined()
}

fn add(set: &mut std::collections::BTreeSet<String>, name: &str) {
    set.insert(name.to_owned());
}

fn ends(name: &str, kind: &str) -> bool {
    name.rsplit('.').next() == Some(kind)
}

fn change(old: &Unit, new: &Unit, parsed: &Parsed) -> Needs {
    match parsed.needs(&Parsed::read(&new.text.text)) {
        // A masked value is nearly always one that a service has to be restarted for.
        Needs::Nothing | Needs::Reload if old.text.secrets(&new.text) == Secrets::Changed => Needs::Restart,
        needs => needs,
    }
}

/// `handle_modified_unit`.
fn modified(name: &str, new: &Unit, (before, after): (&Units, &Units), actions: &mut Actions) {
    let parsed = Parsed::read(&new.text.text);
    let service = ends(name, "service");
    if ends(name, "slice") || ends(name, "socket") {
        return add(&mut actions.left_alone, name);
    }
    if ends(name, "mount") {
        let pinned = matches!(name, "-.mount" | "nix.mount");
        return add(if pinned { &mut actions.reload } else { &mut actions.restart }, name);
    }
    if parsed.is("Service", "X-ReloadIfChanged", false) {
        return add(&mut actions.reload, name);
    }
    let short = parsed.all("Service", "Type").last().is_some_and(|t| t == "oneshot")
        && !parsed.is("Service", "RemainAfterExit", false);
    if !parsed.is("Service", "X-RestartIfChanged", true)
        || parsed.is("Unit", "RefuseManualStop", false)
        || parsed.is("Unit", "X-OnlyManualStart", false)
        || (service && short)
    {
        return add(&mut actions.left_alone, name);
    }
    if !service || !parsed.is("Service", "X-StopIfChanged", true) {
        return add(&mut actions.restart, name);
    }
    let mut by_socket = false;
    for socket in sockets(name, &parsed) {
        // Whether it is active is not known: one that is pulled in is.
        if before.get(&socket).is_some_and(|s| !s.pulled_in_by.is_empty()) {
            add(&mut actions.stop, &socket);
            if after.contains_key(&socket) {
                add(&mut actions.start, &socket);
                by_socket = true;
            }
        }
    }
    add(&mut actions.stop, name);
    if !by_socket || parsed.is("Service", "X-NotSocketActivated", false) {
        add(&mut actions.start, name);
    }
}

/// The sockets of a service: the ones it names, else the one of its own name.
fn sockets(name: &str, parsed: &Parsed) -> Vec<String> {
    let named = parsed.all("Service", "Sockets").join(" ");
    let named: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
    if named.is_empty() { vec![format!("{}.socket", name.trim_end_matches(".service"))] } else { named }
}

/// What file systems and swap devices of the fstab need.
fn mounts(old: &str, new: &str, actions: &mut Actions) {
    let (before, after) = (fstab(old), fstab(new));
    for (place, [device, kind, options]) in &before {
        let swap = *kind == "swap";
        let unit = mount_unit(place);
        match after.get(place) {
            None if swap => actions.said.push(format!("would stop swap device: {place}")),
            None => add(&mut actions.stop, &unit),
            Some(_) if swap => {}
            Some([d, k, o]) if (d, k) != (device, kind) => match *place {
                "/" | "/nix" if o == options => add(&mut actions.left_alone, &unit),
                "/" | "/nix" => add(&mut actions.reload, &unit),
                _ => add(&mut actions.restart, &unit),
            },
            Some([_, _, o]) if o != options => add(&mut actions.reload, &unit),
            Some(_) => {}
        }
    }
}

/// Device, type and options by mount point, swap by its device. Lines with a `#` are skipped, as there.
fn fstab(text: &str) -> BTreeMap<&str, [&str; 3]> {
    let entry = |line: &'_ str| -> bool { !line.contains('#') };
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|l| entry(l)) {
        let mut words = line.split_whitespace();
        if let (Some(device), Some(place), Some(kind)) = (words.next(), words.next(), words.next()) {
            let key = if kind == "swap" { device } else { place };
            found.insert(key, [device, kind, words.next().unwrap_or_default()]);
        }
    }
    found
}

/// The mount unit of a path (systemd.unit(5), string escaping for inclusion in unit names).
fn mount_unit(path: &str) -> String {
    use std::fmt::Write as _;
    let path = path.trim_matches('/');
    let mut name = String::new();
    for (i, b) in path.bytes().enumerate() {
        match b {
            b'/' => name.push('-'),
            b'.' if i > 0 => name.push('.'),
            b if b.is_ascii_alphanumeric() || matches!(b, b':' | b'_') => name.push(char::from(b)),
            // Writing to a string cannot fail.
            b => write!(name, "\\x{b:02x}").unwrap_or(()),
        }
    }
    if name.is_empty() { "-.mount".to_owned() } else { format!("{name}.mount") }
}

#[cfg(test)]
mod tests;
