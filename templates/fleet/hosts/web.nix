{
  services.nginx = {
    enable = true;
    virtualHosts."_".locations."/".return = "200 'well\\n'";
  };
  networking.firewall.allowedTCPPorts = [80];

  quickDeploy = {
    deploy = {
      targetHost = "192.0.2.1";
      tags = ["front"];
    };
    health.checks.site.http = {
      url = "http://localhost/";
      bodyRegex = "well";
    };
  };
}
