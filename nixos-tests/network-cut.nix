# A system that cuts the network is rolled back, and the machine can be reached again.
{shared}: {
  name = "network-cut";
  imports = [shared];

  nodes.target.specialisation.cut.configuration.systemd.services.cut = {
    wantedBy = ["multi-user.target"];
    script = "/run/current-system/sw/bin/ip link set eth1 down";
    preStop = "/run/current-system/sw/bin/ip link set eth1 up";
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
  };

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("the network is cut"):
          begin("cut", "--confirm-timeout 20s --contact-timeout 2m")
          end(20)
          assert runs() == boots() == first
          operator.succeed("ssh target true")

      with subtest("the network is left alone"):
          deploy("next", 0, "--confirm-timeout 20s")
          assert runs() == system("next")
    '';
}
