//! The units of our NixOS module as they were rendered (tests/rendered), on machines that run them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::harness::run::until;
use crate::harness::{Machine, Operator, nix_new};
use crate::{Row, guard, nqd};

pub fn rows() -> Vec<Row> {
    if nix_new::wanted() {
        // Units know nothing of Nix: once is enough.
        return Vec::new();
    }
    vec![
        ("module_units_run_the_health_checks", health),
        ("module_unit_recovers_at_boot_and_without_it_nobody_does", recovered),
        ("module_units_keep_what_was_proved", kept),
    ]
}

/// Where the guard of the rendered units is, and where it is here.
const GUARD: [&str; 2] =
    ["/nix/store/00000000000000000000000000000000-nqd-guard/bin/nqd-guard", "/usr/local/bin/nqd-guard"];

/// Nix's text for these units, for the fixture's `units`; `change` may alter what was rendered.
fn units(operator: &Operator, from: &str, names: &[&str], change: impl Fn(String) -> String) -> String {
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rendered");
    let there = operator.flake().join("rendered");
    fs::create_dir_all(&there).unwrap();
    let unit = |name: &&str| {
        let text = fs::read_to_string(rendered.join(from).join(name)).unwrap().replace(GUARD[0], GUARD[1]);
        assert!(!text.contains("nqd-guard/bin"), "{name} names a guard that is not here");
        fs::write(there.join(name), change(text)).unwrap();
        format!("\"{name}\" = builtins.readFile ./rendered/{name};\n")
    };
    names.iter().map(unit).collect()
}

/// A machine that runs a system with these units.
fn start(operator: &Operator, hosts: &str) -> Machine {
    operator.hosts(hosts);
    let mut machine = Machine::new(&operator.key());
    machine.install_program(&guard(), "nqd-guard");
    operator.install(&mut machine, "web");
    machine
}

fn operator() -> Operator {
    Operator::new(&nqd(), &guard())
}

/// Checks that a sandbox could spoil: of other users' files, of /tmp and /home, of programs, of the network and the machine.
const CHECKS: &str = r#"
  private.probe = { kind = "file"; path = "/home/deploy/private"; contentRegex = "^mine"; };
  flag.probe = { kind = "file"; path = "/tmp/flag"; };
  home.probe = { kind = "disk"; path = "/home"; maxUsedPercent = 99; };
  exec.probe = { kind = "exec"; command = [ "/bin/sh" "-c" "test $(id -u) != 0" ]; };
  root.probe = { kind = "exec"; command = [ "/bin/sh" "-c" "test $(id -u) = 0" ]; user = "root"; };
  ssh.probe = { kind = "tcp"; host = "localhost"; port = 22; };
  load.probe = { kind = "load"; maxPerCpu = 1000; };
  memory.probe = { kind = "memory"; minAvailablePercent = 1; };
  journal = { probe = { kind = "journal"; pattern = "this is never said"; }; level = "info"; };
"#;

/// The unit of a machine, and that of a container. These machines are containers: there the first one's /proc is not theirs,
/// so that it does not find the journal of their boot, and says so.
fn health() {
    for from in ["units", "container"] {
        let operator = operator();
        let service = units(&operator, from, &["nqd-health.service"], |text| text);
        let timer = units(&operator, "units", &["nqd-health.timer"], |text| text);
        let hook = if from == "units" {
            r#""tell-me.service" = "[Service]\nType=oneshot\nExecStart=/bin/touch /run/told\n";"#
        } else {
            ""
        };
        let machine = start(
            &operator,
            &format!(
                r#"web = nixos {{ name = "web"; wanted = [ "nqd-health.timer" ]; checks = {{ {CHECKS} }}; units = {{ {service} {timer} {hook} }}; }};"#
            ),
        );
        watched(&machine, from);
    }
}

fn watched(machine: &Machine, from: &str) {
    machine.exec(
        "mkdir -p /var/lib/node-exporter; touch /tmp/flag; cd /home/deploy; echo mine > private; chmod 600 private; chown deploy private; chmod 700 .",
    );
    assert_eq!(
        machine.exec("systemd-analyze verify /etc/systemd/system/nqd-*.* 2>&1"),
        "",
        "systemd-analyze verify"
    );
    machine.exec("systemctl is-active nqd-health.timer && systemctl list-timers | grep -q nqd-health");
    let by_unit = machine
        .exec("systemctl start nqd-health.service; journalctl --sync && journalctl -u nqd-health.service -o cat | grep '^{'");
    let by_hand = machine.exec("nqd-guard health");
    assert_eq!(
        standings(&by_unit).iter().filter(|s| **s != "passing").count(),
        usize::from(from == "units"),
        "{by_unit}"
    );
    assert!(standings(&by_hand).iter().all(|s| s == "passing"), "{by_hand}");
    let metrics = || machine.exec("cat /var/lib/node-exporter/nqd.prom");
    assert!(metrics().contains("nqd_health_verdict{verdict=\"healthy\"} 1"), "{}", metrics());
    assert!(!machine.try_exec("test -e /run/told").status.success());
    // And it sees what is not well.
    machine.exec("rm /tmp/flag");
    assert!(!machine.try_exec("systemctl start nqd-health.service").status.success());
    assert_eq!(machine.exec("systemctl show -P ExecMainStatus nqd-health.service"), "25");
    assert!(metrics().contains("nqd_health_verdict{verdict=\"unhealthy\"} 1"));
    if from == "units" {
        until("the hook", Duration::from_secs(10), || machine.try_exec("test -e /run/told").status.success());
    }
    println!(
        "{from}: {}",
        machine.exec("systemd-analyze security --no-pager nqd-health.service | tail -n 1")
    );
}

/// How each check stands.
fn standings(examination: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(examination).unwrap();
    json["checks"].as_array().unwrap().iter().map(|c| c["standing"].as_str().unwrap().to_owned()).collect()
}

fn recovered() {
    for unit in ["nqd-recover.service", ""] {
        let operator = operator();
        let units = units(&operator, "units", &["nqd-recover.service"], |text| text);
        let hosts = |version: &str| {
            let wanted = if unit.is_empty() { String::new() } else { format!("\"{unit}\"") };
            format!(
                r#"web = nixos {{ name = "web"; version = "{version}"; wanted = [ {wanted} ]; units = {{ {units} }}; }};"#
            )
        };
        let mut machine = start(&operator, &hosts("1"));
        let first = machine.link("/run/current-system");
        operator.hosts(&hosts("2"));
        let running = operator.start_deploy(&machine, "web", &["--soak", "60s", "--contact-timeout", "2s"]);
        machine.wait_for_state(&["probing", "soaking"], Duration::from_secs(30));
        machine.power_cut();
        running.kill();
        machine.boot();
        assert_eq!(machine.link("/run/current-system"), first);
        if unit.is_empty() {
            std::thread::sleep(Duration::from_secs(2));
            assert!(["probing", "soaking"].contains(&machine.state().as_str()), "{}", machine.state());
        } else {
            machine.wait_for_state(&["interrupted"], Duration::from_secs(20));
        }
    }
}

fn kept() {
    let operator = operator();
    let units = units(&operator, "units", &["nqd-keep.service", "nqd-keep.path"], |t| {
        t.replace(" keep 3\n", " keep 1\n")
    });
    let hosts = |version: &str| {
        format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; wanted = [ "nqd-keep.service" "nqd-keep.path" ]; units = {{ {units} }}; }};"#
        )
    };
    let machine = start(&operator, &hosts("1"));
    let roots = || machine.exec("ls /nix/var/nix/gcroots/nqd-proved 2> /dev/null || true");
    assert_eq!(roots(), "", "nothing was proved yet");
    for version in ["2", "3"] {
        operator.hosts(&hosts(version));
        operator.deploy(&machine, "web", &[]).expect(0, &["committed"]);
        let name = format!("nixos-system-web-{version}");
        until("a root of what was proved", Duration::from_secs(10), || {
            let roots = roots();
            roots.contains(&name) && roots.lines().count() == 1
        });
    }
    machine.exec("systemctl show -P Result nqd-keep.service | grep -qx success");
}
