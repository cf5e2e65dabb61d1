# A service that does not start is rolled back; one that starts is not.
{shared}: {
  name = "failing-service";
  imports = [shared];

  nodes.target.specialisation = {
    good.configuration.systemd.services.example = {
      wantedBy = ["multi-user.target"];
      script = "exec sleep infinity";
    };
    bad.configuration.systemd.services.example = {
      wantedBy = ["multi-user.target"];
      script = "exit 3";
    };
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("a service that fails"):
          said = deploy("bad", 20)
          assert "example.service" in said, said
          assert runs() == boots() == first
          target.fail("systemctl is-active example.service")

      with subtest("a service that does not"):
          deploy("good", 0)
          target.succeed("systemctl is-active example.service")
    '';
}
