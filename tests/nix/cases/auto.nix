# Checks that are derived from what is enabled, and how they are changed.
{
  lib,
  evaluate,
  manifestOf,
  ours,
  ...
}: let
  enabled = {quickDeploy.enable = true;};
  checksOf = modules: (manifestOf (evaluate ([ours enabled] ++ modules))).checks;
  probes = modules: lib.mapAttrs (_: check: check.probe) (checksOf modules);
  all = probes [../machine.nix];
  http = url: {
    kind = "http";
    inherit url;
    expectStatus = [200];
    verifyTls = true;
  };
  unit = unit: {
    kind = "unit";
    inherit unit;
  };
in {
  "each service that is enabled is asked in its own way" = {
    got = removeAttrs all ["container-site" "postgresql-answers"];
    want = {
      fail2ban = unit "fail2ban.service";
      grafana = http "http://127.0.0.1:3000/api/health";
      nginx = unit "nginx.service";
      ollama = http "http://127.0.0.1:11434/api/version";
      open-webui = http "http://127.0.0.1:8080/health";
      postgresql = unit "postgresql.service";
      prometheus = http "http://localhost:9090/-/ready";
      qdrant = http "http://127.0.0.1:6333/readyz";
      redis-cache = unit "redis-cache.service";
      sshd = unit "sshd.service";
    };
  };
  "containers that start by themselves" = {
    got = removeAttrs all.container-site ["program"] // {named = lib.hasSuffix "/bin/podman" all.container-site.program;};
    want = {
      kind = "container";
      name = "site";
      named = true;
    };
  };
  "the database is asked where it listens" = {
    got = removeAttrs all.postgresql-answers ["program"] // {named = lib.hasSuffix "/bin/psql" all.postgresql-answers.program;};
    want = {
      kind = "postgres";
      socketDirectory = "/run/postgresql";
      port = 5433;
      user = "postgres";
      database = "postgres";
      extensions = [];
      named = true;
    };
  };
  "its target is asked where this release has one" = {
    got = (probes [../machine.nix {systemd.targets.postgresql.wantedBy = ["multi-user.target"];}]).postgresql;
    want = unit "postgresql.target";
  };
  "a socket is asked where it starts the service" = {
    got =
      (probes [
        {
          services.openssh = {
            enable = true;
            startWhenNeeded = true;
          };
        }
      ])
      .sshd;
    want = unit "sshd.socket";
  };
  "under a path of its own a service is asked by its unit" = {
    got = {
      inherit
        (probes [
          ../machine.nix
          {
            services.prometheus.webExternalUrl = "https://example.org/prometheus/";
            services.grafana.settings.server.serve_from_sub_path = true;
          }
        ])
        prometheus
        grafana
        ;
    };
    want = {
      prometheus = unit "prometheus.service";
      grafana = unit "grafana.service";
    };
  };
  "an address of IPv6 is written as URLs have it" = {
    got =
      (probes [
        {
          services.ollama = {
            enable = true;
            host = "fd00::1";
          };
        }
      ])
      .ollama
      .url;
    want = "http://[fd00::1]:11434/api/version";
  };
  "one is changed" = {
    got = let
      check = (checksOf [../machine.nix {quickDeploy.health.checks.nginx.level = "wanted";}]).nginx;
    in {inherit (check) level probe;};
    want = {
      level = "wanted";
      probe = unit "nginx.service";
    };
  };
  "one looks at something else" = {
    got =
      (probes [
        ../machine.nix
        {quickDeploy.health.checks.nginx.http.url = "http://localhost/";}
      ])
      .nginx;
    want = http "http://localhost/";
  };
  "one field is changed, and the others stay" = {
    got = let
      inherit (probes [../machine.nix {quickDeploy.health.checks.postgresql-answers.postgres.extensions = ["vector"];}]) postgresql-answers;
    in {
      inherit (postgresql-answers) extensions port;
      named = lib.hasSuffix "/bin/psql" postgresql-answers.program;
    };
    want = {
      extensions = ["vector"];
      port = 5433;
      named = true;
    };
  };
  "one that another waits for is removed" = {
    got = let
      of = modules: (checksOf ([../machine.nix] ++ modules)).postgresql-answers.after;
    in {
      removed = of [{quickDeploy.health.checks.postgresql.enable = false;}];
      there = of [];
    };
    want = {
      removed = [];
      there = ["postgresql"];
    };
  };
  "behind TLS, or under a prefix, Prometheus is asked by its unit" = {
    got = let
      of = settings: (probes [{services.prometheus = {enable = true;} // settings;}]).prometheus.kind;
    in {
      tls = of {webConfigFile = "/etc/web.yml";};
      prefix = of {extraFlags = ["--web.route-prefix=/prometheus"];};
      other = of {extraFlags = ["--web.enable-lifecycle"];};
    };
    want = {
      tls = "unit";
      prefix = "unit";
      other = "http";
    };
  };
  "one is removed" = {
    got = probes [{services.openssh.enable = true;} {quickDeploy.health.checks.sshd.enable = false;}];
    want = {};
  };
  "none is derived if nobody wants them" = {
    got = probes [../machine.nix {quickDeploy.health.autoChecks = false;}];
    want = {};
  };
  "nothing is derived from what is not enabled" = {
    got = probes [];
    want = {};
  };
}
