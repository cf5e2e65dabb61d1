# Imported and not enabled, it changes nothing.
{
  lib,
  evaluate,
  ours,
  ...
}: let
  parts = configuration: {
    # What each file, unit, package and user is, not only its name.
    etc = lib.mapAttrs (_: file: {
      inherit (file) enable mode user group;
      text = file.text or null;
      source = toString file.source;
    }) (lib.filterAttrs (_: file: file.enable) configuration.config.environment.etc);
    units = lib.mapAttrs (_: unit: unit.text) configuration.config.systemd.units;
    packages = map (package: package.name or (toString package)) configuration.config.environment.systemPackages;
    users = lib.mapAttrs (_: user: {inherit (user) uid group extraGroups home shell isNormalUser;}) configuration.config.users.users;
    groups = lib.mapAttrs (_: group: group.gid) configuration.config.users.groups;
    inherit (configuration.config.systemd.tmpfiles) rules;
  };
  without = parts (evaluate [../machine.nix]);
  imported = parts (evaluate [../machine.nix ours]);
  enabled = parts (evaluate [../machine.nix ours {quickDeploy.enable = true;}]);
  same = lib.mapAttrs (name: value: value == imported.${name}) without;
  differs = lib.mapAttrs (name: value: value != enabled.${name}) without;
in {
  "imported and not enabled, nothing changes" = {
    got = same;
    want = lib.mapAttrs (_: _: true) without;
  };
  "there was something to compare" = {
    got = without.etc ? "motd" && without.units ? "mine.service" && lib.length without.packages > 20 && without.users ? alice;
    want = true;
  };
  "the comparison sees what enabling changes" = {
    got = {inherit (differs) etc units packages users;};
    want = {
      etc = true;
      units = true;
      packages = true;
      users = false;
    };
  };
}
