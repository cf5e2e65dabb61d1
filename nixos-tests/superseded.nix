# Whoever switches the machine meanwhile wins: nothing is rolled back over it.
{shared}: {
  name = "superseded";
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
      with subtest("somebody switches"):
          begin("slow")
          target.succeed(f"{system('next')}/bin/switch-to-configuration test")
          end(23)
          assert runs() == system("next")
          assert boots() == first

      with subtest("nobody does"):
          target.succeed(f"{first}/bin/switch-to-configuration test")
          begin("slow")
          end(20)
          assert runs() == first
    '';
}
