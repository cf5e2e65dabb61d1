# quickDeploy.health.{timer,textfile,onFailure}: the same checks every hour, and what is told of them.
{
  config,
  lib,
  ...
}: let
  inherit (lib) mkOption types;
  cfg = config.quickDeploy.health;
  guard = "${config.quickDeploy.guard.package}/bin/nqd-guard";
  directory = dirOf cfg.textfile;
in {
  options.quickDeploy.health = {
    timer = mkOption {
      type = types.nullOr types.str;
      default = "hourly";
      example = "*:0/10";
      description = ''
        When `nqd-health.service` runs the checks, as a calendar expression of {manpage}`systemd.time(7)`.
        `null` leaves it to whoever starts the unit.
      '';
    };
    textfile = mkOption {
      type = types.nullOr (types.strMatching "/.*\\.prom" // {description = "absolute path that ends in .prom";});
      default = null;
      example = "/var/lib/node-exporter/nqd.prom";
      description = ''
        Where the result is written for Prometheus, in the format of the node exporter's textfile collector, whose
        `--collector.textfile.directory` must name the directory. It is made, as root's, where it is missing; one that is
        there is left as it is, and must be root's own, since the unit has no capability to write to those of others. The
        names of the metrics are in docs/FORMATS.md.
      '';
    };
    onFailure = mkOption {
      type = types.listOf (types.strMatching ".+\\.[a-z]+");
      default = [];
      example = ["tell-me@%n.service"];
      description = "Units that are started when a required check fails, or cannot be probed.";
    };
  };

  config = lib.mkIf config.quickDeploy.enable {
    assertions = lib.optional (cfg.textfile != null) {
      assertion = !lib.elem directory ["/" "/tmp" "/var/tmp" "/run"];
      message = "quickDeploy.health.textfile is ${cfg.textfile}: ${directory} is everybody's, or lost at each boot, and the unit may write to all of it. Name a directory of its own: /var/lib/node-exporter/nqd.prom.";
    };
    systemd = {
      services.nqd-health = {
        description = "Run the health checks of this system";
        documentation = ["https://github.com/nixos-quick-deploy/nixos-quick-deploy"];
        inherit (cfg) onFailure;
        # A deployment runs the checks itself.
        restartIfChanged = false;
        path = lib.mkForce [];
        serviceConfig =
          import ./hardening.nix {inherit config lib;}
          // {
            Type = "oneshot";
            ExecStart = "${guard} health" + lib.optionalString (cfg.textfile != null) " --textfile ${cfg.textfile}";
            # Degraded is a result, not a failure.
            SuccessExitStatus = [10];
            TimeoutStartSec = "15min";
          }
          // lib.optionalAttrs (cfg.textfile != null) {ReadWritePaths = [directory];};
      };
      timers.nqd-health = lib.mkIf (cfg.timer != null) {
        description = "Run the health checks of this system regularly";
        wantedBy = ["timers.target"];
        timerConfig = {
          OnCalendar = cfg.timer;
          RandomizedDelaySec = "5min";
          Persistent = true;
        };
      };
      # With colons: mode and owner are for a directory that is made, and one that is there keeps its own.
      tmpfiles.rules = lib.optional (cfg.textfile != null) "d ${directory} :0755 :root :root -";
    };
  };
}
