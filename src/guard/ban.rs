//! Bad stays bad (DESIGN rule 14): a system whose required checks regressed, and pass again since it was rolled back, is
//! not deployed again until somebody insists.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::model::{StorePath, TxId};

/// The version of [`Bans`].
pub const FORMAT: u32 = 1;
/// The oldest bans make room for new ones.
const MOST: usize = 200;

/// One banned system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ban {
    /// The toplevel.
    pub system: StorePath,
    /// The transaction that showed that it is bad.
    pub id: TxId,
    /// When that ended, RFC 3339.
    pub at: String,
    /// What regressed.
    pub why: String,
}

/// All bans of a machine, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bans {
    /// [`FORMAT`].
    pub format: u32,
    /// They.
    pub banned: Vec<Ban>,
}

impl Default for Bans {
    fn default() -> Self {
        Self { format: FORMAT, banned: Vec::new() }
    }
}

impl Bans {
    /// Adds a ban, in the place of an earlier one of the same system.
    pub fn add(&mut self, ban: Ban) {
        self.banned.retain(|b| b.system != ban.system);
        self.banned.push(ban);
        let surplus = self.banned.len().saturating_sub(MOST);
        self.banned.drain(..surplus);
    }

    /// Lifts the bans of one system, or all; says which.
    pub fn lift(&mut self, system: Option<&StorePath>) -> Vec<StorePath> {
        let (lifted, kept) = std::mem::take(&mut self.banned)
            .into_iter()
            .partition(|b: &Ban| system.is_none_or(|s| b.system == *s));
        self.banned = kept;
        lifted.into_iter().map(|b| b.system).collect()
    }

    /// Refuses a banned system.
    pub fn admit(&self, system: &StorePath) -> Result<(), Failure> {
        match self.banned.iter().find(|b| b.system == *system) {
            Some(ban) => {
                let what = format!(
                    "{} was rolled back at {} and is known to be bad: {}",
                    system.short(),
                    ban.at,
                    ban.why
                );
                Err(Failure::refused(what).hint("--force deploys it all the same; nqd unban forgets it"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(n: usize) -> Ban {
        let digits = format!("{n:0>32}");
        Ban {
            system: StorePath::parse(&format!("/nix/store/{digits}-nixos")).unwrap(),
            id: TxId::new("2026-11-22T06:03:01Z", [1, 2, 3]),
            at: "2026-11-22T06:03:01Z".into(),
            why: "check web (http 500)".into(),
        }
    }

    #[test]
    fn a_banned_system_is_refused_until_it_is_lifted() {
        let mut bans = Bans::default();
        bans.add(ban(1));
        bans.add(ban(1));
        bans.add(ban(2));
        let failure = bans.admit(&ban(1).system).unwrap_err();
        assert!(failure.what.contains("known to be bad: check web"), "{failure}");
        assert!(failure.hint.unwrap().contains("--force"));
        assert_eq!(bans.lift(Some(&ban(1).system)), [ban(1).system]);
        assert!(bans.admit(&ban(1).system).is_ok() && bans.admit(&ban(2).system).is_err());
        assert_eq!(bans.lift(None), [ban(2).system]);
        assert!(bans.lift(None).is_empty());
    }

    #[test]
    fn the_oldest_make_room() {
        let mut bans = Bans::default();
        (0..=MOST).for_each(|n| bans.add(ban(n)));
        assert_eq!(bans.banned.len(), MOST);
        assert!(bans.admit(&ban(0).system).is_ok() && bans.admit(&ban(MOST).system).is_err());
    }
}
