{
  services.prometheus = {
    enable = true;
    scrapeConfigs = [
      {
        job_name = "prometheus";
        static_configs = [{targets = ["localhost:9090"];}];
      }
    ];
  };

  quickDeploy.deploy = {
    targetHost = "192.0.2.3";
    tags = ["back"];
  };
}
