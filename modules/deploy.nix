# How `nqd` reaches this host and deploys to it. It is read in the one evaluation that also gives the system, needs no
# `quickDeploy.enable`, and is part of no system. Flags of `nqd` override it.
{lib, ...}: let
  inherit (lib) mkOption types;
in {
  options.quickDeploy.deploy = {
    targetHost = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "web.example.org";
      description = ''
        Where the host is reached by SSH: a name, an address, or an alias of the operator's SSH configuration.
        `null` is the name of the flake's attribute.
      '';
    };
    targetUser = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "deploy";
      description = "The user to log in as. `null` leaves it to the operator's SSH configuration.";
    };
    port = mkOption {
      type = types.nullOr types.port;
      default = null;
      example = 2222;
      description = "The SSH port. `null` leaves it to the operator's SSH configuration.";
    };
    buildOn = mkOption {
      type = types.nullOr (types.either (types.enum ["local" "target"]) (types.strMatching "ssh(-ng)?://.+"));
      default = null;
      example = "ssh://builder.example.org";
      description = ''
        Where the system is built: `local` (what `null` means), `target`, or a builder.
      '';
    };
    escalate = mkOption {
      type = types.nullOr (types.enum ["none" "sudo" "doas" "run0"]);
      default = null;
      example = "sudo";
      description = "How {option}`quickDeploy.deploy.targetUser` becomes root. `null` is `none`.";
    };
    confirmTimeout = mkOption {
      type = types.nullOr types.numbers.positive;
      default = null;
      example = 90;
      description = ''
        Seconds from the switch's return within which the operator must have reached the machine over a new
        connection; otherwise it is rolled back. `null` is 60.
      '';
    };
    tags = mkOption {
      type = types.listOf (types.strMatching "[A-Za-z0-9._-]+");
      default = [];
      example = ["web" "frankfurt"];
      description = "Words about the host, for those who read the configuration. `nqd` does not choose hosts by them yet.";
    };
  };
}
