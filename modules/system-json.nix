# etc/nqd/system.json: what `nqd diff` cannot read from a system's files. The format is in docs/FORMATS.md.
{
  config,
  lib,
  pkgs,
  ...
}: let
  inherit (config.networking) firewall;
  sorted = ports: lib.sort (a: b: a < b) (lib.unique ports);
  ranges = list: lib.sort (a: b: a.from < b.from) (map (range: {inherit (range) from to;}) (lib.unique list));
  opened = on: {
    tcp = sorted on.allowedTCPPorts;
    udp = sorted on.allowedUDPPorts;
    tcpRanges = ranges on.allowedTCPPortRanges;
    udpRanges = ranges on.allowedUDPPortRanges;
  };
  # Other modules name interfaces for which they open nothing.
  interfaces = lib.filterAttrs (_: on: lib.any (list: list != []) (lib.attrValues on)) (lib.mapAttrs (_: opened) firewall.interfaces);
in {
  config = lib.mkIf config.quickDeploy.enable {
    environment.etc."nqd/system.json".text = builtins.toJSON {
      version = 1;
      inherit (config.networking) hostName;
      inherit (pkgs.stdenv.hostPlatform) system;
      # Null is a firewall that is off, and not one that lets nothing through.
      firewall =
        if firewall.enable
        then opened firewall // {inherit interfaces;}
        else null;
    };
  };
}
