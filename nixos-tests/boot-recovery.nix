# The boot unit finishes a transaction by itself; without it somebody has to ask.
{shared}: {
  name = "boot-recovery";
  imports = [shared];

  nodes.target.specialisation.slow.configuration.quickDeploy.health.checks.closed = {
    tcp.port = 9;
    startDeadline = 45;
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("the boot unit"):
          begin("slow")
          target.crash()
          target.start()
          target.wait_for_unit("multi-user.target")
          retry(lambda _: state() == "interrupted", 30)
          target.succeed("journalctl -b -u nqd-recover.service -o cat | grep -q .")
          end(24)

      with subtest("without what the boot unit starts, nothing is finished until somebody asks"):
          begin("slow")
          # Else it would be the one who asks.
          operator.succeed("pkill -KILL -x nqd")
          target.succeed("mv /nix/var/nqd/guard /nix/var/nqd/guard.away && sync")
          target.crash()
          target.start()
          target.wait_for_unit("multi-user.target")
          target.succeed("mv /nix/var/nqd/guard.away /nix/var/nqd/guard")
          assert state() == "probing", state()
          operator.succeed("nqd status target")
          assert state() == "interrupted", state()
    '';
}
