//! What a deployment costs, measured on a real machine: `cargo run --release --example bench_deploy`.
//!
//! Prints, for a good deployment of the fixture with no soak: the whole time, and the time in which we kept everybody
//! waiting, that is, no program ran and no check, soak or confirmation was pending (from the event log). The same for
//! a plan of an unchanged host. Then the guard's memory while it probes 50 checks. Where `deploy` and `activate`
//! (deploy-rs) lie in `$NQD_BENCH_DEPLOY_RS`, the same change is deployed with it, in turn, and the ratio printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Machine, Operator};
use serde_json::Value;

const RUNS: usize = 7;

fn main() {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target");
    let nqd = target.join("release/nqd");
    let guard = target.join("x86_64-unknown-linux-gnu/release/nqd-guard");
    for program in [&nqd, &guard] {
        assert!(program.exists(), "{} is not built: scripts/build makes it", program.display());
    }
    let operator = Operator::new(&nqd, &guard);
    operator.hosts(&host(0));
    let mut machine = Machine::new(&operator.key());
    operator.install(&mut machine, "web");
    let peer = std::env::var_os("NQD_BENCH_DEPLOY_RS").map(PathBuf::from);
    let mut version = 1;
    let (mut ours, mut waits, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=RUNS {
        operator.hosts(&host(version));
        operator.build("web");
        version += 1;
        let logins = machine.logins();
        let (whole, waited) = deploy(&operator, &machine);
        let logins = machine.logins() - logins;
        if run > 0 {
            ours.push(whole);
            waits.push(waited);
        }
        println!(
            "nqd deploy: {} ms in all, {} ms ours, {logins} logins{}",
            whole.as_millis(),
            waited.as_millis(),
            warm(run)
        );
        if let Some(peer) = &peer {
            operator.hosts(&host(version));
            version += 1;
            let logins = machine.logins();
            let time = deploy_rs(&operator, &machine, peer);
            println!(
                "deploy-rs:  {} ms in all, {} logins{}",
                time.as_millis(),
                machine.logins() - logins,
                warm(run)
            );
            if run > 0 {
                theirs.push(time);
            }
        }
    }
    summary(&operator, &machine, [&nqd, &guard], [&ours, &waits, &theirs]);
}

fn summary(
    operator: &Operator,
    machine: &Machine,
    [nqd, guard]: [&Path; 2],
    [ours, waits, theirs]: [&[Duration]; 3],
) {
    let plans: Vec<Duration> = (0..RUNS).map(|_| plan(operator, machine)).collect();
    println!("\nmedians of {RUNS} runs:");
    row("nqd deploy, whole", median(ours), None);
    row("nqd deploy, ours", median(waits), Some(Duration::from_millis(300)));
    row("nqd plan of an unchanged host, ours", median(&plans), Some(Duration::from_millis(50)));
    if !theirs.is_empty() {
        let (a, b) = (median(ours).as_secs_f64(), median(theirs).as_secs_f64());
        println!("  nqd deploy / deploy-rs: {:.2} ({:.0} ms / {:.0} ms)", a / b, a * 1e3, b * 1e3);
    }
    println!(
        "  guard: {} KiB resident at most while probing 50 checks (goal: 12288)",
        guard_memory(operator, machine)
    );
    println!("  guard: {} KiB on disk, static (goal: 6144)", std::fs::metadata(guard).unwrap().len() / 1024);
    row("nqd --help", help(nqd), Some(Duration::from_millis(10)));
}

fn warm(run: usize) -> &'static str {
    if run == 0 { " (not counted)" } else { "" }
}

fn row(what: &str, time: Duration, goal: Option<Duration>) {
    let goal = goal.map_or_else(String::new, |g| format!(" (goal: {} ms)", g.as_millis()));
    println!("  {what}: {:.1} ms{goal}", time.as_secs_f64() * 1e3);
}

fn host(version: usize) -> String {
    format!(r#"web = nixos {{ name = "web"; version = "{version}"; }};"#)
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

fn deploy(operator: &Operator, machine: &Machine) -> (Duration, Duration) {
    let from = boot_ms();
    let ended = operator.deploy(machine, "web", &["--soak", "0", "--json", "--escalate", "none"]);
    let to = boot_ms();
    let ended = ended.expect(0, &[]);
    if let Some(file) = std::env::var_os("NQD_BENCH_EVENTS") {
        std::fs::write(file, &ended.stdout).unwrap();
    }
    (ended.time, ours(&events(&ended.stdout), from, to))
}

fn plan(operator: &Operator, machine: &Machine) -> Duration {
    let from = boot_ms();
    let ended = operator.on(machine, &["plan", "web", "--json", "--escalate", "none"]);
    let to = boot_ms();
    ours(&events(&ended.expect(0, &[]).stdout), from, to)
}

fn events(json: &str) -> Vec<Value> {
    json.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The time in which no program ran and nothing was pending.
fn ours(events: &[Value], from: u64, to: u64) -> Duration {
    let number = |e: &Value, key: &str| e[key].as_u64().unwrap();
    let state = |name: &str| {
        events.iter().find(|e| e["event"] == "state" && e["state"] == name).map(|e| number(e, "bootMs"))
    };
    let mut busy: Vec<(u64, u64)> = events
        .iter()
        .filter(|e| e["event"] == "ran")
        .map(|e| (number(e, "from"), number(e, "to")))
        // The connection over which the transaction is followed runs all the time: what runs there counts instead.
        .filter(|(f, t)| state("armed").is_none_or(|armed| !(*f <= armed && armed <= *t)))
        .collect();
    // From the switch's return to the commit, checks and the confirmation are pending.
    busy.extend(state("probing").zip(state("committing")));
    busy.sort_unstable();
    let (mut covered, mut end) = (0, from);
    for (f, t) in busy {
        let (f, t) = (f.max(end), t.min(to));
        if t > f {
            covered += t - f;
            end = t;
        }
    }
    Duration::from_millis((to - from).saturating_sub(covered))
}

fn boot_ms() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(t.tv_sec * 1000 + t.tv_nsec / 1_000_000).unwrap()
}

/// The same change with deploy-rs: its node is the same toplevel with its activation scripts.
fn deploy_rs(operator: &Operator, machine: &Machine, bin: &Path) -> Duration {
    let flake = operator.flake();
    let activate = bin.join("activate");
    let text = format!(
        r#"{{ outputs = _: let
          hosts = import ./hosts.nix {{ nixos = import ./nixos.nix; httpd = _: ""; }};
          system = hosts.web.config.system.build.toplevel;
          profile = derivation {{ name = "activatable"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-euc" ''
            PATH=/bin:/usr/bin; mkdir -p $out
            for f in ${{system}}/*; do ln -s $f $out/; done
            cp {activate} $out/activate-rs
            printf '#!/bin/sh\nexec %s/bin/switch-to-configuration switch\n' ${{system}} > $out/deploy-rs-activate
            chmod +x $out/deploy-rs-activate'' ]; }};
          in {{ nixosConfigurations = hosts; deploy.nodes.web = {{ hostname = "{address}"; sshUser = "root"; profiles.system = {{ user = "root"; path = profile; }}; }}; }}; }}"#,
        activate = activate.display(),
        address = machine.address()
    );
    let ours = std::fs::read_to_string(flake.join("flake.nix")).unwrap();
    std::fs::write(flake.join("flake.nix"), text).unwrap();
    let build = operator
        .command("nix", &["build", "--no-link", ".#deploy.nodes.web.profiles.system.path"])
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let shims = operator.flake().join("../shims");
    std::fs::create_dir_all(&shims).unwrap();
    std::fs::write(shims.join("nix"), include_str!("nix_shim.sh")).unwrap();
    std::fs::set_permissions(shims.join("nix"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = operator.command(bin.join("deploy").to_str().unwrap(), &["--skip-checks", ".#web"]);
    command.env("PATH", format!("{}:{}", shims.display(), operator.path()));
    let started = Instant::now();
    let out = command.output().unwrap();
    let time = started.elapsed();
    assert!(out.status.success(), "deploy-rs failed:\n{}", String::from_utf8_lossy(&out.stderr));
    std::fs::write(flake.join("flake.nix"), ours).unwrap();
    time
}

fn guard_memory(operator: &Operator, machine: &Machine) -> u64 {
    let check = |i: usize| format!(r#"c{i}.probe = {{ kind = "tcp"; host = "localhost"; port = 22; }};"#);
    let checks: String = (0..50).map(check).collect();
    operator
        .hosts(&format!(r#"web = nixos {{ name = "web"; version = "many"; checks = {{ {checks} }}; }};"#));
    let running = operator.start_deploy(machine, "web", &["--soak", "6s"]);
    machine.wait_for_state(&["soaking"], Duration::from_secs(60));
    std::thread::sleep(Duration::from_secs(4));
    let unit = "systemctl show --value --property MainPID \"$(systemctl list-units --plain --no-legend 'nqd-transaction-*' | cut -d ' ' -f 1)\"";
    let peak = machine.exec(&format!("grep VmHWM /proc/$({unit})/status"));
    running.end().expect(0, &[]);
    peak.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn help(nqd: &Path) -> Duration {
    let once = || {
        let started = Instant::now();
        assert!(std::process::Command::new(nqd).arg("--help").output().unwrap().status.success());
        started.elapsed()
    };
    median(&(0..20).map(|_| once()).collect::<Vec<_>>())
}
