# From options to the manifest (docs/FORMATS.md). Pure.
{lib}: let
  kinds = lib.attrNames (import ./kinds.nix {inherit lib;});
  common = ["level" "period" "timeout" "startDeadline" "successThreshold" "failureThreshold" "after"];
  # Options that the guard does not know as kinds of their own.
  words.timescaledb = "postgres";
in rec {
  # The kinds that a check has: one, unless somebody made a mistake. The one of autoChecks gives way to any other.
  kindsOf = check: let
    all = lib.filter (kind: check.${kind} != null) kinds;
    chosen = lib.remove check.autoKind all;
  in
    if chosen == []
    then all
    else chosen;

  check = check: let
    kind = lib.head (kindsOf check);
  in
    lib.getAttrs common check
    // {probe = {kind = words.${kind} or kind;} // lib.filterAttrs (_: value: value != null) check.${kind};};

  manifest = checks: {
    version = 1;
    checks = lib.mapAttrs (_: check) (lib.filterAttrs (_: c: c.enable) checks);
  };
}
