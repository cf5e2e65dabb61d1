# Somebody's machine, with what autoChecks knows of. Nothing of ours in it.
{pkgs, ...}: {
  networking = {
    hostName = "web";
    firewall = {
      allowedTCPPorts = [443 80 80];
      allowedUDPPortRanges = [
        {
          from = 60000;
          to = 61000;
        }
      ];
      interfaces.wg0.allowedUDPPorts = [53];
    };
  };
  users.users.alice = {
    isNormalUser = true;
    extraGroups = ["wheel"];
  };
  environment.etc."motd".text = "hello\n";
  systemd.services.mine = {
    wantedBy = ["multi-user.target"];
    script = "exec sleep infinity";
  };
  services = {
    openssh.enable = true;
    nginx = {
      enable = true;
      virtualHosts.localhost = {};
    };
    postgresql = {
      enable = true;
      package = pkgs.postgresql;
      settings.port = 5433;
    };
    prometheus.enable = true;
    grafana.enable = true;
    ollama.enable = true;
    open-webui.enable = true;
    qdrant.enable = true;
    redis.servers.cache.enable = true;
    fail2ban.enable = true;
  };
  virtualisation.oci-containers = {
    backend = "podman";
    containers.site.image = "site:1";
    containers.manual = {
      image = "manual:1";
      autoStart = false;
    };
  };
}
