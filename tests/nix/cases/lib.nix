# What a user's flake gets of ours: lib.mkChecks and lib.mkApps.
{
  lib,
  pkgs,
  evaluate,
  ours,
  ...
}: let
  packages.x86_64-linux.nqd = "/nix/store/00000000000000000000000000000000-nqd";
  host = evaluate [ours {quickDeploy.enable = true;}] // {inherit pkgs;};
  elsewhere = host // {pkgs = lib.recursiveUpdate pkgs {stdenv.hostPlatform.system = "aarch64-linux";};};
  without = evaluate [ours] // {inherit pkgs;};
  checksOf = self: import ../../../nix/vm-checks.nix {inherit lib pkgs packages self;};
  checks = checksOf {
    nixosConfigurations = {
      web = host;
      pi = elsewhere;
    };
  };
  app = self: (import ../../../nix/apps.nix {inherit lib pkgs packages self;}).deploy;
in {
  "a check for each host of this system" = {
    got = lib.attrNames checks;
    want = ["vm-web"];
  };
  "it needs KVM, and runs nqd test on the VM that was built" = {
    got = {
      inherit (checks.vm-web.given) requiredSystemFeatures;
      tests = lib.hasInfix "-nqd/bin/nqd test --vm /nix/store/" checks.vm-web.given.command;
      named = lib.hasInfix "--name web ||" checks.vm-web.given.command;
      degraded = lib.hasInfix "|| [ $? = 10 ]\n" checks.vm-web.given.command;
    };
    want = {
      requiredSystemFeatures = ["kvm"];
      tests = true;
      named = true;
      degraded = true;
    };
  };
  "a flake without hosts has no checks" = {
    got = checksOf {};
    want = {};
  };
  "a host that cannot tell is refused before it is built" = {
    got = lib.mapAttrs (_: check: (builtins.tryEval check.drvPath).success) (checksOf {
      nixosConfigurations = {
        inherit host without;
      };
    });
    want = {
      vm-host = true;
      vm-without = false;
    };
  };
  "an app says what it is for" = {
    got = {inherit (app null) type meta;};
    want = {
      type = "app";
      meta.description = "Deploy, prove healthy, commit or roll back";
    };
  };
}
