# A good change becomes what the machine runs and boots; a bad one becomes neither.
{shared}: {
  name = "deploy-commits";
  imports = [shared];

  nodes.target.specialisation.bad.configuration = {
    quickDeploy.health.checks.closed = {
      tcp.port = 9;
      startDeadline = 5;
    };
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("a good change is committed"):
          deploy("next", 0)
          assert runs() == boots() == system("next")
          assert state() == "committed"

      with subtest("a change that is not proved changes nothing"):
          second = system("next")
          deploy("bad", 20)
          assert runs() == boots() == second
    '';
}
