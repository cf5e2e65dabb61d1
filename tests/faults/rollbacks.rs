//! The way back fails too; and faults that come from outside.

use super::scene::site;
use super::{Row, row};

/// The site, with a switch script that does this first.
fn with_switch(version: &str, status: &str, script: &str) -> String {
    site(version, status, &format!("onSwitch = \"{script}\";"))
}

pub fn rows() -> Vec<Row> {
    vec![
        row("rollback-fails-once", "the rollback's switch fails once", "rolling back", |s| {
            s.from(&with_switch("1d", "200", "if [ -e /run/fail ]; then rm /run/fail; exit 1; fi"));
            s.candidate(&site("2", "500", ""));
            s.machine.exec("touch /run/fail");
            s.ends(&[], 20, &["the rollback failed once"])
        }),
        row("rollback-fails-always", "the rollback's switch fails always", "rolling back", |s| {
            s.from(&with_switch("1d", "200", "if [ -e /run/fail ]; then exit 1; fi"));
            s.candidate(&site("2", "500", ""));
            s.may_end("held");
            s.machine.exec("touch /run/fail");
            let ended = s.deploy(&[]).expect(21, &["held"]);
            s.machine.exec("rm /run/fail");
            s.operator
                .on(&s.machine, &["doctor"])
                .expect(21, &["switch-to-configuration test", "nqd rollback"]);
            Some(ended.code)
        })
        .quick(),
        row("previous-script-gone", "the previous system's switch script is gone", "rolling back", |s| {
            s.candidate(&site("2", "500", ""));
            s.may_end("held");
            let script = s.machine.link("/run/current-system") + "/bin/switch-to-configuration";
            let running = s.start(&[]);
            s.at("probing");
            s.machine.exec(&format!("mv {script} {script}.gone"));
            let ended = running.end().expect(21, &["held"]);
            s.machine.exec(&format!("mv {script}.gone {script}"));
            Some(ended.code)
        }),
        row("rollback-breaks-a-unit", "a unit that was well fails after the rollback", "rolling back", |s| {
            s.from(&site("1e", "200", "").replace(
                "units.\"web.service\" = httpd { status = \"200\"; };",
                "units = { \"web.service\" = httpd { }; \"frail.service\" = \"[Service]\\nExecStartPre=/bin/sh -c '[ ! -e /run/break ]'\\nExecStart=/bin/sleep infinity\\n\"; };",
            ));
            s.candidate(&site("2", "500", "").replace(
                "units.\"web.service\" = httpd { status = \"500\"; };",
                "units = { \"web.service\" = httpd { status = \"500\"; }; \"frail.service\" = \"[Service]\\nExecStart=/bin/sleep infinity\\n\"; };",
            ));
            s.may_end("held");
            let running = s.start(&[]);
            s.at("probing");
            s.machine.exec("touch /run/break");
            let ended = running.end().expect(21, &["frail.service was well before and has failed"]);
            s.machine.exec("rm /run/break");
            Some(ended.code)
        }),
        row("cause-outside", "an external dependency goes down: suspect, not bad", "probing", |s| {
            let outside = "checks.outside = { probe = { kind = \"file\"; path = \"/run/outside\"; }; period = 0.3; startDeadline = 3; };";
            s.machine.exec("touch /run/outside");
            s.from(&site("1f", "200", outside));
            s.candidate(&site("2", "200", outside));
            let running = s.start(&["--soak", "10s"]);
            s.at("soaking");
            s.machine.exec("rm /run/outside");
            let ended = running.end().expect(20, &["the cause seems to lie outside"]);
            assert_eq!(s.status()["transaction"]["outcome"]["bad"], false);
            s.machine.exec("touch /run/outside");
            Some(ended.code)
        }),
        row("boot-loader-fails", "the boot loader cannot be installed", "committing", |s| {
            s.candidate(&site("2", "200", "onBoot = \"return 1\";"));
            s.ends(&[], 20, &["could not be made the boot default"])
        }),
        row(
            "boot-loader-fails-twice",
            "the boot loader can neither be installed nor installed again",
            "committing",
            |s| {
                s.from(&site("1g", "200", "onBoot = \"[ ! -e /run/fail ] || return 1\";"));
                s.candidate(&site("2", "200", "onBoot = \"return 1\";"));
                s.machine.exec("touch /run/fail");
                let ended = s.deploy(&[]).expect(20, &["still boots it"]);
                s.machine.exec("rm /run/fail");
                Some(ended.code)
            },
        ),
        row(
            "boot-loader-stuck",
            "the boot loader has been changed, and cannot be put back",
            "committing",
            |s| {
                s.from(&site("1g", "200", "onBoot = \"[ ! -e /run/fail ] || return 1\";"));
                s.candidate(&site(
                "2",
                "200",
                "onBoot = ''printf 'options init=%s quiet\\n' $out/init > /boot/loader/entries/x.conf; printf 'default x.conf\\n' > /boot/loader/loader.conf; return 1'';",
            ));
                s.may_end("held");
                s.machine.exec("touch /run/fail");
                let ended = s.deploy(&[]).expect(21, &["held"]);
                s.machine.exec("rm /run/fail");
                s.operator.on(&s.machine, &["doctor"]).expect(21, &["switch-to-configuration boot"]);
                Some(ended.code)
            },
        ),
        row("banned", "a candidate that is banned", "planning", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &["it is banned from now on"]);
            s.ends(&[], 30, &["known to be bad: check site", "--force"])
        })
        .quick(),
        row("ban-survives-reboot", "a ban, and a reboot", "planning", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &[]);
            s.power_cut();
            s.ends(&[], 30, &["known to be bad"])
        }),
        row("unban", "nqd unban", "planning", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &[]);
            s.operator.on(&s.machine, &["unban"]).expect(0, &["may be deployed again"]);
            s.operator.on(&s.machine, &["unban"]).expect(0, &["nothing was banned"]);
            s.ends(&[], 20, &["rolled back"])
        }),
        row("forced", "--force of a banned candidate", "planning", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &[]);
            s.ends(&["--force"], 20, &["rolled back"])
        }),
    ]
}
