//! What the files of one system say. Every text in here is masked, so facts may be written and shown. Whoever embeds
//! them in a snapshot gives them a version.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::declared::Declared;
use crate::closure::mask::Masked;
use crate::model::StorePath;

/// One system. What is not there is `None` or empty; what could not be read is in `unread`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemFacts {
    /// The system.
    pub toplevel: StorePath,
    /// File `nixos-version`.
    pub nixos_version: Option<String>,
    /// File `init-interface-version`.
    pub init_interface: Option<String>,
    /// Where the link `kernel` leads.
    pub kernel: Option<String>,
    /// Where the link `initrd` leads.
    pub initrd: Option<String>,
    /// Where the link `kernel-modules` leads.
    pub kernel_modules: Option<String>,
    /// Where the link `systemd` leads; the name of that store path holds the version.
    pub systemd: Option<String>,
    /// File `kernel-params`.
    pub kernel_params: Masked,
    /// File `etc/fstab`.
    pub fstab: Masked,
    /// Directory `specialisation`: name, and where each leads.
    pub specialisations: BTreeMap<String, String>,
    /// `etc/systemd/system` by name.
    pub system_units: BTreeMap<String, Unit>,
    /// `etc/systemd/user` by name.
    pub user_units: BTreeMap<String, Unit>,
    /// The rest of `etc`, by path below it.
    pub etc: BTreeMap<String, EtcFile>,
    /// Files of `etc/tmpfiles.d` by name.
    pub tmpfiles: BTreeMap<String, Masked>,
    /// Users and groups.
    pub accounts: Known<Accounts>,
    /// What our module declares in `etc/nqd/system.json`.
    pub declared: Known<Declared>,
    /// What is there and could not be read, or was not.
    pub unread: Vec<Unread>,
}

/// Something that a system may not say. Not known is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Known<T> {
    /// It says so.
    Known(T),
    /// Why it is not known.
    NotKnown(String),
}

/// A unit, with all that changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Where its link leads: into the store, to another unit, to `/dev/null`. Empty if it is a file of its own.
    pub path: String,
    /// Its file, and after it `NAME.d/*.conf` in the order of their names, as systemd reads them (systemd.unit(5)).
    /// Each drop-in begins with a comment that names it. Of a file that is not text: `sha256:` and its digest in hex.
    pub text: Masked,
    /// The drop-ins, and where the link of each leads.
    #[serde(default)]
    pub drop_ins: BTreeMap<String, String>,
    /// Directories that pull it in: `multi-user.target.wants`.
    #[serde(default)]
    pub pulled_in_by: BTreeSet<String>,
}

/// What a name in a directory of units is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnitKind {
    /// A unit of its own.
    File,
    /// Another name of this unit.
    Alias(String),
    /// It leads to `/dev/null`: it cannot be started.
    Masked,
    /// Only drop-ins, or links that pull it in: the unit is an instance of a template, or lies elsewhere.
    #[default]
    Elsewhere,
    /// Why its text is not known.
    NotCompared(String),
}

/// A file of `/etc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcFile {
    /// Where its link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Mode and owner if it is copied, not linked: what `NAME.mode`, `NAME.uid` and `NAME.gid` beside it say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// A digest of its text ([`Masked::digested`]), or why there is none. Of a directory: of all that it holds.
    pub content: Known<Masked>,
    /// Of a directory: the names below it, each with a digest of what it holds without its secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub below: BTreeMap<String, String>,
}

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// The path, below the system or from the root.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Why there are no facts about a closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum NoSystem {
    /// The path is registered but not on the disk.
    #[error("{0} is not there")]
    Missing(StorePath),
    /// It lacks what every NixOS system has.
    #[error("not a NixOS system: {path} has no `{lacks}`")]
    #[serde(rename_all = "camelCase")]
    NotNixos {
        /// The path.
        path: StorePath,
        /// What it lacks.
        lacks: String,
    },
    /// It cannot be read.
    #[error("{path} cannot be read: {why}")]
    #[serde(rename_all = "camelCase")]
    Unreadable {
        /// The path.
        path: StorePath,
        /// What the operating system said.
        why: String,
    },
}

/// What reading a toplevel gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SystemReading {
    /// A system.
    Facts(Box<SystemFacts>),
    /// None, and why.
    Empty(NoSystem),
}

impl<T> Known<T> {
    /// What is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotKnown(_) => None,
        }
    }
}
