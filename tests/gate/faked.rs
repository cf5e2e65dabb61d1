//! VMs that are scripts: no kernel, but the same contract.

use std::process::Command;
use std::time::Duration;

use crate::harness::Ended;
use crate::{host, operator};

/// Finds where the port leads: `$record`. `say VERDICT` writes a whole record.
const HEAD: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
record=${QEMU_OPTS#*id=nqd-gate,path=}; record=${record%% *}
console=${QEMU_OPTS#*-serial file:}; console=${console%% *}
say() {
  printf '{"v":1,"at":"2026-11-22T06:03:01Z","host":"web","system":"%s","verdict":"%s","checks":[%s]}' @toplevel@ "$1" "$2"
}
"#;
const FAILING: &str = r#"{"name":"site","level":"required","standing":"failing","message":"http 500"}"#;

pub fn rows() -> Vec<(&'static str, fn())> {
    vec![
        ("record_decides", record_decides),
        ("no_record_is_unknown", no_record_is_unknown),
        ("torn_and_garbage_are_unknown", torn_and_garbage_are_unknown),
        ("another_systems_record_is_unknown", another_systems_record_is_unknown),
        ("qemu_that_cannot_start", qemu_that_cannot_start),
        ("without_the_module_it_is_refused", without_the_module_it_is_refused),
        ("in_a_build_sandbox", in_a_build_sandbox),
        ("what_is_kept", what_is_kept),
    ]
}

/// `nqd test web` with a VM that does this.
fn test(does: &str, more: &[&str]) -> Ended {
    let operator = operator();
    host(&operator, &format!("{HEAD}{does}\n"), "");
    operator.nqd(&[&["test", "web"], more].concat())
}

fn record_decides() {
    let ended = test("say ok > $record; echo >> $record; sleep 600", &[]);
    ended.expect(
        0,
        &[
            "web: healthy; runs",
            "not as on the machine: disks: the VM's own, not those of /, /data",
            "not as on the machine: boot loader: none",
            "web: healthy in its VM",
        ],
    );
    let bad =
        format!("say unhealthy '{FAILING}' > $record; echo >> $record; echo it broke > $console; sleep 600");
    test(&bad, &[]).expect(
        25,
        &["FAIL    site: http 500", "| it broke", "web: not healthy in its VM: check site http 500"],
    );
    test("say degraded > $record; echo >> $record", &[]).expect(10, &["degraded in its VM"]);
    test("say inconclusive > $record; echo >> $record", &[]).expect(22, &["nothing is known"]);
}

fn no_record_is_unknown() {
    let ended = test("echo still booting > $console; sleep 600", &["--timeout", "2s"]);
    assert!(ended.time < Duration::from_secs(30), "{:?}", ended.time);
    ended
        .expect(22, &["nothing is known from its VM: it wrote no record within its time", "| still booting"]);
    test("echo panic > $console", &[]).expect(22, &["it ended before it wrote a record", "| panic"]);
}

fn torn_and_garbage_are_unknown() {
    test("say ok > $record; sleep 600", &["--timeout", "2s"])
        .expect(22, &["within its time", "no end of a line"]);
    test("say ok > $record", &[]).expect(22, &["it ended before", "no end of a line"]);
    for garbage in [
        "echo healthy > $record",
        "say ok | head -c 40 > $record; echo >> $record",
        "head -c 4000 /dev/urandom > $record; echo >> $record",
        "echo > $record; say ok >> $record; echo >> $record",
    ] {
        test(&format!("{garbage}; sleep 600"), &[]).expect(22, &["its record cannot be understood"]);
    }
    let flood = "yes well | tr -d '\\n' > $record";
    test(flood, &[]).expect(22, &["its record is longer than"]);
    let contradicting = format!("say ok '{FAILING}' > $record; echo >> $record; sleep 600");
    test(&contradicting, &[]).expect(22, &["contradicts itself"]);
}

fn another_systems_record_is_unknown() {
    let other = "say ok | sed 's/-nixos-system-web/-nixos-system-old/' > $record; echo >> $record; sleep 600";
    test(other, &[]).expect(22, &["its record is about", "nixos-system-old"]);
}

fn qemu_that_cannot_start() {
    let ended = test("exec /nowhere/qemu-system-x86_64 $QEMU_OPTS", &[]);
    ended.expect(
        22,
        &["it ended before it wrote a record", "/nowhere/qemu-system-x86_64", "by hand: /nix/store/"],
    );
    test("exec qemu-system-x86_64 -accel no-such $QEMU_OPTS", &[]).expect(22, &["exited with 1", "no-such"]);
}

fn without_the_module_it_is_refused() {
    let operator = operator();
    operator.hosts("web = nixos { name = \"web\"; };");
    let ended = operator.nqd(&["test", "web"]).expect(30, &["its VM could not say how it is", "hint:"]);
    assert!(ended.stderr.contains("quickDeploy.enable = true"), "{}", ended.stderr);
    operator.nqd(&["test", "wbe"]).expect(40, &["does not provide attribute"]);
}

/// As lib.mkChecks runs it: no Nix, no home, an environment that is nearly empty.
fn in_a_build_sandbox() {
    let operator = operator();
    host(&operator, &format!("{HEAD}say ok > $record; echo >> $record; sleep 600\n"), "");
    let vm = operator.build_vm("web");
    let bare = |args: &[&str]| {
        let mut command =
            operator.command("/usr/bin/env", &["-i", "PATH=/nowhere", "HOME=/homeless-shelter"]);
        let out = command.arg(operator.program()).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        (out.status.code(), text)
    };
    let (code, text) = bare(&["test", "--vm", &vm, "--name", "web"]);
    assert!(code == Some(0) && text.contains("web: healthy in its VM"), "{code:?} {text}");
    assert!(!text.contains("not as on the machine"), "{text}");
    // A home that is only a name stays one: where it is there, Nix refuses to build without a sandbox.
    assert!(!std::path::Path::new("/homeless-shelter").exists());
    assert_eq!(bare(&["test", "--vm", &vm]).0, Some(2));
    let (code, text) = bare(&["test", "--vm", "/usr", "--name", "web"]);
    assert!(code == Some(30) && text.contains("is no VM"), "{code:?} {text}");
}

fn what_is_kept() {
    let operator = operator();
    host(
        &operator,
        &format!("{HEAD}say ok > $record; echo >> $record; echo hello > $console; sleep 600\n"),
        "",
    );
    let files = ["--json", "--junit", "report.xml", "--console", "console.log"];
    let ended = operator.nqd(&[&["test", "web"], &files[..]].concat()).expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["host"]), (&"ok".into(), &"web".into()));
    let read = |file: &str| std::fs::read_to_string(operator.flake().join(file)).unwrap();
    assert_eq!(read("console.log"), "hello\n");
    assert!(read("report.xml").contains("<testsuite name=\"web\""));
    let ended = operator.nqd(&["test", "web", "--keep"]).expect(0, &["are kept in /"]);
    let line = ended.stderr.lines().find(|l| l.contains("are kept in ")).unwrap();
    let dir = line.rsplit_once(' ').unwrap().1;
    assert!(std::fs::read_to_string(format!("{dir}/record.json")).unwrap().contains("\"verdict\":\"ok\""));
    assert!(Command::new("rm").args(["-r", dir]).status().unwrap().success());
}
