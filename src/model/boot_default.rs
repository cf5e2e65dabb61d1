//! What boots next, read from the boot loader's own files: never guessed (DESIGN rule 18).

use serde::{Deserialize, Serialize};

use super::StorePath;

/// The system that the next boot starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum BootDefault {
    /// It is known.
    Known {
        /// The toplevel that boots.
        path: StorePath,
        /// Where that was read.
        by: Source,
    },
    /// It cannot be known.
    Unknown {
        /// Why not, for a person.
        why: String,
    },
}

/// Where a boot default was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// systemd-boot's `loader.conf` and the entry that it names.
    SystemdBoot,
    /// Our own record of the last successful installation, while the profile still names the same system.
    Record,
}

/// The boot loader's files as they were found, uninterpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootFiles {
    /// `loader/loader.conf`, if there is one.
    pub loader_conf: Option<String>,
    /// `loader/entries/*.conf`: file name and the text.
    pub entries: Vec<(String, String)>,
    /// `LoaderEntryOneShot` and `LoaderEntryDefault`, if the firmware holds them.
    pub efi_one_shot: Option<String>,
    /// See `efi_one_shot`.
    pub efi_default: Option<String>,
    /// Whether GRUB's configuration lies there too: then `loader.conf` may be a left-over.
    pub grub: bool,
    /// The toplevel of our last successful installation.
    pub record: Option<StorePath>,
}

impl BootDefault {
    /// The toplevel, if it is known.
    pub fn path(&self) -> Option<&StorePath> {
        match self {
            Self::Known { path, .. } => Some(path),
            Self::Unknown { .. } => None,
        }
    }

    /// Interprets the files. `profile` is what the system profile names: our record counts only while they agree,
    /// because any other tool that installs a boot loader also moves the profile.
    pub fn read(files: &BootFiles, profile: Option<&StorePath>) -> Self {
        let from_loader = match (&files.loader_conf, files.grub) {
            (Some(conf), false) => loader_default(conf, files),
            (Some(_), true) => Err("both systemd-boot's and GRUB's files lie in /boot".to_owned()),
            (None, _) => Err("the boot loader is not systemd-boot".to_owned()),
        };
        match (from_loader, &files.record) {
            (Ok(path), _) => Self::Known { path, by: Source::SystemdBoot },
            (Err(_), Some(record)) if Some(record) == profile => {
                Self::Known { path: record.clone(), by: Source::Record }
            }
            (Err(why), _) => Self::Unknown { why },
        }
    }
}

impl std::fmt::Display for BootDefault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known { path, .. } => write!(f, "{}", path.short()),
            Self::Unknown { why } => write!(f, "unknown ({why})"),
        }
    }
}

/// The toplevel of the entry that systemd-boot starts. Order: loader.conf(5), one shot, EFI default, `default`.
fn loader_default(conf: &str, files: &BootFiles) -> Result<StorePath, String> {
    let in_conf = conf.lines().filter_map(|l| l.trim().strip_prefix("default")).next_back().map(str::trim);
    let pattern = files
        .efi_one_shot
        .as_deref()
        .or(files.efi_default.as_deref())
        .or(in_conf)
        .filter(|p| !p.is_empty())
        .ok_or("loader.conf names no default entry")?;
    if pattern.starts_with('@') {
        return Err(format!("the boot loader decides itself ({pattern})"));
    }
    let mut matching =
        files.entries.iter().filter(|(name, _)| glob(entry_id(pattern), &entry_id_of_file(name)));
    let (name, text) = matching.next().ok_or_else(|| format!("no boot entry is called {pattern}"))?;
    if matching.next().is_some() {
        return Err(format!("several boot entries match {pattern}"));
    }
    let options =
        text.lines().filter_map(|l| l.trim().strip_prefix("options ")).flat_map(str::split_whitespace);
    let init = options.filter_map(|o| o.strip_prefix("init=")).next_back();
    let toplevel = init
        .and_then(|i| i.strip_suffix("/init"))
        .ok_or_else(|| format!("boot entry {name} is not NixOS's"))?;
    StorePath::parse(toplevel).map_err(|e| format!("boot entry {name}: {e}"))
}

/// An entry's id: without `.conf`, which `default` may or may not write.
fn entry_id(name: &str) -> &str {
    name.strip_suffix(".conf").unwrap_or(name)
}

/// The id without the boot counter: `nixos-generation-7+2-1.conf` is `nixos-generation-7`.
fn entry_id_of_file(name: &str) -> String {
    let id = entry_id(name);
    match id.rsplit_once('+') {
        Some((stem, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
            stem.to_owned()
        }
        _ => id.to_owned(),
    }
}

/// Shell patterns with `*` and `?`, as `default` may hold them; letters compare without case, as on the ESP.
fn glob(pattern: &str, text: &str) -> bool {
    fn go(p: &[u8], t: &[u8]) -> bool {
        match (p.split_first(), t.split_first()) {
            (None, None) => true,
            (Some((b'*', p_rest)), _) => {
                go(p_rest, t) || t.split_first().is_some_and(|(_, t_rest)| go(p, t_rest))
            }
            (Some((b'?', p_rest)), Some((_, t_rest))) => go(p_rest, t_rest),
            (Some((a, p_rest)), Some((b, t_rest))) => a.eq_ignore_ascii_case(b) && go(p_rest, t_rest),
            _ => false,
        }
    }
    pattern.len() <= 255
        && text.len() <= 255
        && pattern.matches('*').count() <= 4
        && go(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-a";
    const B: &str = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-nixos-system-b";

    fn entry(name: &str, toplevel: &str) -> (String, String) {
        (name.into(), format!("title NixOS\nlinux /EFI/k\noptions init={toplevel}/init root=fstab quiet\n"))
    }

    fn files(conf: &str) -> BootFiles {
        BootFiles {
            loader_conf: Some(conf.into()),
            entries: vec![entry("nixos-generation-1.conf", A), entry("nixos-generation-2+3.conf", B)],
            ..BootFiles::default()
        }
    }

    fn read(files: &BootFiles) -> Result<String, String> {
        match BootDefault::read(files, None) {
            BootDefault::Known { path, .. } => Ok(path.as_str().to_owned()),
            BootDefault::Unknown { why } => Err(why),
        }
    }

    #[test]
    fn follows_the_default_entry() {
        assert_eq!(read(&files("timeout 5\ndefault nixos-generation-1.conf\n")).unwrap(), A);
        assert_eq!(
            read(&files("default nixos-generation-2\n")).unwrap(),
            B,
            "with a boot counter, without .conf"
        );
        assert_eq!(read(&files("default nixos-*-1\n")).unwrap(), A);
    }

    #[test]
    fn the_firmware_overrides_the_file() {
        let mut f = files("default nixos-generation-1.conf\n");
        f.efi_default = Some("nixos-generation-2.conf".into());
        assert_eq!(read(&f).unwrap(), B);
        f.efi_one_shot = Some("nixos-generation-1.conf".into());
        assert_eq!(read(&f).unwrap(), A);
    }

    #[test]
    fn what_is_not_certain_is_unknown() {
        for conf in ["", "timeout 5\n", "default @saved\n", "default nixos-*\n", "default windows.conf\n"] {
            assert!(read(&files(conf)).is_err(), "{conf:?}");
        }
        let grub_too = BootFiles { grub: true, ..files("default nixos-generation-1.conf\n") };
        assert!(read(&grub_too).is_err());
        assert!(read(&BootFiles::default()).is_err());
    }

    #[test]
    fn our_record_counts_only_while_the_profile_agrees() {
        let (a, b) = (StorePath::parse(A).unwrap(), StorePath::parse(B).unwrap());
        let files = BootFiles { record: Some(a.clone()), ..BootFiles::default() };
        let known = BootDefault::Known { path: a.clone(), by: Source::Record };
        assert_eq!(BootDefault::read(&files, Some(&a)), known);
        assert!(BootDefault::read(&files, Some(&b)).path().is_none());
        assert!(BootDefault::read(&files, None).path().is_none());
    }
}
