# The timer's unit writes the textfile, and fails, with its hook, when a check does.
_: {
  name = "health-timer";
  nodes.machine = {
    services.nginx.enable = true;
    quickDeploy.health = {
      textfile = "/var/lib/node-exporter/nqd.prom";
      onFailure = ["tell-me.service"];
    };
    systemd.services.tell-me.script = "touch /run/told";
  };
  testScript = ''
    file = "/var/lib/node-exporter/nqd.prom"

    machine.wait_for_unit("nginx.service")
    machine.wait_for_unit("nqd-health.timer")

    with subtest("healthy"):
        machine.succeed("systemctl start nqd-health.service")
        machine.succeed(f"grep -qxF 'nqd_health_verdict{{verdict=\"healthy\"}} 1' {file}")
        machine.fail("test -e /run/told")

    with subtest("a check fails"):
        machine.succeed("systemctl stop nginx.service")
        machine.fail("systemctl start nqd-health.service")
        machine.succeed(f"grep -qxF 'nqd_health_verdict{{verdict=\"unhealthy\"}} 1' {file}")
        machine.wait_for_file("/run/told", timeout=30)
  '';
}
