//! What finding root causes costs: `cargo run --release --example bench_why [DERIVATIONS] [DIFFERING]`.
//!
//! Writes two systems of (by default) 50,000 derivations into a temporary directory, 3,000 of which differ for one
//! reason (the deepest one has another variable), 4 KiB a file. Prints the time and the memory that `explain` takes,
//! reading its files included, and the time in which the names of 1,000 of the files are read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nqd::closure::why::explain;
use nqd::derivation::{Derivation, Header};
use nqd::model::StorePath;

const DIGITS: &[u8] = b"0123456789abcdfghijklmnpqrsvwxyz";
/// Inputs of each derivation.
const INPUTS: usize = 20;

fn hash(side: usize, n: usize) -> String {
    let mut x = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (side as u64) << 60;
    let digit = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        char::from(DIGITS[(x % 32) as usize])
    };
    (0..32).map(digit).collect()
}

/// The nth derivation: those below `same` are the same on both sides.
struct System {
    side: usize,
    all: usize,
    same: usize,
}

impl System {
    fn base(&self, n: usize) -> String {
        let side = if n < self.same { 0 } else { self.side };
        format!("/nix/store/{}-package{n}-1.{}", hash(side, n), n % 17)
    }

    fn drv(&self, n: usize) -> StorePath {
        StorePath::parse(&format!("{}.drv", self.base(n))).unwrap()
    }

    /// Each needs the one before it, and others before that.
    fn inputs(&self, n: usize) -> Vec<usize> {
        let mut inputs: Vec<usize> = (0..INPUTS.min(n)).map(|i| n - 1 - (i * i * 7) % n).collect();
        // Of what differs, each needs the first one that does; of what is the same, nothing that differs.
        inputs.sort_by_key(|i| self.drv(*i));
        inputs.dedup();
        inputs
    }

    fn text(&self, n: usize) -> String {
        let inputs = self.inputs(n);
        let out = self.base(n);
        let mut text = format!("Derive([(\"out\",\"{out}\",\"\",\"\")],[");
        for (i, input) in inputs.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(text, "{comma}(\"{}\",[\"out\"])", self.drv(*input)).unwrap();
        }
        let build: Vec<String> = inputs.iter().map(|i| self.base(*i)).collect();
        let own = if n == self.same { format!("(\"FLAGS\",\"-O{}\"),", self.side) } else { String::new() };
        write!(
            text,
            "],[\"/nix/store/{}-builder.sh\"],\"x86_64-linux\",\"/bin/sh\",[\"-e\",\"x\"],[{own}(\"buildInputs\",\"{}\"),\
             (\"name\",\"package{n}-1.{v}\"),(\"out\",\"{out}\"),(\"pname\",\"package{n}\"),(\"script\",\"{}\"),(\"version\",\"1.{v}\")])",
            hash(0, 7),
            build.join(" "),
            "echo \\\"hello\\\"\\n".repeat(40),
            v = n % 17,
        )
        .unwrap();
        text
    }
}

fn write(dir: &Path, system: &System, from: usize) -> u64 {
    let mut bytes = 0;
    for n in from..system.all {
        let text = system.text(n);
        bytes += text.len() as u64;
        fs::write(dir.join(system.drv(n).as_str().rsplit('/').next().unwrap()), text).unwrap();
    }
    bytes
}

/// Processor time of this process, which others that run meanwhile do not lengthen.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn main() {
    let number = |n: usize, default: usize| std::env::args().nth(n).map_or(default, |a| a.parse().unwrap());
    let (all, differing) = (number(1, 50_000), number(2, 3_000));
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = [1, 2].map(|side| System { side, all, same: all - differing });
    // What is the same is never read: writing it would only take time.
    let bytes = write(dir.path(), &old, old.same) + write(dir.path(), &new, new.same);
    println!("{all} derivations, {differing} differ, {} bytes a file", bytes / (2 * differing as u64));
    let before = peak();
    let mut reads: HashMap<StorePath, usize> = HashMap::new();
    for run in 0..5 {
        let (began, cpu_began) = (Instant::now(), cpu());
        let mut read = 0;
        let why = explain(&old.drv(all - 1), &new.drv(all - 1), |path| {
            read += 1;
            if run == 0 {
                *reads.entry(path.clone()).or_default() += 1;
            }
            let bytes = fs::read(dir.path().join(path.as_str().rsplit('/').next().unwrap()))?;
            Derivation::from_vec(bytes).map(Some).map_err(std::io::Error::other)
        })
        .unwrap();
        let (time, cpu) = (began.elapsed(), cpu().saturating_sub(cpu_began));
        println!(
            "explain: {time:.0?}, of which {cpu:.0?} of a processor, {read} files read, {} differ, {} root causes, the first explains {}",
            why.differing,
            why.roots.len(),
            why.roots[0].explains
        );
    }
    println!("a file was read {} times at most", reads.values().max().unwrap());
    println!("peak {} KiB, {} KiB of it since the systems were written", peak(), peak() - before);
    let paths: Vec<_> = (all - 1000.min(differing)..all)
        .map(|n| dir.path().join(old.drv(n).as_str().rsplit('/').next().unwrap()))
        .collect();
    let began = Instant::now();
    let files: Vec<Vec<u8>> = paths.iter().map(|p| fs::read(p).unwrap()).collect();
    let read = began.elapsed();
    let headers = files.iter().filter(|f| Header::scan(f).unwrap().version.is_some()).count();
    println!(
        "{headers} headers: {:?} to read the files, {:?} to scan them",
        read,
        began.elapsed().saturating_sub(read)
    );
}
