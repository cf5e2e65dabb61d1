//! Good changes are committed, and what is nothing to do is left alone.

use crate::harness::{Machine, Operator};
use crate::{NEXT, PLAIN, Row, assert_all, start};

pub fn rows() -> Vec<Row> {
    vec![
        ("good_change_is_committed_and_survives_a_power_cut", committed),
        ("nothing_to_do_changes_nothing", nothing_to_do),
        ("diverged_start_is_refused_and_a_tested_candidate_is_proved", diverged),
        ("units_that_come_and_go_are_no_regression", units_come_and_go),
        ("checks_of_every_kind_pass", every_kind_of_check),
        ("what_failed_before_is_named_and_gates_only_under_strict", pre_existing),
        ("specialisation_is_activated_and_its_parent_boots", specialisation),
        ("saved_plan_runs_without_evaluating_and_a_stale_one_is_refused", saved_plan),
        ("rollback_is_a_transaction_like_any_other", rollback),
        ("built_on_the_target", built_on_target),
        ("sudo_with_a_password_and_doas", escalation),
        ("deploying_this_machine", local),
        ("health_of_a_machine", health),
        ("health_that_settles_is_measured_and_recorded", settled),
        ("proved_systems_are_kept", kept),
        ("what_changes_on_a_machine_and_why", compared),
        ("a_wrapper_names_the_revision_of_its_flake", wrapped),
    ]
}

fn committed() {
    let (operator, mut machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    assert_ne!(first, second);
    let logins = machine.logins();
    operator.deploy(&machine, "web", &[]).expect(0, &["1 → 2", "committed; runs and boots"]);
    assert_all(&machine, &second, 2);
    assert_eq!(machine.logins() - logins, 2, "one login, and the confirmation's own");
    machine.power_cut();
    machine.boot();
    assert_all(&machine, &second, 2);
    operator.on(&machine, &["status"]).expect(0, &["committed", "generation 2"]);
}

fn nothing_to_do() {
    let (operator, machine, first) = start(PLAIN);
    operator.deploy(&machine, "web", &[]).expect(0, &["nothing to do"]);
    assert_all(&machine, &first, 1);
    assert_eq!(machine.state(), "none", "no transaction was begun");
}

fn diverged() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    operator.deploy(&machine, "web", &[]).expect(0, &[]);
    machine.exec(&format!("{first}/bin/switch-to-configuration test"));
    operator.hosts(r#"web = nixos { name = "web"; version = "3"; };"#);
    let third = operator.build("web");
    operator.deploy(&machine, "web", &[]).expect(30, &["diverged", "--from-diverged"]);
    assert_eq!(machine.triple(), [first.clone(), second.clone(), second.clone()]);
    // Each of the three is restored.
    let broken = r#"web = nixos { name = "web"; version = "4"; units."bad.service" = "[Service]\nExecStart=/bin/false\n"; };"#;
    operator.hosts(broken);
    operator.deploy(&machine, "web", &["--from-diverged"]).expect(20, &["bad.service"]);
    assert_eq!(machine.triple(), [first, second.clone(), second]);
    // What somebody tested is proved and committed, without a switch.
    operator.hosts(r#"web = nixos { name = "web"; version = "3"; };"#);
    operator.deploy(&machine, "web", &["--from-diverged"]).expect(0, &[]);
    operator.hosts(r#"web = nixos { name = "web"; version = "5"; };"#);
    let fifth = operator.build("web");
    operator
        .deploy(&machine, "web", &["--copy-first", "--from-diverged", "--confirm-timeout", "0.1s"])
        .expect(20, &["not confirmed"]);
    assert_all(&machine, &third, 3);
    machine.exec(&format!("{fifth}/bin/switch-to-configuration test"));
    operator.deploy(&machine, "web", &[]).expect(0, &["none: it runs already", "committed"]);
    assert_all(&machine, &fifth, 4);
}

fn units_come_and_go() {
    let hosts = |version: &str, more: &str| {
        format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; wanted = [ "idle.socket" "once.service" "short.service" ]; units = {{
              "idle.socket" = "[Socket]\nListenStream=/run/idle.sock\n";
              "idle.service" = "[Service]\nExecStart=/bin/sleep 1\n# {version}\n";
              "once.service" = "[Service]\nType=oneshot\nExecStart=/bin/true\n# {version}\n";
              "short.service" = "[Service]\nExecStart=/bin/sleep 2\n# {version}\n";
              "tired.service" = "[Service]\nExecStart=/bin/sleep 5\n";
              {more}
            }}; }};"#
        )
    };
    let (operator, machine, _) =
        start(&hosts("1", r#""gone.service" = "[Service]\nExecStart=/bin/sleep infinity\n";"#));
    operator.hosts(&hosts("2", ""));
    let second = operator.build("web");
    // It is active at the baseline and ends, with success, while it is watched.
    machine.exec("systemctl start gone.service idle.service; systemctl restart tired.service");
    operator.deploy(&machine, "web", &["--soak", "6s"]).expect(0, &["committed"]);
    assert_all(&machine, &second, 2);
    let states = machine
        .try_exec("systemctl is-active gone.service idle.socket once.service short.service tired.service");
    assert_eq!(
        String::from_utf8_lossy(&states.stdout).split_whitespace().collect::<Vec<_>>(),
        ["inactive", "active", "inactive", "inactive", "inactive"]
    );
}

/// One check of each kind, all of which pass on a machine with the unit `web.service`.
const CHECKS: &str = r#"
  unit.probe = { kind = "unit"; unit = "web.service"; };
  http.probe = { kind = "http"; url = "http://localhost:8080/"; bodyRegex = "^well$"; };
  tcp.probe = { kind = "tcp"; host = "127.0.0.1"; port = 22; };
  exec.probe = { kind = "exec"; command = [ "/bin/sh" "-c" "test $(id -u) != 0" ]; };
  literal.probe = { kind = "exec"; command = [ "/bin/sh" "-c" "test \"$0\" = '$'HOME" "$HOME" ]; };
  root.probe = { kind = "exec"; command = [ "/bin/sh" "-c" "test $(id -u) = 0" ]; user = "root"; };
  file = { probe = { kind = "file"; path = "/etc/hostname"; contentRegex = "web"; }; after = [ "unit" ]; };
  disk.probe = { kind = "disk"; path = "/"; };
  load.probe = { kind = "load"; minutes = 1; maxPerCpu = 1000; };
  memory.probe = { kind = "memory"; minAvailablePercent = 1; };
  dns.probe = { kind = "dns"; name = "localhost"; record = "a"; expect = [ "127.0.0.1" ]; };
  closed.probe = { kind = "port-closed"; host = "127.0.0.1"; port = 9; };
  quiet.probe = { kind = "journal"; pattern = "no such words"; priority = "err"; };
  container.probe = { kind = "container"; name = "web"; program = "/usr/local/bin/podman"; };
  postgres.probe = { kind = "postgres"; program = "/usr/local/bin/psql"; user = "deploy"; extensions = [ "hstore" ]; };
"#;

/// Programs that answer as podman and psql do, if they are run as they should be.
const PODMAN: &str = r#"#!/bin/sh
test "$(/usr/bin/id -un) $2 $5 $6" = "root --type {{json .State}} web" && echo '{"Status":"running","StartedAt":"t"}'
"#;
const PSQL: &str = r#"#!/bin/sh
test "$(/usr/bin/id -un) $PGOPTIONS" = "deploy -c statement_timeout=5000" || { echo "$(/usr/bin/id -un): $PGOPTIONS" >&2; exit 1; }
case "$*" in *"--username=deploy --dbname=postgres"*"''e''"*"''hstore''"*) printf 'server 15\nextension hstore 1.8 1.8\n' ;; esac
"#;

fn every_kind_of_check() {
    let (operator, machine, _) = start(PLAIN);
    for (name, text) in [("podman", PODMAN), ("psql", PSQL)] {
        machine.write(&format!("/usr/local/bin/{name}"), text);
        machine.exec(&format!("chmod 755 /usr/local/bin/{name}"));
    }
    operator.hosts(&format!(r#"web = nixos {{ name = "web"; version = "2"; units."web.service" = httpd {{ }}; checks = {{ {CHECKS} }}; }};"#));
    let second = operator.build("web");
    let ended = operator
        .deploy(&machine, "web", &[])
        .expect(0, &["exec (exec, required, new)", "check http passes", "check file passes"]);
    assert_eq!(
        ended.stderr.matches(" passes").count(),
        17,
        "fifteen declared checks and two built in:\n{}",
        ended.stderr
    );
    assert_all(&machine, &second, 2);
}

fn pre_existing() {
    let hosts = |version: &str| {
        format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; units."web.service" = httpd {{ status = "500"; }};
              checks.site = {{ probe = {{ kind = "http"; url = "http://localhost:8080/"; }}; period = 0.3; startDeadline = 3; }}; }};"#
        )
    };
    let (operator, machine, first) = start(&hosts("1"));
    operator.hosts(&hosts("2"));
    let second = operator.build("web");
    operator.deploy(&machine, "web", &["--strict"]).expect(20, &["site", "failed before too"]);
    assert_all(&machine, &first, 1);
    operator.deploy(&machine, "web", &[]).expect(0, &["pre-existing: check site", "http 500", "committed"]);
    assert_all(&machine, &second, 2);
}

fn specialisation() {
    let hosts = |version: &str| {
        format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; specialisations.dark = nixos {{ name = "web"; version = "{version}-dark"; }}; }};"#
        )
    };
    let (operator, machine, _) = start(&hosts("1"));
    operator.hosts(&hosts("2"));
    let second = operator.build("web");
    operator
        .deploy(&machine, "web", &["--specialisation", "light"])
        .expect(30, &["no specialisation \"light\"", "it has dark"]);
    operator.deploy(&machine, "web", &["--specialisation", "dark"]).expect(0, &["committed"]);
    let dark = machine.link(&format!("{second}/specialisation/dark"));
    assert_eq!(machine.triple(), [dark, second.clone(), second.clone()]);
    // Running one's own specialisation is no divergence, but leaving it is said.
    operator.deploy(&machine, "web", &[]).expect(0, &["runs a specialisation, which this leaves"]);
    assert_eq!(machine.triple(), [second.clone(), second.clone(), second]);
}

fn saved_plan() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    let guard = crate::guard().display().to_string();
    let plan = |file: &str| {
        operator
            .on(&machine, &["plan", "web", "--out", file, "--soak", "1s", "--guard", &guard])
            .expect(0, &["1 → 2"])
    };
    plan("a.json");
    plan("b.json");
    assert_all(&machine, &first, 1);
    assert_eq!(machine.state(), "none", "a plan changes nothing");
    // What is confirmed is what runs: the flake may be gone by now.
    std::fs::write(operator.flake().join("flake.nix"), "broken").unwrap();
    operator.nqd(&["deploy", "--plan", "a.json"]).expect(30, &["no terminal", "--yes"]);
    operator.nqd(&["deploy", "--plan", "a.json", "--yes"]).expect(0, &["committed"]);
    assert_all(&machine, &second, 2);
    operator
        .nqd(&["deploy", "--plan", "b.json", "--yes"])
        .expect(30, &["the plan is stale", "make a new plan"]);
    assert_all(&machine, &second, 2);
}

fn rollback() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    operator.deploy(&machine, "web", &[]).expect(0, &[]);
    let guard = crate::guard().display().to_string();
    let back = |more: &[&str]| {
        operator.on(&machine, &[&["rollback", "--yes", "--soak", "1s", "--guard", &guard], more].concat())
    };
    back(&["--to", "7"]).expect(30, &["no generation 7", "1, 2"]);
    back(&[]).expect(0, &["the generation before", "committed"]);
    assert_all(&machine, &first, 3);
    back(&["--to", "2"]).expect(0, &["committed"]);
    assert_all(&machine, &second, 4);
    back(&["--to", &first]).expect(0, &["committed"]);
    assert_all(&machine, &first, 5);
}

fn built_on_target() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(NEXT);
    operator.deploy(&machine, "web", &["--build-on", "target"]).expect(0, &["committed", "1 → 2"]);
    let second = machine.link("/run/current-system");
    assert!(second.ends_with("nixos-system-web-2"), "{second}");
    assert_all(&machine, &second, 2);
}

/// Copies a path to a machine, as root there.
fn copy(operator: &Operator, machine: &Machine, path: &str) {
    let store = format!("ssh-ng://root@{}", machine.address());
    let out = operator.command("nix", &["copy", "--no-check-sigs", "--to", &store, path]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn escalation() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    let there = format!("deploy@{}", machine.address());
    let guard = crate::guard().display().to_string();
    let deploy = |more: &[&str]| {
        let argv =
            [&["deploy", "web", "--yes", "--soak", "1s", "--guard", &guard, "--target-host", &there], more]
                .concat();
        operator.nqd(&argv)
    };
    deploy(&[]).expect(30, &["needs root", "--escalate sudo"]);
    deploy(&["--escalate", "sudo"]).expect(30, &["becoming root was refused", "--ask-sudo-password"]);
    // The daemon does not trust this user's unsigned paths.
    machine.exec("systemd-run --quiet --unit=nix-daemon nix-daemon");
    deploy(&["--escalate", "doas"]).expect(42, &["lacks a", "signature", "trusted-users"]);
    assert_eq!(
        machine.exec("ls /nix/var/nix/gcroots/nqd | wc -l"),
        "0",
        "roots of a deployment that did not begin"
    );
    copy(&operator, &machine, &second);
    let added = operator.command("nix-store", &["--add", &guard]).output().unwrap();
    copy(&operator, &machine, String::from_utf8(added.stdout).unwrap().trim());
    deploy(&["--escalate", "doas"]).expect(0, &["committed"]);
    assert_all(&machine, &second, 2);
    let back = [
        "rollback",
        "--yes",
        "--soak",
        "1s",
        "--guard",
        &guard,
        "--target-host",
        &there,
        "--ask-sudo-password",
    ];
    operator.type_in("wrong", &back).expect(30, &["becoming root was refused"]);
    operator.type_in("hunter 2", &back).expect(0, &["committed"]);
    let traces = machine.exec("journalctl --sync && journalctl -o cat | grep -c 'hunter 2' || true");
    assert_eq!(traces, "0", "the password is in the machine's log");
}

fn local() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let second = operator.build("web");
    copy(&operator, &machine, &second);
    machine.install_program(&crate::nqd(), "nqd");
    machine.install_program(&crate::guard(), "nqd-guard");
    let said = machine.exec(&format!("nqd rollback --to {second} --yes --soak 1s 2>&1"));
    assert!(said.contains("committed; runs and boots"), "{said}");
    assert_all(&machine, &second, 2);
    assert!(machine.exec("nqd status").contains("committed"));
    assert!(machine.exec("nqd health --json").contains("no-failed-unit"));
    let back = machine.exec("nqd rollback --yes --soak 0 2>&1");
    assert!(back.contains("committed"), "{back}");
    assert_all(&machine, &first, 3);
}

fn health() {
    let hosts = |status: &str| {
        format!(
            r#"web = nixos {{ name = "web"; units."web.service" = httpd {{ status = "{status}"; }}; checks = {{
          site = {{ probe = {{ kind = "http"; url = "http://localhost:8080/"; }}; period = 0.2; }};
          extra = {{ probe = {{ kind = "file"; path = "/extra"; }}; level = "wanted"; period = 0.2; }}; }}; }};"#
        )
    };
    let (operator, machine, _) = start(&hosts("200"));
    let guard = crate::guard().display().to_string();
    operator.on(&machine, &["health", "--guard", &guard]).expect(10, &["degraded", "FAIL", "extra (wanted)"]);
    machine.write("/extra", "");
    operator
        .on(&machine, &["health", "--guard", &guard, "--junit", "out.xml"])
        .expect(0, &["healthy", "site: "]);
    let junit = std::fs::read_to_string(operator.flake().join("out.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("name=\"site\""), "{junit}");
    machine.exec("systemctl stop web.service");
    let json = operator
        .on(&machine, &["health", "--guard", &guard, "--json"])
        .expect(25, &["\"verdict\":\"unhealthy\"", "refused"]);
    assert_eq!(json.stdout.lines().count(), 1, "one line of JSON: {}", json.stdout);
}

fn settled() {
    let (_, machine, _) = start(
        r#"web = nixos { name = "web"; units."web.service" = httpd { };
             checks.site = { probe = { kind = "http"; url = "http://localhost:8080/"; }; period = 0.2; }; };"#,
    );
    machine.install_program(&crate::guard(), "nqd-guard");
    let ends = |script: &str| {
        let out = machine.try_exec(script);
        (
            out.status.code(),
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
        )
    };
    let all = "nqd-guard health --settle --textfile /run/nqd.prom --record /run/record";
    let (code, said) = ends(all);
    assert!(code == Some(1) && said.contains("makes no file"), "a device that is missing: {said}");
    machine.exec("mkfifo /run/record; timeout 60 cat /run/record > /run/received 2> /dev/null &");
    assert_eq!(ends(all).0, Some(0));
    assert_eq!(machine.exec("stat -c %a /run/nqd.prom"), "644");
    let measured = machine.exec("cat /run/nqd.prom");
    for line in [
        "nqd_health_verdict{verdict=\"healthy\"} 1",
        "nqd_health_check{check=\"site\",kind=\"http\",level=\"required\",state=\"passing\"} 1",
        "nqd_health_check{check=\"no-failed-unit\",kind=\"units\",level=\"wanted\",state=\"failing\"} 0",
    ] {
        assert!(measured.contains(line), "{line}: {measured}");
    }
    let received = machine.exec("cat /run/received");
    assert!(received.lines().count() == 1 && received.contains("\"verdict\":\"ok\""), "{received}");
    // It runs whenever somebody looks: only who goes on looking sees that it dies.
    machine.exec("systemd-run --quiet --unit=loop -p Restart=always -p RestartSec=50ms -p StartLimitIntervalSec=0 sh -c 'sleep 1; exit 1'");
    let (code, said) = ends("nqd-guard health --settle --textfile /run/nqd.prom");
    assert!(code == Some(10) && said.contains("loop.service was restarted"), "{code:?}: {said}");
    assert!(machine.exec("cat /run/nqd.prom").contains("nqd_health_verdict{verdict=\"degraded\"} 1"));
    machine.exec("systemctl stop loop web");
    let (code, said) = ends("nqd-guard health --textfile /run/nqd.prom");
    assert!(code == Some(25) && said.contains("refused"), "{code:?}: {said}");
    assert!(machine.exec("cat /run/nqd.prom").contains("nqd_health_verdict{verdict=\"unhealthy\"} 1"));
    // What could not be examined at all is not what it was when it could.
    machine.exec("systemctl start web; mkdir /tmp/broken; ln -sfn /nix/store/none /run/current-system");
    let (code, said) = ends("nqd-guard health --textfile /run/nqd.prom");
    assert!(code != Some(0), "{said}");
    assert!(machine.exec("cat /run/nqd.prom").contains("nqd_health_verdict{verdict=\"unknown\"} 1"));
}

fn kept() {
    let hosts = |version: &str| format!(r#"web = nixos {{ name = "web"; version = "{version}"; }};"#);
    let (operator, machine, _) = start(PLAIN);
    machine.install_program(&crate::guard(), "nqd-guard");
    machine.exec("nqd-guard keep 2");
    let deploy = |version: &str| {
        operator.hosts(&hosts(version));
        let system = operator.build("web");
        operator.deploy(&machine, "web", &["--soak", "0s"]).expect(0, &["committed"]);
        system
    };
    let systems = ["2", "3", "4"].map(deploy);
    let roots = || machine.exec("cd /nix/var/nix/gcroots/nqd-proved; readlink * | sort");
    let sorted = |systems: &[String]| {
        let mut systems = systems.to_vec();
        systems.sort();
        systems.join("\n")
    };
    machine.exec("nqd-guard keep 3");
    assert_eq!(roots(), sorted(&systems));
    for _ in 0..2 {
        machine.exec("nqd-guard keep 2");
        assert_eq!(roots(), sorted(&systems[1..]));
    }
    let why = machine.exec(&format!("nix-store --query --roots {}", systems[1]));
    assert!(why.contains("nqd-proved"), "{why}");
    // A history that cannot be read lets go of nothing.
    machine.exec("mv /nix/var/nqd/history.jsonl /root/history; echo '{' > /nix/var/nqd/history.jsonl");
    for damage in ["true", "rm /nix/var/nqd/history.jsonl", "mkdir /nix/var/nqd/history.jsonl"] {
        machine.exec(damage);
        assert!(!machine.try_exec("nqd-guard keep 1").status.success(), "{damage}");
        assert_eq!(roots(), sorted(&systems[1..]), "{damage}");
    }
    machine.exec("rmdir /nix/var/nqd/history.jsonl; mv /root/history /nix/var/nqd/history.jsonl");
    machine.exec("nqd-guard keep 1");
    assert_eq!(roots(), systems[2]);
}

/// The machine tells what it runs and what that is made of; the operator's store what the flake says.
fn compared() {
    let units = |seconds: usize, more: &str| {
        let unit = |name| format!(r#""{name}.service" = "[Service]\nExecStart=/bin/sleep {seconds}\n"; "#);
        format!("units = {{ {} {more} }};", ["one", "three", "two"].map(unit).concat())
    };
    let gone = r#""gone.service" = "[Service]\nExecStart=/bin/sleep 600\n";"#;
    let old = format!(r#"web = nixos {{ name = "web"; {} }};"#, units(500, gone));
    let (operator, machine, _) = start(&old);
    let web = |version: &str, font: &str, more: &str| {
        let font =
            format!(r#"{{ name = "font-100dpi-{font}"; pname = "font-100dpi"; version = "{font}"; }}"#);
        let packages = format!(r#"packages = [ "web-{version}" {font} ];"#);
        format!(r#"web = nixos {{ name = "web"; version = "{version}"; {packages} {more} }};"#)
    };
    let new = units(600, r#""new.service" = "[Service]\nExecStart=/bin/true\n";"#);
    operator.hosts(&web("2", "1.0.3", &new));
    let compare = |says: &[&str]| operator.on(&machine, &["diff", "web", ".#web"]).expect(0, says).all();
    compare(&["what web runs", "web               1 → 2", "+ new.service", "Closure"]);
    compare(&["(derived from the unit files", "starts new.service", "dry-activate was not asked"]);
    // Once the machine has it, it is asked, and tells what would become of what runs.
    copy(&operator, &machine, &operator.build("web"));
    machine.exec("systemctl stop two.service");
    let said = compare(&[
        "The switch (as dry-activate says)",
        "- stops gone.service\n",
        "~ restarts one.service, three.service\n",
    ]);
    assert!(!said.contains("derived") && !said.contains("not asked"), "{said}");
    operator.on(&machine, &["snapshot", "web", "--out", "before.json"]).expect(0, &[]);
    operator.deploy(&machine, "web", &[]).expect(0, &["committed", "+ new.service"]);
    operator.on(&machine, &["diff", "web", ".#web", "--exit-code"]).expect(0, &["no change"]);
    operator.on(&machine, &["diff", "before.json", "web"]).expect(0, &["1 → 2", "+ new.service"]);
    // Its derivation was recorded and kept.
    operator.hosts(&web("3", "1.0.4", ""));
    operator.on(&machine, &["why", "web", ".#web"]).expect(0, &["root cause"]);
    // Where it is gone all the same, that is said, and what works without it.
    let gone = operator.command("/bin/sh", &["-euc", "rm /nix/store/*-nixos-system-web-2.drv"]).status();
    assert!(gone.unwrap().success());
    let says = ["nixos-system-web-2.drv is not here any more", "nqd diff needs no derivations"];
    operator.on(&machine, &["why", "web", ".#web"]).expect(30, &says);
    // What a name alone would not tell, the derivations here do: of what the machine runs as well.
    let says = ["2 → 3", "font-100dpi       1.0.3 → 1.0.4"];
    operator.on(&machine, &["diff", "web", ".#web"]).expect(0, &says);
}

/// A flake in the store knows no revision: the wrapper of lib.mkApps says it, and only of the flake that it names.
fn wrapped() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(NEXT);
    let plan = |more: &[&str]| {
        let flake = format!("NQD_FLAKE={}", operator.flake().display());
        let revision = "NQD_REVISION=0123456789abcdef0123456789abcdef01234567-dirty";
        let (nqd, there) = (operator.program().to_str().unwrap(), format!("root@{}", machine.address()));
        let guard = crate::guard();
        let words = [
            &flake,
            revision,
            nqd,
            "plan",
            "web",
            "--target-host",
            &there,
            "--guard",
            guard.to_str().unwrap(),
        ];
        let out = operator.command("/usr/bin/env", &[&words[..], more].concat()).output().unwrap();
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
    };
    let said = plan(&[]);
    assert!(said.contains("#web at 0123456789ab-dirty"), "{said}");
    let said = plan(&["--flake", "."]);
    assert!(said.contains(".#web at ") && !said.contains("0123456789ab"), "{said}");
}
