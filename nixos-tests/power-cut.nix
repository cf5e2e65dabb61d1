# A power cut while the candidate is probed boots the system before it.
{shared}: {
  name = "power-cut";
  imports = [shared];

  nodes.target.specialisation.slow.configuration = {
    quickDeploy.health.checks.closed = {
      tcp.port = 9;
      startDeadline = 45;
    };
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("the power is cut"):
          begin("slow")
          assert runs() == system("slow")
          target.crash()
          target.start()
          target.wait_for_unit("multi-user.target")
          assert runs() == boots() == first
          said = operator.succeed("nqd status target 2>&1")
          assert "interrupted" in said, said
          end(24)

      with subtest("the power is not cut: it is probed to its end"):
          begin("slow")
          end(20)
          assert state() == "rolled-back"
          assert runs() == first
    '';
}
