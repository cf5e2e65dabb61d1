//! Kills and power cuts that are not around a write of the journal by the guard: of `begin`, and while a switch script
//! runs.

use std::time::Duration;

use super::holds::{FOREVER, Hold, Whom, held, hold, strike};
use super::scene::{HOLD_BEGIN, Scene, on_machine, site};
use super::{Row, row};

/// A boot loader that is slow, the first time.
pub const SLOW_BOOT: &str = "onBoot = \"[ -e /booting ] || { touch /booting; sync /booting; sleep 60; }\";";

pub fn rows() -> Vec<Row> {
    vec![
        begin("kill-guard-begin-before-planned", "kill -9 of the guard that begins", false, false),
        begin("kill-guard-begin-after-planned", "kill -9 of the guard that begins", true, false),
        begin("kill-power-begin-before-planned", "power cut", false, true),
        begin("kill-power-begin-after-planned", "power cut", true, true),
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
        row(
            "power-cut-specialisation",
            "power cut once the boot loader is installed, with --specialisation",
            "committing",
            |s| {
                let dark = "specialisations.dark = nixos { name = \"web\"; version = \"2-dark\"; };";
                s.candidate(&site("2", "200", dark));
                s.comes_back_without_its_specialisation();
                hold(s, Whom::Runner, Hold { write: 7, after: false, seconds: FOREVER });
                let flags = ["--soak", "0", "--specialisation", "dark", "--contact-timeout", "60s"];
                let running = s.start(&flags);
                held(s, "the guard held at its journal", "nqd-guard.* [r]un ");
                assert_eq!(s.machine.state(), "committing");
                strike(s, true);
                Some(running.end().expect(0, &["committed"]).code)
            },
        ),
        row("guard-removed", "somebody removes the guard of a transaction that runs", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "60s"]);
            s.at("soaking");
            s.machine.exec("rm /nix/var/nqd/guard");
            running.kill();
            kill_guard(s);
            // Nobody who looks takes the journal for none. The dead man's timer has the guard's own name.
            let refused = &["there is a journal", "nqd deploy brings another guard"];
            for command in ["status", "doctor", "history", "follow", "cancel", "unban"] {
                s.operator.on(&s.machine, &[command]).expect(30, refused);
            }
            on_machine(&s.machine, "the end", "grep -q rolled-back /nix/var/nqd/history.jsonl");
            s.ends(&["--soak", "0"], 0, &["committed"])
        }),
    ]
}

pub fn kill_guard(s: &Scene) {
    s.machine.exec("systemctl kill --signal=KILL --kill-whom=all 'nqd-transaction-*.service'");
}

fn no_switch_runs(s: &Scene) {
    let running = s.machine.exec("pgrep -af '[s]witch-to-configuration|[s]leep (30|60)$' || true");
    assert_eq!(running, "", "a switch was left running");
}

/// `begin` is held up at its write of `planned`, and struck there.
fn begin(name: &str, fault: &str, after: bool, power: bool) -> Row {
    let when = if after { "after the write of `planned`" } else { "before the write of `planned`" };
    Row {
        run: Box::new(move |s: &mut Scene| {
            s.good();
            let running = hold_begin(s, Hold { write: 1, after, seconds: FOREVER });
            let state = s.machine.state();
            assert_eq!(state, if after { "planned" } else { "none" }, "held at another write");
            if power {
                s.power_cut();
            } else {
                // Who traces it would keep its end to itself for as long as it holds it up.
                s.machine.exec("pkill -KILL -f '[n]qd-guard.* begin'; pkill -KILL -x strace");
            }
            let ended = running.end_within(Duration::from_secs(90));
            let codes: &[i32] = if after { &[24, 30] } else { &[30, 43] };
            assert!(codes.contains(&ended.code), "{}: {}", ended.code, ended.all());
            Some(ended.code)
        }),
        ..row(name, fault, when, |_| None)
    }
}

/// Has strace hold the `begin` that waits for the lock, which is let go then. Now and then it does not get hold of it
/// before it gives up waiting: then nothing began, and the next one is held.
fn hold_begin(s: &Scene, at: Hold) -> crate::harness::operator::Running {
    let strace = at.inject();
    let attach = format!(
        "for n in $(seq 60); do
  pid=$(pgrep -o -f '[n]qd-guard.* begin') || exit 1
  grep -q '^TracerPid:.[1-9]' /proc/$pid/status && exec systemctl stop holder
  pgrep -x strace > /dev/null || setsid strace {strace} -p $pid >> /run/strace.log 2>&1 < /dev/null &
  sleep 0.1
done; exit 1"
    );
    for _ in 0..4 {
        s.machine.exec(HOLD_BEGIN);
        let running = s.start(&["--contact-timeout", "60s"]);
        on_machine(&s.machine, "one that would begin", "pgrep -f '[n]qd-guard.* begin'");
        if s.machine.try_exec(&attach).status.success() {
            held(s, "`begin` held at the journal", "[n]qd-guard.* begin");
            return running;
        }
        running.kill();
        s.machine.try_exec("pkill -x strace; systemctl stop holder; systemctl reset-failed holder");
    }
    panic!("`begin` was not to be held: {}", s.machine.exec("cat /run/strace.log"));
}
