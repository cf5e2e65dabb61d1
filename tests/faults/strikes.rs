//! Kills and power cuts while a switch script runs.

use super::scene::{Scene, on_machine, site};
use super::{Row, row};

/// A boot loader that is slow, the first time.
const SLOW_BOOT: &str = "onBoot = \"[ -e /booting ] || { touch /booting; sync /booting; sleep 30; }\";";

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "guard-killed-mid-switch",
            "kill -9 of the guard while its switch script runs",
            "activating",
            |s| {
                s.candidate(&site("2", "200", "onActivate = \"touch /run/switching; sleep 60\";"));
                let running = s.start(&[]);
                on_machine(&s.machine, "the switch", "test -e /run/switching");
                kill_guard(s);
                let ended = running.end().expect(20, &["the guard died while activating"]);
                no_switch_runs(s);
                Some(ended.code)
            },
        ),
        row("power-cut-mid-switch", "power cut while the switch script runs", "activating", |s| {
            s.candidate(&site("2", "200", "onActivate = \"touch /run/switching; sleep 60\";"));
            let running = s.start(&["--contact-timeout", "60s"]);
            on_machine(&s.machine, "the switch", "test -e /run/switching");
            s.power_cut();
            Some(running.end().expect(24, &["interrupted"]).code)
        }),
        row(
            "guard-killed-mid-boot-install",
            "kill -9 of the guard while the boot loader is installed",
            "committing",
            |s| {
                s.candidate(&site("2", "200", SLOW_BOOT));
                let running = s.start(&[]);
                on_machine(&s.machine, "the installation", "test -e /booting");
                kill_guard(s);
                let ended = running.end().expect(0, &["committed"]);
                no_switch_runs(s);
                Some(ended.code)
            },
        ),
        row(
            "power-cut-mid-boot-install",
            "power cut while the boot loader is installed",
            "committing",
            |s| {
                s.candidate(&site("2", "200", SLOW_BOOT));
                let running = s.start(&["--contact-timeout", "60s"]);
                on_machine(&s.machine, "the installation", "test -e /booting");
                assert_eq!(s.machine.state(), "committing");
                assert_eq!(s.machine.link("/nix/var/nix/profiles/system"), s.system());
                s.power_cut();
                Some(running.end().expect(24, &["interrupted"]).code)
            },
        ),
    ]
}

fn kill_guard(s: &Scene) {
    s.machine.exec("systemctl kill --signal=KILL --kill-whom=all 'nqd-transaction-*.service'");
}

fn no_switch_runs(s: &Scene) {
    let running = s.machine.exec("pgrep -af '[s]witch-to-configuration|[s]leep (30|60)$' || true");
    assert_eq!(running, "", "a switch was left running");
}
