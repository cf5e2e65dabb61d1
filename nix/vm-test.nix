# One of nixos-tests/ as runNixOSTest takes it. A file gives a test, and gets what tests share.
{
  module,
  packages,
}: file: {
  imports = [(import file {shared = ../nixos-tests/shared;})];
  _module.args = {inherit packages;};
  # A machine that hangs is a failure, and soon.
  globalTimeout = 300;
  defaults = {
    imports = [module];
    quickDeploy.enable = true;
    documentation.enable = false;
  };
}
