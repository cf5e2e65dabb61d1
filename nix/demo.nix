# `nix run .#demo`: two virtual machines, a good deployment and a bad one, as nixos-tests/deploy-commits.nix has them. Needs
# KVM. scripts/demo shows the same on a Debian machine without it.
{
  pkgs,
  module,
  packages,
}: let
  test = pkgs.testers.runNixOSTest (import ./vm-test.nix {inherit module packages;} ../nixos-tests/deploy-commits.nix);
  help = ''
    Shows a good and a bad deployment on two virtual machines. Needs KVM.

    Usage: nix run .#demo [-- OPTION...]

    Options are those of NixOS' test driver: --interactive starts a shell that commands the machines.

    Example:
      nix run .#demo
  '';
in {
  type = "app";
  program = "${pkgs.writeShellScript "nqd-demo" ''
    case "''${1-}" in
      -h | --help) printf %s ${pkgs.lib.escapeShellArg help} && exit ;;
    esac
    exec ${test.driver}/bin/nixos-test-driver "$@"
  ''}";
  meta.description = "Show a good and a bad deployment on virtual machines";
}
