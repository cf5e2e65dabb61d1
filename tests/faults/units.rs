//! Services and other units that behave badly, or only look as if they did.

use super::scene::{Scene, site, with_unit};
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        bad("service-fails", "a new service that fails", "bad.service", "[Service]\nExecStart=/bin/false")
            .quick(),
        bad(
            "service-crash-loops",
            "a service that restarts for ever after failures",
            "bad.service",
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=0.3\nExecStart=/bin/sh -c 'sleep 0.4; exit 1'",
        ),
        bad(
            "service-restarts-for-ever",
            "a service that ends with success and restarts for ever",
            "bad.service",
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=0.1\nExecStart=/bin/true",
        ),
        bad(
            "service-start-limit",
            "a service that hits its start limit",
            "bad.service",
            "[Unit]\nStartLimitBurst=2\n[Service]\nRestart=on-failure\nRestartSec=0.1\nExecStart=/bin/false",
        ),
        bad(
            "service-dies-later",
            "a service that dies two seconds after the switch returned 0",
            "bad.service",
            "[Service]\nExecStart=/bin/sh -c 'sleep 2; exit 1'",
        ),
        bad(
            "service-killed",
            "a service that is killed by a signal",
            "bad.service",
            "[Service]\nExecStart=/bin/sh -c 'sleep 1; kill -SEGV $$'",
        ),
        bad(
            "oneshot-fails",
            "a oneshot that fails",
            "bad.service",
            "[Service]\nType=oneshot\nExecStart=/bin/false",
        ),
        bad(
            "start-times-out",
            "a service that never says that it is up",
            "bad.service",
            "[Service]\nType=notify\nTimeoutStartSec=3\nExecStart=/bin/sleep infinity",
        ),
        good(
            "service-exits-at-once",
            "a service that exits 0 at once",
            "ok.service",
            "[Service]\nExecStart=/bin/true",
        ),
        good(
            "service-starts-slowly",
            "a service that takes five seconds to start",
            "ok.service",
            "[Service]\nExecStartPre=/bin/sleep 5\nExecStart=/bin/sleep infinity",
        ),
        good("oneshot", "a oneshot", "ok.service", "[Service]\nType=oneshot\nExecStart=/bin/true"),
        good("timer", "a timer", "ok.timer", "[Timer]\nOnCalendar=hourly\nUnit=web.service"),
        good(
            "condition",
            "a unit that a failed condition skips",
            "ok.service",
            "[Unit]\nConditionPathExists=/no/such/path\n[Service]\nExecStart=/bin/false",
        ),
        row("unit-failed-before", "a unit that had failed already", "before", |s| {
            s.machine
                .exec("systemd-run --unit=old-failure.service --property=Type=oneshot /bin/false || true");
            assert_eq!(
                s.machine.exec("systemctl show --property ActiveState --value old-failure.service"),
                "failed"
            );
            s.good();
            s.ends(&[], 0, &["committed"])
        }),
        row("unit-check-condition", "an explicit check of a unit that a condition skips", "probing", |s| {
            let hosts = with_unit(
                "2",
                "ok.service",
                "[Unit]\nConditionPathExists=/no/such/path\n[Service]\nExecStart=/bin/false",
            );
            s.candidate(&hosts.replace("checks.site", "checks.skipped = { probe = { kind = \"unit\"; unit = \"ok.service\"; }; startDeadline = 4; }; checks.site"));
            s.ends(&[], 0, &["check skipped passes"])
        }),
        row("slow-service", "a service that needs 40 s, with a check that allows them", "probing", |s| {
            let unit = "[Service]\\nExecStart=/bin/sh -c 'sleep 40; touch /run/up; sleep infinity'\\n";
            s.candidate(&site("2", "200", "checks.slow = { probe = { kind = \"file\"; path = \"/run/up\"; }; startDeadline = 60; };").replace(
                "units.\"web.service\" = httpd { status = \"200\"; };",
                &format!("units = {{ \"web.service\" = httpd {{ }}; \"slow.service\" = \"{unit}\"; }};"),
            ));
            s.ends(&["--soak", "1s"], 0, &["check slow passes"])
        }),
    ]
}

/// A candidate with one more unit, which is rolled back.
fn bad(name: &str, fault: &str, unit: &'static str, lines: &'static str) -> Row {
    Row {
        run: Box::new(move |s: &mut Scene| {
            s.candidate(&with_unit("2", unit, lines));
            s.ends(&["--soak", "4s"], 20, &["rolled back: check no-unit-regressed", unit])
        }),
        ..row(name, fault, "probing", |_| None)
    }
}

/// A candidate with one more unit, which is committed.
fn good(name: &str, fault: &str, unit: &'static str, lines: &'static str) -> Row {
    Row {
        run: Box::new(move |s: &mut Scene| {
            s.candidate(&with_unit("2", unit, lines));
            s.ends(&["--soak", "3s"], 0, &["committed"])
        }),
        ..row(name, fault, "probing", |_| None)
    }
}
