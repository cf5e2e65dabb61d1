# What nixos-quick-deploy is to know of a machine: imported by its configuration, beside nqd.nixosModules.default.
{
  quickDeploy = {
    enable = true;
    # Where it is reached by SSH. Without it: by the name that it has in nixosConfigurations.
    # deploy.targetHost = "192.0.2.1";
    # Services that the configuration enables are watched without a word (quickDeploy.health.autoChecks). What only
    # you know stands here.
    health.checks.root-disk = {
      disk.path = "/";
      level = "wanted";
    };
  };
}
