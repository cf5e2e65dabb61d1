# Stands in for nixpkgs: its real `lib` and `nixos`, which are put beside this file, and packages that are only names.
{
  outputs = _: let
    # Nix learned to tell a file's type in 2.14; what lies in the store itself may not be looked at.
    pathType = path:
      if baseNameOf (dirOf path) == "store"
      then "directory"
      else (builtins.readDir (dirOf path)).${baseNameOf path};
    lib = (import ./lib).extend (_: previous: {
      filesystem = previous.filesystem // {pathType = builtins.readFileType or pathType;};
    });
    packagesFor = system: let
      pkgs =
        import ./pkgs.nix {
          inherit lib system;
          names = builtins.fromJSON (builtins.readFile ./names.json);
        }
        // {
          testers.runNixOSTest = test: (import ./nixos/lib {inherit lib;}).runTest (import ./vm-test.nix {inherit pkgs test;});
          nixos = module:
            import ./eval.nix {
              inherit lib pkgs;
              nixos = ./nixos;
            } [module];
        };
    in
      pkgs;
  in {
    inherit lib;
    legacyPackages = lib.genAttrs ["x86_64-linux" "aarch64-linux"] packagesFor;
  };
}
