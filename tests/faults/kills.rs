//! The product of states: the guard is killed, or the power cut, just before and just after each write of the journal,
//! on the way forward and on the way back. strace holds the shipped guard at exactly that system call.

use super::holds::{self, FOREVER, Hold, Whom, held_in, hold};
use super::others::switch_by_hand;
use super::scene::{Scene, site};
use super::{Row, row};

/// The journal's writes of a deployment that is committed, after the first one by `begin`.
const FORWARD: [&str; 7] =
    ["baselined", "armed", "activating", "probing", "soaking", "committing", "committed"];
/// Of others, those writes that differ: which, from which state, to which.
const OTHERS: [(Ends, usize, &str, &str); 11] = [
    (Ends::CheckFails, 5, "probing", "rolling-back"),
    (Ends::CheckFails, 6, "rolling-back", "rolled-back"),
    (Ends::BootFails, 7, "committing", "rolling-back"),
    (Ends::BootFails, 8, "rolling-back", "rolled-back"),
    (Ends::WantedFails, 7, "committing", "committed-degraded"),
    (Ends::SwitchFails, 4, "activating", "rolling-back"),
    (Ends::SwitchFails, 5, "rolling-back", "rolled-back"),
    (Ends::SoakFails, 6, "soaking", "rolling-back"),
    (Ends::SoakFails, 7, "rolling-back", "rolled-back"),
    (Ends::RollbackFails, 6, "rolling-back", "held"),
    (Ends::Foreign, 6, "soaking", "superseded"),
];

/// What becomes of the candidate if nothing strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Well,
    CheckFails,
    BootFails,
    WantedFails,
    SwitchFails,
    SoakFails,
    RollbackFails,
    Foreign,
}

impl Ends {
    fn hosts(self) -> String {
        let port = "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 1; level = \"wanted\"; };";
        // It passes for some seconds.
        let fresh = "onActivate = \"touch /run/fresh\"; checks.fresh = { probe = { kind = \"file\"; path = \"/run/fresh\"; maxAgeSeconds = 6; }; period = 0.3; };";
        match self {
            Self::Well | Self::Foreign => site("2", "200", ""),
            Self::CheckFails | Self::RollbackFails => site("2", "500", ""),
            Self::BootFails => site("2", "200", "onBoot = \"return 1\";"),
            Self::WantedFails => site("2", "200", port),
            Self::SwitchFails => site("2", "200", "onActivate = \"return 1\";"),
            Self::SoakFails => site("2", "200", fresh),
        }
    }

    fn prepare(self, s: &mut Scene) {
        if self == Self::RollbackFails {
            s.from(&site("1d", "200", "onSwitch = \"[ ! -e /run/fail ] || exit 1\";"));
            s.machine.exec("touch /run/fail");
            s.may_end("held");
        }
        if self == Self::Foreign {
            s.may_end("superseded");
        }
        s.candidate(&self.hosts());
    }

    fn soak(self) -> &'static str {
        if matches!(self, Self::SoakFails | Self::Foreign) { "30s" } else { "1s" }
    }

    /// What somebody does while it runs.
    fn meanwhile(self, s: &mut Scene) {
        if self == Self::Foreign {
            s.at("soaking");
            switch_by_hand(s);
        }
    }

    /// Two ways may lead into one state.
    fn name(self) -> &'static str {
        match self {
            Self::BootFails => "-installing",
            Self::SwitchFails => "-switching",
            Self::SoakFails => "-soaking",
            _ => "",
        }
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
    let reached = k.ends.name();
    let quick = matches!(k.ends, Ends::Well | Ends::CheckFails)
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

fn strike(s: &mut Scene, k: Kill) -> i32 {
    k.ends.prepare(s);
    hold(s, Whom::Runner, Hold { write: k.write, after: k.after, seconds: FOREVER });
    let running = s.start(&["--soak", k.ends.soak(), "--contact-timeout", "90s"]);
    k.ends.meanwhile(s);
    let state = if k.after { k.state } else { k.from };
    held_in(s, "the guard held at its journal", "nqd-guard.* [r]un ", state);
    if k.power && k.after && matches!(k.state, "held" | "superseded") {
        s.reboots_afterwards();
    }
    holds::strike(s, k.power);
    let code = running.end().expect(expected(k), &[]).code;
    s.machine.exec("rm -f /run/fail");
    code
}

/// The end that the state calls for (DESIGN rule 15).
fn expected(k: Kill) -> i32 {
    match (k.state, k.after, k.power) {
        ("committing", true, false) | ("committed", ..) => 0,
        ("committed-degraded", ..) => 10,
        ("superseded", true, _) | ("superseded", false, false) => 23,
        // With the boot, what kept the previous system from coming back is gone.
        ("held", false, true) | ("rolling-back", true, true) | ("rolled-back", ..) => 20,
        ("held", ..) => 21,
        (_, _, true) => 24,
        // Before `activating` is written nothing has begun.
        ("baselined" | "armed", ..) | ("activating", false, _) => 30,
        _ => 20,
    }
}
