import json

machine.wait_for_unit("multi-user.target")
checks = json.loads(machine.succeed("cat /etc/nqd/health.json"))["checks"]
assert {"ollama", "qdrant"} <= checks.keys(), checks

with subtest("both answer"):
    machine.succeed("nqd-guard health --settle")

for service in ["ollama", "qdrant"]:
    with subtest(f"{service} does not"):
        machine.succeed(f"systemctl stop {service}.service")
        status, said = machine.execute("nqd-guard health")
        assert status == 25, said
        machine.succeed(f"systemctl start {service}.service")
        machine.wait_until_succeeds("nqd-guard health", timeout=60)
