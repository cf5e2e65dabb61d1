# Whoever deploys: nqd, and a key that opens the target.
{packages, ...}: {
  nodes.operator = {
    modulesPath,
    pkgs,
    ...
  }: let
    keys = import (modulesPath + "/../tests/ssh-keys.nix") pkgs;
  in {
    environment.systemPackages = [packages.nqd];
    environment.etc."key" = {
      source = keys.snakeOilPrivateKey;
      mode = "0600";
    };
    programs.ssh.extraConfig = ''
      Host target
        User root
        IdentityFile /etc/key
        StrictHostKeyChecking no
        UserKnownHostsFile /dev/null
    '';
  };
}
