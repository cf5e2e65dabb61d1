# Everything that is known of the modules by evaluating them: the cases that fail, what they render, and how much was
# evaluated. `lib` and `nixos` are folders, `names` is a file that says which packages there are.
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
  evaluate = import ./eval.nix {
    lib = library;
    inherit nixos pkgs;
  };
  # As flake.nix makes it, with a guard that the harness puts a real one in the place of.
  guard =
    pkgs.hello
    // {
      outPath = "/nix/store/00000000000000000000000000000000-nqd-guard";
      protocol = 1;
    };
  ours = {
    imports = [../../modules];
    quickDeploy.guard.package = guard;
  };
  manifestText = evaluated: builtins.unsafeDiscardStringContext evaluated.config.environment.etc."nqd/health.json".source.given.text.given.text;
  given = {
    inherit evaluate ours pkgs;
    lib = library;
    manifestOf = evaluated: builtins.fromJSON (manifestText evaluated);
  };

  files = library.attrNames (builtins.readDir ./cases);
  casesOf = file:
    library.mapAttrsToList (name: result: result // {name = "${library.removeSuffix ".nix" file}: ${name}";})
    (import (./cases + "/${file}") given);
  cases = library.concatMap casesOf files;

  host = modules: evaluate ([ours ./every-kind.nix {quickDeploy.enable = true;} {networking.hostName = "web";}] ++ modules);
  plain = host [];
  full = host [
    {
      quickDeploy.health = {
        textfile = "/var/lib/node-exporter/nqd.prom";
        onFailure = ["tell-me.service"];
      };
    }
  ];
  units = config: library.mapAttrs (_: unit: builtins.unsafeDiscardStringContext unit.text) (library.filterAttrs (name: _: library.hasPrefix "nqd-" name) config.systemd.units);
  inherit (full.config.virtualisation) vmVariant;
  container = host [
    {
      boot.isContainer = true;
      quickDeploy.health.textfile = "/var/lib/node-exporter/nqd.prom";
    }
  ];
  options = library.optionAttrSetToDocList plain.options.quickDeploy;
in {
  failed = library.filter (case: case.got != case.want) cases;
  evaluated = {
    cases = library.length cases;
    assertions = library.length (library.filter (case: library.hasPrefix "assertions: " case.name) cases);
    options = library.length (library.filter (o: !o.internal) options);
    nixosOptions = library.length (library.attrNames plain.options.services);
  };
  rendered =
    library.mapAttrs' (name: text: library.nameValuePair "units/${name}" text) (units full.config // {"nqd-gate.service" = (units vmVariant)."nqd-gate.service";})
    // {
      "container/nqd-health.service" = (units container.config)."nqd-health.service";
      "health.json" = manifestText plain;
      "guard.json" = plain.config.environment.etc."nqd/guard.json".text;
      "system.json" = plain.config.environment.etc."nqd/system.json".text;
      "options.md" = import ../../nix/options-doc.nix {
        lib = library;
        inherit (plain) options;
      };
    };
}
