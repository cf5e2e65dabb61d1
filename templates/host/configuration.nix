# What the machine does.
{
  networking.hostName = "web";
  system.stateVersion = "26.05";

  services.openssh.enable = true;
  # Yours: without it nobody can log in, and deployments are rolled back because of that.
  users.users.root.openssh.authorizedKeys.keys = ["ssh-ed25519 REPLACE-ME you@laptop"];

  services.nginx = {
    enable = true;
    virtualHosts."_".locations."/".return = "200 'well\\n'";
  };
  networking.firewall.allowedTCPPorts = [80];

  quickDeploy = {
    enable = true;
    # Where it is reached by SSH. Without it: by the name web.
    deploy.targetHost = "192.0.2.1";
    # sshd and nginx are watched without a word (quickDeploy.health.autoChecks). This one asks nginx for a page.
    health.checks.site.http = {
      url = "http://localhost/";
      bodyRegex = "well";
    };
  };
}
