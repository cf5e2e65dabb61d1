//! The product of states: the guard is killed, or the power cut, just before and just after each write of the journal,
//! on the way forward and on the way back. strace holds the shipped guard at exactly that system call.

use std::time::Duration;

use super::scene::{Scene, on_machine, site};
use super::{Row, row};

/// The journal's writes of a deployment that is committed, after the first one by `begin`.
const FORWARD: [&str; 7] =
    ["baselined", "armed", "activating", "probing", "soaking", "committing", "committed"];
/// Of others, those writes that differ: which, from which state, to which.
const OTHERS: [(Ends, usize, &str, &str); 5] = [
    (Ends::CheckFails, 5, "probing", "rolling-back"),
    (Ends::CheckFails, 6, "rolling-back", "rolled-back"),
    (Ends::BootFails, 7, "committing", "rolling-back"),
    (Ends::BootFails, 8, "rolling-back", "rolled-back"),
    (Ends::WantedFails, 7, "committing", "committed-degraded"),
];

/// What becomes of the candidate if nothing strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Well,
    CheckFails,
    BootFails,
    WantedFails,
}

impl Ends {
    fn hosts(self) -> String {
        let port = "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 1; level = \"wanted\"; };";
        match self {
            Self::Well => site("2", "200", ""),
            Self::CheckFails => site("2", "500", ""),
            Self::BootFails => site("2", "200", "onBoot = \"return 1\";"),
            Self::WantedFails => site("2", "200", port),
        }
    }
}

/// A system call at the journal that is held up.
#[derive(Clone, Copy)]
pub struct Hold {
    /// Which write of the guard, from 1.
    pub write: usize,
    /// Once it is durable, not before it.
    pub after: bool,
    pub seconds: u32,
}

impl Hold {
    /// What strace is told.
    pub fn inject(self) -> String {
        let Self { write, after, seconds } = self;
        let call = if after { "fdatasync:delay_exit" } else { "pwrite64:delay_enter" };
        format!(
            "-f -qq -o /run/held -e trace=pwrite64,fdatasync -P /nix/var/nqd/journal -e inject={call}={seconds}000000:when={write}"
        )
    }
}

#[derive(Clone, Copy)]
struct Kill {
    /// Which write of the guard, from 1.
    write: usize,
    /// The state in the journal before it.
    from: &'static str,
    /// The state that it enters.
    state: &'static str,
    after: bool,
    power: bool,
    ends: Ends,
}

pub fn rows() -> Vec<Row> {
    let from = |n: usize| if n == 0 { "planned" } else { FORWARD[n - 1] };
    let forward = FORWARD.iter().enumerate().map(|(n, state)| (Ends::Well, n + 1, from(n), *state));
    let mut rows = Vec::new();
    for (ends, write, from, state) in forward.chain(OTHERS) {
        for after in [false, true] {
            for power in [false, true] {
                rows.push(kill(Kill { write, from, state, after, power, ends }));
            }
        }
    }
    rows
}

fn kill(k: Kill) -> Row {
    let what = if k.power { "power cut" } else { "kill -9 of the guard" };
    let when = if k.after { "after" } else { "before" };
    let reached = if k.ends == Ends::BootFails { "-installing" } else { "" };
    let quick = k.power
        && k.ends != Ends::BootFails
        && ((k.state == "committing" && k.after) || (k.state == "rolling-back" && !k.after));
    Row {
        quick,
        run: Box::new(move |s| Some(strike(s, k))),
        ..row(
            &format!("kill-{}-{when}-{}{reached}", if k.power { "power" } else { "guard" }, k.state),
            what,
            &format!("{when} the write of `{}`, from `{}`", k.state, k.from),
            |_| None,
        )
    }
}

/// Has strace hold the guard of the next transaction.
pub fn hold_run(s: &Scene, at: Hold) {
    let strace = at.inject();
    // Drop-ins of units whose names begin so, those of whoever recovers too.
    s.machine.exec(&format!(
        r"mkdir -p /run/systemd/system/nqd-transaction-.service.d
printf '[Service]\nExecStart=\nExecStart=/run/hold %%n\n' > /run/systemd/system/nqd-transaction-.service.d/hold.conf
cat > /run/hold <<'END'
#!/bin/sh
id=${{1#nqd-transaction-}} id=${{id%.service}} guard=$(readlink -f /nix/var/nqd/guard)
case $id in *-recovery-*) exec $guard recover ;; esac
exec strace {strace} $guard run $id
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
    s.candidate(&k.ends.hosts());
    hold_run(s, Hold { write: k.write, after: k.after, seconds: 120 });
    let running = s.start(&["--soak", "1s", "--contact-timeout", "90s"]);
    on_machine(&s.machine, "the guard held at its journal", HELD);
    assert_eq!(s.machine.state(), if k.after { k.state } else { k.from }, "held at another write");
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
        ("committed-degraded", ..) => 10,
        ("rolling-back", true, true) | ("rolled-back", ..) => 20,
        (_, _, true) => 24,
        // Before `activating` is written nothing has begun.
        ("baselined" | "armed", ..) | ("activating", false, _) => 30,
        _ => 20,
    }
}
