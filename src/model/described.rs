//! What the files of one toplevel say about it.

use serde::{Deserialize, Serialize};

use super::{StorePath, System};

/// A toplevel as its own files describe it. What is not there is `None`: it is for the reader to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The toplevel.
    pub path: StorePath,
    /// File `system`.
    pub system: Option<System>,
    /// File `etc/hostname`.
    pub host_name: Option<String>,
    /// File `nixos-version`.
    pub nixos_version: Option<String>,
    /// Link `kernel`.
    pub kernel: Option<String>,
    /// Link `initrd`.
    pub initrd: Option<String>,
    /// File `kernel-params`.
    pub kernel_params: Option<String>,
    /// Link `kernel-modules`.
    pub kernel_modules: Option<String>,
    /// Link `systemd`.
    pub systemd: Option<String>,
    /// File `etc/fstab`.
    pub fstab: Option<String>,
    /// File `init-interface-version`: a switch between two of them needs a reboot.
    pub init_interface: Option<String>,
    /// File `etc/nqd/health.json`: the manifest of checks, unparsed.
    pub manifest: Option<String>,
    /// File `etc/nqd/guard.json`: the guard that the module installed, unparsed.
    pub guard: Option<String>,
    /// Directory `specialisation`: name and toplevel of each.
    pub specialisations: Vec<(String, StorePath)>,
    /// Whether `bin/switch-to-configuration` is there: without it, it is no NixOS system.
    pub switchable: bool,
}

/// What `etc/nqd/guard.json` of a system says (docs/FORMATS.md). Both fields keep their meaning for ever; others are ignored,
/// so that a guard of any protocol can be told from one that fits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InstalledGuard {
    /// The guard: a program, or a package with `bin/nqd-guard`.
    pub path: StorePath,
    /// What it speaks with an operator.
    pub protocol: u32,
}

impl Described {
    /// A toplevel of which nothing is known yet.
    pub fn new(path: StorePath) -> Self {
        Self {
            path,
            system: None,
            host_name: None,
            nixos_version: None,
            kernel: None,
            initrd: None,
            kernel_params: None,
            kernel_modules: None,
            systemd: None,
            fstab: None,
            init_interface: None,
            manifest: None,
            guard: None,
            specialisations: Vec::new(),
            switchable: false,
        }
    }

    /// The toplevel of a specialisation.
    pub fn specialisation(&self, name: &str) -> Option<&StorePath> {
        self.specialisations.iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// The name of the specialisation whose toplevel `path` is.
    pub fn specialisation_name(&self, path: &StorePath) -> Option<&str> {
        self.specialisations.iter().find(|(_, p)| p == path).map(|(n, _)| n.as_str())
    }
}

/// The text files that make up a [`Described`]: the key under which a reader reports one, and where it lies.
/// Both readers, the guard's and the operator's script, are driven by this table and [`LINKS`].
pub const TEXT_FILES: [(&str, &str); 8] = [
    ("system", "system"),
    ("hostname", "etc/hostname"),
    ("nixos-version", "nixos-version"),
    ("kernel-params", "kernel-params"),
    ("fstab", "etc/fstab"),
    ("init-interface", "init-interface-version"),
    ("manifest", "etc/nqd/health.json"),
    ("guard", "etc/nqd/guard.json"),
];

/// The links that make up a [`Described`]; key and name are the same.
pub const LINKS: [&str; 4] = ["kernel", "initrd", "kernel-modules", "systemd"];

impl Described {
    /// Takes what a reader found under `key`. An unknown key is a fault of the reader: `false`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, super::system::SystemError> {
        let line = || value.trim_end().to_owned();
        match key {
            "system" => self.system = Some(System::parse(value)?),
            "hostname" => self.host_name = Some(line()),
            "nixos-version" => self.nixos_version = Some(line()),
            "kernel-params" => self.kernel_params = Some(line()),
            "init-interface" => self.init_interface = Some(line()),
            "kernel" => self.kernel = Some(line()),
            "initrd" => self.initrd = Some(line()),
            "kernel-modules" => self.kernel_modules = Some(line()),
            "systemd" => self.systemd = Some(line()),
            "fstab" => self.fstab = Some(line()),
            "manifest" => self.manifest = Some(line()),
            "guard" => self.guard = Some(line()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_tables_is_taken() {
        let path = StorePath::parse("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x").unwrap();
        let mut d = Described::new(path);
        for key in TEXT_FILES.iter().map(|(k, _)| *k).chain(LINKS) {
            assert!(d.set(key, "x86_64-linux\n").unwrap(), "{key}");
        }
        assert!(!d.set("nonsense", "").unwrap());
        assert_eq!(d.nixos_version.as_deref(), Some("x86_64-linux"));
    }
}
