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
use crate::closure::mask::{MASKED, Masked, Secrets};

type Units = BTreeMap<String, Unit>;

/// What a switch from one system to the other would do.
pub fn actions(old: &SystemFacts, new: &SystemFacts) -> Actions {
    let mut actions = Actions::default();
    let (before, after) = (&old.system_units, &new.system_units);
    for name in before.keys() {
        let Some(unit) = Loaded::of(name, before) else { continue };
        let parsed = Parsed::read(&unit.text);
        match Loaded::of(name, after) {
            None if after.get(name).is_some_and(|n| matches!(n.kind, UnitKind::NotCompared(_))) => {}
            None if parsed.is("Unit", "X-StopOnRemoval", true) => add(&mut actions.stop, name),
            None => add(&mut actions.left_alone, name),
            // Targets are always started again, which starts what they newly pull in.
            Some(_) if ends(name, "target") => {}
            Some(new) => match change(&unit, &new, &parsed) {
                Needs::Nothing => {}
                Needs::Reload => add(&mut actions.reload, name),
                Needs::Restart => modified(name, &new, (before, after), &mut actions),
            },
        }
    }
    let pulled_in = |name: &str, units: &Units| units.get(name).is_some_and(|u| !u.pulled_in_by.is_empty());
    for name in after.keys().filter(|name| pulled_in(name, after)) {
        let Some(unit) = Loaded::of(name, after) else { continue };
        let was = pulled_in(name, before) && Loaded::of(name, before).is_some();
        let started =
            !Parsed::read(&unit.text).is("Unit", "RefuseManualStart", false) || !ends(name, "target");
        if !was && started {
            add(&mut actions.start, name);
        }
    }
    mounts(&old.fstab.text, &new.fstab.text, &mut actions);
    if old.fstab.secrets(&new.fstab) == Secrets::Changed {
        masked_mounts(&old.fstab.text, &new.fstab.text, &mut actions);
    }
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

/// A unit as systemd loads it: an instance of a template is the template's file, and its own drop-ins.
struct Loaded<'a> {
    text: String,
    parts: [Option<&'a Masked>; 2],
}

impl<'a> Loaded<'a> {
    /// `None` if no file of it is there.
    fn of(name: &str, units: &'a Units) -> Option<Self> {
        let own = units.get(name);
        match own.map(|u| &u.kind) {
            Some(UnitKind::File) => {
                let text = own.map(|u| &u.text);
                Some(Self { text: text.map(|t| t.text.clone()).unwrap_or_default(), parts: [text, None] })
            }
            None | Some(UnitKind::Elsewhere) => {
                let template = units.get(&template(name)?).filter(|t| t.kind == UnitKind::File)?;
                let own = own.map(|u| &u.text);
                let more = own.map_or("", |t| t.text.as_str());
                let text = format!("{}\n{more}", template.text.text);
                Some(Self { text, parts: [Some(&template.text), own] })
            }
            Some(_) => None,
        }
    }

    fn secret_changed(&self, new: &Self) -> bool {
        let none = Masked::default();
        let all = |of: &Self| of.parts.map(|part| part.unwrap_or(&none).clone());
        all(self).iter().zip(&all(new)).any(|(a, b)| a.secrets(b) == Secrets::Changed)
    }
}

/// `web@.service` of `web@a.service`.
fn template(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

fn change(old: &Loaded<'_>, new: &Loaded<'_>, parsed: &Parsed) -> Needs {
    match parsed.needs(&Parsed::read(&new.text)) {
        // A masked value is nearly always one that a service has to be restarted for.
        Needs::Nothing | Needs::Reload if old.secret_changed(new) => Needs::Restart,
        needs => needs,
    }
}

/// `handle_modified_unit`.
fn modified(name: &str, new: &Loaded<'_>, (before, after): (&Units, &Units), actions: &mut Actions) {
    let parsed = Parsed::read(&new.text);
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

/// File systems whose entries are the same but for a masked value, of which one or more changed: as far as the texts
/// tell, each of them.
fn masked_mounts(old: &str, new: &str, actions: &mut Actions) {
    let (before, after) = (fstab(old), fstab(new));
    let alike = before.iter().filter(|(place, entry)| {
        after.get(*place) == Some(*entry)
            && entry[1] != "swap"
            && entry.iter().any(|field| field.contains(MASKED))
    });
    let alike: Vec<(String, bool)> =
        alike.map(|(p, [device, ..])| (mount_unit(p), device.contains(MASKED))).collect();
    if alike.len() > 1 {
        actions.said.push("a masked value of the fstab changed: which file system's is not known".to_owned());
    }
    for (unit, device) in alike {
        let pinned = matches!(unit.as_str(), "-.mount" | "nix.mount");
        add(if device && !pinned { &mut actions.restart } else { &mut actions.reload }, &unit);
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
