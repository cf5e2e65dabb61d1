//! Bad candidates are rolled back: the machine runs and boots what it did, and what passed before passes again.

use std::time::Duration;

use crate::harness::{Ended, Machine, Operator};
use crate::{Row, assert_all, start};

pub fn rows() -> Vec<Row> {
    vec![
        ("failing_service", failing_service),
        ("crash_loop_although_the_switch_said_0", crash_loop),
        ("http_500", http_500),
        ("check_that_never_answers", never_answers),
        ("activation_script_that_fails", activation_fails),
        ("new_service_with_a_broken_check_is_never_pre_existing", new_and_broken),
        ("switch_that_fails_before_it_changes_anything", switch_fails_early),
        ("switch_that_hangs_is_killed", switch_hangs),
        ("boot_loader_that_fails_at_commit", boot_loader_fails),
        ("explicit_unit_check_sees_a_restart", restarted_unit),
        ("exec_checks_that_hang_flood_or_fork", nasty_exec),
        ("words_in_the_journal_count_from_the_switch_on", journal),
        ("wanted_failure_commits_as_degraded", degraded),
    ]
}

/// A host with a web site and a check of it, and more attributes.
fn site(version: &str, status: &str, more: &str) -> String {
    format!(
        r#"web = nixos {{ name = "web"; version = "{version}"; units."web.service" = httpd {{ status = "{status}"; }};
          checks.site = {{ probe = {{ kind = "http"; url = "http://localhost:8080/"; }}; period = 0.3; timeout = 1; startDeadline = 4; }};
          {more} }};"#
    )
}

/// Deploys this over a good site, and asserts that all is as it was.
fn rolls_back(bad: &str, flags: &[&str], says: &[&str]) -> (Operator, Machine, Ended) {
    let (operator, machine, first) = start(&site("1", "200", ""));
    operator.hosts(bad);
    let ended = operator.deploy(&machine, "web", flags).expect(20, says);
    assert_all(&machine, &first, 1);
    assert_eq!(machine.state(), "rolled-back");
    assert_eq!(machine.exec("readlink -f /etc/static"), machine.link(&format!("{first}/etc")));
    operator.on(&machine, &["health"]).expect(0, &["healthy", "site"]);
    (operator, machine, ended)
}

/// A good site with one more unit.
fn with_unit(name: &str, lines: &str) -> String {
    let text = lines.replace('\n', "\\n");
    site("2", "200", "").replace(
        "units.\"web.service\" = httpd { status = \"200\"; };",
        &format!("units = {{ \"web.service\" = httpd {{ }}; \"{name}\" = \"{text}\\n\"; }};"),
    )
}

fn failing_service() {
    let bad = with_unit("bad.service", "[Service]\nExecStart=/bin/sh -c 'echo the very cause; exit 3'");
    let (.., ended) = rolls_back(
        &bad,
        &[],
        &["rolled back: check no-unit-regressed", "bad.service is failed", "the very cause"],
    );
    assert!(
        ended.time < Duration::from_secs(15),
        "a unit that has failed needs no patience: {:?}",
        ended.time
    );
}

fn crash_loop() {
    let bad = with_unit(
        "loop.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep 1; exit 1'\nRestart=always\nRestartSec=50ms",
    );
    let (_, machine, _) = rolls_back(&bad, &["--soak", "8s"], &["rolled back", "loop.service"]);
    let said = machine.exec("cat /run/nqd/*/switch-1.log");
    assert!(!said.contains("failed"), "the switch script saw nothing: {said}");
}

fn http_500() {
    rolls_back(&site("2", "500", ""), &[], &["rolled back: check site", "http 500", "passed before"]);
}

fn never_answers() {
    rolls_back(&site("2", "hang", ""), &[], &["rolled back: check site", "timeout"]);
}

fn activation_fails() {
    let bad = site("2", "200", r#"onActivate = "false";"#);
    let (operator, machine, _) = rolls_back(&bad, &[], &["activation failed: snippet \"custom\""]);
    operator.deploy(&machine, "web", &["--waive", "custom"]).expect(0, &["committed"]);
}

fn new_and_broken() {
    let bad = site("2", "200", "").replace(
        "checks.site",
        "checks.fresh = { probe = { kind = \"tcp\"; host = \"localhost\"; port = 9; }; startDeadline = 2; }; checks.site",
    );
    rolls_back(&bad, &[], &["rolled back: check fresh", "refused", "new)"]);
}

fn switch_fails_early() {
    let (_, _, ended) = rolls_back(
        &site("2", "200", r#"onSwitch = "exit 1";"#),
        &[],
        &["nothing was changed: the switch script exited with 1"],
    );
    assert!(!ended.stderr.contains("rolling back"), "{}", ended.stderr);
}

fn switch_hangs() {
    let bad = site("2", "200", r#"onSwitch = "systemctl stop web.service; sleep 600";"#);
    rolls_back(&bad, &["--switch-timeout", "4s"], &["did not end within 4 s and was killed"]);
}

fn boot_loader_fails() {
    let (operator, machine, first) = start(&site("1", "200", ""));
    operator.hosts(&site("2", "200", r#"onBoot = "return 1";"#));
    operator.deploy(&machine, "web", &[]).expect(20, &["could not be made the boot default"]);
    assert_all(&machine, &first, 2);
    assert_eq!(
        machine.exec("readlink /nix/var/nix/profiles/system"),
        "system-1-link",
        "the same generation as before"
    );
}

fn restarted_unit() {
    // It exits with success now and then, and systemd starts it again: no unit regresses, but a declared check of
    // the unit wants the one that it saw first.
    let bad = with_unit(
        "again.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 3\nRestart=always\nRestartSec=0",
    )
    .replace(
        "checks.site",
        "checks.again.probe = { kind = \"unit\"; unit = \"again.service\"; }; checks.site",
    );
    rolls_back(&bad, &["--soak", "4s"], &["rolled back: check again", "restarted while it was watched"]);
}

fn nasty_exec() {
    for (command, says) in [
        ("sleep 600", "did not end within 1 s"),
        ("yes", "printed more than 65536 bytes"),
        ("trap : TERM INT; sleep 600 & sleep 600 & wait; sleep 600", "did not end within 1 s"),
        ("exit 7", "exited with 7"),
    ] {
        let bad = site("2", "200", "").replace(
            "checks.site",
            &format!("checks.nasty = {{ probe = {{ kind = \"exec\"; command = [ \"/bin/sh\" \"-c\" \"{command}\" ]; }}; timeout = 1; startDeadline = 3; period = 0.5; }}; checks.site"),
        );
        let (_, machine, _) = rolls_back(&bad, &[], &["rolled back: check nasty", says]);
        let left = machine
            .exec("systemctl list-units --all --plain --no-legend 'nqd-*' | wc -l; pgrep -c yes || true");
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["0", "0"], "left over after {command:?}");
    }
}

/// A good site whose other unit says something when it is started, and a check of what is logged.
fn talking(version: &str, words: &str) -> String {
    let talk = format!("[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/echo {words}\\n");
    let quiet =
        r#"checks.quiet = { probe = { kind = "journal"; pattern = "the (very )?cause"; }; period = 0.3; };"#;
    site(version, "200", quiet).replace(
        "units.\"web.service\" = httpd { status = \"200\"; };",
        &format!("units = {{ \"web.service\" = httpd {{ }}; \"talk.service\" = \"{talk}\"; }};"),
    )
}

fn journal() {
    let (operator, machine, _) = start(&talking("1", "the very cause"));
    let guard = crate::guard().display().to_string();
    let health =
        |code: i32, says: &str| operator.on(&machine, &["health", "--guard", &guard]).expect(code, &[says]);
    health(25, "talk.service logged");
    // What the system before has said is not said again.
    operator.hosts(&talking("2", "all is well"));
    let second = operator.build("web");
    operator.deploy(&machine, "web", &[]).expect(0, &["committed", "check quiet passes"]);
    assert_all(&machine, &second, 2);
    health(0, "since this system was deployed");
    operator.hosts(&talking("3", "here is the cause"));
    for _ in 0..2 {
        // The first attempt's words do not excuse the second one's.
        let says = [
            "rolled back: check quiet",
            "talk.service logged \"here is the cause\" since the switch",
            "new)",
        ];
        operator.deploy(&machine, "web", &["--force"]).expect(20, &says);
        assert_all(&machine, &second, 2);
        health(0, "since this system was deployed");
    }
}

fn degraded() {
    let (operator, machine, _) = start(&site("1", "200", ""));
    let wanted = "checks.extra = { probe = { kind = \"file\"; path = \"/no/such/file\"; }; level = \"wanted\"; startDeadline = 2; }; checks.site";
    operator.hosts(&site("2", "200", "").replace("checks.site", wanted));
    let second = operator.build("web");
    operator.deploy(&machine, "web", &[]).expect(10, &["committed, degraded", "check extra fails"]);
    assert_all(&machine, &second, 2);
}
