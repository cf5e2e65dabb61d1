import json


def system(name: str) -> str:
    """The store path of a specialisation of what was booted."""
    return target.succeed(f"readlink -f /run/booted-system/specialisation/{name}").strip()


def runs() -> str:
    """The system that the target runs."""
    return target.succeed("readlink -f /run/current-system").strip()


def boots() -> str:
    """The system that the target's profile names."""
    return target.succeed("readlink -f /nix/var/nix/profiles/system").strip()


def state() -> str:
    """The state of the target's last transaction, as its journal has it."""
    answer = json.loads(target.succeed("nqd-guard status --as-is"))
    record = (answer.get("status") or {}).get("record") or {}
    return str(record.get("state", "none"))


def command(name: str, flags: str = "") -> str:
    """The command that deploys a specialisation; a flag that is given stands in the place of its default here."""
    defaults = {"--soak": "3s", "--confirm-timeout": "60s"}
    times = " ".join(f"{flag} {time}" for flag, time in defaults.items() if flag not in flags.split())
    return f"nqd rollback target --to {system(name)} --yes {times} {flags}"


def deploy(name: str, code: int, flags: str = "") -> str:
    """Deploys a specialisation; nqd must end with this code. Gives what it said."""
    status, said = operator.execute(command(name, flags) + " 2>&1")
    assert status == code, f"{name}: exit code {status}, not {code}: {said}"
    return said


def begin(name: str, flags: str = "") -> None:
    """Deploys in the background, and returns once the target is probing it."""
    operator.succeed("rm -f /tmp/code")
    operator.execute(f"({command(name, flags)}; echo $? > /tmp/code) > /tmp/log 2>&1 &")
    retry(lambda _: state() == "probing", 60)


def end(code: int) -> None:
    """Waits for what was begun; nqd must end with this code."""
    operator.wait_until_succeeds("test -s /tmp/code", timeout=120)
    found = operator.succeed("cat /tmp/code; rm /tmp/code").strip()
    assert found == str(code), f"exit code {found}, not {code}: {operator.succeed('cat /tmp/log')}"


start_all()
target.wait_for_unit("multi-user.target")
operator.wait_for_unit("multi-user.target")
first = runs()
target.succeed(f"nix-env -p /nix/var/nix/profiles/system --set {first}")
with subtest("the network is cut"):
    begin("cut", "--confirm-timeout 20s --contact-timeout 2m")
    end(20)
    assert runs() == boots() == first
    operator.succeed("ssh target true")

with subtest("the network is left alone"):
    deploy("next", 0, "--confirm-timeout 20s")
    assert runs() == system("next")
