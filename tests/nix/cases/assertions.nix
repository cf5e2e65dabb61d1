# What a configuration says wrongly is named in words that help. Each case gives the messages of our own assertions that
# do not hold.
{
  lib,
  evaluate,
  ours,
  ...
}: let
  of = modules: let
    evaluated = evaluate ([ours {quickDeploy.enable = true;}] ++ modules);
    isOurs = definition: lib.hasInfix "/modules/health/" definition.file && !lib.hasInfix "/nixos/modules/" definition.file;
    lists = map (definition: definition.value) (lib.filter isOurs evaluated.options.assertions.definitionsWithLocations);
  in
    map (a: a.message) (lib.filter (a: !a.assertion) (lib.concatLists lists));
  checks = checks: of [{quickDeploy.health = {inherit checks;};}];
  tcp = {tcp.port = 80;};
  secret = name: "quickDeploy.health.checks.${name} holds a secret, and everybody on the machine can read the manifest in /nix/store. Use `exec` with a program that reads it from a file, or `mcp.tokenFile`.";
  clash = a: b: port: "${a} and ${b} both want port ${port}: one of the two services cannot start, and every deployment would be rolled back. Give one of them another port or another address.";
in {
  "a good configuration" = {
    got = of [
      ../machine.nix
      {
        quickDeploy.health.checks = {
          site.http.url = "https://localhost/?q=a@b";
          after = tcp // {after = ["site" "nginx"];};
          read.exec.command = ["/run/current-system/sw/bin/check" "--token-file" "/run/secrets/token"];
          path.exec.command = ["/run/current-system/sw/bin/check" "--token=/run/secrets/token"];
          shell.exec.command = ["/bin/sh" "-c" "TOKEN=\"$(cat /run/secrets/token)\" check --header \"Authorization: Bearer $TOKEN\""];
        };
      }
    ];
    want = [];
  };
  "a check without a kind" = {
    got = checks {web.level = "info";};
    want = ["quickDeploy.health.checks.web looks at nothing. Give it one of: container, disk, dns, exec, file, http, journal, load, mcp, memory, port-closed, postgres, tcp, timescaledb, unit; or `enable = false` if another module declared it."];
  };
  "a check with two kinds" = {
    got = checks {"web.site" = tcp // {http.url = "http://localhost";};};
    want = ["quickDeploy.health.checks.\"web.site\" has 2 kinds: http, tcp. A check has one: make two checks of it."];
  };
  "a check after one that is not there" = {
    got = checks {
      web = tcp // {after = ["db" "dbb"];};
      db = tcp;
    };
    want = ["quickDeploy.health.checks.web.after names dbb, which is not declared or not enabled. Declared are: db."];
  };
  "a check after one that is switched off" = {
    got = checks {
      web = tcp // {after = ["db"];};
      db = tcp // {enable = false;};
    };
    want = ["quickDeploy.health.checks.web.after names db, which is not declared or not enabled. Declared are: none."];
  };
  "a password in a URL" = {
    got = checks {web.http.url = "https://admin:hunter2@localhost/";};
    want = [(secret "web")];
  };
  "a token among a URL's parameters" = {
    got = checks {web.mcp.url = "http://localhost/mcp?api_key=abc";};
    want = [(secret "web")];
  };
  "a password among a program's arguments" = {
    got = checks {
      a.exec.command = ["/bin/check" "--password=hunter2"];
      b.exec.command = ["/bin/check" "--Token" "hunter2"];
    };
    want = [(secret "a") (secret "b")];
  };
  "a token in a header, and in a variable" = {
    got = checks {
      a.exec.command = ["/bin/check" "--header" "Authorization: Bearer abc"];
      b.exec.command = ["/bin/env" "TOKEN=abc" "/bin/check"];
      c.exec.command = ["/bin/sh" "-c" "API_TOKEN='abc' check"];
    };
    want = [(secret "a") (secret "b") (secret "c")];
  };
  "a textfile where everybody's files lie" = {
    got = of [{quickDeploy.health.textfile = "/tmp/nqd.prom";}];
    want = ["quickDeploy.health.textfile is /tmp/nqd.prom: /tmp is everybody's, or lost at each boot, and the unit may write to all of it. Name a directory of its own: /var/lib/node-exporter/nqd.prom."];
  };
  "a textfile in a directory of its own" = {
    got = of [{quickDeploy.health.textfile = "/run/nqd/nqd.prom";}];
    want = [];
  };
  "two services on one port" = {
    got = of [
      {
        services.prometheus.enable = true;
        services.cockpit.enable = true;
      }
    ];
    want = [(clash "services.prometheus.port" "services.cockpit.port" "9090")];
  };
  "two services on one port of the same address" = {
    got = of [
      {
        services.grafana.enable = true;
        services.open-webui = {
          enable = true;
          host = "localhost";
          port = 3000;
        };
      }
    ];
    want = [(clash "services.grafana.settings.server.http_port" "services.open-webui.port" "3000")];
  };
  "nginx and Apache, as they come" = {
    got = of [
      {
        services.nginx = {
          enable = true;
          virtualHosts.localhost = {};
        };
        services.httpd.enable = true;
      }
    ];
    want = [(clash "services.nginx.defaultHTTPListenPort" "services.httpd.virtualHosts" "80")];
  };
  "nginx and Apache, each on addresses that are named" = {
    got = let
      beside = nginx:
        of [
          {
            services.nginx = {enable = true;} // nginx;
            services.httpd = {
              enable = true;
              virtualHosts.localhost.listenAddresses = ["192.0.2.1"];
            };
          }
        ];
    in
      lib.concatMap beside [
        {virtualHosts.localhost.listenAddresses = ["192.0.2.2"];}
        {
          virtualHosts.localhost = {};
          defaultListenAddresses = ["192.0.2.2"];
        }
        {
          virtualHosts.localhost = {};
          defaultListen = [{addr = "192.0.2.2";}];
        }
        {
          virtualHosts.localhost = {
            onlySSL = true;
            sslCertificate = "/run/secrets/cert";
            sslCertificateKey = "/run/secrets/key";
          };
        }
      ];
    want = [];
  };
  "sshd on an address that is named" = {
    got = let
      beside = host:
        of [
          {
            services.openssh = {
              enable = true;
              listenAddresses = [{addr = "192.0.2.1";}];
            };
            services.open-webui = {
              enable = true;
              port = 22;
              inherit host;
            };
          }
        ];
    in
      beside "192.0.2.2" ++ beside "192.0.2.1";
    want = [(clash "services.openssh.listenAddresses" "services.open-webui.port" "22")];
  };
  "Caddy's ports are in its own configuration" = {
    got = of [
      {
        services.caddy = {
          enable = true;
          virtualHosts."http://localhost:8080" = {};
        };
        services.nginx = {
          enable = true;
          virtualHosts.localhost = {};
        };
      }
    ];
    want = [];
  };
  "one port on two addresses is no clash" = {
    got = of [
      {
        services.grafana.enable = true;
        services.open-webui = {
          enable = true;
          host = "192.0.2.1";
          port = 3000;
        };
      }
    ];
    want = [];
  };
  "ports of services that are not enabled are nobody's" = {
    got = of [{services.prometheus.port = 22;}];
    want = [];
  };
}
