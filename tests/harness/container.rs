//! A machine that is a container: systemd-nspawn on the mounted disk, with this machine's kernel.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::run::{run, sh, try_run};

/// systemd's hierarchies: of cgroup v2 alone, or of v1 with a v2 beside it, which nspawn then goes by.
const CGROUPS: &str = "for d in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do [ -w $d/cgroup.procs ] || continue;";

/// Starts one in the mount namespace of `holder`, where its disk is mounted. It gets a cgroup of its own, below which its
/// units' are: two machines that share them remove each other's, and a unit that starts just then fails (219).
pub fn start(name: &str, holder: u32, root: &Path, log: File) -> Child {
    let own = format!(
        "{CGROUPS} mkdir -p $d/nqd-{name} && echo $$ > $d/nqd-{name}/cgroup.procs || exit; done; exec \"$@\""
    );
    Command::new("/bin/sh")
        .args(["-c", &own, "sh", "nsenter"])
        .args(["--target", &holder.to_string(), "--mount", "--", "systemd-nspawn"])
        .args(["--quiet", "--register=no", "--keep-unit", "--network-veth", "--link-journal=no"])
        .args(["--resolv-conf=off", "--timezone=off", "--console=pipe", "--notify-ready=yes"])
        .args(["--machine", name, "--directory", root.to_str().unwrap(), "/firmware"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// PID 1 of the container that an nspawn runs, as it is called here.
pub fn leader(nspawn: u32) -> Option<u32> {
    let mut parents = vec![nspawn];
    while let Some(pid) = parents.pop() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let inner =
            status.lines().find_map(|l| l.strip_prefix("NSpid:")).and_then(|l| l.split_whitespace().nth(1));
        if inner == Some("1") {
            return Some(pid);
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        parents.extend(children.split_whitespace().filter_map(|c| c.parse::<u32>().ok()));
    }
    None
}

/// Runs a shell script where its PID 1 runs.
pub fn exec(leader: u32, script: &str) -> Output {
    try_run(&["nsenter", "--target", &leader.to_string(), "--all", "/bin/sh", "-c", script])
}

/// Has its systemd power it off.
pub fn power_off(leader: u32) {
    run(&["kill", "-s", "RTMIN+4", &leader.to_string()]);
}

/// What an nspawn that was killed leaves.
pub fn clean_up(name: &str) {
    sh(&format!("rm -rf /run/systemd/nspawn/propagate/{name}"));
    // What still has a process in it is used again by the next machine of this name.
    sh(&format!("{CGROUPS} find $d/nqd-{name} -depth -type d -exec rmdir {{}} + 2> /dev/null || true; done"));
}

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: the file system takes nothing more, and nothing that is
/// not on disk yet gets there.
#[allow(unsafe_code, reason = "an ioctl that no crate wraps")]
pub fn shutdown_without_flush(root: &Path) {
    const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
    const NO_LOG_FLUSH: u32 = 2;
    let file = File::open(root).unwrap();
    // SAFETY: the request takes a pointer to a u32, which outlives the call.
    unsafe {
        let request = rustix::ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH);
        rustix::ioctl::ioctl(&file, request).unwrap();
    }
}
