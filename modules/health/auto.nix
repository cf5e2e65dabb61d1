# quickDeploy.health.autoChecks: checks of what the configuration enables. Each field is a default of its own: set one to
# change it, another kind to replace what it looks at, `enable = false` to remove it.
{
  config,
  lib,
  options,
  ...
}: let
  inherit (config) services virtualisation;
  has = lib.hasAttrByPath;
  # A service that this release of NixOS knows, and that is enabled.
  on = name: has ["services" name "enable"] options && services.${name}.enable;
  check = kind: fields: {
    ${kind} = lib.mapAttrs (_: lib.mkDefault) fields;
    autoKind = kind;
  };
  unit = unit: check "unit" {inherit unit;};
  # What listens on every address, or on none that is named, is asked on this machine's own.
  local = host:
    if lib.elem host ["" "0.0.0.0" "::" "[::]" "*"]
    then "localhost"
    else if lib.hasInfix ":" host && !lib.hasPrefix "[" host
    then "[${host}]"
    else host;
  http = host: port: path: check "http" {url = "http://${local host}:${toString port}${path}";};

  # Services that are asked by their units alone.
  units = {
    caddy = "caddy.service";
    fail2ban = "fail2ban.service";
    httpd = "httpd.service";
    mysql = "mysql.service";
    nginx = "nginx.service";
  };

  grafana = services.grafana.settings.server;
  qdrant = services.qdrant.settings.service;
  # The target also waits for the set-up of databases; releases before 25.11 have the service alone.
  postgresql =
    if config.systemd.targets ? postgresql
    then "postgresql.target"
    else "postgresql.service";

  containers = lib.optionalAttrs (has ["virtualisation" "oci-containers"] options) (
    lib.concatMapAttrs (name: container: let
      inherit (virtualisation.oci-containers) backend;
      user = container.podman.user or "root";
    in {
      "container-${name}" = check "container" ({
          inherit name;
          program = "${virtualisation.${backend}.package}/bin/${backend}";
        }
        // lib.optionalAttrs (user != "root") {inherit user;});
    }) (lib.filterAttrs (_: container: container.autoStart) virtualisation.oci-containers.containers)
  );

  # Without TLS, a password or a path of its own.
  bare = prometheus:
    prometheus.webExternalUrl
    == null
    && prometheus.webConfigFile or null == null
    && !lib.any (flag: lib.hasPrefix "--web.route-prefix" flag || lib.hasPrefix "--web.config.file" flag) prometheus.extraFlags;

  # Under a path of its own, or behind a password, a service is asked by its unit.
  derived = [
    (lib.mapAttrs (_: unit) (lib.filterAttrs (name: _: on name) units))
    (lib.optionalAttrs (on "openssh") {
      sshd = unit (
        if services.openssh.startWhenNeeded
        then "sshd.socket"
        else "sshd.service"
      );
    })
    (lib.optionalAttrs (on "postgresql") {
      postgresql = unit postgresql;
      postgresql-answers =
        check "postgres" {
          program = "${services.postgresql.finalPackage or services.postgresql.package}/bin/psql";
          inherit (services.postgresql.settings) port;
        }
        // {after = lib.mkIf config.quickDeploy.health.checks.postgresql.enable (lib.mkDefault ["postgresql"]);};
    })
    (lib.optionalAttrs (on "prometheus") {
      prometheus =
        if bare services.prometheus
        then http services.prometheus.listenAddress services.prometheus.port "/-/ready"
        else unit "prometheus.service";
    })
    (lib.optionalAttrs (on "grafana") {
      grafana =
        if grafana.protocol == "http" && !(grafana.serve_from_sub_path or false)
        then http grafana.http_addr grafana.http_port "/api/health"
        else unit "grafana.service";
    })
    (lib.optionalAttrs (on "ollama") {ollama = http services.ollama.host services.ollama.port "/api/version";})
    (lib.optionalAttrs (on "open-webui") {
      open-webui =
        http services.open-webui.host services.open-webui.port "/health"
        # It prepares its database at its first start.
        // {startDeadline = lib.mkDefault 180;};
    })
    (lib.optionalAttrs (on "qdrant") {qdrant = http qdrant.host qdrant.http_port "/readyz";})
    (lib.optionalAttrs (has ["services" "redis" "servers"] options) (
      lib.mapAttrs' (name: _: let
        service = "redis" + lib.optionalString (name != "") "-${name}";
      in
        lib.nameValuePair service (unit "${service}.service"))
      (lib.filterAttrs (_: server: server.enable) services.redis.servers)
    ))
    containers
  ];
in {
  options.quickDeploy.health.autoChecks = lib.mkOption {
    type = lib.types.bool;
    default = true;
    description = ''
      Whether checks are derived from what the configuration enables: sshd, nginx, Caddy, Apache, PostgreSQL, MySQL,
      Redis, Prometheus, Grafana, Ollama, Open WebUI, Qdrant, fail2ban, and OCI containers that start by themselves.
      `quickDeploy.health.checks.NAME.enable = false` removes one; a field that is set there changes one, and another kind
      stands in the place of the one that was chosen.
    '';
  };

  config.quickDeploy.health.checks =
    lib.mkIf (config.quickDeploy.enable && config.quickDeploy.health.autoChecks) (lib.mkMerge derived);
}
