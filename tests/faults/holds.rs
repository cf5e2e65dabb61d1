//! strace holds the shipped guard at one write of its journal: there it can be struck.

use std::time::Duration;

use super::scene::{Scene, on_machine};

/// A system call at the journal that is held up.
#[derive(Clone, Copy)]
pub struct Hold {
    /// Which write of the process, from 1.
    pub write: usize,
    /// Once it is durable, not before it.
    pub after: bool,
    pub seconds: u32,
}

/// Longer than any row takes, in seconds.
pub const FOREVER: u32 = 120;

/// Whose writes are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The guard that runs the transaction.
    Runner,
    /// The one that takes over from it, in the same boot.
    Successor,
    /// The one that the boot starts.
    Boot,
}

impl Hold {
    /// What strace is told.
    pub fn inject(self) -> String {
        let Self { write, after, seconds } = self;
        let call = if after { "fdatasync:delay_exit" } else { "pwrite64:delay_enter" };
        format!(
            "-f -qq -o /run/held -e trace=pwrite64,fdatasync -P /nix/var/nqd/journal -e inject={call}={seconds}000000:when={write}"
        )
    }
}

/// Drop-ins of units whose names begin so, those of whoever takes over too.
const IN_THIS_BOOT: &str = "/run/systemd/system/nqd-transaction-.service.d";
/// In the next one, whose `/run` is empty and whose `/etc` is the system's.
const AT_BOOT: &str = "/usr/local/lib/systemd/system/nqd-recover.service.d";

/// Has strace hold one of the guards to come.
pub fn hold(s: &Scene, whom: Whom, at: Hold) {
    let strace = at.inject();
    let (run, take_over) = match whom {
        Whom::Runner => (&*format!("strace {strace} "), ""),
        Whom::Successor | Whom::Boot => ("", &*format!("strace {strace} ")),
    };
    let drop_ins = if whom == Whom::Boot { AT_BOOT } else { IN_THIS_BOOT };
    s.machine.exec(&format!(
        r"mkdir -p {drop_ins}
printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/hold %%n\n' > {drop_ins}/hold.conf
cat > /usr/local/bin/hold <<'END'
#!/bin/sh
id=${{1#nqd-transaction-}} id=${{id%.service}} guard=$(readlink -f /nix/var/nqd/guard)
case $id in *-recovery-* | nqd-recover) exec {take_over}$guard recover ;; esac
exec {run}$guard run $id
END
chmod +x /usr/local/bin/hold; sync; systemctl daemon-reload"
    ));
}

/// Nobody who comes is held any more. The one that is stays so.
pub fn hold_nobody(s: &Scene) {
    s.machine.exec(&format!("rm -rf {IN_THIS_BOOT} {AT_BOOT}; sync; systemctl daemon-reload"));
}

/// Waits until a guard whose command line matches this is held: one of its threads does not leave its stop for a while.
/// On a busy machine that may be at another call, where it does not stay: then the journal is not in this state yet.
pub fn held_in(s: &Scene, what: &str, command: &str, state: &str) {
    for _ in 0..5 {
        held(s, what, command);
        if s.machine.state() == state {
            return;
        }
    }
    assert_eq!(s.machine.state(), state, "held at another write");
}

/// The same, wherever it is held.
pub fn held(s: &Scene, what: &str, command: &str) {
    let script = format!(
        r#"pid=$(pgrep -f '{command}' | tail -n 1); [ -n "$pid" ] || exit 1
for n in 1 2 3 4 5 6; do
  grep -q '^State:.*tracing stop' /proc/$pid/status || exit 1
  sleep 0.05
done"#
    );
    on_machine(&s.machine, what, &script);
}

/// Strikes the guard that is held.
pub fn strike(s: &mut Scene, power: bool) {
    hold_nobody(s);
    if power {
        s.power_cut();
    } else {
        // The guard first, which is younger: once the one that holds it is dead, it goes on.
        s.machine.exec(
            "kill -KILL $(pgrep -f '[n]qd-guard.* (run|recover)' | tail -n 1); sleep 0.1; pkill -KILL -x strace || true",
        );
    }
    std::thread::sleep(Duration::from_millis(200));
}
