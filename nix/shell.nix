# What is needed to work on this: `nix develop`, then scripts/test where there is a Debian for the machine tests.
{pkgs}:
pkgs.mkShell {
  packages = with pkgs; [
    alejandra
    cargo
    clippy
    deadnix
    mypy
    rust-analyzer
    rustc
    rustfmt
    shellcheck
    statix
  ];
}
