# Stands in for nixpkgs' packages, which cannot be had here: real NixOS modules are evaluated with it. A package is a name
# with a path; what builds something is a real derivation that nobody builds, and keeps what it was given for tests to read.
{
  lib,
  system ? "x86_64-linux",
  # Packages by name, each with the names of packages inside it.
  names ? {},
}: let
  platform = lib.systems.elaborate system;
  # Digits that Nix's base 32 has too.
  hash = name: lib.replaceStrings ["e"] ["g"] (lib.substring 0 32 (builtins.hashString "sha256" name));

  package = name: let
    same = lib.genAttrs ["out" "bin" "lib" "dev" "man" "doc" "info" "terminfo" "p11kit" "unbundled" "util-linux" "kmod" "withJIT" "withoutJIT"] (_: self);
    itself = lib.genAttrs ["override" "overrideAttrs" "overrideScope" "extend" "withPackages"] (_: _: self);
    self =
      same
      // itself
      // {
        type = "derivation";
        inherit name system;
        pname = name;
        version = "26.05";
        outPath = "/nix/store/${hash name}-${name}";
        drvPath = "/nix/store/${hash name}-${name}.drv";
        outputs = ["out"];
        outputName = "out";
        outputSpecified = true;
        meta = {
          mainProgram = name;
          available = true;
        };
        passthru = {};
        modules = [];
        psqlSchema = "17";
        __functor = _: _: self;
      };
  in
    self;

  build = name: given: let
    drv = derivation {
      name = lib.strings.sanitizeDerivationName name;
      inherit system;
      builder = "/bin/sh";
      args = ["-c" "echo > $out"];
    };
    self =
      drv
      // {
        inherit given;
        outputs = ["out"];
        pname = name;
        meta = given.meta or {};
        passthru = given.passthru or {};
        overrideAttrs = _: self;
        override = _: self;
      }
      // (given.passthru or {});
  in
    self;
  derivationOf = attributes: let
    given =
      if lib.isFunction attributes
      then attributes given
      else attributes;
  in
    build (given.name or given.pname or "derivation") given;
  format = {
    type = lib.types.anything;
    generate = name: value: build name {inherit value;};
    lib = {};
  };
  shell = name: text: let
    self =
      derivation {
        inherit name system text;
        builder = "/bin/sh";
        args = ["-c" "PATH=/usr/bin:/bin; printf '#!/bin/sh\n%s' \"$text\" > $out; chmod +x $out"];
      }
      // {
        given = {inherit text;};
        overrideAttrs = _: self;
      };
  in
    self;

  functions = {
    inherit lib system;
    runCommand = name: env: command: build name (env // {inherit command;});
    runCommandLocal = functions.runCommand;
    runCommandCC = functions.runCommand;
    writeText = name: text: build name {inherit text;};
    writeTextFile = {name, ...} @ given: build name given;
    writeTextDir = name: text: build (baseNameOf name) {inherit text;};
    writeScript = shell;
    writeScriptBin = shell;
    writeShellScript = shell;
    writeShellScriptBin = shell;
    writeShellApplication = {name, ...} @ given: build name given;
    writeStringReferencesToFile = text: build "references" {inherit text;};
    writeReferencesToFile = path: build "references" {inherit path;};
    writeClosure = paths: build "closure" {inherit paths;};
    closureInfo = given: build "closure-info" given;
    symlinkJoin = {name, ...} @ given: build name given;
    buildEnv = {name, ...} @ given: build name given;
    linkFarm = name: entries: build name {inherit entries;};
    substituteAll = given: build "substituted" given;
    replaceVars = file: given: build "replaced" (given // {inherit file;});
    replaceVarsWith = given: build "replaced" given;
    makeSetupHook = given: _: build "hook" given;
    mkShell = given: build "shell" given;
    concatText = name: files: build name {inherit files;};
    callPackage = _: given: build "called" given;
    makeOverridable = f: f;
    makeModulesClosure = given: build "modules" given;
    makeInitrd = given: build "initrd" given;
    makeInitrdNG = given: build "initrd" given;
    nixosOptionsDoc = given: {
      optionsJSON = build "options.json" given;
      optionsCommonMark = build "options.md" given;
    };
    formats = lib.genAttrs ["json" "yaml" "toml" "ini" "iniWithGlobalSection" "keyValue" "systemd" "pythonVars" "elixirConf" "hocon" "libconfig" "xml" "javaProperties" "configobj" "gitIni" "php"] (_: _: format) // {systemd = format;};
    stdenv =
      lib.filterAttrs (name: _: lib.hasPrefix "is" name) platform
      // rec {
        type = "derivation";
        name = "stdenv";
        outPath = "/nix/store/${hash "stdenv"}-stdenv";
        hostPlatform = platform // {canExecute = _: true;};
        buildPlatform = hostPlatform;
        targetPlatform = hostPlatform;
        inherit (platform) system;
        cc =
          package "gcc"
          // {
            libc = package "glibc";
            bintools.dynamicLinker = "/lib/ld.so";
          };
        shell = "/bin/sh";
        mkDerivation = derivationOf;
      };
    stdenvNoCC =
      functions.stdenv
      // {
        mkDerivation = derivationOf;
      };
    inherit (functions.stdenv) hostPlatform;
    targetPlatform = platform;
    buildPlatform = functions.stdenv.hostPlatform;
    config = {};
    overlays = [];
    path = "/nix/store/${hash "nixpkgs"}-nixpkgs";
    _type = "pkgs";
    pkgs = self;
    buildPackages = self;
    pkgsBuildBuild = self;
    pkgsStatic = self;
    pkgsi686Linux = self;
    __splicedPackages = self;
    appendOverlays = _: self;
    extend = _: self;
    alejandra = build "alejandra" {};
    python3Packages = lib.genAttrs ["pyflakes" "python"] package;
    linuxPackages = linux;
    linuxPackages_latest = linux;
    linuxKernel = {
      packages = {};
      kernels = {};
    };
  };
  linux = rec {
    kernel =
      package "linux"
      // {
        config = lib.genAttrs ["isYes" "isEnabled" "isModule" "isSet"] (_: _: true) // lib.genAttrs ["isNo" "isDisabled"] (_: _: false);
        features = {};
        kernelOlder = _: false;
        kernelAtLeast = _: true;
        modDirVersion = "6.18";
      };
    extend = _: linux;
    kernelOlder = _: false;
    kernelAtLeast = _: true;
    zfs = package "zfs";
  };
  self = lib.mapAttrs (name: inside: package name // lib.genAttrs inside package) names // functions;
in
  self
