# `nix run .#demo`: two virtual machines, a good deployment and a bad one, as nixos-tests/deploy-commits.nix has them. Needs
# KVM. scripts/demo shows the same on a Debian machine without it.
{
  pkgs,
  module,
  packages,
}: let
  test = pkgs.testers.runNixOSTest (import ./vm-test.nix {inherit module packages;} ../nixos-tests/deploy-commits.nix);
in {
  type = "app";
  program = "${pkgs.writeShellScript "nqd-demo" ''
    exec ${test.driver}/bin/nixos-test-driver "$@"
  ''}";
  meta.description = "Show a good and a bad deployment on virtual machines";
}
