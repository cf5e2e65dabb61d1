//! Users and groups, as NixOS hands them to `update-users-groups.pl` (`users-groups.json`) or to userborn
//! (`userborn.json`). Both hold lists of `users` and `groups`. Passwords are sealed at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::closure::mask::{Masked, Masker};

/// The declared users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Its number; `None` if one is chosen at activation.
    pub uid: Option<u32>,
    /// Its primary group.
    pub group: Option<String>,
    /// The other groups that name it.
    pub groups: BTreeSet<String>,
    /// Its home.
    pub home: Option<String>,
    /// Its shell.
    pub shell: Option<String>,
    /// The password that is declared for it. Only whether there is one is ever written.
    pub password: Masked,
    /// A digest of all else that is declared ([`Masked::digested`]): its description, the file of its password, …
    #[serde(default)]
    pub other: Masked,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its number; `None` if one is chosen at activation.
    pub gid: Option<u32>,
    /// Its members.
    pub members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    users: Vec<RawUser>,
    #[serde(default)]
    groups: Vec<RawGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUser {
    name: String,
    uid: Option<u32>,
    group: Option<String>,
    home: Option<String>,
    shell: Option<String>,
    password: Option<String>,
    hashed_password: Option<String>,
    initial_password: Option<String>,
    initial_hashed_password: Option<String>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct RawGroup {
    name: String,
    gid: Option<u32>,
    #[serde(default)]
    members: Vec<String>,
}

impl Accounts {
    /// Reads the file. The error says where it is wrong, and nothing of what it holds.
    pub fn parse(json: &str, masker: &Masker) -> Result<Self, String> {
        let file: File = serde_json::from_str(json)
            .map_err(|e| format!("line {} column {} is not as expected", e.line(), e.column()))?;
        let mut accounts = Self::default();
        for group in file.groups {
            let members = group.members.into_iter().collect();
            accounts.groups.insert(group.name, Group { gid: group.gid, members });
        }
        for user in file.users {
            let named = accounts.groups.iter().filter(|(_, g)| g.members.contains(&user.name));
            let groups = named.map(|(name, _)| name.clone()).collect();
            let name = user.name.clone();
            accounts.users.insert(name, user.masked(groups, masker));
        }
        Ok(accounts)
    }
}

impl RawUser {
    fn masked(self, groups: BTreeSet<String>, masker: &Masker) -> User {
        let passwords =
            [self.password, self.hashed_password, self.initial_password, self.initial_hashed_password];
        let set = passwords.iter().any(Option::is_some);
        // What is null is as if it were not there.
        let other: BTreeMap<_, _> = self.other.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let other: Vec<String> = other.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let text = |t: Option<String>| t.map(|t| masker.mask(&t).text);
        User {
            uid: self.uid,
            group: self.group,
            groups,
            home: text(self.home),
            shell: text(self.shell),
            password: if set { masker.hide(&format!("{passwords:?}")) } else { Masked::default() },
            other: masker.mask(&other.join("\n")).digested(),
        }
    }
}
