//! The starting point of a transaction: what runs, what the profile names, what boots.

use serde::{Deserialize, Serialize};

use super::{BootDefault, Generation, StorePath};

/// The three that a deployment moves, and that a rollback restores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Triple {
    /// `/run/current-system`, resolved.
    pub running: StorePath,
    /// The system profile; `None` on a machine that has none.
    pub profile: Option<Generation>,
    /// What boots next.
    pub boot_default: BootDefault,
}

impl Triple {
    /// Whether all three are `system`; a boot default that cannot be known does not speak against it.
    pub fn all_are(&self, running: &StorePath, system: &StorePath) -> bool {
        self.running == *running
            && self.profile.as_ref().is_some_and(|g| g.path == *system)
            && self.boot_default.path().is_none_or(|p| p == system)
    }

    /// How the three differ, for a person; `None` if they agree. `specialisations` are the toplevels of the
    /// profile's own specialisations: running one of them is no divergence.
    pub fn diverged(&self, specialisations: &[StorePath]) -> Option<String> {
        let Some(profile) = &self.profile else {
            return Some("the machine has no system profile".to_owned());
        };
        let runs_profile = self.running == profile.path || specialisations.contains(&self.running);
        let boots_profile =
            self.boot_default.path().is_none_or(|p| *p == profile.path || specialisations.contains(p));
        (!runs_profile || !boots_profile).then(|| {
            let (runs, boots) = (self.running.short(), &self.boot_default);
            format!("it runs {runs}, the profile names {} and it boots {boots}", profile.path.short())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::boot_default::Source;

    fn path(c: char) -> StorePath {
        StorePath::parse(&format!("/nix/store/{}-nixos-system", String::from(c).repeat(32))).unwrap()
    }

    fn triple(running: char, profile: Option<char>, boots: Option<char>) -> Triple {
        Triple {
            running: path(running),
            profile: profile.map(|c| Generation { number: 1, path: path(c) }),
            boot_default: match boots {
                Some(c) => BootDefault::Known { path: path(c), by: Source::SystemdBoot },
                None => BootDefault::Unknown { why: "GRUB".into() },
            },
        }
    }

    #[test]
    fn agreement_and_divergence() {
        assert_eq!(triple('a', Some('a'), Some('a')).diverged(&[]), None);
        assert_eq!(triple('a', Some('a'), None).diverged(&[]), None, "unknown does not count");
        assert_eq!(triple('s', Some('a'), Some('a')).diverged(&[path('s')]), None, "own specialisation");
        for t in
            [triple('b', Some('a'), Some('a')), triple('a', Some('a'), Some('b')), triple('a', None, None)]
        {
            assert!(t.diverged(&[]).is_some(), "{t:?}");
        }
    }

    #[test]
    fn nothing_to_do_needs_all_three() {
        assert!(triple('a', Some('a'), Some('a')).all_are(&path('a'), &path('a')));
        assert!(triple('a', Some('a'), None).all_are(&path('a'), &path('a')));
        for t in
            [triple('a', Some('b'), None), triple('b', Some('a'), None), triple('a', Some('a'), Some('b'))]
        {
            assert!(!t.all_are(&path('a'), &path('a')), "{t:?}");
        }
    }
}
