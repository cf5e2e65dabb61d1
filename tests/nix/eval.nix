# A NixOS configuration, evaluated with the real `lib` and the real modules of two folders, and packages that stand in for
# the real ones. How it is done: tests/modules.rs.
{
  lib,
  nixos,
  pkgs,
}: let
  modulesPath = nixos + "/modules";
  baseModules = import (modulesPath + "/module-list.nix");
in
  modules:
    lib.evalModules {
      class = "nixos";
      specialArgs = {
        inherit modulesPath baseModules;
        extraModules = [];
        modules = [];
      };
      modules =
        baseModules
        ++ [
          {
            disabledModules = ["misc/nixpkgs.nix" "misc/nixpkgs-flake.nix"];
            options.nixpkgs = lib.genAttrs ["pkgs" "config" "overlays" "hostPlatform" "buildPlatform" "localSystem" "system"] (_:
              lib.mkOption {
                type = lib.types.anything;
                default = {};
              });
            config = {
              _module.args.pkgs = lib.mkForce pkgs;
              system.stateVersion = "25.05";
              fileSystems."/".device = "/dev/vda";
              boot.loader.grub.enable = false;
              documentation.enable = false;
            };
          }
        ]
        ++ modules;
    }
