//! What a switch cannot prove: what only a boot would start.

use super::Described;

/// Parts of the candidate that differ from what booted, so that no check has run on them. Empty: the boot is as
/// good as proved. (DESIGN rule 1.)
pub fn unproved(booted: Option<&Described>, candidate: &Described) -> Vec<&'static str> {
    let Some(booted) = booted else {
        return vec!["what was booted is not known"];
    };
    let parts = [
        ("kernel", &booted.kernel, &candidate.kernel),
        ("initrd", &booted.initrd, &candidate.initrd),
        ("kernel parameters", &booted.kernel_params, &candidate.kernel_params),
        ("kernel modules", &booted.kernel_modules, &candidate.kernel_modules),
        ("systemd", &booted.systemd, &candidate.systemd),
        ("file systems", &booted.fstab, &candidate.fstab),
    ];
    parts.into_iter().filter(|(_, then, now)| then != now).map(|(what, ..)| what).collect()
}

/// Whether the candidate can only be reached by a reboot: its init interface differs from the running one's
/// (switch-to-configuration then exits with 100 and activates nothing).
pub fn needs_reboot(running: &Described, candidate: &Described) -> bool {
    running.init_interface != candidate.init_interface
        && running.init_interface.is_some()
        && candidate.init_interface.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StorePath;

    fn system(kernel: &str) -> Described {
        let mut d =
            Described::new(StorePath::parse("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x").unwrap());
        d.kernel = Some(kernel.into());
        d.init_interface = Some("systemd 2".into());
        d
    }

    #[test]
    fn names_what_was_not_proved() {
        assert!(unproved(Some(&system("6.12")), &system("6.12")).is_empty());
        assert_eq!(unproved(Some(&system("6.12")), &system("6.18")), ["kernel"]);
        assert_eq!(unproved(None, &system("6.12")).len(), 1);
    }

    #[test]
    fn another_init_interface_needs_a_reboot() {
        let mut other = system("6.12");
        assert!(!needs_reboot(&system("6.12"), &other));
        other.init_interface = Some("systemd 3".into());
        assert!(needs_reboot(&system("6.12"), &other));
    }
}
