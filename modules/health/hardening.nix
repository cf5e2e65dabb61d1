# What running health checks needs besides ../hardening.nix. The rule: no check may see another machine than it sees in a
# deployment, or the hourly verdict would be another one. That is why this cannot be without root, network and sight of
# other people's files, and why its exposure, 2.1, is above the 1.5 that our other units stay below.
{
  config,
  lib,
}:
import ../hardening.nix
// {
  # It asks systemd and the network, as root: systemd starts programs for checks (`exec`, `postgres`, `container`) only
  # for root, and files that a check reads may be anybody's.
  CapabilityBoundingSet = ["CAP_DAC_READ_SEARCH"];
  IPAddressDeny = "";
  PrivateNetwork = false;
  RestrictAddressFamilies = ["AF_UNIX" "AF_INET" "AF_INET6"];
  # `file` and `disk` look anywhere.
  PrivateTmp = false;
  ProtectHome = "read-only";
  # `load` and `memory` read /proc.
  ProcSubset = "all";
}
# Each of these mounts a /proc that does not know a container's boot id, by which the journal is read. In a container
# they protect nothing: it has no tunables that it could write to.
// lib.optionalAttrs config.boot.isContainer {
  ProtectControlGroups = false;
  ProtectKernelTunables = false;
  ProtectProc = "default";
}
