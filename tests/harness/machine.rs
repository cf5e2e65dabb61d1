//! One real target.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::run::{cache, run, sh, try_run, until};
use super::{base, nix_new};

/// A machine. It is switched off and gone when this is dropped.
///
/// Its disk is mounted in a mount namespace of its own, which `holder` keeps: in the host's, another machine's nspawn
/// would copy the mount, and after a power cut the dead file system could not be let go.
pub struct Machine {
    name: String,
    number: u8,
    dir: PathBuf,
    holder: Child,
    nspawn: Option<Child>,
    _number_lock: File,
}

impl Machine {
    /// A new machine, not yet booted: nothing of ours is installed on it. `key` may log in.
    pub fn new(key: &Path) -> Self {
        let (number, lock) = free_number();
        let name = format!("nqd{number}");
        let dir = cache().join(format!("machine-{number}"));
        remove_leftovers(&name, &dir);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(dir.join("root")).unwrap();
        let holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sleep", "infinity"])
            .spawn()
            .unwrap();
        let ours = fs::read_link("/proc/self/ns/mnt").unwrap();
        let apart = || fs::read_link(format!("/proc/{}/ns/mnt", holder.id())).is_ok_and(|ns| ns != ours);
        until("a mount namespace of its own", Duration::from_secs(5), apart);
        let machine = Self { name, number, dir, holder, nspawn: None, _number_lock: lock };
        machine.remember("holder", machine.holder.id());
        run(&["cp", "--sparse=always", base::image().to_str().unwrap(), machine.disk().to_str().unwrap()]);
        machine.mount();
        let key = fs::read_to_string(key.with_extension("pub")).unwrap();
        for home in ["root", "home/deploy"] {
            machine.write(&format!("/{home}/.ssh/authorized_keys"), &key);
        }
        machine.inside(&[
            "chroot",
            machine.root_inside().to_str().unwrap(),
            "sh",
            "-c",
            "chown -R deploy: /home/deploy; chmod 700 /home/deploy/.ssh /root/.ssh",
        ]);
        if nix_new::wanted() {
            nix_new::install(&machine.root());
        }
        machine.write("/etc/harness/address", &format!("{}/30\n", machine.address()));
        machine
    }

    fn disk(&self) -> PathBuf {
        self.dir.join("disk.img")
    }

    /// Its IP address.
    pub fn address(&self) -> String {
        format!("10.231.{}.2", self.number)
    }

    /// Where its root file system can be seen from here.
    pub fn root(&self) -> PathBuf {
        let inside = self.root_inside();
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside.strip_prefix("/").unwrap())
    }

    /// Where it is mounted in its own mount namespace.
    pub fn root_inside(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// The process that keeps its mount namespace.
    pub fn namespace(&self) -> u32 {
        self.holder.id()
    }

    /// Runs a program where its disk is mounted.
    fn inside(&self, argv: &[&str]) -> String {
        let holder = self.holder.id().to_string();
        run(&[&["nsenter", "--target", &holder, "--mount", "--"], argv].concat())
    }

    /// Writes a file on it, from outside.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts a program on its path.
    pub fn install_program(&self, program: &Path, name: &str) {
        let there = self.root().join("usr/local/bin").join(name);
        fs::copy(program, there).unwrap();
    }

    /// Boots what its boot loader names, and waits until it is up.
    pub fn boot(&mut self) {
        assert!(self.nspawn.is_none(), "{} runs already", self.name);
        let log = File::create(self.dir.join("console.log")).unwrap();
        let child = Command::new("nsenter")
            .args(["--target", &self.holder.id().to_string(), "--mount", "--", "systemd-nspawn"])
            .args(["--quiet", "--register=no", "--keep-unit", "--network-veth", "--link-journal=no"])
            .args(["--resolv-conf=off", "--timezone=off", "--console=pipe", "--notify-ready=yes"])
            .args(["--machine", &self.name, "--directory", self.root_inside().to_str().unwrap(), "/firmware"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.remember("nspawn", child.id());
        self.nspawn = Some(child);
        let veth = format!("ve-{}", self.name);
        until("the machine's veth", Duration::from_secs(10), || {
            try_run(&["ip", "addr", "replace", &format!("10.231.{}.1/30", self.number), "dev", &veth])
                .status
                .success()
        });
        run(&["ip", "link", "set", &veth, "up"]);
        let up = || {
            self.leader().is_some() && self.try_exec("systemctl is-active multi-user.target").status.success()
        };
        until("the machine's boot", Duration::from_secs(60), up);
        self.remember("leader", self.leader().unwrap());
    }

    /// Notes a process, for whoever has to clean up after a harness that was killed.
    fn remember(&self, what: &str, pid: u32) {
        fs::write(self.dir.join(what), pid.to_string()).unwrap();
    }

    /// PID 1 of the container, as it is called here.
    fn leader(&self) -> Option<u32> {
        leader_of(self.nspawn.as_ref()?.id())
    }

    /// Runs a shell script on it, not over the network; panics unless it succeeds.
    pub fn exec(&self, script: &str) -> String {
        let out = self.try_exec(script);
        let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(
            out.status.success(),
            "on the machine, `{script}` failed ({}):\n{stdout}\n{stderr}",
            out.status
        );
        stdout.trim_end().to_owned()
    }

    /// The same, giving whatever became of it.
    pub fn try_exec(&self, script: &str) -> Output {
        let pid = self.leader().expect("the machine is off").to_string();
        let path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root";
        try_run(&["nsenter", "--target", &pid, "--all", "/bin/sh", "-c", &format!("{path}\n{script}")])
    }

    /// Cuts the power: what was not synced is lost, as on a real disk without a battery.
    pub fn power_cut(&mut self) {
        let root = File::open(self.root()).unwrap();
        shutdown_without_flush(&root);
        drop(root);
        self.kill();
        self.unmount();
        self.mount();
    }

    /// Kills PID 1, which takes every process of the container with it, and nspawn.
    fn kill(&mut self) {
        if let Some(pid) = self.leader() {
            try_run(&["kill", "-9", &pid.to_string()]);
        }
        if let Some(mut nspawn) = self.nspawn.take() {
            // It ends by itself when PID 1 does, unless it never got that far.
            let started = Instant::now();
            while nspawn.try_wait().unwrap().is_none() {
                if started.elapsed() > Duration::from_secs(5) {
                    nspawn.kill().unwrap();
                }
                sleep(Duration::from_millis(10));
            }
        }
        sh(&format!("rm -rf /run/systemd/nspawn/propagate/{}", self.name));
        // The veth goes with the last process of its namespace, which takes a moment.
        let veth = format!("/sys/class/net/ve-{}", self.name);
        until("the end of the machine's network", Duration::from_secs(10), || !Path::new(&veth).exists());
    }

    /// Switches it off orderly.
    pub fn shut_down(&mut self) {
        let pid = self.leader().expect("the machine is off").to_string();
        // SIGRTMIN+4: systemd powers off.
        run(&["kill", "-s", "RTMIN+4", &pid]);
        let mut nspawn = self.nspawn.take().unwrap();
        until("the machine's shutdown", Duration::from_secs(90), || nspawn.try_wait().unwrap().is_some());
    }

    /// Takes its network away, from outside.
    pub fn cut_network(&self) {
        run(&["ip", "link", "set", &format!("ve-{}", self.name), "down"]);
    }

    /// Gives it back.
    pub fn restore_network(&self) {
        run(&["ip", "link", "set", &format!("ve-{}", self.name), "up"]);
    }

    /// Fills the file system of a path until nothing more fits; gives the file that does.
    pub fn fill_disk(&self, path: &str) -> PathBuf {
        let file = self.root().join(path.trim_start_matches('/')).join("filler");
        let mut filler = File::create(&file).unwrap();
        // Once written out, it turns out that less was needed than had been reserved for it.
        for size in [1 << 20, 4096, 4096, 4096] {
            while filler.write_all(&vec![1; size]).is_ok() {}
            filler.sync_all().unwrap();
        }
        file
    }

    /// The system that a link on it names.
    pub fn link(&self, link: &str) -> String {
        self.exec(&format!("readlink -f {link}"))
    }

    /// What runs, what the profile names, what boots.
    pub fn triple(&self) -> [String; 3] {
        [self.link("/run/current-system"), self.link("/nix/var/nix/profiles/system"), self.boots()]
    }

    /// The system that its boot loader names.
    pub fn boots(&self) -> String {
        let conf = fs::read_to_string(self.root().join("boot/loader/loader.conf")).unwrap();
        let default = conf.lines().find_map(|l| l.strip_prefix("default ")).unwrap();
        let entry = fs::read_to_string(self.root().join("boot/loader/entries").join(default)).unwrap();
        let init = entry.split_whitespace().find_map(|w| w.strip_prefix("init=")).unwrap();
        init.trim_end_matches("/init").to_owned()
    }

    /// How many generations its profile has.
    pub fn generations(&self) -> usize {
        self.exec("ls -d /nix/var/nix/profiles/system-*-link").lines().count()
    }

    /// Logins that its SSH server has accepted.
    pub fn logins(&self) -> usize {
        self.exec("journalctl --quiet -u sshd.service -o cat | grep -c '^Accepted ' || true").parse().unwrap()
    }

    /// The state in the journal of its last transaction.
    pub fn state(&self) -> String {
        let out = self.try_exec("/nix/var/nqd/guard status --as-is");
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        json["status"]["record"]["state"].as_str().unwrap_or("none").to_owned()
    }

    /// Waits until the last transaction is in one of these states.
    pub fn wait_for_state(&self, states: &[&str], time: Duration) -> String {
        let started = Instant::now();
        loop {
            let state = self.state();
            if states.contains(&state.as_str()) {
                return state;
            }
            assert!(
                started.elapsed() < time,
                "the transaction is {state}, not one of {states:?}, after {time:?}"
            );
            sleep(Duration::from_millis(30));
        }
    }

    fn mount(&self) {
        self.inside(&[
            "mount",
            "-o",
            "loop,noatime",
            self.disk().to_str().unwrap(),
            self.root_inside().to_str().unwrap(),
        ]);
    }

    fn unmount(&self) {
        // Whoever looked into the container may hold it for a moment.
        let holder = self.holder.id().to_string();
        let umount =
            ["nsenter", "--target", &holder, "--mount", "--", "umount", self.root_inside().to_str().unwrap()]
                .map(str::to_owned);
        until("unmounting the machine's disk", Duration::from_secs(20), || try_run(&umount).status.success());
        let disk = self.disk().display().to_string();
        until("the end of the loop device", Duration::from_secs(20), || {
            !run(&["losetup", "--associated", &disk]).contains("loop")
        });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.explain();
        }
        if self.nspawn.is_some() {
            self.kill();
        }
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
        fs::remove_dir_all(&self.dir).unwrap();
    }
}

impl Machine {
    /// After a failed test: what the machine has to say.
    fn explain(&self) {
        if self.leader().is_none() {
            eprintln!("--- the machine is off; its console:");
            eprintln!("{}", fs::read_to_string(self.dir.join("console.log")).unwrap_or_default());
            return;
        }
        let script = "journalctl --no-pager -o short-monotonic | tail -n 60; echo; cat /nix/var/nqd/journal | tr -d '\\000'; echo; cat /run/nqd/*/events.jsonl | grep -v '\"ran\"' | tail -n 40";
        let out = self.try_exec(script);
        eprintln!("--- the machine says:\n{}", String::from_utf8_lossy(&out.stdout));
    }
}

/// PID 1 of the container that an nspawn runs, as it is called here.
fn leader_of(nspawn: u32) -> Option<u32> {
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

/// Ends what a harness that was killed has left running under a machine's name.
fn remove_leftovers(name: &str, dir: &Path) {
    let pid = |what: &str, word: &str| {
        let pid = fs::read_to_string(dir.join(what)).ok()?.parse::<u32>().ok()?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.contains(word).then_some(pid)
    };
    let kill = |pid: u32| try_run(&["kill", "-9", &pid.to_string()]);
    if let Some(nspawn) = pid("nspawn", name) {
        leader_of(nspawn).map(kill);
        kill(nspawn);
    }
    // It outlives an nspawn that was killed.
    pid("leader", "systemd").map(kill);
    pid("holder", "sleep").map(kill);
    let veth = format!("/sys/class/net/ve-{name}");
    until("the end of a left-over machine", Duration::from_secs(10), || !Path::new(&veth).exists());
}

/// The lowest number that no other machine has, of this process or another.
fn free_number() -> (u8, File) {
    for number in 1..=250 {
        let file = File::create(cache().join(format!("machine-{number}.lock"))).unwrap();
        if rustix::fs::flock(file.as_fd(), rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok() {
            return (number, file);
        }
    }
    panic!("250 machines at once are enough");
}

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: the file system takes nothing more, and nothing that is
/// not on disk yet gets there.
#[allow(unsafe_code, reason = "an ioctl that no crate wraps")]
fn shutdown_without_flush(file: &File) {
    const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
    const NO_LOG_FLUSH: u32 = 2;
    // SAFETY: the request takes a pointer to a u32, which outlives the call.
    unsafe {
        let request = rustix::ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH);
        rustix::ioctl::ioctl(file, request).unwrap();
    }
}
