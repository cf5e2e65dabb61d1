# `checks.<system>.vm-<host>` for a user's flake: each host's VM is booted and must be healthy by the host's own checks, as
# `nqd test HOST` does it, but with the VM built already. Needs KVM.
{
  lib,
  pkgs,
  self,
  packages,
}: let
  inherit (pkgs.stdenv.hostPlatform) system;
  # A host of another system cannot be booted here.
  hosts = lib.filterAttrs (_: host: host.pkgs.stdenv.hostPlatform.system == system) self.nixosConfigurations;
  check = name: host:
    lib.nameValuePair "vm-${name}" (pkgs.runCommand "nqd-test-${name}" {
        requiredSystemFeatures = ["kvm"];
        meta.description = "Whether ${name} boots and is healthy";
      } ''
        ${packages.${system}.nqd}/bin/nqd test --vm ${host.config.system.build.vm} --name ${lib.escapeShellArg name}
        touch $out
      '');
in
  lib.mapAttrs' check hosts
