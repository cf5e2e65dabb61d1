//! Somebody sets the clock, as the first answer of a time server does. On guests: the clock of a container is the host's.

use super::scene::{Scene, site};
use super::{Row, row};

/// Sets the clock of the machine, and makes sure that it is set.
fn jump(s: &Scene, by: &str) {
    let now = || s.machine.exec("date +%s").parse::<i64>().unwrap();
    let before = now();
    s.machine.exec(&format!("date --set '{by}'"));
    assert!((now() - before).abs() > 3000, "the clock was not set");
}

/// A good candidate, and a jump while it waits to be confirmed: `nqd` is held until the clock is set.
fn before_the_confirmation(s: &mut Scene, by: &str) -> Option<i32> {
    s.good();
    let running = s.start(&[]);
    s.at("activating");
    running.signal("STOP");
    s.at("probing");
    jump(s, by);
    running.signal("CONT");
    // A guard that went by the clock would wait for an hour.
    s.over();
    Some(running.end().expect(0, &["committed"]).code)
}

pub fn rows() -> Vec<Row> {
    vec![
        row("clock-ahead-probing", "the clock jumps an hour ahead", "probing", |s| {
            before_the_confirmation(s, "1 hour")
        })
        .in_guest()
        .quick(),
        row("clock-back-probing", "the clock jumps an hour back", "probing", |s| {
            before_the_confirmation(s, "1 hour ago")
        })
        .in_guest(),
        row("clock-ahead-soaking", "the clock jumps an hour ahead", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "10s"]);
            s.at("soaking");
            jump(s, "1 hour");
            Some(running.end().expect(0, &["committed"]).code)
        })
        .in_guest(),
        row(
            "clock-ahead-bad",
            "the clock jumps an hour ahead, and an http check answers 500",
            "probing",
            |s| {
                s.candidate(&site("2", "500", ""));
                let running = s.start(&[]);
                s.at("probing");
                jump(s, "1 hour");
                Some(running.end().expect(20, &["rolled back: check site", "http 500"]).code)
            },
        )
        .in_guest(),
    ]
}
