{
  description = "Some NixOS machines";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    nqd.url = "github:nixos-quick-deploy/nixos-quick-deploy";
    nqd.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = {
    self,
    nixpkgs,
    nqd,
  }: let
    # A machine is a name here and a file in hosts/.
    host = name:
      nixpkgs.lib.nixosSystem {
        modules = [
          nqd.nixosModules.default
          ./common.nix
          (./hosts + "/${name}.nix")
          {networking.hostName = name;}
        ];
      };
  in {
    nixosConfigurations = {
      web = host "web";
      db = host "db";
      monitor = host "monitor";
    };

    # nix run .#plan -- web db, and .#deploy, .#status, .#rollback, .#test, …
    apps = nqd.lib.mkApps {inherit self;};
    # nix flake check: the VM of each machine boots and is healthy (needs KVM).
    checks = nqd.lib.mkChecks {inherit self;};
  };
}
