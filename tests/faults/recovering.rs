//! Whoever takes over from a dead guard is struck too, just before and just after each write of its own: the successor
//! that the dead man's timer starts, and the one that the boot starts.

use std::time::Duration;

use super::holds::{FOREVER, Hold, Whom, held_in, hold, strike};
use super::scene::{Scene, on_machine, site};
use super::strikes::{SLOW_BOOT, kill_guard};
use super::{Row, row};

/// Where the first guard is struck.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Soaking,
    Committing,
    RollingBack,
}

/// A write of the one that takes over: from which state, to which.
#[derive(Clone, Copy)]
struct Write {
    whom: Whom,
    first: First,
    number: usize,
    from: &'static str,
    state: &'static str,
}

const fn write(whom: Whom, first: First, number: usize, from: &'static str, state: &'static str) -> Write {
    Write { whom, first, number, from, state }
}

const WRITES: [Write; 7] = [
    write(Whom::Successor, First::Soaking, 1, "soaking", "rolling-back"),
    write(Whom::Successor, First::Soaking, 2, "rolling-back", "rolled-back"),
    write(Whom::Successor, First::Committing, 1, "committing", "committing"),
    write(Whom::Successor, First::Committing, 2, "committing", "committed"),
    write(Whom::Boot, First::Soaking, 1, "soaking", "interrupted"),
    write(Whom::Boot, First::Committing, 1, "committing", "interrupted"),
    write(Whom::Boot, First::RollingBack, 1, "rolling-back", "rolled-back"),
];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for w in WRITES {
        for after in [false, true] {
            for power in [false, true] {
                rows.push(struck(w, after, power));
            }
        }
    }
    rows.push(row("boot-recovery-hangs", "the guard that recovers at boot hangs", "rolling back, then booting", |s| {
        s.from(&slow_to_return("checks.slow = { probe = { kind = \"exec\"; command = [ \"/bin/sleep\" \"4\" ]; }; timeout = 10; };"));
        s.machine.exec("touch /run/slow");
        s.candidate(&site("2", "500", ""));
        let running = s.start(&["--contact-timeout", "120s"]);
        s.at("rolling-back");
        s.power_cut();
        s.machine.exec("pkill -STOP -f '[n]qd/guard recover'");
        assert_eq!(s.machine.state(), "rolling-back", "it came to its end first");
        Some(running.end().expect(20, &["rolled back"]).code)
    }));
    rows
}

fn struck(w: Write, after: bool, power: bool) -> Row {
    let Write { whom, first: begun, from, state, .. } = w;
    let who = if whom == Whom::Boot { "boot" } else { "successor" };
    let what = if power { "power cut" } else { "kill" };
    let fault = match (whom, power) {
        (Whom::Boot, false) => "kill -9 of the guard that recovers at boot",
        (Whom::Boot, true) => "a second power cut, while the boot recovers",
        (_, false) => "kill -9 of the guard, and of the one that takes over",
        (_, true) => "kill -9 of the guard, and a power cut while another takes over",
    };
    let when = if after { "after" } else { "before" };
    let reached = if (whom, begun) == (Whom::Boot, First::Committing) { "-committing" } else { "" };
    let quick = matches!(
        (whom, begun, state, after, power),
        (Whom::Successor, First::Soaking, "rolled-back", false, false)
            | (Whom::Boot, First::Committing, _, false, true)
    );
    Row {
        quick,
        run: Box::new(move |s| {
            let running = first(s, w, after);
            let state = if after { state } else { from };
            held_in(s, "the recovery held at its journal", "[n]qd-guard.* recover", state);
            strike(s, power);
            Some(running.end_within(Duration::from_secs(120)).expect(expected(w, after, power), &[]).code)
        }),
        ..row(
            &format!("kill-{who}-{what}-{when}-{state}{reached}").replace(' ', "-"),
            fault,
            &format!("{when} its write of `{state}`, from `{from}`"),
            |_| None,
        )
    }
}

/// A system to which rolling back takes a minute, if a file is there.
fn slow_to_return(more: &str) -> String {
    site("1h", "200", &format!("onSwitch = \"[ ! -e /run/slow ] || sleep 60\"; {more}"))
}

/// Strikes the first guard; the one that takes over is held.
fn first(s: &mut Scene, w: Write, after: bool) -> crate::harness::operator::Running {
    if w.first == First::RollingBack {
        s.from(&slow_to_return(""));
        s.machine.exec("touch /run/slow");
    }
    s.candidate(&match w.first {
        First::Soaking => site("2", "200", ""),
        First::Committing => site("2", "200", SLOW_BOOT),
        First::RollingBack => site("2", "500", ""),
    });
    hold(s, w.whom, Hold { write: w.number, after, seconds: FOREVER });
    let soak = if w.first == First::Soaking { "90s" } else { "0" };
    let running = s.start(&["--soak", soak, "--contact-timeout", "120s"]);
    match w.first {
        First::Soaking => s.at("soaking"),
        First::Committing => on_machine(&s.machine, "the installation", "test -e /booting"),
        First::RollingBack => s.at("rolling-back"),
    }
    if w.whom == Whom::Boot {
        s.power_cut();
    } else {
        kill_guard(s);
    }
    running
}

/// The end that the state calls for, whoever writes it (DESIGN rule 15).
fn expected(w: Write, after: bool, power: bool) -> i32 {
    match (w.whom, w.state, after, power) {
        // The machine came back by itself and not by a rollback, or its boot loader was not installed yet.
        (Whom::Boot, "interrupted", ..)
        | (_, "committing", _, true)
        | (Whom::Successor, "rolling-back", false, true) => 24,
        (_, "committing" | "committed", ..) => 0,
        _ => 20,
    }
}
