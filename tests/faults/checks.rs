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
            s.ends(&[], 20, &["rolled back: check site"])
        }),
        row("http-fails-late", "an http check that fails at the end of the soak", "soaking", |s| {
            s.candidate(&site("2", "200", ""));
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            s.machine.exec("sleep 2.5; systemctl stop web.service");
            Some(running.end().expect(20, &["rolled back: check site"]).code)
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
            Some(running.end().expect(20, &["restarted while it was watched"]).code)
        }),
        exec("exec-hangs", "a check that hangs", "sleep 600"),
        exec("exec-floods", "a check that floods its output", "yes nqd"),
        exec(
            "exec-forks",
            "a check that forks and forks",
            "i=0; while [ $i -lt 2000 ]; do sleep 600 & i=$((i+1)); done; wait",
        ),
        exec(
            "exec-ignores-term",
            "a check that ignores SIGTERM",
            "trap : TERM INT; while :; do sleep 1; done",
        ),
        exec(
            "exec-leaves-children",
            "a check that leaves children",
            "setsid sleep 600 & setsid sleep 600 & sleep 600",
        ),
        exec("exec-fails", "a check that fails", "echo the cause >&2; exit 3"),
        row("tcp-refused", "a tcp check that is refused", "probing", |s| {
            s.candidate(&site("2", "200", "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; };"));
            s.ends(&[], 20, &["check port"])
        }),
        row("wanted-fails", "a wanted check that fails", "probing", |s| {
            s.candidate(&site("2", "200", "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; level = \"wanted\"; };"));
            s.ends(&[], 10, &["committed, degraded"])
        }),
        row("failed-before", "a check that had failed before, in both systems", "before", |s| {
            let port = "checks.port = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; level = \"wanted\"; };";
            s.operator.hosts(&site("1b", "200", port));
            s.deploy(&["--soak", "0"]).expect(10, &[]);
            s.look();
            s.candidate(&site("2", "200", port));
            s.ends(&[], 0, &["pre-existing: check port"])
        }),
        row("default-timers-good", "none, with the default timers", "always", |s| {
            s.good();
            let guard = crate::guard().display().to_string();
            Some(
                s.operator
                    .on(&s.machine, &["deploy", "web", "--yes", "--guard", &guard])
                    .expect(0, &["committed"])
                    .code,
            )
        }),
        row(
            "default-timers-bad",
            "an http check that answers 500, with the default timers",
            "probing",
            |s| {
                s.candidate(&site("2", "500", ""));
                let guard = crate::guard().display().to_string();
                Some(
                    s.operator
                        .on(&s.machine, &["deploy", "web", "--yes", "--guard", &guard])
                        .expect(20, &["http 500"])
                        .code,
                )
            },
        ),
        row(
            "default-timers-cut",
            "a candidate that cuts the network, with the default timers",
            "activating",
            |s| {
                s.candidate(&site("2", "200", super::links::CUT));
                let guard = crate::guard().display().to_string();
                Some(
                    s.operator
                        .on(&s.machine, &["deploy", "web", "--yes", "--guard", &guard])
                        .expect(20, &["not confirmed"])
                        .code,
                )
            },
        ),
    ]
}

fn exec(name: &str, fault: &str, script: &'static str) -> Row {
    Row {
        run: Box::new(move |s: &mut Scene| {
            s.candidate(&site("2", "200", &format!(
            "checks.nasty = {{ probe = {{ kind = \"exec\"; command = [ \"/bin/sh\" \"-c\" \"{script}\" ]; }}; timeout = 1; startDeadline = 3; period = 0.5; }};"
        )));
            // One that takes all of the machine's time may keep even the confirmation from coming.
            let code = s.ends(&[], 20, &["rolled back: "]);
            let left = s.machine.exec("pgrep -f '[s]leep 600' | wc -l");
            assert_eq!(left, "0", "processes of a check were left behind");
            code
        }),
        ..row(name, fault, "probing", |_| None)
    }
}
