//! What comparing two systems costs: `cargo run --release --example bench_diff`.
//!
//! Makes a store of 100,000 paths under `$NQD_HARNESS_CACHE` (once), mounts it over /nix in a mount namespace of its
//! own, and compares the same systems with `nqd diff`, `nix store diff-closures`, and with dix and nvd where they are
//! installed (`$NQD_BENCH_DIX` and `$NQD_BENCH_NVD`, or on PATH), in turn. Prints medians, the largest resident sizes, and ratios.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod derivations;
mod measure;
mod store;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use measure::{Cost, measure};

const RUNS: usize = 11;
const INSIDE: &str = "NQD_BENCH_INSIDE";

fn main() {
    let cache = std::env::var_os("NQD_HARNESS_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/nqd-harness"), PathBuf::from);
    let dir = cache.join("bench-store-3");
    if std::env::var_os(INSIDE).is_some() {
        return compare(&dir);
    }
    if !dir.join("ready").exists() {
        prepare(&dir);
    }
    // In a process of its own: the largest resident size of a child counts what its parent had when it was started.
    let script = "mount --bind \"$1\" /nix && shift && exec \"$@\"";
    let error = Command::new("unshare")
        .args(["--mount", "--", "/bin/sh", "-c", script, "sh"])
        .arg(dir.join("nix"))
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .exec();
    panic!("unshare: {error}");
}

fn prepare(dir: &Path) {
    println!("making a store of {} paths in {} …", store::PATHS, dir.display());
    if dir.exists() {
        std::fs::remove_dir_all(dir).unwrap();
    }
    std::fs::create_dir_all(dir.join("nix")).unwrap();
    store::generate(dir);
    std::fs::rename(dir.join("store"), dir.join("nix/store")).unwrap();
    let script = "mount --bind \"$1\" /nix && nix-store --load-db < \"$2\"";
    let done = Command::new("unshare")
        .args(["--mount", "--", "/bin/sh", "-c", script, "sh"])
        .arg(dir.join("nix"))
        .arg(dir.join("dump"))
        .status()
        .unwrap();
    assert!(done.success(), "the dump could not be loaded");
    std::fs::write(dir.join("ready"), "").unwrap();
}

/// One way to compare two systems.
struct Tool {
    name: String,
    argv: Vec<String>,
}

fn tools() -> Vec<Tool> {
    let nqd = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/release/nqd");
    assert!(nqd.exists(), "{} is not built: scripts/build makes it", nqd.display());
    let tool = |name: &str, argv: &[&str]| Tool {
        name: name.to_owned(),
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
    };
    let mut tools = vec![
        tool("nqd diff", &[nqd.to_str().unwrap(), "diff"]),
        tool(
            "nix store diff-closures",
            &["nix", "--extra-experimental-features", "nix-command", "store", "diff-closures"],
        ),
    ];
    for (variable, program, more) in
        [("NQD_BENCH_DIX", "dix", &["diff"][..]), ("NQD_BENCH_NVD", "nvd", &["diff"][..])]
    {
        let program = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
        let there =
            Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        match there {
            Ok(_) => tools.push(tool(&program, &[&[program.as_str()], more].concat())),
            Err(e) => println!("not measured: {program} is not installed here ({e}); ${variable} names it"),
        }
    }
    tools
}

fn compare(dir: &Path) {
    let tools = tools();
    let systems = std::fs::read_to_string(dir.join("systems")).unwrap();
    let mut first = None;
    for line in systems.lines() {
        let [name, old, new] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if name == "why" {
            return why(&tools[0], [old, new]);
        }
        println!("\n{name}:");
        let mut costs: Vec<Vec<Cost>> = tools.iter().map(|_| Vec::new()).collect();
        for run in 0..=RUNS {
            for (tool, costs) in tools.iter().zip(&mut costs) {
                let cost = measure(&tool.argv, &[old, new]);
                if run > 0 {
                    costs.push(cost);
                }
            }
        }
        let medians: Vec<Cost> = costs.into_iter().map(Cost::median).collect();
        for (tool, cost) in tools.iter().zip(&medians) {
            let (wall, cpu) = (medians[0].millis / cost.millis, medians[0].cpu / cost.cpu);
            println!(
                "  {:<28} {:>8.1} ms  {:>8.1} ms cpu  {:>6.1} MiB   nqd/it {wall:.2}, cpu {cpu:.2}",
                tool.name, cost.millis, cost.cpu, cost.mib
            );
        }
        let grown = medians[0].millis / *first.get_or_insert(medians[0].millis);
        println!("  against the first pair, nqd takes {grown:.1} times as long");
    }
}

/// Root causes between two systems of 50,000 derivations, 3,000 of which differ.
fn why(nqd: &Tool, systems: [&str; 2]) {
    let argv = [nqd.argv[0].clone(), "why".to_owned()];
    let costs: Vec<Cost> = (0..RUNS).map(|_| measure(&argv, &systems)).collect();
    let cost = Cost::median(costs);
    let (time, memory) = (cost.millis / 500.0, cost.mib / 100.0);
    println!(
        "\nwhy:\n  {:<28} {:>8.1} ms  {:>6.1} MiB   {time:.2} of 0.5 s, {memory:.2} of 100 MiB",
        "nqd why", cost.millis, cost.mib
    );
}
