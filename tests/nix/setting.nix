# A configuration with one setting of somebody's: what it reads as, or the error that they get.
{
  lib,
  nixos,
  names,
  setting,
}: let
  library = import lib;
  pkgs = import ./pkgs.nix {
    lib = library;
    names = builtins.fromJSON (builtins.readFile names);
  };
  evaluate = import ./eval.nix {
    lib = library;
    inherit nixos pkgs;
  };
  inherit ((evaluate [../../modules setting]).config) quickDeploy;
in {
  inherit (quickDeploy) deploy;
  inherit (quickDeploy.health) checks textfile;
}
