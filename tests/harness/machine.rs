//! One real target.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::guest::Login;
use super::run::{cache, run, try_run, until};
use super::{base, container, guest, nix_new};

/// What it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// systemd-nspawn.
    Container,
    /// QEMU.
    Guest,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Container => "nspawn",
            Self::Guest => "qemu",
        }
    }

    /// Between two looks: a look costs a guest a good part of its time.
    fn pause(self) -> Duration {
        Duration::from_millis(match self {
            Self::Container => 30,
            Self::Guest => 300,
        })
    }
}

/// A machine. It is switched off and gone when this is dropped.
///
/// Its disk is mounted in a mount namespace of its own, which `holder` keeps: in the host's, another machine's nspawn
/// would copy the mount, and after a power cut the dead file system could not be let go. While a guest runs, its disk
/// is mounted in the guest alone.
pub struct Machine {
    kind: Kind,
    name: String,
    number: u8,
    dir: PathBuf,
    login: Login,
    holder: Child,
    /// The nspawn or QEMU that it runs in.
    process: Option<Child>,
    _number_lock: File,
}

impl Machine {
    /// A new container, not yet booted: nothing of ours is installed on it. `key` may log in.
    pub fn new(key: &Path) -> Self {
        Self::of(Kind::Container, key)
    }

    /// The same of either kind.
    pub fn of(kind: Kind, key: &Path) -> Self {
        let (number, lock) = free_number();
        let name = format!("nqd{number}");
        let dir = cache().join(format!("machine-{number}"));
        remove_leftovers(&name, &dir);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(dir.join("root")).unwrap();
        let holder = mount_namespace();
        let login = Login::new(key, &dir, address(number));
        let machine = Self { kind, name, number, dir, login, holder, process: None, _number_lock: lock };
        machine.remember("holder", machine.holder.id());
        run(&["cp", "--sparse=always", base::image().to_str().unwrap(), machine.disk().to_str().unwrap()]);
        machine.mount();
        machine.let_in(key);
        if nix_new::wanted() {
            nix_new::install(&machine.root());
        }
        machine.write("/etc/harness/address", &format!("{}/30\n", machine.address()));
        machine
    }

    fn let_in(&self, key: &Path) {
        let key = fs::read_to_string(key.with_extension("pub")).unwrap();
        for home in ["root", "home/deploy"] {
            self.write(&format!("/{home}/.ssh/authorized_keys"), &key);
        }
        self.inside(&[
            "chroot",
            self.root_inside().to_str().unwrap(),
            "sh",
            "-c",
            "chown -R deploy: /home/deploy; chmod 700 /home/deploy/.ssh /root/.ssh",
        ]);
    }

    fn disk(&self) -> PathBuf {
        self.dir.join("disk.img")
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its IP address.
    pub fn address(&self) -> String {
        address(self.number)
    }

    /// Its network interface on this side.
    fn interface(&self) -> String {
        format!("ve-{}", self.name)
    }

    /// Where its root file system can be seen from here.
    pub fn root(&self) -> PathBuf {
        let mounted = self.kind == Kind::Container || self.process.is_none();
        assert!(mounted, "the disk of {} cannot be seen while it runs: it is a guest", self.name);
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
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = File::create(self.dir.join("console.log")).unwrap();
        let child = match self.kind {
            Kind::Container => container::start(&self.name, self.holder.id(), &self.root_inside(), log),
            Kind::Guest => {
                self.unmount();
                guest::start(&self.name, &self.disk(), &self.interface(), log)
            }
        };
        self.remember(self.kind.program(), child.id());
        self.process = Some(child);
        let interface = self.interface();
        until("the machine's network", Duration::from_secs(10), || {
            let ours = format!("10.231.{}.1/30", self.number);
            try_run(&["ip", "addr", "replace", &ours, "dev", &interface]).status.success()
        });
        run(&["ip", "link", "set", &interface, "up"]);
        let started = || self.kind == Kind::Guest || self.leader().is_some();
        // sshd.service is started before sshd listens.
        let listens = "systemctl -q is-active sshd.service || exit 0; ss -Hltn 'sport = 22' | grep -q .";
        let up = format!("systemctl -q is-active multi-user.target || exit 1; {listens}");
        let up = || started() && self.try_exec(&up).status.success();
        until("the machine's boot", Duration::from_secs(120), up);
        if let Some(leader) = self.leader() {
            self.remember("leader", leader);
        }
    }

    /// Notes a process, for whoever has to clean up after a harness that was killed.
    fn remember(&self, what: &str, pid: u32) {
        fs::write(self.dir.join(what), pid.to_string()).unwrap();
    }

    /// PID 1 of the container, as it is called here.
    fn leader(&self) -> Option<u32> {
        container::leader(self.process.as_ref()?.id())
    }

    /// Runs a shell script on it, on a container not over the network; panics unless it succeeds.
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
        let path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root";
        let script = format!("{path}\n{script}");
        match self.kind {
            Kind::Container => container::exec(self.leader().expect("the machine is off"), &script),
            Kind::Guest => self.login.exec(&script),
        }
    }

    /// Cuts the power: what was not synced is lost, as on a real disk without a battery.
    pub fn power_cut(&mut self) {
        match self.kind {
            Kind::Container => {
                container::shutdown_without_flush(&self.root());
                self.kill();
                self.unmount();
            }
            Kind::Guest => self.kill(),
        }
        self.mount();
    }

    /// Kills it: of a container PID 1, which takes every process and nspawn with it; of a guest QEMU.
    fn kill(&mut self) {
        if let Some(pid) = self.leader() {
            try_run(&["kill", "-9", &pid.to_string()]);
        }
        if let Some(mut process) = self.process.take() {
            // nspawn ends by itself when PID 1 does, unless it never got that far.
            let patience = Duration::from_secs(if self.kind == Kind::Container { 5 } else { 0 });
            let started = Instant::now();
            while process.try_wait().unwrap().is_none() {
                if started.elapsed() >= patience {
                    process.kill().unwrap();
                }
                sleep(Duration::from_millis(10));
            }
        }
        self.gone();
    }

    /// After its end: leaves nothing of it behind.
    fn gone(&self) {
        match self.kind {
            Kind::Container => container::clean_up(&self.name),
            Kind::Guest => self.login.close(),
        }
        // The interface goes with the last process of its namespace, which takes a moment.
        let interface = format!("/sys/class/net/{}", self.interface());
        until("the end of the machine's network", Duration::from_secs(10), || {
            !Path::new(&interface).exists()
        });
    }

    /// Switches it off orderly.
    pub fn shut_down(&mut self) {
        match self.kind {
            Kind::Container => container::power_off(self.leader().expect("the machine is off")),
            // The connection may go before the answer comes.
            Kind::Guest => drop(self.try_exec("systemctl poweroff")),
        }
        let mut process = self.process.take().unwrap();
        until("the machine's shutdown", Duration::from_secs(90), || process.try_wait().unwrap().is_some());
        if self.kind == Kind::Guest {
            self.gone();
            self.mount();
        }
    }

    /// Takes its network away, from outside.
    pub fn cut_network(&self) {
        run(&["ip", "link", "set", &self.interface(), "down"]);
    }

    /// Gives it back.
    pub fn restore_network(&self) {
        run(&["ip", "link", "set", &self.interface(), "up"]);
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
        let conf = self.exec("cat /boot/loader/loader.conf");
        let default = conf.lines().find_map(|l| l.strip_prefix("default ")).unwrap();
        let entry = self.exec(&format!("cat /boot/loader/entries/{default}"));
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
            sleep(self.kind.pause());
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
        if self.process.is_some() {
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
        let answers = match self.kind {
            Kind::Container => self.leader().is_some(),
            Kind::Guest => self.process.is_some() && self.try_exec("true").status.success(),
        };
        if !answers {
            eprintln!("--- the machine is off, or does not answer; its console:");
            eprintln!("{}", fs::read_to_string(self.dir.join("console.log")).unwrap_or_default());
            return;
        }
        let script = "journalctl --no-pager -o short-monotonic | tail -n 60; echo; cat /nix/var/nqd/journal | tr -d '\\000'; echo; cat /run/nqd/*/events.jsonl | grep -v '\"ran\"' | tail -n 40";
        let out = self.try_exec(script);
        eprintln!("--- the machine says:\n{}", String::from_utf8_lossy(&out.stdout));
    }
}

fn address(number: u8) -> String {
    format!("10.231.{number}.2")
}

/// A process that keeps a mount namespace of its own.
fn mount_namespace() -> Child {
    let holder = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sleep", "infinity"])
        .spawn()
        .unwrap();
    let ours = fs::read_link("/proc/self/ns/mnt").unwrap();
    let apart = || fs::read_link(format!("/proc/{}/ns/mnt", holder.id())).is_ok_and(|ns| ns != ours);
    until("a mount namespace of its own", Duration::from_secs(5), apart);
    holder
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
        container::leader(nspawn).map(kill);
        kill(nspawn);
    }
    pid("qemu", name).map(kill);
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
