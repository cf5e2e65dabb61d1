//! Whoever may not deploy: a user of the machine without root, while a transaction runs. And root with a wrong token,
//! or with one that was used.

use super::scene::{Scene, on_machine, site};
use super::{Row, row};

/// Holds the lock of switch scripts for as long as it can.
const HOLD_LOCK: &str =
    "exec 9< /run/nixos/switch-to-configuration.lock && flock 9 && touch /tmp/held && exec sleep 600";

/// What others may write or read of all that the guard keeps, but for its place, its link, and links as such.
const OPEN_TO_OTHERS: &str = "find /nix/var/nqd /run/nqd ! -type l -perm /022
find /nix/var/nqd /run/nqd -type f -perm /004
find /nix/var/nqd /run/nqd -mindepth 1 -type d -perm /007
find /nix/var/nqd /run/nqd ! -user root";

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "stranger-asks",
            "a user without root reads and asks for all that the guard knows",
            "soaking",
            |s| {
                s.good();
                let running = s.start(&["--soak", "10s"]);
                s.at("soaking");
                let (id, token) = id_and_token(s);
                let pid = s
                    .machine
                    .exec(&format!("systemctl show --property MainPID --value nqd-transaction-{id}"));
                let heard = refused_by_guard(s, &commands(&id, &token)) + &refused(s, &asking(&id, &pid));
                assert!(!heard.contains(&token), "the token got out:\n{heard}");
                let seen = s.machine.exec(&as_stranger(
                    "cat /proc/[0-9]*/cmdline /nix/var/nqd/* 2>&1 | tr '\\0' ' ' || true",
                ));
                assert!(!seen.contains(&token), "the token got out:\n{seen}");
                Some(running.end().expect(0, &["committed"]).code)
            },
        )
        .quick(),
        row("stranger-plants", "a user without root plants files and links", "soaking", |s| {
            s.good();
            refused(s, &["mkdir /nix/var/nqd".to_owned(), "mkdir /run/nqd".to_owned()]);
            let running = s.start(&["--soak", "8s"]);
            s.at("soaking");
            let (id, _) = id_and_token(s);
            refused(s, &planting(&id));
            // Nothing of the transaction is anybody else's to write, or to read but for what is made for that.
            let open = s.machine.exec(OPEN_TO_OTHERS);
            assert_eq!(open, "", "open to others");
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row("stranger-locks", "a user without root holds the lock of switch scripts", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "5s", "--switch-timeout", "20s"]);
            s.at("soaking");
            hold_lock(s);
            Some(running.end().expect(0, &["committed"]).code)
        }),
        row(
            "stranger-locks-rollback",
            "a user without root holds the lock of switch scripts",
            "rolling back",
            |s| {
                s.candidate(&site("2", "500", ""));
                let running = s.start(&["--switch-timeout", "20s"]);
                s.at("probing");
                hold_lock(s);
                Some(running.end().expect(20, &["rolled back: check site"]).code)
            },
        ),
        row(
            "token-by-root",
            "root confirms with a wrong token, for another transaction, and twice",
            "probing",
            |s| {
                s.good();
                let running = s.start(&["--confirm-timeout", "20s", "--soak", "4s"]);
                s.at("activating");
                // Who would confirm by itself.
                running.kill();
                s.at("probing");
                let (id, token) = id_and_token(s);
                let confirm = |id: &str, token: &str| {
                    let out = s.machine.try_exec(&format!("echo {token} | /nix/var/nqd/guard confirm {id}"));
                    (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
                };
                let wrong = "0".repeat(token.len());
                for (id, token) in
                    [(&*id, &*wrong), (&*id, &token[1..]), (&*id, "''"), ("20990101-000000-aaaaaa", &*token)]
                {
                    let (code, said) = confirm(id, token);
                    assert_eq!(code, Some(30), "{token} for {id}: {said}");
                }
                assert_eq!(confirm(&id, &token).0, Some(0), "the right token");
                let (code, said) = confirm(&id, &token);
                assert_eq!(code, Some(30), "the right token again: {said}");
                assert_eq!(s.over(), "committed");
                None
            },
        ),
    ]
}

/// All that root may ask the guard, the right token among it: as root, each of them is understood.
fn commands(id: &str, token: &str) -> Vec<String> {
    let asked = [
        "status",
        "status --as-is",
        "history",
        "unban",
        "recover",
        "follow",
        "begin",
        "cancel --by x",
        &format!("follow {id}"),
        &format!("withdraw {id} --by x"),
        &format!("tick {id}"),
        &format!("run {id}"),
    ]
    .map(|command| format!("/nix/var/nqd/guard {command} < /dev/null"));
    let confirm = |token: &str| format!("echo {token} | /nix/var/nqd/guard confirm {id}");
    asked.into_iter().chain([confirm(&"0".repeat(token.len())), confirm(token)]).collect()
}

/// What a stranger tries to reach, to read and to end. Units' names are everybody's to see, and with them the id.
fn asking(id: &str, pid: &str) -> Vec<String> {
    let socket = r#"perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "/run/nqd/ask.sock") or die "$!\n"; print <$s>'"#;
    vec![
        socket.to_owned(),
        "ls /run/nqd".to_owned(),
        "ls /nix/var/nqd".to_owned(),
        format!("cat /run/nqd/{id}/events.jsonl"),
        "cat /nix/var/nqd/journal".to_owned(),
        "cat /nix/var/nqd/history.jsonl".to_owned(),
        "cat /nix/var/nqd/public/history.jsonl".to_owned(),
        format!("cat /nix/var/nqd/tx/{id}/snapshot.json"),
        format!("cat /proc/{pid}/environ"),
        format!("cat /proc/{pid}/mem"),
        format!("ls /proc/{pid}/fd/"),
        format!("kill -9 {pid}"),
        format!("systemctl --no-ask-password stop nqd-transaction-{id}.service"),
        format!("systemctl --no-ask-password stop nqd-deadman-{id}.timer"),
        "systemd-run --no-ask-password true".to_owned(),
    ]
}

/// Where a stranger tries to leave something, or to take something away.
fn planting(id: &str) -> Vec<String> {
    let dirs = [
        "/nix/var/nqd".to_owned(),
        "/nix/var/nqd/tx".to_owned(),
        format!("/nix/var/nqd/tx/{id}"),
        "/nix/var/nqd/public".to_owned(),
        "/nix/var/nqd/copies".to_owned(),
        "/run/nqd".to_owned(),
        format!("/run/nqd/{id}"),
        "/nix/var/nix/gcroots/nqd".to_owned(),
        "/nix/var/nix/profiles".to_owned(),
        "/run/nixos".to_owned(),
    ];
    let mut tries: Vec<String> = dirs
        .iter()
        .flat_map(|d| [format!("touch {d}/planted"), format!("ln -s /etc/passwd {d}/planted")])
        .collect();
    tries.extend([
        "echo x > /nix/var/nqd/journal".to_owned(),
        "echo x > /nix/var/nqd/bans.json".to_owned(),
        "mv /nix/var/nqd /nix/var/gone".to_owned(),
        "ln -sfn /bin/true /nix/var/nqd/guard".to_owned(),
        format!("echo 0 > /run/nqd/{id}/heartbeat"),
        format!("rm -f /nix/var/nix/gcroots/nqd/{id}-candidate"),
        "ln -sfn /tmp /run/current-system".to_owned(),
    ]);
    tries
}

/// A script as the user.
fn as_stranger(script: &str) -> String {
    format!(
        "cat > /tmp/try <<'end-of-try'\n{script}\nend-of-try\nsetpriv --reuid deploy --regid deploy --init-groups sh /tmp/try"
    )
}

/// Tries all; panics if one succeeds. Gives what was said.
fn refused(s: &Scene, tries: &[String]) -> String {
    let mut heard = String::new();
    for script in tries {
        let out = s.machine.try_exec(&as_stranger(script));
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(!out.status.success(), "a stranger could `{script}`:\n{said}");
        heard += &said;
    }
    heard
}

/// The same of the guard's commands, which say why: `status`, `follow`, `recover`, `cancel` and `tick` must
/// ask for root before they read the journal, or they end with 1.
fn refused_by_guard(s: &Scene, commands: &[String]) -> String {
    let mut heard = String::new();
    for script in commands {
        let out = s.machine.try_exec(&as_stranger(script));
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.status.code(), Some(30), "a stranger's `{script}`:\n{said}");
        assert!(said.contains("needs root"), "a stranger's `{script}`:\n{said}");
        heard += &said;
    }
    heard
}

fn id_and_token(s: &Scene) -> (String, String) {
    let id = s.status()["transaction"]["id"].as_str().unwrap().to_owned();
    let armed = s.machine.exec(&format!("grep '\"event\":\"armed\"' /run/nqd/{id}/events.jsonl"));
    let armed: serde_json::Value = serde_json::from_str(&armed).unwrap();
    (id, armed["token"].as_str().unwrap().to_owned())
}

fn hold_lock(s: &Scene) {
    s.machine.exec(&format!("systemd-run --quiet --unit=stranger --uid=deploy sh -c '{HOLD_LOCK}'"));
    on_machine(&s.machine, "the stranger's lock", "test -e /tmp/held");
}
