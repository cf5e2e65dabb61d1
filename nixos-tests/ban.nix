# What was rolled back is refused until somebody insists.
{shared}: {
  name = "ban";
  imports = [shared];

  nodes.target.specialisation.bad.configuration.systemd.services.example = {
    wantedBy = ["multi-user.target"];
    script = "exit 3";
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      deploy("bad", 20)

      with subtest("it is refused, and nothing is tried"):
          before = target.succeed("nqd-guard history")
          deploy("bad", 30)
          assert before == target.succeed("nqd-guard history")

      with subtest("somebody insists"):
          deploy("bad", 20, "--force")

      with subtest("it is let go"):
          operator.succeed("nqd unban target")
          deploy("bad", 20)

      with subtest("others are not refused"):
          deploy("next", 0)
    '';
}
