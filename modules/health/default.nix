# quickDeploy.health: the checks that travel with a system, as etc/nqd/health.json.
{
  config,
  lib,
  pkgs,
  ...
}: let
  inherit (lib) mkOption types;
  cfg = config.quickDeploy.health;
  render = import ./render.nix {inherit lib;};
in {
  imports = [
    ./assertions.nix
    ./auto.nix
    ./ports.nix
    ./schedule.nix
  ];

  options.quickDeploy.health = {
    checks = mkOption {
      type = types.attrsOf (types.submodule (import ./check.nix {inherit lib;}));
      default = {};
      example = lib.literalExpression ''
        {
          site.http = {
            url = "https://localhost/";
            bodyRegex = "Welcome";
          };
          disk = {
            disk.path = "/";
            level = "wanted";
          };
        }
      '';
      description = ''
        Health checks, by name. Each has one kind: `http`, `unit`, `tcp` and so on. They are part of the system, and gate
        every deployment of it, every rollback to it, and its VM.
      '';
    };
    manifest = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      description = "etc/nqd/health.json, as the guard has found it valid.";
    };
  };

  config = lib.mkIf config.quickDeploy.enable {
    # The guard that would refuse a wrong manifest in a deployment refuses to have it built.
    quickDeploy.health.manifest =
      pkgs.runCommand "nqd-health.json" {
        text = pkgs.writeText "nqd-health.json" (builtins.toJSON (render.manifest cfg.checks));
      } ''
        ${config.quickDeploy.guard.buildPackage}/bin/nqd-guard check-manifest "$text"
        cp "$text" "$out"
      '';
    environment.etc."nqd/health.json".source = cfg.manifest;
  };
}
