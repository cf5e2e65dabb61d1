//! What fails before anything is changed: each with its exit code, the cause in the first line and a hint in the last.

use crate::harness::Ended;
use crate::{NEXT, PLAIN, Row, assert_all, start};

pub fn rows() -> Vec<Row> {
    vec![
        ("evaluation_errors_are_40", evaluation),
        ("build_failures_are_41", build),
        ("unreachable_hosts_are_43", unreachable),
        ("no_space_is_42", no_space),
        ("unsuitable_candidates_are_30", unsuitable),
        ("a_vm_that_is_not_healthy_is_30", vm_test),
    ]
}

/// The first line of an error names the cause, the last one gives a hint.
fn cause_and_hint(ended: &Ended, cause: &str, hint: &str) {
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let first = lines.iter().position(|l| l.starts_with("error:")).expect("no error");
    assert!(lines[first].contains(cause), "cause {cause:?}: {}", lines[first]);
    let last = lines.last().unwrap();
    assert!(last.starts_with("hint:") && last.contains(hint), "hint {hint:?}: {last}");
}

fn evaluation() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts("web = nixos { name = undefined; };");
    let ended = operator.deploy(&machine, "web", &[]).expect(40, &[]);
    assert!(ended.stderr.contains("undefined variable 'undefined'"), "{}", ended.stderr);
    operator.hosts(PLAIN);
    cause_and_hint(
        &operator.deploy(&machine, "wbe", &[]).expect(40, &[]),
        "does not provide attribute",
        "the flake has these hosts: web",
    );
    std::fs::write(operator.flake().join("new.nix"), "\"2\"").unwrap();
    std::fs::write(
        operator.flake().join("hosts.nix"),
        r#"{ nixos, httpd }: { web = nixos { name = "web"; version = import ./new.nix; }; }"#,
    )
    .unwrap();
    cause_and_hint(&operator.deploy(&machine, "web", &[]).expect(40, &[]), "new.nix", "git add");
    assert_all(&machine, &first, 1);
    assert_eq!(machine.state(), "none");
}

fn build() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(r#"web = nixos { name = "web"; system = "'; echo the last words; exit 1; '"; };"#);
    operator
        .deploy(&machine, "web", &[])
        .expect(41, &["building nixos-system-web-1.drv failed", "the last words"]);
    assert_all(&machine, &first, 1);
}

fn unreachable() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    machine.exec("systemctl stop sshd.service");
    cause_and_hint(&operator.deploy(&machine, "web", &[]).expect(43, &[]), "refused", "ssh root@");
    cause_and_hint(
        &operator.nqd(&["status", "no-such-host.invalid"]).expect(43, &[]),
        "no-such-host.invalid cannot be reached",
        "--target-host",
    );
    machine.exec("systemctl start sshd.service; mv /root/.ssh/authorized_keys /root/.ssh/no");
    cause_and_hint(
        &operator.deploy(&machine, "web", &[]).expect(43, &[]),
        "ermission denied",
        "--target-host",
    );
    assert_all(&machine, &first, 1);
}

fn no_space() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(&format!(r#"web = nixos {{ name = "web"; version = "2"; units."big.service" = "[Service]\nExecStart=/bin/true\n#{}\n"; }};"#, "x".repeat(100_000)));
    let filler = machine.fill_disk("/nix");
    operator.deploy(&machine, "web", &[]).expect(42, &["No space left on device", "nix-collect-garbage"]);
    operator.on(&machine, &["status"]).expect(0, &["generation 1"]);
    // A little room, enough for Nix but not for the system.
    std::fs::File::options()
        .write(true)
        .open(&filler)
        .unwrap()
        .set_len(std::fs::metadata(&filler).unwrap().len() - 300_000)
        .unwrap();
    // Whether a file or the database meets the end first differs, and so does what Nix calls it.
    operator.deploy(&machine, "web", &[]).expect(42, &["may be too small", "nix-collect-garbage"]);
    std::fs::remove_file(filler).unwrap();
    assert_all(&machine, &first, 1);
    operator.deploy(&machine, "web", &[]).expect(0, &["committed"]);
}

fn unsuitable() {
    let (operator, machine, first) = start(PLAIN);
    for (attributes, cause, hint) in [
        (r#"system = "aarch64-linux";"#, "is for aarch64-linux, the target is x86_64-linux", "hostPlatform"),
        (r#"hostName = "db";"#, "is for the host db, the target is called web", "--allow-host-mismatch"),
        (r#"initInterface = "systemd 3";"#, "needs a reboot", "nixos-rebuild boot"),
        (r#"manifest = "{ broken";"#, "etc/nqd/health.json", "check-manifest"),
        (r#"manifest = "{\"version\":9}";"#, "it is of version 9", "check-manifest"),
    ] {
        operator.hosts(&format!(r#"web = nixos {{ name = "web"; version = "2"; {attributes} }};"#));
        cause_and_hint(&operator.deploy(&machine, "web", &[]).expect(30, &[]), cause, hint);
    }
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; kernel = "6.18"; hostName = "db"; };"#);
    assert_all(&machine, &first, 1);
    let ended = operator.deploy(&machine, "web", &["--allow-host-mismatch"]).expect(0, &["boot not proved"]);
    assert!(
        ended
            .stdout
            .lines()
            .last()
            .unwrap()
            .contains("boot not proved: kernel, initrd, kernel modules changed"),
        "{}",
        ended.stdout
    );
}

/// Nix of the host `web` whose VM is a script: it writes a record in which the check `site` stands so.
fn with_vm(verdict: &str, standing: &str) -> String {
    let check =
        format!(r#"{{"name":"site","level":"required","standing":"{standing}","message":"http 500"}}"#);
    let record = format!(
        r#"{{"v":1,"at":"2026-11-22T06:03:01Z","host":"web","system":"@toplevel@","verdict":"{verdict}","checks":[{check}]}}"#
    );
    format!(
        r#"web = nixos {{ name = "web"; version = "2"; vm = {{ gate = "[Service]\nExecStart=/bin/true\n"; script = ''
          #!/bin/sh
          PATH=/usr/bin:/bin
          record=$(echo "$QEMU_OPTS" | sed 's/.*id=nqd-gate,path=\([^ ]*\).*/\1/')
          echo '{record}' > "$record"
          exec sleep 600
        ''; }}; }};"#
    )
}

/// `--vm-test`: what is not healthy in its VM is not even copied.
fn vm_test() {
    let (operator, machine, first) = start(PLAIN);
    operator.hosts(NEXT);
    cause_and_hint(
        &operator.deploy(&machine, "web", &["--vm-test"]).expect(30, &[]),
        "its VM could not say how it is",
        "quickDeploy.enable",
    );
    operator.hosts(&with_vm("unhealthy", "failing"));
    cause_and_hint(
        &operator.deploy(&machine, "web", &["--vm-test"]).expect(30, &["FAIL    site: http 500"]),
        "not healthy in its VM: check site http 500; nothing was changed",
        "nqd test .#web --keep",
    );
    let candidate = operator.build("web");
    machine.exec(&format!("test ! -e {candidate}"));
    assert_all(&machine, &first, 1);
    assert_eq!(machine.state(), "none");
    operator.hosts(&with_vm("ok", "passing"));
    operator.deploy(&machine, "web", &["--vm-test"]).expect(0, &["web: healthy in its VM", "committed"]);
    assert_all(&machine, &operator.build("web"), 2);
}
