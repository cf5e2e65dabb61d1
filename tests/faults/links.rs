//! Lost connections, dead operators.

use std::time::Duration;

use super::scene::{on_machine, site};
use super::{Row, row};

/// A candidate's own network that comes up cut.
pub const CUT: &str =
    r#"network = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/ip link set host0 down\n";"#;

/// Holds up what Nix copies to (`ssh-ng` starts it). It goes by the name that it is called by.
const SLOW_COPY: &str = r#"mv /usr/bin/nix-daemon /usr/bin/nix-daemon.real
printf '#!/bin/bash\ntouch /run/copying; sleep 10; exec -a nix-daemon /usr/bin/nix-daemon.real "$@"\n' > /usr/bin/nix-daemon
chmod +x /usr/bin/nix-daemon"#;

pub fn rows() -> Vec<Row> {
    vec![
        row("candidate-cuts-network", "a candidate that cuts the network", "activating", |s| {
            s.candidate(&site("2", "200", CUT));
            s.ends(&["--confirm-timeout", "5s"], 20, &["not confirmed"])
        })
        .quick(),
        row("candidate-stops-sshd", "a candidate whose sshd does not run", "activating", |s| {
            s.candidate(&site("2", "200", r#"sshd = "[Service]\nExecStart=/bin/sleep infinity\n";"#));
            s.ends(&["--confirm-timeout", "5s"], 20, &["not confirmed"])
        }),
        row("link-cut-before", "the link is cut before the activation", "before", |s| {
            s.good();
            s.machine.cut_network();
            let ended = s.deploy(&[]).expect(43, &[]);
            s.machine.restore_network();
            Some(ended.code)
        }),
        row("link-cut-for-good", "the link is cut for good, and the operator gives up", "activating", |s| {
            s.good();
            let running = s.start(&["--confirm-timeout", "4s", "--contact-timeout", "8s"]);
            s.at("activating");
            s.machine.cut_network();
            let ended = running.end().expect(22, &["cannot be known"]);
            s.over();
            s.machine.restore_network();
            Some(ended.code)
        }),
        row("link-cut-for-a-while", "the link is cut for five seconds", "probing", |s| {
            // Cut before a confirmation can be on its way, and restored long before one is due.
            s.candidate(&site("2", "200", "onSwitch = \"sleep 2\";"));
            let running = s.start(&["--soak", "4s", "--confirm-timeout", "60s"]);
            s.at("activating");
            s.machine.cut_network();
            std::thread::sleep(Duration::from_secs(7));
            assert_eq!(s.machine.state(), "probing", "nobody can have confirmed");
            s.machine.restore_network();
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("link-cut-after", "the link is cut after the confirmation", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "5s"]);
            s.at("soaking");
            s.machine.cut_network();
            std::thread::sleep(Duration::from_secs(6));
            s.machine.restore_network();
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("ssh-sessions-killed", "every SSH session is killed on the target", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "4s"]);
            s.at("probing");
            s.machine.exec("pkill -KILL -f '[s]shd: root'");
            Some(running.end().expect(0, &["attaching again", "committed"]).code)
        }),
        row("sshd-restarted", "sshd is restarted by somebody", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "4s"]);
            s.at("probing");
            s.machine.exec("systemctl restart sshd.service");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("master-dies", "the operator's control master dies", "activating", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("activating");
            let socket = format!("root@{}", s.machine.address());
            crate::harness::run::sh(&format!("pkill -KILL -f -- '[-]M -N -f.*{socket}'"));
            Some(running.end().expect(0, &["attaching again", "committed"]).code)
        }),
        row("operator-killed-activating", "the operator's nqd is killed", "activating", |s| {
            s.good();
            let running = s.start(&["--confirm-timeout", "4s"]);
            s.at("activating");
            running.kill();
            assert_eq!(s.over(), "rolled-back");
            None
        })
        .quick(),
        row("operator-gone", "the operator's machine is gone, with all its connections", "activating", |s| {
            s.good();
            let running = s.start(&["--confirm-timeout", "4s"]);
            s.at("activating");
            // Its ssh processes live on: they are cut off instead.
            running.kill();
            s.machine.cut_network();
            assert_eq!(s.over(), "rolled-back");
            s.machine.restore_network();
            None
        }),
        row("operator-killed-soaking", "the operator's nqd is killed after it confirmed", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            running.kill();
            assert_eq!(s.over(), "committed");
            None
        }),
        row(
            "operator-killed-no-confirm",
            "the operator's nqd is killed, and nobody needs to confirm",
            "activating",
            |s| {
                s.good();
                let running = s.start(&["--no-confirm"]);
                s.at("activating");
                running.kill();
                assert_eq!(s.over(), "committed");
                None
            },
        ),
        row(
            "operator-killed-copying",
            "the operator's nqd is killed before anything began",
            "copying",
            |s| {
                s.good();
                s.machine.exec(SLOW_COPY);
                let mut running = s.start(&[]);
                on_machine(&s.machine, "the copy", "test -e /run/copying");
                let system = s.system();
                let there = s.machine.try_exec(&format!("nix-store --check-validity {system}"));
                assert!(!there.status.success(), "all is copied already");
                assert!(running.lives(), "nqd ended before it was killed");
                running.kill();
                s.machine.exec("mv /usr/bin/nix-daemon.real /usr/bin/nix-daemon");
                s.begins_nothing();
                None
            },
        ),
        row("interrupted", "Ctrl-C at the operator's", "activating", |s| {
            s.good();
            let running = s.start(&["--confirm-timeout", "4s", "--soak", "3s"]);
            s.at("activating");
            running.signal("INT");
            let ended = running.end().expect(22, &["detached"]);
            s.over();
            Some(ended.code)
        }),
        row("cancelled", "nqd cancel", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "20s"]);
            s.at("soaking");
            s.operator.on(&s.machine, &["cancel"]).expect(0, &[]);
            Some(running.end().expect(20, &["cancelled by"]).code)
        }),
    ]
}
