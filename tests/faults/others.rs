//! Other people and other programs on the machine.

use std::time::Duration;

use super::scene::{HOLD_BEGIN, Scene, on_machine, site};
use super::{Row, row};

/// A foreign switch: another system is activated by hand.
pub fn switch_by_hand(s: &mut Scene) {
    let there = s.system().to_owned();
    s.operator.hosts(&site("7", "200", ""));
    let foreign = s.operator.build("web");
    let store = format!("ssh-ng://root@{}", s.machine.address());
    let out =
        s.operator.command("nix", &["copy", "--no-check-sigs", "--to", &store, &foreign]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    s.machine.exec(&format!("{foreign}/bin/switch-to-configuration test"));
    assert_ne!(there, foreign);
}

/// A check that is pending for as long as anybody looks.
const NEVER: &str =
    "checks.never = { probe = { kind = \"file\"; path = \"/run/never\"; }; startDeadline = 300; };";

pub fn rows() -> Vec<Row> {
    vec![
        row("second-deployer", "a second deployer", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "5s"]);
            s.at("probing");
            s.deploy(&[]).expect(75, &["a transaction is running"]);
            Some(running.end().expect(0, &["committed"]).code)
        })
        .quick(),
        row("two-at-once", "two deployers at the same moment", "planned", |s| {
            s.good();
            // Both are held up where they would begin: all is copied, and only the lock can decide.
            s.machine.exec(HOLD_BEGIN);
            let first = s.start(&["--soak", "2s"]);
            on_machine(&s.machine, "one that would begin", "pgrep -f '[n]qd-guard.* begin'");
            let second = s.start(&["--soak", "2s"]);
            on_machine(
                &s.machine,
                "two that would begin",
                "[ $(pgrep -f '[n]qd-guard.* begin' | wc -l) = 2 ]",
            );
            s.machine.exec("systemctl stop holder");
            let ended = [first.end(), second.end()];
            let mut codes = [ended[0].code, ended[1].code];
            codes.sort_unstable();
            assert_eq!(codes, [0, 75], "{}\n{}", ended[0].all(), ended[1].all());
            Some(0)
        }),
        row("foreign-switch", "somebody activates another system by hand", "soaking", |s| {
            s.good();
            s.may_end("superseded");
            let running = s.start(&["--soak", "15s"]);
            s.at("soaking");
            switch_by_hand(s);
            Some(running.end().expect(23, &["somebody else switched"]).code)
        }),
        row("foreign-profile", "somebody sets another profile", "soaking", |s| {
            s.good();
            s.may_end("superseded");
            let running = s.start(&["--soak", "10s"]);
            s.at("soaking");
            s.machine.exec("cd /nix/var/nix/profiles; ln -sfn $(readlink -f /run/current-system) system-5-link; ln -sfn system-5-link system");
            Some(running.end().expect(23, &["the profile names"]).code)
        }),
        row("dry-activate", "somebody runs dry-activate again and again", "always", |s| {
            s.machine.exec("mkdir -p /run/nixos; systemd-run --quiet --unit=holder sh -c 'while :; do flock -n /run/nixos/switch-to-configuration.lock sleep 0.7; sleep 0.4; done'");
            s.good();
            let code = s.ends(&[], 0, &["committed"]);
            s.machine.exec("systemctl stop holder");
            code
        }),
        row("dry-activate-rollback", "somebody runs dry-activate again and again", "rolling back", |s| {
            s.machine.exec("mkdir -p /run/nixos; systemd-run --quiet --unit=holder sh -c 'while :; do flock -n /run/nixos/switch-to-configuration.lock sleep 0.7; sleep 0.4; done'");
            s.candidate(&site("2", "500", ""));
            let code = s.ends(&[], 20, &["rolled back"]);
            s.machine.exec("systemctl stop holder");
            code
        }),
        row("generation-deleted", "somebody deletes the candidate's generation", "committing", |s| {
            s.candidate(&site("2", "200", "onBoot = \"rm -f /nix/var/nix/profiles/system-2-link\";"));
            s.ends(&[], 20, &["rolled back: it could not be made the boot default"])
        }),
        row("daemon-reexec-activating", "systemctl daemon-reexec", "activating", |s| {
            s.candidate(&site("2", "200", "onSwitch = \"sleep 1\";"));
            let running = s.start(&[]);
            s.at("activating");
            s.machine.exec("systemctl daemon-reexec");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("daemon-reexec-probing", "systemctl daemon-reexec, again and again", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "5s"]);
            s.at("probing");
            for _ in 0..4 {
                s.machine.exec("systemctl daemon-reexec");
                std::thread::sleep(Duration::from_millis(900));
            }
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("daemon-reload", "systemctl daemon-reload, over and over", "always", |s| {
            s.good();
            s.machine.exec("systemd-run --quiet --unit=reloader sh -c 'while :; do systemctl daemon-reload; sleep 0.3; done'");
            let code = s.ends(&[], 0, &["committed"]);
            s.machine.exec("systemctl stop reloader");
            code
        }),
        row("dbus-restarted", "dbus is restarted", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("probing");
            s.machine.exec("systemctl restart dbus.service");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("guard-stopped", "systemctl stop of the guard", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "20s"]);
            s.at("soaking");
            s.machine.exec("systemctl stop 'nqd-transaction-*.service'");
            Some(running.end().expect(20, &["the guard died"]).code)
        }),
        row("guard-hangs", "the guard hangs: the dead man's timer fires", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "60s"]);
            s.at("soaking");
            s.machine.exec("systemctl kill --signal=STOP 'nqd-transaction-*.service'");
            Some(running.end().expect(20, &["the guard died"]).code)
        }),
        row("recover-by-hand", "nqd-guard recover by hand while a guard is at work", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            s.machine.exec("/nix/var/nqd/guard recover; /nix/var/nqd/guard recover");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("clean-reboot", "a clean reboot", "probing", |s| {
            s.candidate(&site("2", "200", NEVER));
            let running = s.start(&["--contact-timeout", "60s"]);
            s.at("probing");
            s.machine.shut_down();
            s.machine.boot();
            Some(running.end().expect(24, &["interrupted"]).code)
        }),
        row("no-recovery-unit", "a power cut where nothing recovers at boot", "soaking", |s| {
            s.from("web = nixos { name = \"web\"; version = \"1c\"; };");
            s.candidate("web = nixos { name = \"web\"; version = \"2\"; };");
            let running = s.start(&["--soak", "30s"]);
            s.at("soaking");
            running.kill();
            s.power_cut();
            assert_eq!(s.machine.state(), "soaking", "nobody has looked yet");
            s.operator.on(&s.machine, &["status"]).expect(0, &["interrupted"]);
            None
        }),
        row("hung-switch", "a switch script that hangs", "activating", |s| {
            s.candidate(&site("2", "200", "onSwitch = \"trap : TERM; sleep 300 & wait; sleep 300\";"));
            s.ends(&["--switch-timeout", "4s"], 20, &["did not end within 4 s"])
        }),
        row("switch-killed", "the switch script is killed", "activating", |s| {
            s.candidate(&site("2", "200", "onActivate = \"sleep 5\";"));
            let running = s.start(&[]);
            s.at("activating");
            on_machine(&s.machine, "the switch", "systemctl is-active 'nqd-switch-*'");
            std::thread::sleep(Duration::from_millis(700));
            s.machine.exec("systemctl kill --signal=KILL 'nqd-switch-*'");
            Some(running.end().expect(20, &[]).code)
        }),
        row("activation-fails", "an activation script that fails", "activating", |s| {
            s.candidate(&site("2", "200", "onActivate = \"false\";"));
            s.ends(&[], 20, &["activation failed"])
        }),
        row("switch-fails-early", "a switch that fails before it changes anything", "activating", |s| {
            s.candidate(&site("2", "200", "onSwitch = \"exit 1\";"));
            // Whether nothing changed or it was put back, the switch had begun: 20, never 30.
            s.ends(&[], 20, &["the switch script exited with 1"])
        }),
    ]
}
