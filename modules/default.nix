# `quickDeploy.*`. Importing it changes nothing until `quickDeploy.enable` is set; `quickDeploy.deploy` is only read.
{lib, ...}: {
  imports = [
    ./deploy.nix
    ./guard.nix
    ./system-json.nix
    ./vm-gate.nix
    ./health
  ];

  options.quickDeploy.enable = lib.mkEnableOption ''
    health checks that travel with the system, the guard that proves them, and its recovery at boot.
    Machines can be deployed to without it; then the only checks are the two built-in ones'';
}
