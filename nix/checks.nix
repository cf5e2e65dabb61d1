# `nix flake check`: what scripts/test runs without machines, linters, and the VM tests of nixos-tests/, which need KVM.
{
  lib,
  pkgs,
  parts,
  module,
  packages,
}: let
  inherit (parts) craneLib common deps;
  pure = "--lib --bins --examples --test layers --test robust";
  rust = {
    fmt = craneLib.cargoFmt {inherit (common) src pname version;};
    clippy = craneLib.cargoClippy (common
      // {
        cargoArtifacts = deps;
        cargoClippyExtraArgs = "--all-targets -- --deny warnings";
      });
    clippy-guard = craneLib.cargoClippy (common
      // {
        cargoArtifacts = deps;
        cargoExtraArgs = "--locked --no-default-features";
        cargoClippyExtraArgs = "--lib --bins -- --deny warnings";
      });
    test = craneLib.cargoTest (common
      // {
        cargoArtifacts = deps;
        doCheck = true;
        cargoTestExtraArgs = pure;
      });
    test-guard = craneLib.cargoTest (common
      // {
        cargoArtifacts = deps;
        doCheck = true;
        cargoExtraArgs = "--locked --no-default-features";
        cargoTestExtraArgs = "--lib";
      });
  };

  nixFiles = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      (lib.fileset.fileFilter (file: file.hasExt "nix") ../.)
      ../scripts
    ];
  };
  linter = name: tool: command:
    pkgs.runCommand "nqd-${name}" {nativeBuildInputs = [tool];} ''
      cd ${nixFiles}
      ${command}
      touch $out
    '';
  linters = {
    alejandra = linter "alejandra" pkgs.alejandra "alejandra --check flake.nix modules nix nixos-tests tests/nix";
    deadnix = linter "deadnix" pkgs.deadnix "deadnix --fail flake.nix modules nix nixos-tests";
    shellcheck = linter "shellcheck" pkgs.shellcheck "shellcheck scripts/*";
    statix = linter "statix" pkgs.statix "statix check modules && statix check nix && statix check nixos-tests";
  };

  evaluated = pkgs.nixos {imports = [module];};
  options = pkgs.writeText "options.md" (import ./options-doc.nix {
    inherit lib;
    inherit (evaluated) options;
  });
  documents = {
    options = pkgs.runCommand "nqd-options" {} ''
      diff ${../docs/options.md} ${options} || { echo "docs/options.md is stale: NQD_RENDER=1 cargo test --test modules" >&2; exit 1; }
      touch $out
    '';
  };

  # One behaviour a file, registered by being there.
  files = lib.filterAttrs (name: kind: kind == "regular" && lib.hasSuffix ".nix" name) (builtins.readDir ../nixos-tests);
  vm = name: pkgs.testers.runNixOSTest (import ./vm-test.nix {inherit module packages;} (../nixos-tests + "/${name}"));
  vms = lib.mapAttrs' (name: _: lib.nameValuePair "vm-${lib.removeSuffix ".nix" name}" (vm name)) files;
in
  rust // linters // documents // vms
