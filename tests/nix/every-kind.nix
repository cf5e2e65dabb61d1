# One check of every kind, with every field set: what tests/rendered/health.json is made from.
{
  quickDeploy.health.checks = {
    unit.unit.unit = "nqd-example.service";
    http = {
      http = {
        url = "https://localhost/";
        expectStatus = [200 204];
        bodyRegex = "Welcome|well";
        verifyTls = false;
      };
      level = "wanted";
      period = 5;
      timeout = 2.5;
      startDeadline = 120;
      successThreshold = 1;
      failureThreshold = 5;
      after = ["unit" "tcp"];
    };
    tcp.tcp.port = 22;
    closed.port-closed = {
      host = "127.0.0.1";
      port = 5432;
    };
    dns = {
      dns = {
        name = "example.org";
        record = "aaaa";
        server = "127.0.0.53";
        expect = ["2001:db8::1"];
      };
      level = "info";
    };
    exec.exec = {
      command = ["/run/current-system/sw/bin/true" "--quiet"];
      user = "nobody";
      memoryMaxBytes = 1048576;
    };
    file.file = {
      path = "/run/example";
      is = "socket";
      contentRegex = "^ok";
      maxAgeSeconds = 3600;
    };
    disk.disk = {
      path = "/nix";
      maxUsedPercent = 80;
      maxInodesPercent = 70;
    };
    load.load = {
      minutes = 1;
      maxPerCpu = 1.5;
    };
    memory.memory = {
      minAvailablePercent = 10;
      maxSwapUsedPercent = 50;
    };
    journal.journal = {
      pattern = "Out of memory";
      unit = "nqd-example.service";
      priority = "err";
      withinSeconds = 600;
    };
    container.container = {
      name = "site";
      program = "/run/current-system/sw/bin/podman";
      user = "alice";
    };
    postgres.postgres = {
      program = "/run/current-system/sw/bin/psql";
      socketDirectory = "/run/other";
      port = 5433;
      user = "alice";
      database = "site";
      extensions = ["vector"];
    };
    timescaledb.timescaledb.program = "/run/current-system/sw/bin/psql";
    mcp.mcp = {
      url = "http://localhost:8765/mcp";
      tools = ["search"];
      tokenFile = "/run/secrets/mcp";
    };
  };
}
