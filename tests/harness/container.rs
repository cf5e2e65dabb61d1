//! A machine that is a container: systemd-nspawn on the mounted disk, with this machine's kernel.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::run::{run, sh, try_run};

/// Starts one in the mount namespace of `holder`, where its disk is mounted.
pub fn start(name: &str, holder: u32, root: &Path, log: File) -> Child {
    Command::new("nsenter")
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
