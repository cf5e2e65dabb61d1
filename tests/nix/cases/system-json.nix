# etc/nqd/system.json is what `nqd diff` reads: src/closure/system/declared.rs.
{
  evaluate,
  ours,
  ...
}: let
  of = modules: builtins.fromJSON (evaluate ([ours {quickDeploy.enable = true;}] ++ modules)).config.environment.etc."nqd/system.json".text;
in {
  "ports are sorted, once each, and those of an interface apart" = {
    got = of [../machine.nix];
    want = {
      version = 1;
      hostName = "web";
      system = "x86_64-linux";
      firewall = {
        tcp = [22 80 443];
        udp = [];
        tcpRanges = [];
        udpRanges = [
          {
            from = 60000;
            to = 61000;
          }
        ];
        interfaces.wg0 = {
          tcp = [];
          udp = [53];
          tcpRanges = [];
          udpRanges = [];
        };
      };
    };
  };
  "a firewall that is off is null" = {
    got = (of [{networking.firewall.enable = false;}]).firewall;
    want = null;
  };
}
