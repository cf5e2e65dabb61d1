//! A made-up store: as large as a machine's that has been in use for years, and nothing in it is real but its shape.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::derivations;

/// All paths of the store.
pub const PATHS: usize = 100_000;
/// A pair of systems.
pub struct Pair {
    /// Names the pair.
    pub name: &'static str,
    /// Paths of each closure.
    pub closure: usize,
    /// Paths that both have.
    pub shared: usize,
    /// Whether what differs still has its derivations.
    pub derivations: bool,
}

/// The pairs that are compared.
pub const PAIRS: [Pair; 3] = [
    Pair { name: "bare", closure: 2_000, shared: 1_500, derivations: false },
    Pair { name: "exact", closure: 2_000, shared: 1_500, derivations: true },
    Pair { name: "large", closure: 20_000, shared: 15_000, derivations: false },
];

/// Numbers that look random and are the same every time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % n
    }
}

/// A hash of 32 digits as Nix writes them.
pub fn hash(n: usize) -> String {
    const DIGITS: &[u8] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let mut dice = Dice::new((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
    for _ in 0..8 {
        dice.below(2);
    }
    (0..32).map(|_| char::from(DIGITS[dice.below(32)])).collect()
}

struct Node {
    path: String,
    size: usize,
    deriver: Option<(String, String, String)>,
    references: Vec<usize>,
}

#[derive(Default)]
struct Store {
    nodes: Vec<Node>,
}

impl Store {
    /// A path; its hash is that of its number.
    fn add(&mut self, name: &str, size: usize) -> usize {
        let number = self.nodes.len();
        let path = format!("/nix/store/{}-{name}", hash(number));
        self.nodes.push(Node { path, size, deriver: None, references: Vec::new() });
        number
    }

    /// Makes one system of these paths: every path needs some that come later.
    fn link(&mut self, root: usize, members: &[usize], dice: &mut Dice) {
        let mut all = vec![root];
        all.extend(members);
        for at in 1..all.len() {
            let parent = all[dice.below(at.min(400))];
            self.nodes[parent].references.push(all[at]);
        }
        for at in 0..all.len() - 1 {
            if self.nodes[all[at]].references.len() > 12 {
                continue;
            }
            for _ in 0..dice.below(12) {
                let other = at + 1 + dice.below(all.len() - at - 1);
                self.nodes[all[at]].references.push(all[other]);
            }
        }
    }
}

/// The two kinds of names: with a version, and without.
fn name(n: usize, version: usize) -> (String, Option<String>) {
    match n % 10 {
        0..=2 => (format!("unit-service{n}.service"), None),
        3 => (format!("tool{n}"), Some(format!("{version}.{}.{}-man", n % 7, n % 13))),
        _ => (
            format!("package-{}{n}", ["lib", "py", "go"][n % 3]),
            Some(format!("{version}.{}.{}", n % 7, n % 13)),
        ),
    }
}

fn full((name, version): &(String, Option<String>)) -> String {
    version.as_ref().map_or_else(|| name.clone(), |v| format!("{name}-{v}"))
}

/// Makes the store's dump, its derivations, and a file that names the systems: `dump`, `store/`, `systems`.
pub fn generate(dir: &Path) {
    let mut store = Store::default();
    let mut dice = Dice::new(7);
    let mut systems = String::new();
    for pair in &PAIRS {
        let [old, new] = generate_pair(&mut store, pair, &mut dice);
        let path = |n: usize| store.nodes[n].path.clone();
        writeln!(systems, "{} {} {}", pair.name, path(old), path(new)).unwrap();
        for system in [old, new] {
            // Tools want the two to be there.
            fs::create_dir_all(dir.join("store").join(path(system).strip_prefix("/nix/store/").unwrap()))
                .unwrap();
        }
    }
    while store.nodes.len() < PATHS {
        let n = store.nodes.len();
        let added = store.add(&full(&name(n, 1)), 1000 + dice.below(100_000));
        for _ in 0..dice.below(10) {
            let other = dice.below(added);
            store.nodes[added].references.push(other);
        }
    }
    fs::create_dir_all(dir.join("store")).unwrap();
    let why = derivations::write(&dir.join("store"));
    writeln!(systems, "why {} {}", why[0].0, why[1].0).unwrap();
    for (path, drv) in why {
        fs::create_dir_all(dir.join("store").join(path.strip_prefix("/nix/store/").unwrap())).unwrap();
        let deriver = Some((drv, String::new(), String::new()));
        store.nodes.push(Node { path, size: 5000, deriver, references: Vec::new() });
    }
    write_dump(&store, dir);
    fs::write(dir.join("systems"), systems).unwrap();
}

fn generate_pair(store: &mut Store, pair: &Pair, dice: &mut Dice) -> [usize; 2] {
    let shared: Vec<usize> = (1..pair.shared)
        .map(|_| {
            let n = store.nodes.len();
            store.add(&full(&name(n, 1)), 1000 + dice.below(1_000_000))
        })
        .collect();
    let own = pair.closure - pair.shared;
    let base = store.nodes.len();
    [1, 2].map(|side| {
        let root = store.add(&format!("nixos-system-bench-{side}"), 5000);
        let mut members = Vec::new();
        for i in 0..own {
            // Of ten paths six are upgraded, three are rebuilt, one is another package.
            let version = if i % 10 < 6 { side } else { 1 };
            let named = name(base + i + if i % 10 == 9 { side * 50_000 } else { 0 }, version);
            let path = store.add(&full(&named), 1000 + dice.below(1_000_000));
            let (pname, version) = (named.0, named.1.unwrap_or_default().replace("-man", ""));
            if pair.derivations {
                let drv = format!("/nix/store/{}-{pname}.drv", hash(path + 10_000_000));
                store.nodes[path].deriver = Some((drv, pname, version));
            }
            members.push(path);
        }
        members.extend(&shared);
        let mut own_dice = Dice::new(side as u64);
        if side == 1 {
            store.link(root, &members, &mut own_dice);
        } else {
            // What both share keeps its references.
            let kept: Vec<_> = shared.iter().map(|s| store.nodes[*s].references.clone()).collect();
            store.link(root, &members, &mut own_dice);
            for (s, references) in shared.iter().zip(kept) {
                let lost: Vec<usize> = store.nodes[*s].references.clone();
                store.nodes[*s].references = references;
                store.nodes[root].references.extend(lost);
            }
        }
        root
    })
}

fn write_dump(store: &Store, dir: &Path) {
    let mut dump = BufWriter::new(File::create(dir.join("dump")).unwrap());
    for (n, node) in store.nodes.iter().enumerate() {
        let mut references: Vec<&str> =
            node.references.iter().map(|r| store.nodes[*r].path.as_str()).collect();
        references.sort_unstable();
        references.dedup();
        let drv = node.deriver.as_ref().map_or("", |(drv, ..)| drv);
        let (path, size) = (&node.path, node.size);
        writeln!(dump, "{path}\n{n:064x}\n{size}\n{drv}\n{}", references.len()).unwrap();
        for reference in references {
            writeln!(dump, "{reference}").unwrap();
        }
        if let Some((drv, pname, version)) = node.deriver.as_ref().filter(|(_, pname, _)| !pname.is_empty()) {
            let file = dir.join("store").join(drv.strip_prefix("/nix/store/").unwrap());
            fs::write(file, derivation(&node.path, pname, version)).unwrap();
        }
    }
    dump.into_inner().unwrap().sync_all().unwrap();
}

/// 4 KiB, as the mean of nixpkgs' is.
fn derivation(path: &str, pname: &str, version: &str) -> String {
    let input = |n: usize| format!("(\"/nix/store/{}-input{n}.drv\",[\"out\"])", hash(n + 20_000_000));
    let inputs: Vec<String> = (0..20).map(input).collect();
    let flags = "-DFEATURE=ON ".repeat(190);
    let text = format!(
        "Derive([(\"out\",\"{path}\",\"\",\"\")],[{}],[\"/nix/store/{}-builder.sh\"],\"x86_64-linux\",\
         \"/nix/store/{}-bash/bin/bash\",[\"-e\",\"builder.sh\"],[(\"cmakeFlags\",\"{flags}\"),(\"name\",\"{pname}-{version}\"),\
         (\"out\",\"{path}\"),(\"pname\",\"{pname}\"),(\"version\",\"{version}\")])",
        inputs.join(","),
        hash(1),
        hash(2)
    );
    assert!(text.len() >= 4096, "a derivation has {} bytes", text.len());
    text
}
