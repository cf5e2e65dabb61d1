//! Users' own managers. Their units are users' business: what fails there neither commits nor rolls back. The manager
//! itself, `user@UID.service`, is a unit of the system like any other (DESIGN rule 9).

use super::scene::{Scene, on_machine, site};
use super::{Row, row};

/// The base image's ordinary user.
const UID: u32 = 1000;

pub fn rows() -> Vec<Row> {
    vec![
        // The switch restarts it and ends with 4; the checks decide (DESIGN rule 8).
        row("user-unit", "a user's unit that the switch restarts, and that fails", "activating", |s| {
            s.from(&mailer("1u", "ExecStart=/bin/sleep infinity"));
            user_is_there(s);
            s.candidate(&mailer("2", "ExecStartPre=/bin/false\\nExecStart=/bin/sleep infinity"));
            let ended = s.deploy(&["-v"]).expect(0, &["user activation for 1000 failed", "committed"]);
            assert_eq!(of_user(s, "is-failed mailer.service"), "failed");
            Some(ended.code)
        })
        .quick(),
        row("user-unit-later", "a user's unit that fails and is restarted again and again", "soaking", |s| {
            s.from(&mailer("1u", "ExecStart=/bin/sleep infinity"));
            user_is_there(s);
            s.candidate(&mailer(
                "2",
                "Restart=always\\nRestartSec=0.1\\nExecStart=/bin/sh -c 'sleep 2; exit 1'",
            ));
            let running = s.start(&["--soak", "6s"]);
            s.at("soaking");
            on_machine(
                &s.machine,
                "the unit's failure",
                &systemctl("show --property NRestarts --value mailer.service | grep -q '[1-9]'"),
            );
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("user-manager-dies", "a user's manager is killed", "soaking", |s| {
            s.from(&mailer("1u", "ExecStart=/bin/sleep infinity"));
            user_is_there(s);
            s.candidate(&mailer("2", "ExecStart=/bin/sleep infinity"));
            let running = s.start(&["--soak", "8s"]);
            s.at("soaking");
            s.machine.exec(&format!("systemctl kill --signal=KILL --kill-whom=main user@{UID}.service"));
            let ended = running.end().expect(20, &["user@1000.service is failed"]);
            // It ran before, so the way back starts it, and with it the user's units.
            on_machine(&s.machine, "the user's manager", &systemctl("is-active mailer.service"));
            Some(ended.code)
        }),
        row(
            "user-logs-out",
            "the last session of a user ends, and the user's manager with it",
            "soaking",
            |s| {
                s.from(&mailer("1u", "ExecStart=/bin/sleep infinity"));
                user_is_there(s);
                s.candidate(&mailer("2", "ExecStart=/bin/sleep infinity"));
                let running = s.start(&["--soak", "6s"]);
                s.at("soaking");
                s.machine.exec("loginctl disable-linger deploy");
                on_machine(
                    &s.machine,
                    "the manager's end",
                    &format!(
                        "[ $(systemctl show --property ActiveState --value user@{UID}.service) = inactive ]"
                    ),
                );
                Some(running.end().expect(0, &["committed"]).code)
            },
        ),
    ]
}

/// The site, with a unit of each user's.
fn mailer(version: &str, lines: &str) -> String {
    site(version, "200", &format!("userUnits.\"mailer.service\" = \"[Service]\\n{lines}\\n\";"))
}

/// Has the user's manager run without anybody logged in.
fn user_is_there(s: &mut Scene) {
    s.machine.exec("loginctl enable-linger deploy");
    on_machine(&s.machine, "the user's unit", &systemctl("is-active mailer.service"));
    s.look();
}

/// `systemctl --user` of the user.
fn systemctl(args: &str) -> String {
    format!(
        "setpriv --reuid {UID} --clear-groups env XDG_RUNTIME_DIR=/run/user/{UID} systemctl --user {args}"
    )
}

fn of_user(s: &Scene, args: &str) -> String {
    s.machine.exec(&systemctl(args))
}
