//! A small made-up system of derivations, of which a test changes one thing.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use sha2::{Digest, Sha256};

use super::{Why, explain};
use crate::derivation::Derivation;
use crate::derivation::fixture::Plain;
use crate::model::StorePath;

/// A derivation to be made. Texts may name outputs of others by their role: `§zlib§`, `§zlib.dev§`.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// What it is called whatever its name is.
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) outputs: Vec<&'static str>,
    /// The hash of its content, if it is a download; empty: floating.
    pub(crate) content: Option<&'static str>,
    /// Its output paths are not known.
    pub(crate) deferred: bool,
    /// `zlib` or `zlib.dev`.
    pub(crate) inputs: Vec<String>,
    /// Files: name and content.
    pub(crate) files: Vec<(&'static str, &'static str)>,
    pub(crate) platform: &'static str,
    pub(crate) builder: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) dynamic: bool,
    /// Its file was collected.
    pub(crate) absent: bool,
}

impl Spec {
    pub(crate) fn new(role: &str, name: &str, inputs: &[&str]) -> Self {
        Self {
            role: role.to_owned(),
            name: name.to_owned(),
            outputs: vec!["out"],
            content: None,
            deferred: false,
            inputs: inputs.iter().map(|i| (*i).to_owned()).collect(),
            files: Vec::new(),
            platform: "x86_64-linux",
            builder: "/bin/sh".to_owned(),
            arguments: Vec::new(),
            env: BTreeMap::new(),
            dynamic: false,
            absent: false,
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.env.insert(key.to_owned(), value.to_owned());
    }
}

/// All derivations of one system.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) files: HashMap<StorePath, Option<Vec<u8>>>,
    /// Role → its `.drv`, and its outputs' paths.
    made: HashMap<String, (StorePath, BTreeMap<&'static str, String>)>,
}

impl World {
    /// Writes a derivation. As with Nix, its output paths depend on its inputs' output paths only.
    pub(crate) fn make(&mut self, spec: &Spec) -> StorePath {
        let file = |(name, content): &(&str, &str)| store_path(content, name);
        let env = |own: &BTreeMap<&str, String>| {
            let mut env: Vec<(String, String)> =
                spec.env.iter().map(|(k, v)| (k.clone(), self.filled(v))).collect();
            env.extend(own.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
            env.sort();
            env
        };
        let input = |i: &String| {
            i.split_once('.').map_or((i.clone(), "out".to_owned()), |(a, b)| (a.into(), b.into()))
        };
        let mut inputs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut seen = Vec::new();
        for (role, output) in spec.inputs.iter().map(input) {
            let (drv, outputs) = &self.made[&role];
            seen.push(outputs[output.as_str()].clone());
            inputs.entry(drv.to_string()).or_default().push(output);
        }
        let mut plain = Plain {
            outputs: Vec::new(),
            inputs: inputs.into_iter().collect(),
            sources: spec.files.iter().map(file).collect(),
            platform: spec.platform.to_owned(),
            builder: self.filled(&spec.builder),
            arguments: spec.arguments.iter().map(|a| self.filled(a)).collect(),
            env: env(&BTreeMap::new()),
            dynamic: spec.dynamic,
        };
        let key = match spec.content {
            Some(content) => content.to_owned(),
            None => format!(
                "{:?}{:?}",
                spec.outputs,
                Plain { inputs: vec![(spec.name.clone(), seen)], ..plain.clone() }
            ),
        };
        let known = !spec.deferred && spec.content != Some("");
        let path = |o: &&'static str| {
            let suffix = if *o == "out" { String::new() } else { format!("-{o}") };
            (*o, store_path(&format!("{o}{key}"), &format!("{}{suffix}", spec.name)))
        };
        let own: BTreeMap<&str, String> = spec.outputs.iter().map(path).collect();
        plain.env = if known { env(&own) } else { env(&BTreeMap::new()) };
        let (algorithm, hash) = spec.content.map_or(("", ""), |c| ("sha256", c));
        let output = |o: &&str| {
            let path = if known { own[o].clone() } else { String::new() };
            [(*o).to_owned(), path, algorithm.to_owned(), hash.to_owned()]
        };
        plain.outputs = spec.outputs.iter().map(output).collect();
        let text = plain.print();
        let drv = store_path(&String::from_utf8_lossy(&text), &format!("{}.drv", spec.name));
        let drv = StorePath::parse(&drv).unwrap();
        self.files.insert(drv.clone(), (!spec.absent).then_some(text));
        self.made.insert(spec.role.clone(), (drv.clone(), own));
        drv
    }

    fn filled(&self, text: &str) -> String {
        let mut parts = text.split('§');
        let mut out = parts.next().unwrap_or_default().to_owned();
        while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
            let (role, output) = name.split_once('.').unwrap_or((name, "out"));
            out.push_str(&self.made[role].1[output]);
            out.push_str(rest);
        }
        out
    }
}

/// A store path whose hash depends on a text.
pub(crate) fn store_path(of: &str, name: &str) -> String {
    const DIGITS: &[u8] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let hash: String = Sha256::digest(format!("{of}:{name}"))
        .iter()
        .map(|b| char::from(DIGITS[usize::from(b % 32)]))
        .collect();
    format!("/nix/store/{hash}-{name}")
}

/// The system that tests change: a toplevel with `app`, which needs `hello` (a download, a build script) and `zlib`;
/// both need `bash`; downloads are made by `curl`.
pub(crate) fn specs() -> Vec<Spec> {
    let mut all = vec![Spec::new("curl", "curl-8.5", &[]), Spec::new("bash", "bash-5.2", &[])];
    let mut src = Spec::new("src", "hello-2.12.tar.gz", &["curl"]);
    src.content = Some("1111");
    src.set("urls", "https://example.org/hello-2.12.tar.gz");
    all.push(src);
    let mut zlib = Spec::new("zlib", "zlib-1.3", &["bash"]);
    zlib.outputs = vec!["out", "dev"];
    zlib.builder = "§bash§/bin/bash".to_owned();
    all.push(zlib);
    let mut hello = Spec::new("hello", "hello-2.12", &["src", "bash", "zlib.dev"]);
    hello.builder = "§bash§/bin/bash".to_owned();
    hello.files = vec![("build.sh", "make")];
    hello.arguments = vec!["-e".to_owned(), store_path("make", "build.sh")];
    for (key, value) in [
        ("name", "hello-2.12"),
        ("pname", "hello"),
        ("version", "2.12"),
        ("src", "§src§"),
        ("buildInputs", "§zlib.dev§ §bash§"),
        ("configureFlags", "--with-zlib=§zlib.dev§/include --enable-nls"),
    ] {
        hello.set(key, value);
    }
    all.push(hello);
    let mut app = Spec::new("app", "app-1", &["hello", "zlib"]);
    app.set("text", "exec §hello§/bin/hello");
    all.push(app);
    let mut top = Spec::new("top", "nixos-system-web-26.05", &["app", "hello"]);
    top.set("systemPackages", "§app§ §hello§");
    all.push(top);
    all
}

/// Makes all of them, in their order; the last one is the toplevel.
pub(crate) fn make(specs: &[Spec]) -> (World, StorePath) {
    let mut world = World::default();
    let mut top = None;
    for spec in specs {
        top = Some(world.make(spec));
    }
    (world, top.unwrap())
}

/// Why two systems differ.
pub(crate) fn why(old: &[Spec], new: &[Spec]) -> Why {
    let ((a, old), (b, new)) = (make(old), make(new));
    let read = |path: &StorePath| {
        let bytes = a.files.get(path).or_else(|| b.files.get(path)).expect("a file that nobody named");
        Ok::<_, Infallible>(bytes.as_ref().map(|t| Derivation::parse(t).unwrap()))
    };
    explain(&old, &new, read).unwrap()
}

/// The system with one derivation changed.
pub(crate) fn with(role: &str, edit: impl FnOnce(&mut Spec)) -> Vec<Spec> {
    let mut all = specs();
    edit(all.iter_mut().find(|s| s.role == role).unwrap());
    all
}
