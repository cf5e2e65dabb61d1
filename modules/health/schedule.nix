# quickDeploy.health.{timer,textfile,onFailure}: the same checks every hour, and what is told of them.
{
  config,
  lib,
  ...
}: let
  inherit (lib) mkOption types;
  cfg = config.quickDeploy.health;
  guard = "${config.quickDeploy.guard.package}/bin/nqd-guard";
in {
  options.quickDeploy.health = {
    timer = mkOption {
      type = types.nullOr types.str;
      default = "hourly";
      example = "*:0/10";
      description = ''
        When `nqd-health.service` runs the checks, as a calendar expression of {manpage}`systemd.time(7)`.
        `null` never does.
      '';
    };
    textfile = mkOption {
      type = types.nullOr (types.strMatching "/.*\\.prom" // {description = "absolute path that ends in .prom";});
      default = null;
      example = "/var/lib/node-exporter/nqd.prom";
      description = ''
        Where the result is written for Prometheus, in the format of the node exporter's textfile collector, whose
        `--collector.textfile.directory` must name the directory. The names of the metrics are in docs/FORMATS.md.
      '';
    };
    onFailure = mkOption {
      type = types.listOf (types.strMatching ".+\\.[a-z]+");
      default = [];
      example = ["tell-me@%n.service"];
      description = "Units that are started when a required check fails, or cannot be probed.";
    };
  };

  config = lib.mkIf (config.quickDeploy.enable && cfg.timer != null) {
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
          // lib.optionalAttrs (cfg.textfile != null) {ReadWritePaths = [(dirOf cfg.textfile)];};
      };
      timers.nqd-health = {
        description = "Run the health checks of this system regularly";
        wantedBy = ["timers.target"];
        timerConfig = {
          OnCalendar = cfg.timer;
          RandomizedDelaySec = "5min";
          Persistent = true;
        };
      };
      tmpfiles.rules = lib.optional (cfg.textfile != null) "d ${dirOf cfg.textfile} 0755 root root -";
    };
  };
}
