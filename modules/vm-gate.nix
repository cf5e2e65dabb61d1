# What `nqd test HOST` talks to: in a VM of this host, and only there, a unit that runs the host's own health checks and
# writes the verdict to a virtio port. `nqd test` makes the port; without it nothing runs.
{
  config,
  lib,
  options,
  ...
}: let
  port = "/dev/virtio-ports/org.nixos-quick-deploy.gate";
  gate = {
    systemd.services.nqd-gate = {
      description = "Tell the machine outside whether this one is healthy";
      documentation = ["https://github.com/nixos-quick-deploy/nixos-quick-deploy"];
      wantedBy = ["multi-user.target"];
      # A unit that never comes up leaves no record at all, which `nqd test` takes for unknown, never for healthy.
      after = ["multi-user.target"];
      restartIfChanged = false;
      path = lib.mkForce [];
      unitConfig = {
        ConditionPathExists = port;
        # It has been told, or never will be: nobody waits for a machine that has nothing more to say.
        SuccessAction = "poweroff-force";
        FailureAction = "poweroff-force";
      };
      # Its exposure, 2.2, is above the 1.5 that our other units stay below: it runs the same checks as nqd-health
      # (health/hardening.nix says what they must see), and writes to a device. It is only in VMs of `nqd test`.
      serviceConfig =
        import ./health/hardening.nix {inherit config lib;}
        // {
          Type = "oneshot";
          TimeoutStartSec = "infinity";
          ExecStart = "${config.quickDeploy.guard.package}/bin/nqd-guard health --settle --record ${port}";
          SuccessExitStatus = [10 22 25];
          # The port, and nothing else, is written to.
          PrivateDevices = false;
          DeviceAllow = ["char-virtio-portsdev rw"];
        };
    };
  };
in {
  config = lib.mkIf config.quickDeploy.enable (
    lib.optionalAttrs (options ? virtualisation && options.virtualisation ? vmVariant) {
      virtualisation.vmVariant = gate;
    }
  );
}
