# Stands in for crane: what it would build is the program that lies in `programs` beside this file; what comes after the
# building is done.
{
  outputs = _: {
    mkLib = pkgs: let
      built = args:
        derivation {
          name = args.pname;
          inherit (pkgs) system;
          builder = "/bin/sh";
          PATH = "/usr/bin:/bin";
          # A package is built of the sources that it names.
          src = "${args.src}";
          # The size of a guard that was built to be debugged says nothing.
          script = ''
            set -eu
            installShellCompletion() { mkdir -p $out/share/completions; cp nqd.bash nqd.fish nqd.zsh $out/share/completions/; }
            installManPage() { mkdir -p $out/share/man/man1; cp "$@" $out/share/man/man1/; }
            mkdir -p $out/bin
            cp ${./programs}/${args.pname} $out/bin/
            cd "$(mktemp -d)"
            ${
              if args.pname == "nqd"
              then args.postInstall or ""
              else ""
            }
          '';
          args = ["-c" "eval \"$script\""];
        }
        // {meta = args.meta or {};}
        // (args.passthru or {});
    in {
      buildPackage = built;
      buildDepsOnly = built;
      cargoClippy = built;
      cargoFmt = built;
      cargoTest = built;
    };
  };
}
