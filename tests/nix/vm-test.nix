# A test of nixos-tests/ as nixpkgs' runNixOSTest takes it, with packages that stand in for the real ones.
{
  pkgs,
  test,
}: {
  imports = [test];
  hostPkgs = pkgs;
  node.pkgs = pkgs;
}
