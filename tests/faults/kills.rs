//! The product of states: the guard is killed, or the power cut, just before and just after each write of the journal,
//! on the way forward and on the way back. strace holds the shipped guard at exactly that system call.

use std::time::Duration;

use super::scene::{Scene, on_machine, site};
use super::{Row, row};

/// The journal's writes of a deployment that is committed, after the first one by `begin`.
const FORWARD: [&str; 7] =
    ["baselined", "armed", "activating", "probing", "soaking", "committing", "committed"];
/// The further writes of one that is rolled back.
const BACKWARD: [(usize, &str); 2] = [(5, "rolling-back"), (6, "rolled-back")];

#[derive(Clone, Copy)]
struct Kill {
    /// Which write of the guard, from 1.
    write: usize,
    /// The state that it enters.
    state: &'static str,
    after: bool,
    power: bool,
    /// The candidate's check fails.
    bad: bool,
}

pub fn rows() -> Vec<Row> {
    let forward = FORWARD.iter().enumerate().map(|(n, state)| (n + 1, *state, false));
    let backward = BACKWARD.iter().map(|(n, state)| (*n, *state, true));
    let mut rows = Vec::new();
    for (write, state, bad) in forward.chain(backward) {
        for after in [false, true] {
            for power in [false, true] {
                rows.push(kill(Kill { write, state, after, power, bad }));
            }
        }
    }
    rows
}

fn kill(k: Kill) -> Row {
    let what = if k.power { "power cut" } else { "kill -9 of the guard" };
    let when = if k.after { "after" } else { "before" };
    let quick = k.power && ((k.state == "committing" && k.after) || (k.state == "rolling-back" && !k.after));
    Row {
        quick,
        run: Box::new(move |s| Some(strike(s, k))),
        ..row(
            &format!("kill-{}-{when}-{}", if k.power { "power" } else { "guard" }, k.state),
            what,
            &format!("{when} the write of `{}`", k.state),
            |_| None,
        )
    }
}

/// Has strace hold the guard at its n-th write of the journal: before it, or once it is durable.
fn hold(s: &Scene, k: Kill) {
    let inject = if k.after {
        format!("fdatasync:delay_exit=120000000:when={}", k.write)
    } else {
        format!("pwrite64:delay_enter=120000000:when={}", k.write)
    };
    // Drop-ins of units whose names begin so, those of whoever recovers too.
    s.machine.exec(&format!(
        r"mkdir -p /run/systemd/system/nqd-transaction-.service.d
printf '[Service]\nExecStart=\nExecStart=/run/hold %%n\n' > /run/systemd/system/nqd-transaction-.service.d/hold.conf
cat > /run/hold <<'END'
#!/bin/sh
id=${{1#nqd-transaction-}} id=${{id%.service}} guard=$(readlink -f /nix/var/nqd/guard)
case $id in *-recovery-*) exec $guard recover ;; esac
exec strace -f -qq -o /run/held -e trace=pwrite64,fdatasync -P /nix/var/nqd/journal -e inject={inject} $guard run $id
END
chmod +x /run/hold; systemctl daemon-reload"
    ));
}

/// Whether the guard is held: one of its threads has not left its stop for a while.
const HELD: &str = r#"pid=$(pgrep -f 'nqd-guard.* [r]un ' | tail -n 1); [ -n "$pid" ] || exit 1
for n in 1 2 3 4 5 6; do
  grep -q '^State:.*tracing stop' /proc/$pid/status || exit 1
  sleep 0.05
done"#;

fn strike(s: &mut Scene, k: Kill) -> i32 {
    s.candidate(&site("2", if k.bad { "500" } else { "200" }, ""));
    hold(s, k);
    let running = s.start(&["--soak", "1s", "--contact-timeout", "90s"]);
    on_machine(&s.machine, "the guard held at its journal", HELD);
    let before = match k.state {
        "baselined" => "planned",
        "rolling-back" => "probing",
        "rolled-back" => "rolling-back",
        state => FORWARD[FORWARD.iter().position(|s| *s == state).unwrap() - 1],
    };
    assert_eq!(s.machine.state(), if k.after { k.state } else { before }, "held at another write");
    if k.power {
        s.power_cut();
    } else {
        s.machine.exec("rm -r /run/systemd/system/nqd-transaction-.service.d; systemctl daemon-reload; systemctl kill --signal=KILL --kill-whom=all 'nqd-transaction-*.service'");
    }
    std::thread::sleep(Duration::from_millis(200));
    running.end().expect(expected(k), &[]).code
}

/// The end that the state calls for (DESIGN rule 15).
fn expected(k: Kill) -> i32 {
    match (k.state, k.after, k.power) {
        ("committing", true, false) | ("committed", ..) => 0,
        ("rolling-back", true, true) | ("rolled-back", ..) => 20,
        (_, _, true) => 24,
        // Before `activating` is written nothing has begun.
        ("baselined" | "armed", ..) | ("activating", false, _) => 30,
        _ => 20,
    }
}
