//! Connections, operators and power are lost; others interfere.

use std::time::Duration;

use crate::{NEXT, PLAIN, Row, assert_all, start};

pub fn rows() -> Vec<Row> {
    vec![
        ("candidate_that_cuts_the_network", cuts_network),
        ("candidate_that_stops_sshd", stops_sshd),
        ("contact_lost_for_good_is_22", inconclusive),
        ("operator_killed_and_follow_confirms", killed_and_followed),
        ("operator_killed_and_nobody_comes", killed_and_alone),
        ("operator_killed_without_need_to_confirm", killed_and_unattended),
        ("power_cut_while_probing", power_cut),
        ("second_deploy_is_busy", busy),
        ("foreign_switch_is_left_alone", foreign_switch),
        ("cancel_rolls_back", cancel),
        ("interrupt_detaches_after_the_switch_has_begun", interrupt),
        ("guard_killed_and_the_dead_mans_timer_takes_over", guard_killed),
        ("old_connection_does_not_confirm", old_connection),
        ("nothing_but_the_previous_systems_tools_is_run", tools),
        ("dry_activations_of_somebody_else_change_nothing", dry_activations),
        ("a_switch_that_ends_before_systemd_saw_it_begin", at_once),
        ("interrupted_at_the_first_of_two_hosts", two_hosts),
    ]
}

fn cuts_network() {
    let (operator, machine, first) = start(PLAIN);
    let bad = r#"web = nixos { name = "web"; version = "2"; network = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/ip link set host0 down\n"; };"#;
    operator.hosts(bad);
    let ended = operator
        .deploy(&machine, "web", &["--confirm-timeout", "5s"])
        .expect(20, &["rolled back: not confirmed"]);
    assert_all(&machine, &first, 1);
    assert!(ended.time < Duration::from_secs(60), "{:?}", ended.time);
    operator.hosts(NEXT);
    operator.deploy(&machine, "web", &[]).expect(0, &["committed"]);
}

fn stops_sshd() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; sshd = "[Service]\nExecStart=/bin/sleep infinity\n"; };"#);
    operator
        .deploy(&machine, "web", &["--confirm-timeout", "5s"])
        .expect(20, &["rolled back: not confirmed"]);
    assert_all(&machine, &first, 1);
}

fn inconclusive() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let running = operator.start_deploy(
        &machine,
        "web",
        &["--confirm-timeout", "4s", "--contact-timeout", "8s", "--soak", "20s"],
    );
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    machine.cut_network();
    running.end().expect(22, &["contact with", "cannot be known", "nqd follow"]);
    machine.wait_for_state(&["rolled-back"], Duration::from_secs(30));
    machine.restore_network();
    assert_all(&machine, &first, 1);
    operator.on(&machine, &["follow"]).expect(20, &["not confirmed"]);
}

/// A candidate whose activation takes a while.
const SLOW: &str = r#"web = nixos { name = "web"; version = "2"; onSwitch = "sleep 2"; };"#;

fn killed_and_followed() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(SLOW);
    let second = operator.build("web");
    let running = operator.start_deploy(&machine, "web", &["--soak", "1s"]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    running.kill();
    operator
        .on(&machine, &["follow"])
        .expect(0, &["check operator-reconnect passes", "committed; runs and boots"]);
    assert_all(&machine, &second, 2);
}

fn killed_and_alone() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(SLOW);
    let running = operator.start_deploy(&machine, "web", &["--confirm-timeout", "4s"]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    running.kill();
    machine.wait_for_state(&["rolled-back"], Duration::from_secs(40));
    assert_all(&machine, &first, 1);
    operator.on(&machine, &["status"]).expect(0, &["rolled back: not confirmed"]);
}

fn killed_and_unattended() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(SLOW);
    let second = operator.build("web");
    let running = operator.start_deploy(&machine, "web", &["--no-confirm"]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    running.kill();
    machine.wait_for_state(&["committed"], Duration::from_secs(40));
    assert_all(&machine, &second, 2);
}

fn power_cut() {
    let (operator, mut machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let running = operator.start_deploy(&machine, "web", &["--soak", "60s", "--contact-timeout", "60s"]);
    machine.wait_for_state(&["probing", "soaking"], Duration::from_secs(20));
    machine.power_cut();
    machine.boot();
    assert_all(&machine, &first, 1);
    // Whoever comes back first has the guard recover: asked in the middle of that, status says that one is at work.
    running.end().expect(24, &["interrupted", "runs and boots"]);
    operator.on(&machine, &["status"]).expect(0, &["interrupted: the machine went down while"]);
    operator.deploy(&machine, "web", &[]).expect(0, &["committed"]);
}

fn busy() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let running = operator.start_deploy(&machine, "web", &["--soak", "60s"]);
    machine.wait_for_state(&["soaking"], Duration::from_secs(20));
    operator
        .deploy(&machine, "web", &[])
        .expect(75, &["a transaction is running", "alice@", "begun 20", "nqd follow"]);
    let guard = machine.try_exec("echo '{}' | /nix/var/nqd/guard begin");
    assert!(!guard.status.success(), "not even a specification that is none is taken");
    operator.on(&machine, &["cancel"]).expect(0, &["rolling back"]);
    running.end().expect(20, &["cancelled by alice@"]);
    assert_all(&machine, &first, 1);
}

fn foreign_switch() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(r#"web = nixos { name = "web"; version = "3"; };"#);
    let third = operator.build("web");
    operator.deploy(&machine, "web", &["--copy-first", "--confirm-timeout", "0.1s"]).expect(20, &[]);
    operator.hosts(NEXT);
    let running = operator.start_deploy(&machine, "web", &["--soak", "60s"]);
    machine.wait_for_state(&["soaking"], Duration::from_secs(20));
    machine.exec(&format!("{third}/bin/switch-to-configuration test"));
    running.end().expect(23, &["superseded: somebody else switched the machine", "nixos-system-web-3"]);
    assert_eq!(machine.triple(), [third, first.clone(), first]);
}

fn cancel() {
    let (operator, machine, first) = start(PLAIN);
    operator.on(&machine, &["cancel"]).expect(30, &["there has never been a transaction"]);
    operator.on(&machine, &["follow"]).expect(0, &["never been a transaction"]);
    operator.hosts(SLOW);
    let running = operator.start_deploy(&machine, "web", &[]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    operator.on(&machine, &["cancel"]).expect(0, &["rolling back"]);
    running.end().expect(20, &["cancelled by alice@"]);
    assert_all(&machine, &first, 1);
    operator.on(&machine, &["cancel"]).expect(30, &["no transaction is running"]);
}

fn interrupt() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(SLOW);
    let second = operator.build("web");
    let running = operator.start_deploy(&machine, "web", &["--soak", "1s"]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    running.signal("INT");
    running.end().expect(22, &["detached", "nqd follow", "nqd cancel"]);
    operator.on(&machine, &["follow"]).expect(0, &["committed"]);
    assert_all(&machine, &second, 2);
}

fn guard_killed() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    let running = operator.start_deploy(&machine, "web", &["--soak", "120s"]);
    machine.wait_for_state(&["soaking"], Duration::from_secs(20));
    machine.exec("systemctl kill --signal=KILL 'nqd-transaction-*.service'");
    running.end().expect(20, &["rolled back: the guard died while soaking"]);
    assert_all(&machine, &first, 1);
    assert_eq!(
        machine.exec("systemctl list-timers --all --no-legend 'nqd-*' | wc -l"),
        "0",
        "the timer still runs"
    );
}

fn old_connection() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(SLOW);
    // A shared connection that was opened before the switch, and an operator who uses it to confirm.
    let there = format!("root@{}", machine.address());
    let mux = ["-o", "ControlPath=mux", &there];
    let open = operator.command("ssh", &[&["-M", "-N", "-f"], &mux[..]].concat()).output().unwrap();
    assert!(open.status.success());
    let running = operator.start_deploy(&machine, "web", &["--confirm-timeout", "6s"]);
    machine.wait_for_state(&["activating"], Duration::from_secs(20));
    running.kill();
    machine.wait_for_state(&["probing"], Duration::from_secs(20));
    let script = "cd /run/nqd/*-*/ && sed -n 's/.*\"token\":\"\\([0-9a-f]*\\)\".*/\\1/p' events.jsonl | /nix/var/nqd/guard confirm $(basename $PWD)";
    let confirm = operator.command("ssh", &[&mux[..], &[script]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&confirm.stdout).into_owned();
    assert!(said.contains("older than the switch"), "{said}{}", String::from_utf8_lossy(&confirm.stderr));
    machine.wait_for_state(&["rolled-back"], Duration::from_secs(30));
    assert_all(&machine, &first, 1);
}

fn tools() {
    let (operator, machine, _) = start(PLAIN);
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; units."bad.service" = "[Service]\nExecStart=/bin/false\n"; };"#);
    // The shipped guard, run under strace: every program that it executes, on the way forward and back.
    machine.install_program(&crate::guard(), "nqd-guard-real");
    let wrapper = operator.flake().join("traced-guard");
    let script = "#!/bin/sh\nexec /usr/bin/strace -f -qq -o /trace.$$ -e trace=execve,fork,vfork,clone,clone3 /usr/local/bin/nqd-guard-real \"$@\"\n";
    std::fs::write(&wrapper, script).unwrap();
    std::os::unix::fs::chown(&wrapper, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let previous = machine.link("/run/current-system");
    // The guard's own unit is started by PID 1, not by the wrapper.
    machine.exec("systemd-run --quiet --unit=tracer strace -f -qq -p 1 -o /trace.pid1 -e trace=execve,fork,vfork,clone,clone3");
    operator.deploy(&machine, "web", &["--guard", wrapper.to_str().unwrap()]).expect(20, &["bad.service"]);
    machine.exec("systemctl kill --signal=INT tracer; sleep 0.5");
    let trace = machine.exec("cat /trace.[0-9]* /trace.pid1");
    let executed = executed_by(&trace, "/usr/local/bin/nqd-guard-real");
    let ours = |p: &&str| {
        p.starts_with(&format!("{previous}/sw/bin/")) || p.starts_with(&format!("{previous}/systemd/bin/"))
    };
    let foreign: Vec<&&str> = executed.iter().filter(|p| !ours(p)).collect();
    assert!(foreign.is_empty(), "outside of the previous system: {foreign:?}");
    for tool in ["nix-store", "systemctl", "systemd-run", "journalctl"] {
        assert!(
            executed.iter().any(|p| p.ends_with(&format!("bin/{tool}"))),
            "{tool} was not seen: {executed:?}"
        );
    }
}

/// What `program`, in any of its processes, executes, from strace's lines: `PID execve("PATH", …` and, for new
/// processes, `PID clone(…) = CHILD`. With vfork the child's line comes first, so the family tree is read beforehand.
fn executed_by<'a>(trace: &'a str, program: &str) -> Vec<&'a str> {
    let calls: Vec<(&str, &str)> =
        trace.lines().filter_map(|l| l.split_once(' ')).map(|(p, c)| (p, c.trim_start())).collect();
    let child = |call: &'a str| {
        let forks = call.contains("clone") || call.contains("fork");
        call.rsplit_once("= ")
            .map(|(_, n)| n.trim())
            .filter(|n| forks && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let families: Vec<(&str, &str)> =
        calls.iter().filter_map(|(pid, call)| Some((*pid, child(call)?))).collect();
    let executed: Vec<(&str, &str)> = calls
        .iter()
        .filter_map(|(pid, call)| Some((*pid, call.strip_prefix("execve(\"")?.split('"').next()?)))
        .collect();
    let mut ours: Vec<&str> =
        executed.iter().filter(|(_, path)| *path == program).map(|(pid, _)| *pid).collect();
    let mut seen = 0;
    while let Some(pid) = ours.get(seen).copied() {
        seen += 1;
        // What has become another program is not ours any more, and neither are its children.
        let became = executed.iter().any(|(p, path)| *p == pid && *path != program);
        let children =
            families.iter().filter(|(parent, _)| *parent == pid && !became).map(|(_, child)| *child);
        let new: Vec<&str> = children.filter(|c| !ours.contains(c)).collect();
        ours.extend(new);
    }
    executed
        .iter()
        .filter(|(pid, path)| ours.contains(pid) && *path != program)
        .map(|(_, path)| *path)
        .collect()
}

/// Somebody's `dry-activate` holds the switch lock while the transaction probes, commits and rolls back.
fn dry_activations() {
    let (operator, machine, first) = start(PLAIN);
    let holds = "systemd-run --quiet --unit=holder sh -c 'while :; do flock -n /run/nixos/switch-to-configuration.lock sleep 0.7; sleep 0.4; done'";
    machine.exec(&format!("mkdir -p /run/nixos; {holds}"));
    operator.hosts(NEXT);
    operator.deploy(&machine, "web", &[]).expect(0, &["committed"]);
    let second = machine.link("/run/current-system");
    assert_ne!(second, first);
    operator.hosts(r#"web = nixos { name = "web"; version = "3"; onActivate = "false"; };"#);
    operator.deploy(&machine, "web", &[]).expect(20, &["rolled back: activation failed"]);
    machine.exec("systemctl stop holder");
    assert_all(&machine, &second, 2);
}

/// systemd may learn of the end of a script before it learns that it was executed. Then it has "failed to start", and
/// `systemd-run` says no more.
fn at_once() {
    let (operator, machine, first) = start(PLAIN);
    let late = r#"mv /usr/bin/systemd-run /usr/bin/systemd-run.real
cat > /usr/bin/systemd-run <<'END'
#!/bin/sh
/usr/bin/systemd-run.real "$@" || exit
case $1 in --unit=nqd-switch-*) unit=${1#--unit=} ;; *) exit 0 ;; esac
while [ "$(systemctl show --property=SubState --value $unit)" = running ]; do sleep 0.1; done
! systemctl is-failed --quiet $unit || { echo "Job for $unit failed." >&2; exit 1; }
END
chmod +x /usr/bin/systemd-run"#;
    machine.exec(late);
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; onActivate = "false"; };"#);
    operator.deploy(&machine, "web", &[]).expect(20, &["rolled back: activation failed"]);
    assert_all(&machine, &first, 1);
    // What could not be executed has not run.
    operator.hosts(r#"web = nixos { name = "web"; version = "3"; };"#);
    machine.exec("sed -i '2i case $1 in --unit=nqd-switch-*) exit 1 ;; esac' /usr/bin/systemd-run");
    operator.deploy(&machine, "web", &[]).expect(20, &["nothing was changed", "exited with 1"]);
    assert_all(&machine, &first, 1);
}

/// Ctrl-C while the first of two hosts is deployed: the second is not begun.
fn two_hosts() {
    let (operator, machine, first) = start(PLAIN);
    let mut other = crate::Machine::new(&operator.key());
    operator.hosts(&format!("{PLAIN} db = nixos {{ name = \"db\"; }};"));
    let db = operator.install(&mut other, "db");
    let host = |name: &str, machine: &crate::Machine| {
        format!(
            r#"{name} = nixos {{ name = "{name}"; version = "2"; deploy = {{ targetHost = "root@{}"; confirmTimeout = 15; }}; }};"#,
            machine.address()
        )
    };
    operator.hosts(&(host("web", &machine) + &host("db", &other)));
    let guard = crate::guard().display().to_string();
    let argv = ["deploy", "web", "db", "--yes", "--soak", "4s", "--guard", &guard];
    let running = operator.start(&argv);
    machine.wait_for_state(&["probing", "soaking"], Duration::from_secs(30));
    running.signal("INT");
    running.end().expect(22, &["web: detached", "db: interrupted; nothing was changed"]);
    assert_all(&other, &db, 1);
    machine.wait_for_state(&["rolled-back", "committed"], Duration::from_secs(40));
    assert!(machine.link("/run/current-system") == first || machine.generations() == 2);
    operator.nqd(&argv).expect(0, &["db: committed"]);
    assert_eq!(other.generations(), 2);
}
