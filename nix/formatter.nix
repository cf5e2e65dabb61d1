# `nix fmt`: alejandra on our files. Nix gives no path, or `.`: alejandra would read its input, or rewrite fixtures that keep
# a style of their own.
{pkgs}:
pkgs.writeShellScriptBin "nqd-fmt" ''
  case $# in
    0) set -- . ;;
  esac
  if [ "$*" = . ]; then
    set -- flake.nix modules nix nixos-tests templates tests/nix
  fi
  exec ${pkgs.alejandra}/bin/alejandra "$@"
''
