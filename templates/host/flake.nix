{
  description = "One NixOS machine";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    nqd.url = "github:nixos-quick-deploy/nixos-quick-deploy";
    nqd.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = {
    self,
    nixpkgs,
    nqd,
  }: {
    nixosConfigurations.web = nixpkgs.lib.nixosSystem {
      modules = [nqd.nixosModules.default ./hardware.nix ./configuration.nix];
    };

    # nix run .#plan -- web, and .#deploy, .#status, .#rollback, .#test, …
    apps = nqd.lib.mkApps {inherit self;};
    # nix flake check: the machine's VM boots and is healthy (needs KVM).
    checks = nqd.lib.mkChecks {inherit self;};
  };
}
