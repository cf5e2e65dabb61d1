# What failed before does not roll back, except under --strict.
{shared}: {
  name = "pre-existing";
  imports = [shared];

  nodes.target.quickDeploy.health.checks.closed = {
    tcp.port = 9;
    startDeadline = 5;
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("strict"):
          said = deploy("next", 20, "--strict")
          assert "closed" in said, said
          assert runs() == boots() == first

      with subtest("not strict"):
          target.succeed("nqd-guard unban")
          said = deploy("next", 0)
          assert "closed" in said, said
          assert runs() == system("next")
    '';
}
