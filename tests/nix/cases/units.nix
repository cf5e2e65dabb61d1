# The units, and what there is without them.
{
  lib,
  evaluate,
  ours,
  ...
}: let
  of = settings: (evaluate [ours {quickDeploy = {enable = true;} // settings;}]).config;
  plain = of {};
  mine = config: lib.attrNames (lib.filterAttrs (name: _: lib.hasPrefix "nqd-" name) config.systemd.units);
  health = plain.systemd.services.nqd-health.serviceConfig;
  told = of {
    health = {
      timer = "*:0/10";
      textfile = "/var/lib/node-exporter/nqd.prom";
      onFailure = ["tell-me.service"];
    };
  };
  variant = plain.virtualisation.vmVariant;
in {
  "what is installed by default" = {
    got = mine plain;
    want = ["nqd-health.service" "nqd-health.timer" "nqd-keep.path" "nqd-keep.service" "nqd-recover.service"];
  };
  "without the guard's units" = {
    got = mine (of {guard.enable = false;});
    want = ["nqd-health.service" "nqd-health.timer"];
  };
  "without a timer the unit is there for others to start" = {
    got = mine (of {health.timer = null;});
    want = ["nqd-health.service" "nqd-keep.path" "nqd-keep.service" "nqd-recover.service"];
  };
  "no activation script is ours" = {
    got = lib.filter (lib.hasInfix "nqd") (lib.attrNames plain.system.activationScripts);
    want = [];
  };
  "recovery runs the guard that wrote the journal" = {
    got = {
      inherit (plain.systemd.services.nqd-recover) wantedBy after before conflicts restartIfChanged;
      inherit (plain.systemd.services.nqd-recover.serviceConfig) ExecStart Type;
      inherit (plain.systemd.services.nqd-recover.unitConfig) ConditionPathExists DefaultDependencies RequiresMountsFor;
    };
    want = {
      wantedBy = ["multi-user.target"];
      after = ["local-fs.target"];
      before = ["shutdown.target"];
      conflicts = ["shutdown.target"];
      restartIfChanged = false;
      ExecStart = "/nix/var/nqd/guard recover";
      Type = "exec";
      ConditionPathExists = "/nix/var/nqd/guard";
      DefaultDependencies = false;
      RequiresMountsFor = "/boot /nix/var/nqd";
    };
  };
  "so many proved systems are kept" = {
    got = lib.last (lib.splitString " " (of {guard.keepProved = 7;}).systemd.services.nqd-keep.serviceConfig.ExecStart);
    want = "7";
  };
  "the timer, the file and the hook are as they are set" = {
    got = {
      when = told.systemd.timers.nqd-health.timerConfig.OnCalendar;
      inherit (told.systemd.services.nqd-health) onFailure;
      inherit (told.systemd.services.nqd-health.serviceConfig) ReadWritePaths;
      writes = lib.hasSuffix "/bin/nqd-guard health --textfile /var/lib/node-exporter/nqd.prom" told.systemd.services.nqd-health.serviceConfig.ExecStart;
      directory = lib.elem "d /var/lib/node-exporter :0755 :root :root -" told.systemd.tmpfiles.rules;
    };
    want = {
      when = "*:0/10";
      onFailure = ["tell-me.service"];
      ReadWritePaths = ["/var/lib/node-exporter"];
      writes = true;
      directory = true;
    };
  };
  "nothing is written where no file is named" = {
    got = health ? ReadWritePaths || lib.hasInfix "textfile" health.ExecStart;
    want = false;
  };
  "degraded is no failure" = {
    got = health.SuccessExitStatus;
    want = [10];
  };
  "the gate is in the VM, and only there" = {
    got = {
      here = plain.systemd.services ? nqd-gate;
      there = variant.systemd.services ? nqd-gate;
      condition = variant.systemd.services.nqd-gate.unitConfig.ConditionPathExists;
      records = lib.hasSuffix "/bin/nqd-guard health --settle --record /dev/virtio-ports/org.nixos-quick-deploy.gate" variant.systemd.services.nqd-gate.serviceConfig.ExecStart;
    };
    want = {
      here = false;
      there = true;
      condition = "/dev/virtio-ports/org.nixos-quick-deploy.gate";
      records = true;
    };
  };
  "the VM runs the very manifest of the host" = {
    got = variant.environment.etc."nqd/health.json".source.given.text.given.text == plain.environment.etc."nqd/health.json".source.given.text.given.text;
    want = true;
  };
  "the manifest is validated by the guard as it is built" = {
    got = lib.hasInfix "/bin/nqd-guard check-manifest \"$text\"" plain.environment.etc."nqd/health.json".source.given.command;
    want = true;
  };
}
