# nqd, and the guard that it takes to targets. Dependencies are built apart: they are kept when only our sources change.
{
  lib,
  pkgs,
  crane,
}: let
  inherit ((lib.importTOML ../Cargo.toml).package) version description;
  craneLib = crane.mkLib pkgs;
  src = import ./source.nix {inherit lib;};
  meta = {
    inherit description;
    homepage = "https://github.com/nixos-quick-deploy/nixos-quick-deploy";
    license = with lib.licenses; [mit asl20];
    platforms = ["x86_64-linux" "aarch64-linux"];
  };
  common = {
    inherit src version;
    pname = "nqd";
    strictDeps = true;
    # Tests are checks of the flake, not of the package.
    doCheck = false;
  };
  deps = craneLib.buildDepsOnly common;

  # Static, without the operator's features: a system that has it gains one file that refers to nothing.
  static = crane.mkLib pkgs.pkgsStatic;
  forGuard =
    common
    // {
      pname = "nqd-guard";
      cargoExtraArgs = "--locked --no-default-features --bin nqd-guard";
    };
  nqd-guard = static.buildPackage (forGuard
    // {
      cargoArtifacts = static.buildDepsOnly (forGuard // {cargoExtraArgs = "--locked --no-default-features --lib";});
      allowedReferences = [];
      # PROTOCOL of src/guard/spec.rs: a test compares the two. modules/guard.nix puts it into systems.
      passthru.protocol = 1;
      postInstall = ''
        size=$(wc -c < $out/bin/nqd-guard)
        [ "$size" -le $((8 * 1024 * 1024)) ] || { echo "nqd-guard has $size bytes: more than 8 MiB" >&2; exit 1; }
      '';
      meta =
        meta
        // {
          description = "The part of nqd that runs on a target: health checks, rollback, recovery";
          mainProgram = "nqd-guard";
        };
    });

  nqd = craneLib.buildPackage (common
    // {
      cargoArtifacts = deps;
      cargoExtraArgs = "--locked --bin nqd";
      nativeBuildInputs = [pkgs.installShellFiles];
      # The guard lies beside nqd, under the name of the system that it is for: what is copied to a target is the guard alone.
      postInstall =
        ''
          ln -s ${nqd-guard}/bin/nqd-guard $out/bin/nqd-guard-${pkgs.stdenv.hostPlatform.system}
        ''
        + lib.optionalString (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) ''
          for shell in bash fish zsh; do
            $out/bin/nqd completions $shell > nqd.$shell
          done
          installShellCompletion nqd.bash nqd.fish --zsh --name _nqd nqd.zsh
          mkdir man && $out/bin/nqd man man && installManPage man/*
        '';
      meta = meta // {mainProgram = "nqd";};
    });
in {
  inherit nqd nqd-guard;
  default = nqd;
  # For checks.nix.
  parts = {inherit craneLib common deps;};
}
