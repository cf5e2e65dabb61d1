# What all machines have.
{
  system.stateVersion = "26.05";
  nixpkgs.hostPlatform = "x86_64-linux";

  # Replace these by what each machine needs: nixos-generate-config --show-hardware-config
  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/ESP";
    fsType = "vfat";
  };

  services.openssh.enable = true;
  # Yours: without it nobody can log in, and deployments are rolled back because of that.
  users.users.root.openssh.authorizedKeys.keys = ["ssh-ed25519 REPLACE-ME you@laptop"];

  quickDeploy = {
    enable = true;
    # sshd, nginx, PostgreSQL and others are watched without a word (quickDeploy.health.autoChecks).
    health.checks.root-disk = {
      disk.path = "/";
      level = "wanted";
    };
  };
}
