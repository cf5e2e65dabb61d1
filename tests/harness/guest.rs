//! A machine with a kernel of its own: QEMU on the same disk. It can have what a container cannot: another time of
//! day, and no memory left. QEMU translates (no KVM), so everything takes some times as long.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::kernel;
use super::run::{quote, try_run};

/// Memory of a guest, in MiB. Nix needs half of it.
const MEMORY: &str = "1024";

/// A kernel that panics reboots, and that ends QEMU. No getty, which would wait for udev. The rest makes it three times
/// as fast: code that is always at the same address is translated once.
const CMDLINE: &str = "console=ttyS0 quiet panic=-1 systemd.getty_auto=no mitigations=off norandmaps nokaslr";

/// Why guests cannot be made here, if so.
pub fn cannot_run() -> Option<String> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("this machine has no /dev/net/tun for QEMU guests".to_owned());
    }
    super::missing(&["qemu-system-x86_64", "apt-get", "dpkg-deb"])
}

/// Starts one on a disk that is not mounted, with a network interface `link` on this side.
pub fn start(name: &str, disk: &Path, link: &str, log: File) -> Child {
    let files = kernel::files();
    Command::new("qemu-system-x86_64")
        .args(["-name", name, "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"])
        .args([
            "-smp",
            "2",
            "-m",
            MEMORY,
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-serial",
            "stdio",
        ])
        .arg("-kernel")
        .arg(files.join("vmlinuz"))
        .arg("-initrd")
        .arg(files.join("initramfs"))
        .args(["-append", CMDLINE])
        // What QEMU has written outlives it, synced or not; what the guest has not written does not.
        .args(["-drive", &format!("file={},format=raw,if=virtio,cache=unsafe", disk.display())])
        .args(["-netdev", &format!("tap,id=net,ifname={link},script=no,downscript=no")])
        .args(["-device", "virtio-net-pci,netdev=net,romfile="])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// How the harness runs programs on a guest: SSH, kept open, for a login takes a translated processor half a second.
pub struct Login {
    key: PathBuf,
    socket: PathBuf,
    address: String,
}

impl Login {
    pub fn new(key: &Path, dir: &Path, address: String) -> Self {
        Self { key: key.to_owned(), socket: dir.join("ssh"), address }
    }

    /// Runs a shell script on it.
    pub fn exec(&self, script: &str) -> Output {
        self.ssh(&["sh", "-c", &quote(script)])
    }

    /// Forgets the connection to a machine that is gone.
    pub fn close(&self) {
        if self.socket.exists() {
            let control = format!("ControlPath={}", self.socket.display());
            try_run(&["ssh", "-F", "none", "-o", &control, "-O", "exit", &self.address]);
        }
    }

    fn ssh(&self, command: &[&str]) -> Output {
        let login = format!("root@{}", self.address);
        let options = [
            format!("IdentityFile={}", self.key.display()),
            format!("ControlPath={}", self.socket.display()),
            "ControlMaster=auto".to_owned(),
            "ControlPersist=yes".to_owned(),
            // A connection that died is not used for ever.
            "ServerAliveInterval=5".to_owned(),
            "ConnectTimeout=5".to_owned(),
            "BatchMode=yes".to_owned(),
            "UserKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=no".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let options = options.iter().flat_map(|o| ["-o", o.as_str()]);
        let argv: Vec<&str> = ["ssh", "-F", "none"]
            .into_iter()
            .chain(options)
            .chain([login.as_str(), "--"])
            .chain(command.iter().copied())
            .collect();
        try_run(&argv)
    }
}
