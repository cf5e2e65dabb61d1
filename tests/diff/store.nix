# Small things to compare: built with /bin/sh alone, so that a store needs no nixpkgs.
let
  system = builtins.currentSystem;
  sh =
    attrs: script:
    derivation (
      {
        inherit system;
        builder = "/bin/sh";
        args = [ "-c" "PATH=/bin:/usr/bin; ${script}" ];
      }
      // attrs
    );
in
rec {
  # A package of `size` bytes. `salt` is what makes a rebuild another path; `name` overrides what pname and version say.
  package =
    {
      pname,
      version ? null,
      name ? if version == null then pname else "${pname}-${version}",
      salt ? "",
      size ? 1000,
      refs ? [ ],
      outputs ? [ "out" ],
    }:
    sh (
      { inherit name outputs refs salt; }
      // (if version == null then { } else { inherit pname version; })
    ) ''
      for o in $outputs; do
        eval "p=\$$o"
        head -c ${toString size} /dev/zero | tr '\0' x > $p
        echo "$salt $refs" >> $p
      done
    '';
  p = pname: version: package { inherit pname version; };

  # What `environment.systemPackages` becomes; and under other names, what users and Home Manager choose.
  path = env "system-path";
  env = name: chosen: sh { inherit name chosen; } "mkdir $out; echo $chosen > $out/list";

  # A system of these paths.
  nixos =
    version: refs:
    sh {
      name = "nixos-system-web-${version}";
      inherit refs;
    } "mkdir -p $out/etc; echo > $out/init; echo ${version} > $out/nixos-version; echo $refs > $out/refs";
}
