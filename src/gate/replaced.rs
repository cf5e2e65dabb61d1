//! What a host's VM has not as the machine has it: `virtualisation.vmVariant` replaces disks and the boot loader.

use serde::Deserialize;

/// What one evaluation of a host yields for its VM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluated {
    /// `config.quickDeploy.enable`: whether the module is imported and does anything.
    pub enabled: bool,
    /// The derivation of the host's own toplevel.
    pub toplevel: Option<String>,
    /// The derivation of its VM; `None` if it has none, or the module is not at work.
    pub vm: Option<String>,
    /// As the machine has it.
    pub host: Facts,
    /// As the VM has it.
    pub guest: Facts,
}

/// What the VM may have otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// Mount points of `fileSystems`.
    pub file_systems: Vec<String>,
    /// Boot loaders that are enabled.
    pub loaders: Vec<String>,
    /// Names of encrypted disks.
    pub encrypted: Vec<String>,
    /// Store path of `etc/nqd/health.json`.
    pub manifest: Option<String>,
    /// Whether the VM starts its kernel through a boot loader.
    pub boots_by_loader: bool,
}

/// The expression that gives an [`Evaluated`], applied to `nixosConfigurations.HOST`.
pub const EVALUATE: &str = r#"c: let
  host = c.config;
  enabled = host.quickDeploy.enable or false;
  guest = if enabled then host.virtualisation.vmVariant or host else host;
  names = builtins.attrNames;
  # Named, not listed: among the attributes are options that were removed, and a look at one of those fails.
  loaders = [ "grub" "systemd-boot" "limine" "refind" "generic-extlinux-compatible" "external" ];
  facts = s: {
    fileSystems = names (s.fileSystems or { });
    loaders = builtins.filter (l: s.boot.loader.${l}.enable or false) loaders;
    encrypted = names (s.boot.initrd.luks.devices or { });
    manifest = let m = s.environment.etc."nqd/health.json".source or null; in if m == null then null else toString m;
    bootsByLoader = s.virtualisation.useBootLoader or false;
  };
in {
  inherit enabled;
  toplevel = host.system.build.toplevel.drvPath or null;
  vm = if enabled then host.system.build.vm.drvPath or null else null;
  host = facts host;
  guest = if enabled then facts guest else { };
}"#;

impl Evaluated {
    /// A line for each thing that the VM does not show; the last one if even its checks are others.
    pub fn replaced(&self) -> Vec<String> {
        let (host, guest) = (&self.host, &self.guest);
        let list = |names: &[String]| names.join(", ");
        let mut lines = Vec::new();
        if !host.file_systems.is_empty() {
            lines.push(format!("disks: the VM's own, not those of {}", list(&host.file_systems)));
        }
        let encrypted: Vec<String> =
            host.encrypted.iter().filter(|d| !guest.encrypted.contains(d)).cloned().collect();
        if !encrypted.is_empty() {
            lines.push(format!("encrypted disks: none, not {}", list(&encrypted)));
        }
        if !host.loaders.is_empty() && !guest.boots_by_loader {
            lines.push(format!(
                "boot loader: none, the kernel is started directly, not by {}",
                list(&host.loaders)
            ));
        }
        if host.manifest != guest.manifest {
            lines.push("health checks: others than the machine's, by virtualisation.vmVariant".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_vm_does_not_show() {
        let json = r#"{ "enabled": true, "toplevel": "/a.drv", "vm": "/vm.drv",
            "host": { "fileSystems": ["/", "/boot"], "loaders": ["systemd-boot"], "encrypted": ["crypt"], "manifest": "/m", "bootsByLoader": false },
            "guest": { "fileSystems": ["/"], "loaders": ["systemd-boot"], "encrypted": [], "manifest": "/m", "bootsByLoader": false } }"#;
        let mut evaluated: Evaluated = serde_json::from_str(json).unwrap();
        assert_eq!(
            evaluated.replaced(),
            [
                "disks: the VM's own, not those of /, /boot",
                "encrypted disks: none, not crypt",
                "boot loader: none, the kernel is started directly, not by systemd-boot"
            ]
        );
        evaluated.guest.manifest = None;
        evaluated.guest.boots_by_loader = true;
        evaluated.host.encrypted.clear();
        assert_eq!(
            evaluated.replaced(),
            [
                "disks: the VM's own, not those of /, /boot",
                "health checks: others than the machine's, by virtualisation.vmVariant"
            ]
        );
    }

    #[test]
    fn a_host_without_the_module() {
        let json = r#"{ "enabled": false, "toplevel": null, "vm": null, "host": {}, "guest": {} }"#;
        let evaluated: Evaluated = serde_json::from_str(json).unwrap();
        assert!(!evaluated.enabled && evaluated.vm.is_none() && evaluated.replaced().is_empty());
    }
}
