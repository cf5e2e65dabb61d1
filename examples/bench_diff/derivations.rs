//! Derivations of two made-up systems.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;

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
pub struct System {
    side: usize,
    same: usize,
}

impl System {
    /// Its output.
    pub fn base(&self, n: usize) -> String {
        let side = if n < self.same { 0 } else { self.side };
        format!("/nix/store/{}-package{n}-1.{}", hash(side, n), n % 17)
    }

    /// Its `.drv`.
    pub fn drv(&self, n: usize) -> String {
        format!("{}.drv", self.base(n))
    }

    /// Each needs the one before it, and others before that.
    fn inputs(&self, n: usize) -> Vec<usize> {
        let mut inputs: Vec<usize> = (0..INPUTS.min(n)).map(|i| n - 1 - (i * i * 7) % n).collect();
        inputs.sort_by_key(|i| self.drv(*i));
        inputs.dedup();
        inputs
    }

    fn write(&self, store: &Path, range: Range<usize>) {
        let (mut bytes, count) = (0, range.len());
        for n in range {
            let text = self.text(n);
            bytes += text.len();
            let drv = self.drv(n);
            fs::write(store.join(drv.strip_prefix("/nix/store/").unwrap()), text).unwrap();
        }
        assert!(bytes / count >= 4096, "a derivation has {} bytes", bytes / count);
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
            "echo \\\"hello\\\"\\n".repeat(80),
            v = n % 17,
        )
        .unwrap();
        text
    }
}

/// Writes two systems of 50,000 derivations, 3,000 of which differ for one reason: the deepest one of them has another
/// variable. Gives the two systems and their derivations.
pub fn write(store: &Path) -> [(String, String); 2] {
    let (all, differing) = (50_000, 3_000);
    let same = all - differing;
    System { side: 1, same }.write(store, 0..same);
    [1, 2].map(|side| {
        let system = System { side, same };
        system.write(store, same..all);
        (system.base(all - 1), system.drv(all - 1))
    })
}
