//! What lies on disk is not as it should be.

use super::scene::{HOLD_BEGIN, on_machine, site};
use super::{Row, row};

/// Overwrites the middle of the journal's newest slot, as a torn write does.
const TEAR_NEWEST: &str = r#"cd /nix/var/nqd
a=$(head -c 60 journal | head -n 1 | cut -d ' ' -f 3); b=$(tail -c +65537 journal | head -c 60 | head -n 1 | cut -d ' ' -f 3)
[ "${a:-0}" -gt "${b:-0}" ] && at=0 || at=65536
printf torn | dd of=journal bs=1 seek=$((at + 100)) conv=notrunc status=none"#;

pub fn rows() -> Vec<Row> {
    vec![
        row("journal-torn", "the last write of the journal is torn", "after", |s| {
            s.good();
            s.deploy(&[]).expect(0, &["committed"]);
            s.machine.exec(TEAR_NEWEST);
            // What is left says "committing": it is done again, forward, by whoever looks.
            s.operator.on(&s.machine, &["status"]).expect(0, &["committed"]);
            None
        })
        .quick(),
        row("journal-torn-power-cut", "a power cut tears the journal's last write", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "30s"]);
            s.at("soaking");
            running.kill();
            s.machine.exec(&format!(
                "systemctl kill --signal=STOP 'nqd-transaction-*.service'; {TEAR_NEWEST}; sync"
            ));
            s.power_cut();
            assert_eq!(s.over(), "interrupted");
            None
        }),
        row("journal-empty", "the journal is an empty file", "before", |s| {
            s.good();
            s.machine.exec("mkdir -p /nix/var/nqd; chmod 711 /nix/var/nqd; : > /nix/var/nqd/journal");
            s.ends(&[], 0, &["committed"])
        }),
        row("journal-zeros", "the journal is all zeros, as some file systems leave it", "before", |s| {
            s.good();
            s.machine.exec("mkdir -p /nix/var/nqd; chmod 711 /nix/var/nqd; head -c 131072 /dev/zero > /nix/var/nqd/journal");
            s.ends(&[], 0, &["committed"])
        }),
        row("history-torn", "a line of the history is torn", "after", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &[]);
            s.machine.exec("truncate -s -20 /nix/var/nqd/history.jsonl");
            s.tears(1);
            s.good();
            let code = s.ends(&[], 0, &["committed"]);
            s.operator.on(&s.machine, &["history"]).expect(0, &["torn by a crash", "committed"]);
            code
        }),
        row("history-binary", "the history holds bytes that are no text", "after", |s| {
            s.good();
            s.machine.exec("mkdir -p /nix/var/nqd; chmod 711 /nix/var/nqd; printf '\\377\\376\\n' > /nix/var/nqd/history.jsonl");
            s.tears(1);
            s.ends(&[], 0, &["committed"])
        }),
        row("history-rotates", "the history has grown too large", "after", |s| {
            s.candidate(&site("2", "500", ""));
            s.deploy(&[]).expect(20, &[]);
            s.machine.exec(
                "cd /nix/var/nqd; for f in history.jsonl public/history.jsonl; do
                while [ $(stat -c %s $f) -le 8388608 ]; do cat $f $f > /run/more; cat /run/more > $f; done; done",
            );
            s.good();
            let code = s.ends(&[], 0, &["committed"]);
            let lines = "cd /nix/var/nqd; wc -l < history.jsonl; wc -l < public/history.jsonl; ls history.jsonl.1 public/history.jsonl.1";
            assert_eq!(s.machine.exec(lines), "1\n1\nhistory.jsonl.1\npublic/history.jsonl.1");
            let told =
                s.operator.on(&s.machine, &["history", "-n", "2"]).expect(0, &["rolled back", "committed"]);
            assert_eq!(told.stdout.lines().count(), 4, "{}", told.stdout);
            code
        }),
        row("copied-and-torn", "a power cut empties what was copied and not begun", "copying", |s| {
            s.candidate(&site("2", "200", ""));
            let system = s.system().to_owned();
            // The guard's start is held up, so that all is copied and nothing has begun.
            s.machine.exec(HOLD_BEGIN);
            let running = s.start(&[]);
            on_machine(
                &s.machine,
                "the copy",
                &format!("nix-store --check-validity {system} && pgrep -f '[n]qd-guard.* begin'"),
            );
            running.kill();
            s.power_cut();
            let torn = s.machine.try_exec(&format!("nix-store --verify-path {system}"));
            assert!(!torn.status.success(), "the power cut tore nothing");
            s.ends(&[], 0, &["committed"])
        }),
    ]
}
