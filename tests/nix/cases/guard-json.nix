# etc/nqd/guard.json is what a deployment of the system reads: src/deploy/gather.rs.
{
  lib,
  evaluate,
  ours,
  pkgs,
  ...
}: let
  of = settings: (evaluate [ours {quickDeploy = {enable = true;} // settings;}]).config.environment.etc;
  text = settings: (of settings)."nqd/guard.json".text;
  # One that has to be built.
  built = pkgs.writeText "nqd-guard" "guard" // {protocol = 7;};
in {
  "it names the guard of the system, and the protocol of that" = {
    got = builtins.fromJSON (text {});
    want = {
      path = "/nix/store/00000000000000000000000000000000-nqd-guard";
      protocol = 1;
    };
  };
  "another package has its own, and is a part of the system" = {
    got = let
      json = text {guard.package = lib.mkForce built;};
    in {
      refers = lib.attrNames (builtins.getContext json) == [built.drvPath];
      inherit (builtins.fromJSON (builtins.unsafeDiscardStringContext json)) protocol;
    };
    want = {
      refers = true;
      protocol = 7;
    };
  };
  "a package that does not say is refused" = {
    got = (builtins.tryEval (text {guard.package = lib.mkForce pkgs.hello;})).success;
    want = false;
  };
  "without the guard there is none" = {
    got = (of {guard.enable = false;}) ? "nqd/guard.json";
    want = false;
  };
}
