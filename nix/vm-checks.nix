# `checks.<system>.vm-<host>` for a user's flake: each host's VM is booted and must be healthy by the host's own checks, as
# `nqd test HOST` does it, but with the VM built already. Needs KVM. Degraded passes, as
# it does in a deployment.
{
  lib,
  pkgs,
  self,
  packages,
}: let
  inherit (pkgs.stdenv.hostPlatform) system;
  # A host of another system cannot be booted here.
  hosts = lib.filterAttrs (_: host: host.pkgs.stdenv.hostPlatform.system == system) (self.nixosConfigurations or {});
  ready = name: host:
    lib.throwIfNot (host.config.quickDeploy.enable or false)
    "checks.${system}.vm-${name}: ${name} does not say whether it is healthy: import nixosModules.default of nixos-quick-deploy into its configuration, and set quickDeploy.enable = true";
  check = name: host:
    lib.nameValuePair "vm-${name}" (ready name host pkgs.runCommand "nqd-test-${name}" {
        requiredSystemFeatures = ["kvm"];
        meta.description = "Whether ${name} boots and is healthy";
      } ''
        ${packages.${system}.nqd}/bin/nqd test --vm ${host.config.system.build.vm} --name ${lib.escapeShellArg name} || [ $? = 10 ]
        touch $out
      '');
in
  lib.mapAttrs' check hosts
