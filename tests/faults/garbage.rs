//! The garbage collector, when nothing but our own roots keeps what we need.

use super::holds::{Hold, Whom, hold};
use super::scene::{HOLD_BEGIN, Scene, on_machine, site};
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row("garbage-copied", "the garbage collector runs", "copied, before it begins", |s| {
            s.good();
            // The guard's start is held up: all is copied, and nothing runs it or names it.
            s.machine.exec(HOLD_BEGIN);
            let running = s.start(&[]);
            on_machine(&s.machine, "one that would begin", "pgrep -f '[n]qd-guard.* begin'");
            collect(s);
            s.machine.exec("systemctl stop holder");
            Some(running.end().expect(0, &["committed"]).code)
        })
        .quick(),
        row("garbage-armed", "the garbage collector runs", "armed", |s| {
            s.good();
            hold(s, Whom::Runner, Hold { write: 3, after: false, seconds: 6 });
            let running = s.start(&[]);
            s.at("armed");
            collect(s);
            assert_eq!(s.machine.state(), "armed", "it went on meanwhile");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("garbage-probing", "the garbage collector runs", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("probing");
            s.machine.exec("nix-store --gc > /dev/null");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row(
            "garbage-rollback",
            "old generations are deleted, the running one's too, and the garbage collector runs",
            "probing, rolling back",
            |s| {
                s.from(&site("1i", "200", "onSwitch = \"[ ! -e /run/slow ] || sleep 3\";"));
                // It runs a system that no profile names any more, and that is not what it booted.
                s.machine.exec("nix-env -p /nix/var/nix/profiles/system --switch-generation 1; rm /nix/var/nix/profiles/system-2-link; touch /run/slow");
                s.look();
                s.diverged();
                s.candidate(&site("2", "500", ""));
                let running = s.start(&["--from-diverged"]);
                s.at("probing");
                s.machine.exec("nix-collect-garbage -d > /dev/null");
                s.at("rolling-back");
                s.machine.exec("nix-collect-garbage -d > /dev/null");
                Some(running.end().expect(20, &["rolled back: check site"]).code)
            },
        ),
    ]
}

/// Collects garbage; the candidate is there before and after, and no link but a root of ours names it.
fn collect(s: &Scene) {
    let system = s.system();
    let roots = s.machine.exec(&format!(
        "nix-store --query --roots {system} 2> /dev/null | grep -v '^/nix/var/nix/gcroots/nqd/' || true"
    ));
    assert_eq!(roots, "", "something else keeps the candidate");
    s.machine.exec("nix-collect-garbage -d > /dev/null");
    s.machine.exec(&format!("nix-store --check-validity {system}"));
}
