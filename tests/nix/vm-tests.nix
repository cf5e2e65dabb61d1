# Every file of nixos-tests/ through the real runTest: its script, its machines, and what each machine and each of its
# specialisations is configured to be.
{
  lib,
  nixos,
  names,
}: let
  library = import lib;
  pkgs = import ./pkgs.nix {
    lib = library;
    names = builtins.fromJSON (builtins.readFile names);
  };
  packages = {
    nqd = pkgs.hello // {name = "nqd";};
    nqd-guard =
      pkgs.hello
      // {
        name = "nqd-guard";
        protocol = 1;
      };
  };
  ours = {
    imports = [../../modules];
    quickDeploy.guard.package = packages.nqd-guard;
  };
  inherit (import (nixos + "/lib") {lib = library;}) evalTest;
  make = import ../../nix/vm-test.nix {
    module = ours;
    inherit packages;
  };
  test = file:
    (evalTest (import ./vm-test.nix {
      inherit pkgs;
      test = make (../../nixos-tests + "/${file}");
    }))
    .config;

  plain = builtins.unsafeDiscardStringContext;
  manifestOf = config: plain config.environment.etc."nqd/health.json".source.given.text.given.text;
  # All units, all files of /etc, the users and the packages: what a test can set.
  machine = config: {
    manifest = manifestOf config;
    units = library.length (library.filter (unit: unit.text != "") (library.attrValues config.systemd.units));
    files = library.length (library.filter (file: toString file.source != "") (library.filter (file: file.enable) (library.attrValues config.environment.etc)));
    packages = library.length (map (package: package.name or "") config.environment.systemPackages);
    users = library.mapAttrsToList (name: user: "${name} ${user.home}") config.users.users;
    grub = config.boot.loader.grub.enable;
    ssh = config.programs.ssh.extraConfig;
    keys = map plain config.users.users.root.openssh.authorizedKeys.keys;
    inherit (config.virtualisation) writableStoreUseTmpfs memorySize;
    vm = plain (toString config.system.build.vm);
    specialisations =
      library.mapAttrs (_: s: {
        manifest = manifestOf s.configuration;
        # Units that only it has.
        units = library.mapAttrs (_: unit: plain unit.text) (removeAttrs s.configuration.systemd.units (library.attrNames config.systemd.units));
      })
      config.specialisation;
  };
  files = library.filterAttrs (name: kind: kind == "regular" && library.hasSuffix ".nix" name) (builtins.readDir ../../nixos-tests);
in
  library.mapAttrs' (file: _: let
    config = test file;
  in
    library.nameValuePair (library.removeSuffix ".nix" file) {
      script = plain config.testScriptString;
      timeout = config.globalTimeout;
      machines = library.attrNames config.nodes;
      # The operator is the same in every test.
      nodes = library.mapAttrs (_: machine) (library.filterAttrs (name: _: name != "operator" || file == "ban.nix") config.nodes);
      inherit (config.rawTestDerivation.given) requiredSystemFeatures;
      evaluated = plain config.test.drvPath;
    })
  files
