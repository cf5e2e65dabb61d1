{
  description = "Deploys NixOS flakes so that no fault leaves a machine on a system that was not proved healthy";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    crane.url = "github:ipetkov/crane";
  };

  outputs = {
    self,
    nixpkgs,
    crane,
  }: let
    inherit (nixpkgs) lib;
    systems = ["x86_64-linux" "aarch64-linux"];
    perSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    packages = perSystem (pkgs: import ./nix/packages.nix {inherit lib pkgs crane;});
    ours = pkgs: packages.${pkgs.stdenv.hostPlatform.system};
    mkApps = {self}: perSystem (pkgs: import ./nix/apps.nix {inherit lib pkgs self packages;});
    demo = pkgs:
      import ./nix/demo.nix {
        inherit pkgs;
        module = self.nixosModules.default;
        packages = ours pkgs;
      };
  in {
    packages = perSystem (pkgs: removeAttrs (ours pkgs) ["parts"]);
    overlays.default = final: _: {inherit (ours final) nqd nqd-guard;};

    nixosModules.default = {
      lib,
      pkgs,
      ...
    }: {
      key = "nixos-quick-deploy";
      imports = [./modules];
      quickDeploy.guard = {
        package = lib.mkDefault packages.${pkgs.stdenv.hostPlatform.system}.nqd-guard;
        buildPackage = lib.mkDefault packages.${pkgs.stdenv.buildPlatform.system}.nqd-guard;
      };
    };

    # What a user's flake needs: `apps = nqd.lib.mkApps { inherit self; };` and the same with checks and mkChecks.
    lib = {
      inherit mkApps;
      mkChecks = {self}: perSystem (pkgs: import ./nix/vm-checks.nix {inherit lib pkgs self packages;});
    };
    # Here there is no host: the flake is the one in the directory that a command is run in.
    apps = lib.mapAttrs (system: apps: apps // {demo = demo nixpkgs.legacyPackages.${system};}) (mkApps {self = null;});

    checks = perSystem (pkgs:
      import ./nix/checks.nix {
        inherit lib pkgs;
        inherit (ours pkgs) parts;
        module = self.nixosModules.default;
        packages = ours pkgs;
      });
    devShells = perSystem (pkgs: {default = import ./nix/shell.nix {inherit pkgs;};});
    templates = import ./nix/templates.nix;
    formatter = perSystem (pkgs: import ./nix/formatter.nix {inherit pkgs;});
  };
}
