//! The operator of the tests: a home, a flake, and a Nix store of its own (bound over /nix in a mount namespace).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::nix_new;
use super::run::{cache, quote, run, until};

/// An operator.
pub struct Operator {
    dir: tempfile::TempDir,
    nqd: PathBuf,
    guard: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub time: Duration,
}

impl Ended {
    pub fn all(&self) -> String {
        format!("{}{}", self.stderr, self.stdout)
    }

    /// Panics unless it ended with this code and said all of this.
    pub fn expect(self, code: i32, says: &[&str]) -> Self {
        let missing: Vec<_> = says.iter().filter(|s| !self.all().contains(**s)).collect();
        assert!(
            self.code == code && missing.is_empty(),
            "expected exit {code} and {says:?}, got exit {}; missing: {missing:?}\n--- stderr\n{}\n--- stdout\n{}",
            self.code,
            self.stderr,
            self.stdout
        );
        self
    }
}

impl Operator {
    /// With these programs.
    pub fn new(nqd: &Path, guard: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("nqd-operator-").tempdir_in(cache()).unwrap();
        let operator = Self { dir, nqd: nqd.to_owned(), guard: guard.to_owned() };
        for sub in ["bin", "home", "nix", "flake"] {
            fs::create_dir_all(operator.dir.path().join(sub)).unwrap();
        }
        if !Path::new("/nix").exists() {
            fs::create_dir("/nix").unwrap();
        }
        run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", operator.key().to_str().unwrap()]);
        operator.write_ssh();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture");
        run(&["cp", "-r", &format!("{fixture}/."), operator.flake().to_str().unwrap()]);
        operator.commit("first");
        operator
    }

    pub fn program(&self) -> &Path {
        &self.nqd
    }

    pub fn key(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    pub fn flake(&self) -> PathBuf {
        self.dir.path().join("flake")
    }

    /// SSH takes the home directory from the user database, not from $HOME: a wrapper hands it our configuration.
    fn write_ssh(&self) {
        let config = self.dir.path().join("ssh_config");
        let text = format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n  LogLevel ERROR\n",
            self.key().display()
        );
        fs::write(&config, text).unwrap();
        self.put_program("ssh", &format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", config.display()));
    }

    /// Puts a script before all other programs on its `PATH`.
    pub fn put_program(&self, name: &str, text: &str) {
        let file = self.dir.path().join("bin").join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Replaces its flake by one of these files.
    pub fn write_flake(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::write(self.flake().join(name), text).unwrap();
        }
        self.commit("change");
    }

    /// Its `PATH`.
    pub fn path(&self) -> String {
        let nix =
            if nix_new::wanted() { format!("{}/bin:", nix_new::tree().display()) } else { String::new() };
        format!("{}/bin:{nix}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", self.dir.path().display())
    }

    /// Replaces the systems of the flake: `hosts` is what stands between the braces of hosts.nix.
    pub fn hosts(&self, hosts: &str) {
        fs::write(self.flake().join("hosts.nix"), format!("{{ nixos, httpd }}:\n{{\n{hosts}\n}}\n")).unwrap();
        self.commit("change");
    }

    fn commit(&self, message: &str) {
        let git = |args: &[&str]| {
            let flake = self.flake();
            let mut argv = vec![
                "git",
                "-C",
                flake.to_str().unwrap(),
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.org",
            ];
            argv.extend(args);
            run(&argv);
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    /// A command in the operator's world.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        self.command_in(None, program, args)
    }

    /// The same, seeing the mounts of this process.
    fn command_in(&self, namespace: Option<u32>, program: &str, args: &[&str]) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new(if namespace.is_some() { "nsenter" } else { "unshare" });
        if let Some(pid) = namespace {
            command.args(["--target", &pid.to_string(), "--mount", "--", "unshare"]);
        }
        command
            .args(["--mount", "--", "/bin/sh", "-c", "mount --bind \"$1\" /nix && shift && exec \"$@\"", "sh"])
            .arg(dir.join("nix"))
            .arg(program)
            .args(args)
            .current_dir(self.flake())
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", dir.join("home"))
            .env("USER", "alice")
            .env("LC_ALL", "C.UTF-8")
            .env("NIX_CONFIG", "substituters =\nsandbox = false\nbuild-users-group =\nexperimental-features = nix-command flakes\n")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn nqd_command(&self, args: &[&str]) -> Command {
        self.command(self.nqd.to_str().unwrap(), args)
    }

    /// Runs `nqd`.
    pub fn nqd(&self, args: &[&str]) -> Ended {
        let started = Instant::now();
        ended(&self.nqd_command(args).output().unwrap(), started)
    }

    /// Runs `nqd` on a terminal of its own and types a line into it.
    pub fn type_in(&self, line: &str, args: &[&str]) -> Ended {
        let words: Vec<String> =
            std::iter::once(self.nqd.to_str().unwrap()).chain(args.iter().copied()).map(quote).collect();
        let started = Instant::now();
        let mut command =
            self.command("script", &["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The prompt must be there first: what is typed before it is thrown away.
        std::thread::sleep(Duration::from_millis(700));
        std::io::Write::write_all(&mut stdin, format!("{line}\n").as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        drop(stdin);
        ended(&out, started)
    }

    /// Starts `nqd` and leaves it running.
    pub fn start(&self, args: &[&str]) -> Running {
        Running { child: self.nqd_command(args).spawn().unwrap(), started: Instant::now() }
    }

    /// Deploys a host to a machine with short timers; `more` come after, and override.
    pub fn deploy(&self, machine: &Machine, host: &str, more: &[&str]) -> Ended {
        let argv = self.deploy_argv(machine, host, more);
        self.nqd(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same, left running.
    pub fn start_deploy(&self, machine: &Machine, host: &str, more: &[&str]) -> Running {
        let argv = self.deploy_argv(machine, host, more);
        self.start(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn deploy_argv(&self, machine: &Machine, host: &str, more: &[&str]) -> Vec<String> {
        let has = |flag: &str| more.contains(&flag);
        let mut argv = vec!["deploy".to_owned(), host.to_owned(), "--yes".to_owned()];
        argv.extend(reach(machine));
        if !has("--guard") {
            argv.extend(["--guard".to_owned(), self.guard.display().to_string()]);
        }
        if !has("--soak") {
            argv.extend(["--soak".to_owned(), "2s".to_owned()]);
        }
        if !has("--confirm-timeout") && !has("--no-confirm") {
            argv.extend(["--confirm-timeout".to_owned(), "15s".to_owned()]);
        }
        argv.extend(more.iter().map(|s| (*s).to_owned()));
        argv
    }

    /// Runs another command of `nqd` on a machine.
    pub fn on(&self, machine: &Machine, args: &[&str]) -> Ended {
        let reach = reach(machine);
        let words: Vec<&str> = args.iter().copied().chain(reach.iter().map(String::as_str)).collect();
        self.nqd(&words)
    }

    /// Builds a host of the flake and gives its path.
    pub fn build(&self, host: &str) -> String {
        self.build_part(host, "toplevel")
    }

    /// The same for its VM.
    pub fn build_vm(&self, host: &str) -> String {
        self.build_part(host, "vm")
    }

    fn build_part(&self, host: &str, part: &str) -> String {
        let attribute = format!(".#nixosConfigurations.\"{host}\".config.system.build.{part}");
        let out = self.command("nix", &["build", "--no-link", "--json", &attribute]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        json[0]["outputs"]["out"].as_str().unwrap().to_owned()
    }

    /// Installs a host's system on a machine that is off, as its first generation and boot default, and boots it.
    pub fn install(&self, machine: &mut Machine, host: &str) -> String {
        let system = self.build(host);
        let store = format!("local?root={}", machine.root_inside().display());
        let inside = Some(machine.namespace());
        let out = self
            .command_in(inside, "nix", &["copy", "--no-check-sigs", "--to", &store, &system])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let profiles = machine.root().join("nix/var/nix/profiles");
        std::os::unix::fs::symlink(&system, profiles.join("system-1-link")).unwrap();
        std::os::unix::fs::symlink("system-1-link", profiles.join("system")).unwrap();
        machine.write("/boot/loader/loader.conf", "timeout 5\ndefault nixos-generation-1.conf\n");
        machine.write(
            "/boot/loader/entries/nixos-generation-1.conf",
            &format!("title NixOS\noptions init={system}/init quiet\n"),
        );
        // Entries of other systems, and blank lines in them, are of no concern.
        machine.write("/boot/loader/entries/memtest86.conf", "title Memtest86\n\nefi /efi/memtest86.efi\n");
        // A power cut must find it installed.
        run(&["sync", "-f", machine.root().to_str().unwrap()]);
        machine.boot();
        system
    }
}

/// How a machine is reached as root.
fn reach(machine: &Machine) -> [String; 2] {
    ["--target-host".to_owned(), format!("root@{}", machine.address())]
}

/// A command that runs.
pub struct Running {
    child: Child,
    started: Instant,
}

impl Running {
    /// Waits for its end.
    pub fn end(self) -> Ended {
        ended(&self.child.wait_with_output().unwrap(), self.started)
    }

    /// The same; panics if it does not end within the time.
    pub fn end_within(mut self, time: Duration) -> Ended {
        until("the end of nqd", time, || !self.lives());
        self.end()
    }

    /// Whether it has not ended.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it, with no chance to do anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        run(&["kill", "-s", name, &self.child.id().to_string()]);
    }
}

fn ended(out: &Output, started: Instant) -> Ended {
    Ended {
        code: code(out.status),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        time: started.elapsed(),
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}
