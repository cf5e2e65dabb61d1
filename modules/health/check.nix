# One health check: what it looks at, and what its failure means. The numbers' defaults are those of a deployment.
{lib}: let
  inherit (lib) mkOption types;
  seconds = default: description:
    mkOption {
      type = types.numbers.positive;
      inherit default;
      description = "${description} In seconds.";
    };
in {
  options =
    import ./kinds.nix {inherit lib;}
    // {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether the check is declared. `false` removes one that another module declares.";
      };
      autoKind = mkOption {
        type = types.nullOr types.str;
        default = null;
        internal = true;
        description = "The kind that autoChecks chose: any other kind that is set stands in its place.";
      };
      level = mkOption {
        type = types.enum ["required" "wanted" "info"];
        default = "required";
        description = ''
          What its failure means: a `required` check rolls back, a `wanted` one commits as degraded, `info` is recorded.
        '';
      };
      period = seconds 2 "Between two probes; doubles up to 10 while it does not pass.";
      timeout = seconds 5 "What one probe has.";
      startDeadline = seconds 60 "From its first probe, within which it must pass; failures before that do not count.";
      successThreshold = mkOption {
        type = types.ints.positive;
        default = 2;
        description = "Successes in a row that make it pass.";
      };
      failureThreshold = mkOption {
        type = types.ints.positive;
        default = 3;
        description = "Failures in a row, after it passed, that make it fail.";
      };
      after = mkOption {
        type = types.listOf types.str;
        default = [];
        example = ["postgresql"];
        description = "Checks that must pass first. If one of them fails, this one is skipped.";
      };
    };
}
