//! Who finishes what a dead guard, or another version's, has left.

use std::time::Duration;

use super::scene::site;
use super::{Row, row};

/// All that a second recovery might change.
const STATE: &str =
    "cd /nix/var/nqd; sha256sum journal history.jsonl public/history.jsonl; ls -l /nix/var/nix/gcroots/nqd";

pub fn rows() -> Vec<Row> {
    vec![
        row("loader-changed-power-cut", "the boot loader was changed and failed, and the power fails", "rolling back", |s| {
            s.from(&site("1h", "200", "onBoot = \"[ ! -e /run/slow ] || sleep 60\";"));
            s.candidate(&site(
                "2",
                "200",
                "onBoot = ''printf 'options init=%s quiet\\n' $out/init > /boot/loader/entries/x.conf; printf 'default x.conf\\n' > /boot/loader/loader.conf; sync; return 1'';",
            ));
            s.machine.exec("touch /run/slow");
            let running = s.start(&["--contact-timeout", "120s"]);
            s.at("rolling-back");
            assert_eq!(s.machine.boots(), s.system(), "the candidate is not what boots");
            s.power_cut();
            assert_eq!(s.over(), "rolled-back");
            Some(running.end().expect(20, &["rolled back"]).code)
        }),
        row("no-timer", "the guard is killed, and its dead man's timer is gone", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "60s"]);
            s.at("soaking");
            running.kill();
            s.machine.exec("systemctl stop 'nqd-deadman-*.timer'; systemctl kill --signal=KILL 'nqd-transaction-*.service'");
            s.operator.on(&s.machine, &["status"]).expect(0, &["rolled back: the guard died while soaking"]);
            // Again, and again by hand: nothing is left to do.
            let before = s.machine.exec(STATE);
            s.machine.exec("for n in 1 2; do /nix/var/nqd/guard recover; done");
            assert_eq!(s.machine.exec(STATE), before);
            None
        })
        .quick(),
        row("heartbeat-empty", "the guard's sign of life is empty when it is looked at", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "10s"]);
            s.at("soaking");
            for _ in 0..3 {
                s.machine.exec("cd /run/nqd/*-*-*/; : > heartbeat; /nix/var/nqd/guard tick $(basename $PWD)");
                std::thread::sleep(Duration::from_millis(700));
            }
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("journal-newer", "a newer version's transaction is unfinished, and its guard finishes it", "before", |s| {
            s.good();
            s.machine.exec(&newer(r#"flock -w 3 /nix/var/nqd/lock sh -c ". /run/write; write rolled-back""#));
            let code = s.ends(&[], 0, &["committed"]);
            assert_eq!(s.machine.exec("cat /run/newer"), "recover\ndone");
            code
        }),
        row("journal-newer-busy", "a newer version's transaction goes on", "before", |s| {
            s.good();
            // Its guard is at work, and says so.
            s.machine.exec(&newer("true"));
            let ended = s.deploy(&[]);
            assert!(!ended.all().contains("committed"), "{}", ended.all());
            assert_eq!(s.machine.exec("grep -c recover /run/newer"), "1");
            s.machine.exec("rm /nix/var/nqd/journal");
            s.begins_nothing();
            Some(ended.expect(75, &["pondering", "that version of nqd"]).code)
        }),
        row("stranger-needs-root", "a stranger asks the guard for what only root may know", "after", |s| {
            s.good();
            let code = s.ends(&[], 0, &["committed"]);
            for command in ["status", "follow", "recover", "cancel --by x"] {
                let asked = s.machine.exec(&format!(
                    "setpriv --reuid deploy --regid deploy --init-groups /nix/var/nqd/guard {command} 2>&1 || echo status $?"
                ));
                assert!(asked.contains("needs root") && asked.ends_with("status 30"), "{command}: {asked}");
            }
            code
        }),
    ]
}

/// A journal of format 99 by a guard that does this when it is to recover.
fn newer(does: &str) -> String {
    format!(
        r#"mkdir -p /nix/var/nqd; chmod 711 /nix/var/nqd
cat > /run/write <<'END'
write() {{
  p=$(readlink /run/current-system)
  body='{{"id":"20990101-000000-aaaaaa","bootId":"6600d058-bc74-4f75-b6e4-532f8a2d456e","state":"'$1'","previous":"'$p'","candidate":"'$p'","guard":"/usr/local/bin/newer-guard","format":99}}'
  sum=$(printf %s "$body" | sha256sum | cut -d ' ' -f 1)
  printf 'nqd-slot 1 4 %s %s\n%s' ${{#body}} $sum "$body" > /nix/var/nqd/journal
  truncate -s 131072 /nix/var/nqd/journal
}}
END
cat > /usr/local/bin/newer-guard <<'END'
#!/bin/sh
export PATH=/usr/local/bin:/usr/bin:/bin
[ "$1" = recover ] || exit 0
echo "$@" >> /run/newer
{does} && echo done >> /run/newer
END
chmod +x /usr/local/bin/newer-guard; . /run/write; write pondering"#
    )
}
