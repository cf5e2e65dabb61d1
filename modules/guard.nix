# The guard on the machine: recovery at boot, and the systems that garbage collection must leave.
# No activation scripts: they do nothing under nixos-init.
{
  config,
  lib,
  pkgs,
  ...
}: let
  inherit (lib) mkOption types;
  cfg = config.quickDeploy.guard;
in {
  options.quickDeploy.guard = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether a deployment that the machine went down in is finished at boot, and proved systems are kept.
        Without it the next `nqd status`, `nqd follow` or `nqd deploy` finishes it.
      '';
    };
    package = mkOption {
      type = types.package;
      defaultText = lib.literalExpression "nixos-quick-deploy.packages.\${system}.nqd-guard";
      description = ''
        The guard. It is static: nothing else comes into the system with it. It runs the deployments of systems that have
        it, if the operator's `nqd` speaks its protocol, which the package names as `protocol`.
      '';
    };
    buildPackage = mkOption {
      type = types.package;
      default =
        if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform
        then cfg.package
        else throw "quickDeploy.guard.buildPackage must be set: ${cfg.package.name} does not run where this is built";
      defaultText = lib.literalExpression "config.quickDeploy.guard.package";
      description = "The guard for the machine that builds: it validates the manifest of health checks.";
    };
    keepProved = mkOption {
      type = types.ints.unsigned;
      default = 3;
      example = 10;
      description = ''
        How many of the systems that were proved healthy last are kept from garbage collection, whatever becomes of
        their generations. 0 keeps none.
      '';
    };
  };

  config = lib.mkIf (config.quickDeploy.enable && cfg.enable) {
    environment = {
      systemPackages = [cfg.package];
      # Which guard deploys this system. The format is in docs/FORMATS.md.
      etc."nqd/guard.json".text = builtins.toJSON {
        path = "${cfg.package}";
        protocol = cfg.package.protocol or (throw "quickDeploy.guard.package: ${cfg.package.name} does not say which protocol it speaks, as its passthru.protocol");
      };
    };

    systemd.services = {
      # Not hardened, since root is the point: it does what a deployment does. It runs switch scripts and boot loader
      # installers of any system, writes to /boot, /etc and profiles, and starts units.
      nqd-recover = {
        description = "Finish a deployment that the machine went down in";
        documentation = ["https://github.com/nixos-quick-deploy/nixos-quick-deploy"];
        wantedBy = ["multi-user.target"];
        after = ["local-fs.target"];
        # What default dependencies would say. A recovery that is stopped in the middle is taken up at the next boot: each
        # of its steps is in the journal before it is done.
        before = ["shutdown.target"];
        conflicts = ["shutdown.target"];
        restartIfChanged = false;
        path = lib.mkForce [];
        unitConfig = {
          DefaultDependencies = false;
          RequiresMountsFor = "/boot /nix/var/nqd";
          ConditionPathExists = "/nix/var/nqd/guard";
        };
        serviceConfig = {
          Type = "exec";
          # The guard that wrote the journal, which can read it, and not the one of this system.
          ExecStart = "/nix/var/nqd/guard recover";
        };
      };

      nqd-keep = {
        description = "Keep the systems that were proved healthy last";
        documentation = ["https://github.com/nixos-quick-deploy/nixos-quick-deploy"];
        wantedBy = ["multi-user.target"];
        path = lib.mkForce [];
        unitConfig.ConditionPathExists = "/nix/var/nqd/history.jsonl";
        serviceConfig =
          import ./hardening.nix
          // {
            Type = "oneshot";
            ExecStart = "${cfg.package}/bin/nqd-guard keep ${toString cfg.keepProved}";
            # It reads the history, which is root's, and makes links that the garbage collector trusts.
            ReadWritePaths = ["/nix/var/nqd" "/nix/var/nix/gcroots"];
          };
      };
    };

    # Each transaction ends with a line in the history.
    systemd.paths.nqd-keep = {
      description = "Watch for systems that were proved healthy";
      wantedBy = ["paths.target"];
      pathConfig.PathChanged = "/nix/var/nqd/history.jsonl";
    };
  };
}
