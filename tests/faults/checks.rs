//! Checks that behave badly.

use super::scene::{Scene, site};
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row("http-500", "an http check that answers 500", "probing", |s| {
            s.candidate(&site("2", "500", ""));
            s.ends(&[], 20, &["rolled back: check site", "http 500"])
        })
        .quick(),
        row("http-hangs", "an http check that never answers", "probing", |s| {
            s.candidate(&site("2", "hang", ""));
            s.ends(&[], 20, &["rolled back: check site", "timeout"])
        }),
        row("http-fails-late", "an http check that fails at the end of the soak", "soaking", |s| {
            s.candidate(&site("2", "200", ""));
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            s.machine.exec("sleep 2.5; systemctl stop web.service");
            Some(running.end().expect(20, &["rolled back: check site", "refused"]).code)
        }),
        row("unit-check-stopped", "a checked unit that somebody stops for a moment", "soaking", |s| {
            s.candidate(&site(
                "2",
                "200",
                "checks.unit = { probe = { kind = \"unit\"; unit = \"web.service\"; }; period = 0.5; };",
            ));
            let running = s.start(&["--soak", "4s"]);
            s.at("soaking");
            s.machine.exec("systemctl restart web.service");
            Some(
                running.end().expect(20, &["rolled back: check unit", "restarted while it was watched"]).code,
            )
        }),
        exec("exec-hangs", "a check that hangs", "sleep 600", &[NASTY, LATE]),
        exec(
            "exec-floods",
            "a check that floods its output",
            "yes nqd",
            &[NASTY, "printed more than 65536 bytes"],
        ),
        exec(
            "exec-forks",
            "a check that forks and forks",
            "i=0; while [ $i -lt 2000 ]; do sleep 600 & i=$((i+1)); done; wait",
            // It takes all of the machine's time: that may keep even the confirmation from coming.
            &["rolled back: "],
        ),
        exec(
            "exec-ignores-term",
            "a check that ignores SIGTERM",
            "trap : TERM INT; while :; do sleep 1; done",
            &[NASTY, LATE],
        ),
        exec(
            "exec-leaves-children",
            "a check that leaves children",
            "setsid sleep 600 & setsid sleep 600 & sleep 600",
            &[NASTY, LATE],
        ),
        exec(
            "exec-fails",
            "a check that fails",
            "echo the cause >&2; exit 3",
            &[NASTY, "exited with 3: the cause"],
        ),
        row("tcp-refused", "a tcp check that is refused", "probing", |s| {
            s.candidate(&site("2", "200", "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; };"));
            s.ends(&[], 20, &["rolled back: check port", "refused"])
        }),
        row("wanted-fails", "a wanted check that fails", "probing", |s| {
            s.candidate(&site("2", "200", "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; level = \"wanted\"; };"));
            s.ends(&[], 10, &["committed, degraded", "check port", "refused"])
        }),
        row("failed-before", "a check that had failed before, in both systems", "before", |s| {
            let port = "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; level = \"wanted\"; };";
            s.operator.hosts(&site("1b", "200", port));
            s.deploy(&["--soak", "0"]).expect(10, &[]);
            s.look();
            s.candidate(&site("2", "200", port));
            s.ends(&[], 0, &["pre-existing: check port"])
        }),
        row(
            "previous-fails",
            "a required check of both systems that fails on the old one too",
            "before",
            |s| {
                ailing(s);
                s.failed_before("outside");
                s.ends(&[], 0, &["pre-existing: check outside", "committed"])
            },
        ),
        row("previous-fails-strict", "the same, with --strict", "before", |s| {
            ailing(s);
            let code = s.ends(&["--strict"], 20, &["rolled back: check outside", "failed before too"]);
            assert_eq!(s.status()["transaction"]["outcome"]["bad"], false, "it is not to blame");
            code
        }),
        row(
            "previous-failed",
            "a required check that fails on the old system, and not on the new one",
            "before",
            |s| {
                ailing(s);
                let well = format!("{OUTSIDE} onActivate = \"touch /run/outside\";");
                s.candidate(&site("2", "200", &well));
                s.ends(&[], 0, &["committed"])
            },
        ),
        row("default-timers-good", "none, with the default timers", "always", |s| {
            s.candidate(&untimed(&site("2", "200", "")));
            by_default(s, 0, &["committed"])
        }),
        row(
            "default-timers-bad",
            "an http check that answers 500, with the default timers",
            "probing",
            |s| {
                s.candidate(&untimed(&site("2", "500", "")));
                by_default(s, 20, &["rolled back: check site", "did not pass within 60 s", "http 500"])
            },
        ),
        row(
            "default-timers-cut",
            "a candidate that cuts the network, with the default timers",
            "activating",
            |s| {
                s.candidate(&untimed(&site("2", "200", super::links::CUT)));
                by_default(s, 20, &["not confirmed"])
            },
        ),
    ]
}

const OUTSIDE: &str = "checks.outside = { probe = { kind = \"file\"; path = \"/run/outside\"; }; period = 0.3; startDeadline = 3; };";

/// Both systems need something from outside, which has gone before anybody deploys.
fn ailing(s: &mut Scene) {
    s.machine.exec("touch /run/outside");
    s.from(&site("1f", "200", OUTSIDE));
    s.machine.exec("rm /run/outside");
    s.candidate(&site("2", "200", OUTSIDE));
}

/// A check with the timers that a check has when nobody says any.
fn untimed(hosts: &str) -> String {
    let timers = "period = 0.3; timeout = 1; startDeadline = 4;";
    assert!(hosts.contains(timers));
    hosts.replace(timers, "")
}

/// Deploys with the options that a deployment has when nobody gives any.
fn by_default(s: &Scene, code: i32, says: &[&str]) -> Option<i32> {
    let guard = crate::guard().display().to_string();
    let ended = s.operator.on(&s.machine, &["deploy", "web", "--yes", "--guard", &guard]);
    Some(ended.expect(code, says).code)
}

const NASTY: &str = "rolled back: check nasty";
const LATE: &str = "did not end within 1 s";

fn exec(name: &str, fault: &str, script: &'static str, says: &'static [&'static str]) -> Row {
    Row {
        run: Box::new(move |s: &mut Scene| {
            s.candidate(&site("2", "200", &format!(
            "checks.nasty = {{ probe = {{ kind = \"exec\"; command = [ \"/bin/sh\" \"-c\" \"{script}\" ]; }}; timeout = 1; startDeadline = 3; period = 0.5; }};"
        )));
            let code = s.ends(&[], 20, says);
            let left = s.machine.exec("pgrep -af '[s]leep 600|[y]es nqd|[t]rap : TERM INT' || true");
            assert_eq!(left, "", "processes of a check were left behind");
            let units = s.machine.exec("systemctl list-units --all --plain --no-legend 'nqd-probe-*'");
            assert_eq!(units, "", "units of a check were left behind");
            code
        }),
        ..row(name, fault, "probing", |_| None)
    }
}
