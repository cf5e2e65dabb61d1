//! `container`, against a program that speaks as podman does, and against podman where it is installed and works.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nqd::health::ProbeStatus::{self, Fail, Pass, Pending, Unknown};
use serde_json::json;

use crate::{Row, is_root, output, probe};

const PODMAN: &str = "/usr/bin/podman";
/// Why it is not asked where it is installed and a kernel or a container of its own forbids it.
pub const CANNOT: &str = "podman cannot run a container here";

pub fn rows() -> Vec<Row> {
    let root = (!is_root()).then(|| "only root can run programs as another user".to_owned());
    vec![
        ("container_states_of_a_fake_podman", fake, root.clone()),
        ("container_that_podman_runs", real, root.or_else(no_podman)),
    ]
}

/// A program that prints and does what the test has written beside it.
const FAKE: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin dir=${0%/*}
printf '%s\n' "$*" >> "$dir/asked"
. "$dir/does"
"#;

fn fake() {
    let dir = tempfile::tempdir().unwrap();
    let (program, does) = (dir.path().join("podman"), dir.path().join("does"));
    fs::write(&program, FAKE).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let kind = json!({ "kind": "container", "name": "web", "program": program });
    let rows = [
        (r#"echo '{"Status":"running","StartedAt":"t1","Health":{"Status":""}}'"#, Pass, "web runs"),
        (r#"echo '{"Status":"running","Health":{"Status":"healthy"}}'"#, Pass, "is healthy"),
        (r#"echo '{"Status":"running","Health":{"Status":"starting"}}'"#, Pending, "starts"),
        (r#"echo '{"Status":"running","Health":{"Status":"unhealthy"}}'"#, Fail, "is unhealthy"),
        (r#"echo '{"Status":"exited","ExitCode":1}'"#, Fail, "with status 1"),
        (
            "echo 'Error: no such container web' >&2; exit 125",
            Fail,
            "exited with 125: Error: no such container web",
        ),
        ("exit 0", Unknown, "cannot be understood"),
        ("sleep 30", Fail, "did not end within 1 s"),
        ("yes", Fail, "printed more than"),
    ];
    for (script, status, says) in rows {
        fs::write(&does, script).unwrap();
        let started = Instant::now();
        let got = probe(&kind, 1.0);
        assert_eq!(got.status, status, "{script}: {}", got.message);
        assert!(got.message.contains(says), "{script}: {}", got.message);
        assert!(started.elapsed() < Duration::from_secs(4), "{script}");
    }
    let asked = fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(asked.lines().all(|l| l == "inspect --type container --format {{json .State}} web"), "{asked}");
    fs::write(&does, r#"test "$(id -un)" = nobody && echo '{"Status":"running"}'"#).unwrap();
    output("chmod", &["-R", "a+rwX", dir.path().to_str().unwrap()]);
    assert_eq!(probe(&kind, 1.0).status, Fail, "root's");
    let mut nobodys = kind;
    nobodys["user"] = "nobody".into();
    assert_eq!(probe(&nobodys, 1.0).status, Pass, "somebody's own");
}

/// A root file system with a shell and little else: no image is to be had here. It is gone when this is dropped, and so
/// are the containers.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for dir in ["proc", "sys", "dev", "etc", "tmp", "run"] {
            fs::create_dir(root.0.path().join(dir)).unwrap();
        }
        for program in ["/bin/sh", "/bin/sleep", "/bin/false"] {
            let libraries = output("ldd", &[program]);
            for file in libraries.split_whitespace().filter(|w| w.starts_with('/')).chain([program]) {
                let there = root.0.path().join(&file[1..]);
                fs::create_dir_all(there.parent().unwrap()).unwrap();
                fs::copy(file, there).unwrap();
            }
        }
        root
    }

    fn run(&self, name: &str, more: &[&str], command: &[&str]) -> Output {
        let fixed = ["run", "--detach", "--replace", "--network=none", "--cgroups=disabled", "--name", name];
        // What a container gets may be more than what we ourselves have.
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
        let root = ["--rootfs", self.0.path().to_str().unwrap()];
        podman(&[&fixed[..], &limits, more, &root, command].concat())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let names = ["try", "well", "over", "ill"].map(|n| format!("nqd-probe-{n}"));
        let names = names.each_ref().map(String::as_str);
        let out = podman(&[&["rm", "--force", "--ignore", "--time=0"][..], &names].concat());
        assert!(out.status.success() || std::thread::panicking(), "{out:?}");
    }
}

/// podman, where only the second version of cgroups is: its runtimes want no mixture of both.
fn podman(args: &[&str]) -> Output {
    let script = r#"mount -t cgroup2 none /sys/fs/cgroup && exec podman "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).args(args).stdin(Stdio::null()).output().unwrap()
}

fn no_podman() -> Option<String> {
    if !Path::new(PODMAN).exists() {
        return Some("podman is not installed".to_owned());
    }
    let out = Root::new().run("nqd-probe-try", &[], &["/bin/sleep", "0"]);
    let why = String::from_utf8_lossy(&out.stderr).lines().last().unwrap_or_default().to_owned();
    (!out.status.success()).then(|| format!("{CANNOT}: {why}"))
}

fn real() {
    let root = Root::new();
    let kind = |name: &str| json!({ "kind": "container", "name": name, "program": PODMAN });
    let run = |name: &str, more: &[&str], command: &[&str]| {
        let out = root.run(name, more, command);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let expect = |name: &str, status: ProbeStatus, says: &str| {
        let got = probe(&kind(name), 10.0);
        assert_eq!(got.status, status, "{name}: {}", got.message);
        assert!(got.message.to_lowercase().contains(says), "{name}: {}", got.message);
        got.fingerprint
    };
    run("nqd-probe-well", &[], &["/bin/sleep", "60"]);
    let first = expect("nqd-probe-well", Pass, "nqd-probe-well runs");
    assert!(first.is_some() && expect("nqd-probe-well", Pass, "runs") == first);
    assert!(podman(&["restart", "--time=0", "nqd-probe-well"]).status.success());
    assert_ne!(expect("nqd-probe-well", Pass, "runs"), first, "it was restarted");
    run("nqd-probe-over", &[], &["/bin/sh", "-c", "exit 3"]);
    assert!(podman(&["wait", "nqd-probe-over"]).status.success());
    expect("nqd-probe-over", Fail, "is exited, with status 3");
    expect("nqd-probe-never", Fail, "no such");
    let check = ["--health-cmd=/bin/false", "--health-interval=disable", "--health-retries=1"];
    run("nqd-probe-ill", &check, &["/bin/sleep", "60"]);
    expect("nqd-probe-ill", Pending, "its health check starts");
    // It exits with 1 where the container is not healthy.
    assert!(!podman(&["healthcheck", "run", "nqd-probe-ill"]).status.success());
    expect("nqd-probe-ill", Fail, "is unhealthy");
}
