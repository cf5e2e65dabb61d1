//! Lost connections, dead operators.

use std::time::Duration;

use super::scene::site;
use super::{Row, row};

/// A candidate's own network that comes up cut.
pub const CUT: &str =
    r#"network = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/ip link set host0 down\n";"#;

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
            s.machine.exec("pkill -KILL -f '[s]shd: root' || true");
            Some(running.end().expect(0, &["committed"]).code)
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
            crate::harness::run::sh(&format!("pkill -KILL -f -- '[-]M -N -f.*{socket}' || true"));
            Some(running.end().expect(0, &["committed"]).code)
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
                s.machine.exec("mv /usr/bin/nix-store /usr/bin/nix-store.real; printf '#!/bin/sh\\ncase \"$*\" in *--serve*) sleep 3 ;; esac\\nexec nix-store.real \"$@\"\\n' > /usr/bin/nix-store; chmod +x /usr/bin/nix-store");
                let running = s.start(&[]);
                std::thread::sleep(Duration::from_millis(1200));
                running.kill();
                s.machine.exec("mv /usr/bin/nix-store.real /usr/bin/nix-store");
                s.begins_nothing();
                None
            },
        ),
        row("interrupted", "Ctrl-C at the operator's", "probing", |s| {
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
