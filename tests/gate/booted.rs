//! VMs with a kernel of their own: QEMU translates, and systemd, Nix's paths and the guard are real.

use std::process::Command;
use std::time::Duration;

use crate::harness::run::until;
use crate::harness::{Operator, base, kernel};
use crate::{guard, host, operator};

/// The module's gate unit, as it was rendered, with the guard where these VMs have it.
pub fn gate() -> String {
    let rendered = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rendered/units/nqd-gate.service");
    let guard = "/nix/store/00000000000000000000000000000000-nqd-guard/bin/nqd-guard";
    let unit = std::fs::read_to_string(rendered).unwrap();
    assert!(unit.contains(guard), "{unit}");
    unit.replace(guard, "/nix/nqd-guard")
}

pub fn rows() -> Vec<(&'static str, fn())> {
    vec![
        ("booted_and_healthy", healthy),
        ("booted_and_unhealthy", unhealthy),
        ("booted_and_silent", silent),
        ("booted_with_a_manifest_that_is_none", no_manifest),
        ("ctrl_c_leaves_no_vm", ctrl_c_leaves_no_vm),
    ]
}

/// What `config.system.build.vm` of NixOS does, with Debian's kernel and root: a store of its own disk, and QEMU with
/// what `$QEMU_OPTS` adds. `name` is QEMU's name of it.
fn script(name: &str) -> String {
    let (kernel, disk) = (kernel::files(), base::image());
    let (kernel, disk, guard) = (kernel.display(), disk.display(), guard());
    let guard = guard.display();
    format!(
        r#"#!/bin/sh
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd "$TMPDIR"
mkdir -p nix/store nix/var/nix/profiles
for path in $(cat @closure@); do cp -a "$path" nix/store/; done
cp {guard} nix/nqd-guard
truncate -s 256M "$NIX_DISK_IMAGE"
mkfs.ext4 -q -F -d nix "$NIX_DISK_IMAGE"
exec qemu-system-x86_64 -name {name} -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 512 -nodefaults -no-reboot \
  -kernel {kernel}/vmlinuz -initrd {kernel}/initramfs \
  -append "console=ttyS0 panic=-1 systemd.getty_auto=no mitigations=off norandmaps nokaslr nqd.init=@toplevel@/init" \
  -drive file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe \
  -drive file="$NIX_DISK_IMAGE",format=raw,if=virtio,cache=unsafe $QEMU_OPTS "$@"
"#
    )
}

/// A web server that answers with this status, and a check that wants 200.
fn site(status: &str) -> String {
    format!(
        r#"units."web.service" = httpd {{ status = "{status}"; }}; checks.site = {{ probe = {{ kind = "http"; url = "http://127.0.0.1:8080/"; }}; startDeadline = 30; }};"#
    )
}

fn booted(name: &str, more: &str) -> Operator {
    let operator = operator();
    host(&operator, &script(name), more);
    operator
}

fn healthy() {
    let ended = booted("nqd-gate-healthy", &site("200")).nqd(&["test", "web", "-v", "--timeout", "5m"]);
    println!("{}{}", ended.stderr, ended.stdout);
    let console = ended.stderr.find("nqd-gate.service").expect("the console is not shown");
    assert!(console < ended.stderr.find("testing in a VM done").unwrap());
    ended.expect(0, &["pass    site", "web: healthy in its VM", "not as on the machine: disks"]);
}

fn unhealthy() {
    let ended = booted("nqd-gate-unhealthy", &site("500")).nqd(&["test", "web", "--timeout", "5m"]);
    println!("{}{}", ended.stderr, ended.stdout);
    ended.expect(
        25,
        &[
            "FAIL    site",
            "http 500",
            "web: not healthy in its VM: check site",
            "the last lines of its console",
        ],
    );
}

/// What boots and does not come up says nothing, and that is not well.
fn silent() {
    let more = r#"units."long.service" = "[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n";"#;
    let ended = booted("nqd-gate-silent", more).nqd(&["test", "web", "--timeout", "25s"]);
    println!("{}{}", ended.stderr, ended.stdout);
    ended.expect(22, &["nothing is known from its VM: it wrote no record within its time"]);
}

/// The guard has nothing to write then: the gate unit's end is the VM's, and nobody waits for the rest of the time.
fn no_manifest() {
    let ended = booted("nqd-gate-no-manifest", "manifest = \"{\";").nqd(&["test", "web", "--timeout", "5m"]);
    assert!(ended.time < Duration::from_secs(290), "{:?}", ended.time);
    ended.expect(22, &["it ended before it wrote a record: it was switched off"]);
}

/// Process ids of the QEMU of this name.
fn vms(name: &str) -> String {
    let out =
        Command::new("pgrep").args(["-f", &format!("qemu-system-x86_64 -name {name} ")]).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

fn ctrl_c_leaves_no_vm() {
    let name = "nqd-gate-interrupted";
    let operator = booted(name, "");
    let running = operator.start(&["test", "web"]);
    until("the VM's start", Duration::from_secs(60), || !vms(name).is_empty());
    running.signal("INT");
    let ended = running.end_within(Duration::from_secs(20));
    ended.expect(30, &["interrupted: the VM was killed"]);
    until("the VM's end", Duration::from_secs(5), || vms(name).is_empty());
}
