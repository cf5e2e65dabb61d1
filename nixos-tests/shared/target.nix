# What is deployed to. Its disk outlives a crash of the machine.
{
  nodes.target = {
    modulesPath,
    pkgs,
    ...
  }: let
    keys = import (modulesPath + "/../tests/ssh-keys.nix") pkgs;
  in {
    services.openssh.enable = true;
    users.users.root.openssh.authorizedKeys.keys = [keys.snakeOilPublicKey];
    virtualisation.writableStoreUseTmpfs = false;
    # The VM boots its kernel itself: there is no disk that GRUB could be installed to, and a switch would fail at it.
    boot.loader.grub.enable = false;
    # A change that is good.
    specialisation.next.configuration.environment.etc."version".text = "2";
  };
}
