# What a configuration can say wrongly about health checks. Whatever is not found here, the guard finds when the manifest
# is built.
{
  config,
  lib,
  ...
}: let
  cfg = config.quickDeploy.health;
  inherit (import ./render.nix {inherit lib;}) kindsOf;
  kinds = lib.attrNames (import ./kinds.nix {inherit lib;});
  checks = lib.filterAttrs (_: check: check.enable) cfg.checks;
  names = lib.attrNames checks;
  listed = list:
    if list == []
    then "none"
    else lib.concatStringsSep ", " list;
  option = name: "quickDeploy.health.checks.${lib.strings.escapeNixIdentifier name}";

  ofKind = name: check: let
    has = kindsOf check;
  in {
    assertion = lib.length has == 1;
    message =
      if has == []
      then "${option name} looks at nothing. Give it one of: ${listed kinds}; or `enable = false` if another module declared it."
      else "${option name} has ${toString (lib.length has)} kinds: ${listed has}. A check has one: make two checks of it.";
  };

  unknown = name: check: let
    missing = lib.filter (after: !lib.elem after names) check.after;
  in {
    assertion = missing == [];
    message = "${option name}.after names ${listed missing}, which is not declared or not enabled. Declared are: ${listed (lib.remove name names)}.";
  };

  # A name and password in a URL; a parameter, argument or variable that is called like a secret, and a bearer's token. Not
  # a file that holds it, nor what a shell puts there.
  secretName = "(password|passwd|token|secret|api[-_]?key|access[-_]?key)";
  secretIn = text:
    builtins.match "[a-z]+://[^/@:]*:[^/@]+@.*" text
    != null
    || builtins.match ".*([?&]|--?)${secretName}[= ][^/].*" (lib.toLower text)
    != null
    || builtins.match "(.*[ _-])?${secretName}=[\"']?[^/$\"' ].*" (lib.toLower text) != null
    || builtins.match ".*bearer +[\"']?[^/$\"' ].*" (lib.toLower text) != null;
  words = check: lib.optional (check.http != null) check.http.url ++ lib.optional (check.mcp != null) check.mcp.url ++ lib.optionals (check.exec != null) (check.exec.command ++ [(lib.concatStringsSep " " check.exec.command)]);
  secret = name: check: {
    assertion = !lib.any secretIn (words check);
    message = "${option name} holds a secret, and everybody on the machine can read the manifest in /nix/store. Use `exec` with a program that reads it from a file, or `mcp.tokenFile`.";
  };
in {
  config = lib.mkIf config.quickDeploy.enable {
    assertions = lib.concatLists (lib.mapAttrsToList (name: check: map (rule: rule name check) [ofKind unknown secret]) checks);
  };
}
