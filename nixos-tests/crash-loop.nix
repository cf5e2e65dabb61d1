# A service that dies a second after each start is rolled back, though the switch returns 0.
{shared}: {
  name = "crash-loop";
  imports = [shared];

  nodes.target = let
    looping = seconds: {
      systemd.services.looping = {
        wantedBy = ["multi-user.target"];
        startLimitIntervalSec = 0;
        script = "sleep ${seconds}; exit 1";
        serviceConfig = {
          Restart = "always";
          RestartSec = 0;
        };
      };
    };
  in {
    specialisation.bad.configuration = looping "1";
    # It would die too, but not while anybody watches.
    specialisation.late.configuration = looping "1000";
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("a crash loop"):
          said = deploy("bad", 20, "--soak 20s")
          assert "looping.service" in said, said
          assert runs() == boots() == first

      with subtest("none within the soak"):
          deploy("late", 0, "--soak 5s")
          assert runs() == system("late")
    '';
}
