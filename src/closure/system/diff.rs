//! What differs between two systems.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::actions::Actions;
use super::declared::{Declared, Firewall};
use super::derived;
use super::facts::{Known, NoSystem, SystemFacts, SystemReading, Unread};
use super::parts::{self, Listed, Names, Pair};
use super::paths::normalised;
use super::units_diff::UnitsDiff;
use crate::closure::mask::{Masked, Secrets};
use crate::model::{Described, boot_proof};

/// Everything but packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemDiff {
    /// NixOS version, kernel, initrd, kernel modules, systemd, glibc, by that name: those that differ.
    pub parts: Vec<Pair>,
    /// Kernel parameters.
    pub kernel_params: Listed,
    /// Parts that only a reboot puts to work.
    pub reboot: Vec<String>,
    /// The switch itself refuses: the init interface differs (switch-to-configuration exits with 100).
    pub switch_refuses: bool,
    /// Units of the system.
    pub units: UnitsDiff,
    /// Units of users' managers.
    pub user_units: UnitsDiff,
    /// What the switch does to units.
    pub actions: Actions,
    /// Files of `/etc`.
    pub etc: Names,
    /// Users; not known unless both sides are.
    pub users: Known<Names>,
    /// Groups.
    pub groups: Known<Names>,
    /// Rules of tmpfiles, as `FILE: RULE`.
    pub tmpfiles: Listed,
    /// Ports that are opened and closed.
    pub firewall: Known<Listed>,
    /// `networking.hostName`, if it differs.
    pub host_name: Known<Option<Pair>>,
    /// Specialisations.
    pub specialisations: Names,
    /// What could not be read on the old side and on the new one.
    pub unread: [Vec<Unread>; 2],
}

/// What a caller knows besides.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// glibc's versions in the two closures.
    pub glibc: [Option<String>; 2],
    /// What `dry-activate` said; without it, actions are derived.
    pub actions: Option<Actions>,
}

/// Two closures compared as systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Comparison {
    /// What differs.
    Compared(Box<SystemDiff>),
    /// Why there is nothing to compare: of the old one, the new one, or both.
    Empty([Option<NoSystem>; 2]),
}

impl Comparison {
    /// Compares what was read.
    pub fn of(old: &SystemReading, new: &SystemReading, given: Given) -> Self {
        let why = |r: &SystemReading| match r {
            SystemReading::Empty(why) => Some(why.clone()),
            SystemReading::Facts(_) => None,
        };
        match (old, new) {
            (SystemReading::Facts(a), SystemReading::Facts(b)) => {
                Self::Compared(Box::new(SystemDiff::between(a, b, given)))
            }
            _ => Self::Empty([why(old), why(new)]),
        }
    }
}

impl SystemDiff {
    /// Compares two systems.
    pub fn between(old: &SystemFacts, new: &SystemFacts, given: Given) -> Self {
        let accounts = both(&old.accounts, &new.accounts, |a, b| Known::Known(parts::accounts(a, b)));
        let (users, groups) = match accounts {
            Known::Known((users, groups)) => (Known::Known(users), Known::Known(groups)),
            Known::NotKnown(why) => (Known::NotKnown(why.clone()), Known::NotKnown(why)),
        };
        Self {
            parts: pairs(old, new, &given),
            kernel_params: Listed::words(&old.kernel_params, &new.kernel_params),
            reboot: reboot(old, new, &given),
            switch_refuses: boot_proof::needs_reboot(&described(old), &described(new)),
            units: UnitsDiff::between(&old.system_units, &new.system_units),
            user_units: UnitsDiff::between(&old.user_units, &new.user_units),
            actions: given.actions.unwrap_or_else(|| derived::actions(old, new)),
            etc: parts::etc(&old.etc, &new.etc),
            users,
            groups,
            tmpfiles: tmpfiles(&old.tmpfiles, &new.tmpfiles),
            firewall: firewall(&old.declared, &new.declared),
            host_name: host_name(&old.declared, &new.declared),
            specialisations: specialisations(old, new),
            unread: [old.unread.clone(), new.unread.clone()],
        }
    }
}

impl SystemDiff {
    /// Leaves out what is not known: for a summary, beside which the whole is to be had.
    pub fn forget_unknown(&mut self) {
        for names in [&mut self.users, &mut self.groups] {
            if names.known().is_none() {
                *names = Known::Known(Names::default());
            }
        }
        if self.firewall.known().is_none() {
            self.firewall = Known::Known(Listed::default());
        }
    }

    /// Whether the systems are the same as far as they could be compared; what a switch would do does not count.
    pub fn is_empty(&self) -> bool {
        let none = |n: &Known<Names>| n.known().is_none_or(Names::is_empty);
        self.parts.is_empty()
            && self.kernel_params.is_empty()
            && self.units.is_empty()
            && self.user_units.is_empty()
            && self.etc.is_empty()
            && none(&self.users)
            && none(&self.groups)
            && self.tmpfiles.is_empty()
            && self.firewall.known().is_none_or(Listed::is_empty)
            && self.host_name.known().is_none_or(Option::is_none)
            && self.specialisations.is_empty()
    }
}

/// Compares what both sides know.
fn both<T, D>(old: &Known<T>, new: &Known<T>, compare: impl FnOnce(&T, &T) -> Known<D>) -> Known<D> {
    match (old, new) {
        (Known::Known(a), Known::Known(b)) => compare(a, b),
        (Known::NotKnown(why), Known::Known(_)) => Known::NotKnown(format!("of the old system: {why}")),
        (_, Known::NotKnown(why)) => Known::NotKnown(why.clone()),
    }
}

fn pairs(old: &SystemFacts, new: &SystemFacts, given: &Given) -> Vec<Pair> {
    let [glibc_old, glibc_new] = given.glibc.clone();
    [
        Pair::of("NixOS", old.nixos_version.clone(), new.nixos_version.clone()),
        Pair::of_links("kernel", old.kernel.as_ref(), new.kernel.as_ref()),
        Pair::of_links("initrd", old.initrd.as_ref(), new.initrd.as_ref()),
        Pair::of_links("kernel modules", old.kernel_modules.as_ref(), new.kernel_modules.as_ref()),
        Pair::of_links("systemd", old.systemd.as_ref(), new.systemd.as_ref()),
        Pair::of("glibc", glibc_old, glibc_new),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What only a boot starts ([`boot_proof::unproved`]), but systemd, which the switch executes anew; and glibc, whose old
/// version stays in what is not restarted.
fn reboot(old: &SystemFacts, new: &SystemFacts, given: &Given) -> Vec<String> {
    let parts = boot_proof::unproved(Some(&described(old)), &described(new));
    let mut parts: Vec<String> = parts.into_iter().filter(|p| *p != "systemd").map(str::to_owned).collect();
    let secret = old.kernel_params.secrets(&new.kernel_params) == Secrets::Changed;
    if secret && !parts.iter().any(|p| p == "kernel parameters") {
        parts.push("kernel parameters".to_owned());
    }
    if given.glibc[0] != given.glibc[1] {
        parts.push("glibc".to_owned());
    }
    parts
}

/// The facts that a boot is proved by. The file systems are not among them: the switch mounts what it can, and they are
/// told as units.
fn described(facts: &SystemFacts) -> Described {
    Described {
        kernel: facts.kernel.clone(),
        initrd: facts.initrd.clone(),
        kernel_params: Some(facts.kernel_params.text.split_whitespace().collect::<Vec<_>>().join(" ")),
        kernel_modules: facts.kernel_modules.clone(),
        systemd: facts.systemd.clone(),
        init_interface: facts.init_interface.clone(),
        ..Described::new(facts.toplevel.clone())
    }
}

fn tmpfiles(old: &BTreeMap<String, Masked>, new: &BTreeMap<String, Masked>) -> Listed {
    let rules = |files: &BTreeMap<String, Masked>| -> Vec<String> {
        let lines = |(name, file): (&String, &Masked)| -> Vec<String> {
            let rules = file.text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
            rules.map(|l| format!("{name}: {}", normalised(l))).collect()
        };
        files.iter().flat_map(lines).collect()
    };
    let in_both = old.iter().filter_map(|(name, a)| Some(a.secrets(new.get(name)?)));
    let secrets = in_both.max_by_key(|s| match s {
        Secrets::Same => 0,
        Secrets::NotComparable => 1,
        Secrets::Changed => 2,
    });
    Listed::between(&rules(old), &rules(new), secrets.unwrap_or_default())
}

fn firewall(old: &Known<Declared>, new: &Known<Declared>) -> Known<Listed> {
    both(old, new, |a, b| {
        both(&a.firewall, &b.firewall, |a, b| {
            let words = |f: &Option<Firewall>| -> Vec<String> {
                f.as_ref().map_or_else(
                    || vec!["every port: the firewall is off".to_owned()],
                    |f| f.openings().into_iter().collect(),
                )
            };
            Known::Known(Listed::between(&words(a), &words(b), Secrets::Same))
        })
    })
}

fn host_name(old: &Known<Declared>, new: &Known<Declared>) -> Known<Option<Pair>> {
    both(old, new, |a, b| {
        both(&a.host_name, &b.host_name, |a, b| {
            Known::Known(Pair::of("host name", Some(a.clone()), Some(b.clone())))
        })
    })
}

fn specialisations(old: &SystemFacts, new: &SystemFacts) -> Names {
    Names::between(&old.specialisations, &new.specialisations, |names, name, a, b| {
        if a == b {
            return Vec::new();
        }
        if normalised(a) == normalised(b) {
            names.paths_only.push(name.to_owned());
            return Vec::new();
        }
        vec![format!("{} → {}", super::paths::name(a), super::paths::name(b))]
    })
}

#[cfg(test)]
mod tests;
