//! Whether a transaction may begin: what is refused before anything changes. Pure.

use super::{Bans, PROTOCOL, Spec};
use crate::failure::Failure;
use crate::health::Manifest;
use crate::model::{BootId, Described, Triple, boot_proof};

/// What was found on the machine.
#[derive(Debug, Clone)]
pub struct Found {
    /// What runs, what the profile names, what boots.
    pub triple: Triple,
    /// Which boot it is.
    pub boot_id: BootId,
    /// What runs.
    pub previous: Described,
    /// What the profile and the boot loader are to get.
    pub candidate: Described,
    /// What is to be switched to.
    pub activate: Described,
    /// Whether Nix calls the candidate valid: a path that is merely there may be half copied.
    pub valid: bool,
    /// Systems that are known to be bad.
    pub bans: Bans,
}

/// Admits or refuses.
pub fn admit(spec: &Spec, found: &Found) -> Result<(), Failure> {
    if spec.protocol != PROTOCOL {
        let what = format!("this guard speaks protocol {PROTOCOL}, the operator {}", spec.protocol);
        return Err(Failure::refused(what).hint("use the same version of nixos-quick-deploy on both sides"));
    }
    stale(spec, found)?;
    if !found.valid {
        let what = format!("{} is not valid in the target's store", spec.candidate);
        return Err(Failure::refused(what).hint("copy it again: an earlier copy may have been cut short"));
    }
    if !spec.options.force {
        found.bans.admit(&spec.activate)?;
    }
    suits(&found.previous, &found.candidate)?;
    suits(&found.previous, &found.activate)?;
    let known = found.activate.path == found.candidate.path
        || found.candidate.specialisation_name(&found.activate.path).is_some();
    if !known {
        let what = format!("{} is no specialisation of the candidate", found.activate.path);
        return Err(Failure::refused(what));
    }
    Ok(())
}

/// Refuses a plan that was made for another state of the machine (DESIGN rule 17).
fn stale(spec: &Spec, found: &Found) -> Result<(), Failure> {
    let what = if spec.boot_id != found.boot_id {
        "the machine has been rebooted since".to_owned()
    } else if spec.start.running != found.triple.running {
        format!("the machine ran {} and runs {}", spec.start.running.short(), found.triple.running.short())
    } else if spec.start.profile != found.triple.profile {
        "the system profile has changed".to_owned()
    } else if spec.start.boot_default.path() != found.triple.boot_default.path() {
        format!("the machine booted {} and boots {}", spec.start.boot_default, found.triple.boot_default)
    } else {
        return Ok(());
    };
    Err(Failure::refused(format!("the plan is stale: {what}")).hint("make a new plan"))
}

/// Refuses a system that cannot replace the one that runs. Also used by the operator, before it copies.
pub fn suits(previous: &Described, candidate: &Described) -> Result<(), Failure> {
    let name = candidate.path.short();
    if !candidate.switchable {
        let what = format!("{name} is not a NixOS system: it has no bin/switch-to-configuration");
        return Err(
            Failure::refused(what).hint("deploy config.system.build.toplevel of a nixosConfiguration")
        );
    }
    if candidate.system.is_none() || candidate.system != previous.system {
        let of =
            |d: &Described| d.system.as_ref().map_or("an unknown system".to_owned(), ToString::to_string);
        let what = format!("{name} is for {}, the target is {}", of(candidate), of(previous));
        return Err(Failure::refused(what)
            .hint("check nixpkgs.hostPlatform of this host, and that the target is the one meant"));
    }
    if boot_proof::needs_reboot(previous, candidate) {
        let what = format!("{name} needs a reboot: its init interface differs from the running system's");
        return Err(
            Failure::refused(what).hint("install it for the next boot with nixos-rebuild boot, and reboot")
        );
    }
    if let Some(text) = &candidate.manifest {
        Manifest::parse(text).map_err(|e| {
            Failure::refused(format!("{name}: etc/nqd/health.json: {e}"))
                .hint("nqd-guard check-manifest FILE checks one")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Options, Origin};
    use crate::model::boot_default::Source;
    use crate::model::{BootDefault, Generation, StorePath, System, TxId};

    fn path(c: char) -> StorePath {
        StorePath::parse(&format!("/nix/store/{}-nixos", String::from(c).repeat(32))).unwrap()
    }

    fn nixos(c: char) -> Described {
        let system = Some(System::parse("x86_64-linux").unwrap());
        Described { system, switchable: true, init_interface: Some("1".into()), ..Described::new(path(c)) }
    }

    fn case() -> (Spec, Found) {
        let boot_default = BootDefault::Known { path: path('a'), by: Source::SystemdBoot };
        let triple = Triple {
            running: path('a'),
            profile: Some(Generation { number: 1, path: path('a') }),
            boot_default,
        };
        let boot_id = BootId::parse("6600d058-bc74-4f75-b6e4-532f8a2d456e").unwrap();
        let spec = Spec {
            protocol: PROTOCOL,
            id: TxId::new("2026-11-22T06:03:01Z", [1, 2, 3]),
            candidate: path('b'),
            activate: path('b'),
            start: triple.clone(),
            boot_id: boot_id.clone(),
            options: Options::default(),
            origin: Origin::default(),
        };
        let found = Found {
            triple,
            boot_id,
            previous: nixos('a'),
            candidate: nixos('b'),
            activate: nixos('b'),
            bans: Bans::default(),
            valid: true,
        };
        (spec, found)
    }

    #[test]
    fn what_was_planned_is_admitted() {
        let (spec, found) = case();
        assert_eq!(admit(&spec, &found), Ok(()));
    }

    type Change<'a> = &'a dyn Fn(&mut Spec, &mut Found);

    #[test]
    fn each_refusal_says_why() {
        let other_boot = BootId::parse("00000000-bc74-4f75-b6e4-532f8a2d456e").unwrap();
        let changes: [(&str, Change<'_>); 10] = [
            ("protocol", &|s, _| s.protocol = 99),
            ("rebooted", &|_, f| f.boot_id = other_boot.clone()),
            ("runs ccccccc", &|_, f| f.triple.running = path('c')),
            ("profile", &|_, f| f.triple.profile = None),
            ("boots", &|_, f| f.triple.boot_default = BootDefault::Unknown { why: "?".into() }),
            ("not valid", &|_, f| f.valid = false),
            ("not a NixOS system", &|_, f| f.candidate.switchable = false),
            ("aarch64-linux", &|_, f| f.candidate.system = Some(System::parse("aarch64-linux").unwrap())),
            ("needs a reboot", &|_, f| f.candidate.init_interface = Some("2".into())),
            ("health.json", &|_, f| f.activate.manifest = Some("{".into())),
        ];
        for (says, change) in changes {
            let (mut spec, mut found) = case();
            change(&mut spec, &mut found);
            let failure = admit(&spec, &found).unwrap_err();
            assert!(failure.what.contains(says), "{says}: {failure}");
        }
        let (mut spec, mut found) = case();
        let id = spec.id.clone();
        found.bans.add(crate::guard::Ban {
            system: path('b'),
            id,
            at: String::new(),
            why: "check web".into(),
        });
        assert!(admit(&spec, &found).unwrap_err().what.contains("known to be bad: check web"));
        spec.options.force = true;
        assert_eq!(admit(&spec, &found), Ok(()));
        let (mut spec, mut found) = case();
        (spec.activate, found.activate) = (path('s'), nixos('s'));
        assert!(admit(&spec, &found).unwrap_err().what.contains("no specialisation"));
        found.candidate.specialisations.push(("s".into(), path('s')));
        assert_eq!(admit(&spec, &found), Ok(()));
    }
}
