//! No memory left. On guests: a container's limits need not hold, and its memory is everybody's.

use super::scene::site;
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row("exec-eats-memory", "a check that eats memory without end", "probing", |s| {
            s.candidate(&site(
                "2",
                "200",
                r#"checks.hungry = { probe = { kind = "exec"; command = [ "/usr/bin/tail" "/dev/zero" ]; memoryMaxBytes = 67108864; }; timeout = 15; startDeadline = 15; };"#,
            ));
            let before = s.machine.exec("pidof -s sshd; systemctl show --property NRestarts sshd.service");
            let code = s.ends(&[], 20, &["rolled back: check hungry"]);
            // Its own limit ends it, not the machine's: nobody else is ever in danger.
            s.machine.exec("dmesg | grep -q 'Memory cgroup out of memory: Killed process .*(tail)'");
            assert_eq!(s.machine.exec("dmesg | grep -c ' Out of memory: ' || true"), "0");
            let after = s.machine.exec("pidof -s sshd; systemctl show --property NRestarts sshd.service");
            assert_eq!(before.lines().last(), after.lines().last(), "sshd did not survive");
            code
        })
        .in_guest(),
    ]
}
