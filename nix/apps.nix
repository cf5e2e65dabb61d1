# `nix run .#deploy` and the others, for a flake: ours, or that of a user (`lib.mkApps`), which is then the flake that
# nqd works on wherever it is started; `--flake` says otherwise.
{
  lib,
  pkgs,
  self,
  packages,
}: let
  inherit (packages.${pkgs.stdenv.hostPlatform.system}) nqd;
  revision = self.rev or self.dirtyRev or null;
  # The revision is that of this flake: somebody who names another has none of it.
  environment = lib.optionalString (self != null) ''
    if [ -z "''${NQD_FLAKE+set}" ]; then
      export NQD_FLAKE=${lib.escapeShellArg self.outPath}
      ${lib.optionalString (revision != null) "export NQD_REVISION=${lib.escapeShellArg revision}"}
    fi
  '';
  app = command: description: {
    type = "app";
    program = "${pkgs.writeShellScript "nqd-${command}" ''
      ${environment}exec ${nqd}/bin/nqd ${command} "$@"
    ''}";
    meta = {inherit description;};
  };
in
  lib.mapAttrs app (import ./commands.nix)
