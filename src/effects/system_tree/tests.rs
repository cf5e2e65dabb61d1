use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::closure::system::diff::Given;
use crate::closure::system::sample::{store, toplevel};
use crate::closure::system::{Known, SystemDiff, SystemFacts, UnitKind};
use crate::effects::runner::Runner;
use crate::effects::transport::{Escalate, Place, Transport};

/// A store below a prefix.
struct Prefix(tempfile::TempDir);

impl Prefix {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn file(&self, path: &str, text: &str) {
        fs::write(self.place(path), text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.place(path)).unwrap();
    }

    /// A system as NixOS makes it. With `relative`, its links do not begin at the root.
    fn system(&self, letter: char, relative: bool) -> StorePath {
        let top = toplevel(letter);
        let to = |path: &str, up: usize| {
            if relative { path.replace("/nix/store/", &"../".repeat(up)) } else { path.to_owned() }
        };
        let (etc, units, unit) =
            (store(letter, "etc"), store(letter, "system-units"), store(letter, "unit-web.service"));
        let users = store(letter, "users-groups.json");
        self.file(&format!("{top}/nixos-version"), "26.05");
        self.file(&format!("{top}/init"), "#!/bin/sh");
        self.file(&format!("{top}/activate"), &format!("perl x -w {users}\n"));
        self.link(&format!("{top}/kernel"), &to(&store('k', "linux-6.12/bzImage"), 1));
        self.link(&format!("{top}/etc"), &to(&format!("{etc}/etc"), 1));
        self.link(&format!("{etc}/etc/systemd/system"), &to(&units, 3));
        self.file(&format!("{etc}/etc/hostname"), "web\n");
        self.link(&format!("{units}/web.service"), &to(&format!("{unit}/web.service"), 1));
        self.link(&format!("{units}/multi-user.target.wants/web.service"), "../web.service");
        self.file(&format!("{unit}/web.service"), "[Service]\nExecStart=/bin/web\n");
        self.link(&format!("{units}/web.service.d/b.conf"), &to(&format!("{unit}/b.conf"), 2));
        self.file(&format!("{units}/web.service.d/a.conf"), "[Service]\nA=1\n");
        self.file(&format!("{unit}/b.conf"), "[Service]\nA=2\n");
        self.file(&users, r#"{"users":[{"name":"alice","uid":1}],"groups":[]}"#);
        top
    }

    fn read(&self, system: &StorePath) -> SystemReading {
        read(&LocalTree::new(self.root()), system, &Masker::new([1; 32])).unwrap()
    }

    fn facts(&self, system: &StorePath) -> SystemFacts {
        facts_of(self.read(system))
    }
}

fn facts_of(reading: SystemReading) -> SystemFacts {
    match reading {
        SystemReading::Facts(facts) => *facts,
        SystemReading::Empty(why) => panic!("{why}"),
    }
}

#[test]
fn absolute_links_are_followed_within_the_prefix() {
    let prefix = Prefix::new();
    let top = prefix.system('a', false);
    let facts = prefix.facts(&top);
    let unit = &facts.system_units["web.service"];
    assert_eq!(unit.kind, UnitKind::File);
    assert_eq!(
        unit.text.text,
        "[Service]\nExecStart=/bin/web\n\n# drop-in a.conf\n[Service]\nA=1\n\n# drop-in b.conf\n[Service]\nA=2\n"
    );
    assert_eq!(unit.pulled_in_by.iter().collect::<Vec<_>>(), ["multi-user.target.wants"]);
    assert_eq!(facts.kernel.as_deref(), Some(store('k', "linux-6.12/bzImage").as_str()));
    assert_eq!(facts.accounts.known().unwrap().users["alice"].uid, Some(1));
    assert_eq!(facts.etc.keys().collect::<Vec<_>>(), ["hostname"]);
    assert!(facts.unread.is_empty() && matches!(facts.declared, Known::NotKnown(_)));
}

#[test]
fn two_systems_read_and_compared() {
    let prefix = Prefix::new();
    let (a, b) = (prefix.system('a', false), prefix.system('b', false));
    fs::write(
        prefix.place(&format!("{}/web.service", store('b', "unit-web.service"))),
        "[Service]\nExecStart=/bin/other\n",
    )
    .unwrap();
    let diff = SystemDiff::between(&prefix.facts(&a), &prefix.facts(&b), Given::default());
    assert_eq!(diff.units.changed[0].name, "web.service");
    assert_eq!(diff.actions.restart.iter().collect::<Vec<_>>(), ["web.service"]);
}

/// NixOS links `udev/rules.d` and `zoneinfo` as directories.
#[test]
fn directories_behind_links_are_compared() {
    let prefix = Prefix::new();
    let (a, b) = (prefix.system('a', true), prefix.system('b', true));
    for (letter, rule, zone) in [('a', "one", [0, 159]), ('b', "two", [0, 160])] {
        let (rules, zones, same) = (store(letter, "rules"), store(letter, "tz"), store(letter, "same"));
        let etc = store(letter, "etc/etc");
        prefix.file(&format!("{rules}/d/60-x.rules"), &format!("{rule}\n"));
        prefix.file(&format!("{rules}/70-{letter}.rules"), "");
        prefix.file(&format!("{rules}/80-same.rules"), &format!("RUN={}\n", store(letter, "x")));
        prefix.link(
            &format!("{etc}/udev/rules.d"),
            &format!("../../../{}-rules", letter.to_string().repeat(32)),
        );
        fs::write(prefix.place(&format!("{zones}/Europe/Berlin")), zone).unwrap();
        prefix.link(&format!("{zones}/Berlin"), "Europe/Berlin");
        prefix.link(&format!("{zones}/posix"), "Europe");
        prefix.link(&format!("{etc}/zoneinfo"), &format!("../../{}-tz", letter.to_string().repeat(32)));
        prefix.file(&format!("{same}/x"), "x");
        prefix.link(&format!("{etc}/same"), &format!("../../{}-same", letter.to_string().repeat(32)));
    }
    let diff = SystemDiff::between(&prefix.facts(&a), &prefix.facts(&b), Given::default());
    assert_eq!(diff.etc.changed.keys().collect::<Vec<_>>(), ["udev/rules.d", "zoneinfo"], "{:?}", diff.etc);
    let how = |name: &str| diff.etc.changed[name].as_slice();
    assert_eq!(how("udev/rules.d"), ["content of -70-a.rules, +70-b.rules, d/60-x.rules"]);
    // What did not change is not named.
    assert_eq!(how("zoneinfo"), ["content of Berlin, Europe/Berlin"]);
    assert_eq!(diff.etc.paths_only, ["same"]);
    assert!(diff.etc.not_compared.is_empty(), "{:?}", diff.etc);
    let there = read(&RemoteTree::below(&transport(), prefix.root()), &a, &Masker::new([1; 32])).unwrap();
    assert_eq!(facts_of(there), prefix.facts(&a));
}

#[test]
fn a_script_reads_what_we_read() {
    let prefix = Prefix::new();
    let top = prefix.system('a', true);
    let etc = store('a', "etc/etc");
    prefix.link(&format!("{etc}/nowhere"), "none");
    prefix.link(&format!("{etc}/out"), "/etc/passwd");
    prefix.link(&format!("{etc}/dir"), "../../..");
    prefix.file(&format!("{etc}/it's $(odd) \\ name"), "x\r\ny");
    prefix.file(&format!("{etc}/large"), &"x".repeat(300 << 10));
    prefix.file(&format!("{etc}/empty"), "");
    prefix.file(&format!("{etc}/two\nlines"), "x");
    fs::write(prefix.place(&format!("{etc}/binary")), [0, 159, 146, 150]).unwrap();
    let here = Transport::new(Runner::default(), Place::Here, Escalate::No, None, false);
    let there = read(&RemoteTree::below(&here, prefix.root()), &top, &Masker::new([1; 32])).unwrap();
    let (mut there, here) = (facts_of(there), prefix.facts(&top));
    let lines = there.etc.get_mut("two\nlines").unwrap();
    assert_eq!(lines.content, Known::NotKnown("its name holds control characters".into()));
    lines.content = here.etc["two\nlines"].content.clone();
    assert_eq!(there, here);
    let why = |name: &str| match &here.etc[name].content {
        Known::NotKnown(why) => why.clone(),
        Known::Known(_) => "read".to_owned(),
    };
    assert_eq!(
        ["nowhere", "out", "dir", "large", "binary", "empty"].map(why),
        [
            "its link leads nowhere",
            "it leads out of the store",
            "it leads out of the store",
            "it is larger than 256.0 KiB",
            "read",
            "read"
        ]
    );
    let gone = toplevel('z');
    let none = read(&RemoteTree::below(&transport(), prefix.root()), &gone, &Masker::new([1; 32])).unwrap();
    assert_eq!(none, SystemReading::Empty(NoSystem::Missing(gone)));
}

fn transport() -> Transport {
    Transport::new(Runner::default(), Place::Here, Escalate::No, None, false)
}

#[test]
fn no_link_leads_out_of_the_prefix() {
    let prefix = Prefix::new();
    let top = prefix.system('a', false);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "hunter2").unwrap();
    let etc = store('a', "etc/etc");
    let up = "../".repeat(30);
    prefix.link(&format!("{etc}/absolute"), outside.path().join("secret").to_str().unwrap());
    prefix.link(&format!("{etc}/up"), &format!("{up}{}/secret", outside.path().display()));
    prefix.link(&format!("{etc}/shadow"), "/etc/shadow");
    prefix.file("etc/shadow", "root:hunter2:");
    let tree = LocalTree::new(prefix.root());
    let ask = |name: &str| Ask { path: format!("etc/{name}"), limit: 99 };
    let files = tree.read(&top, &[ask("absolute"), ask("up"), ask("shadow")]).unwrap();
    for name in ["etc/absolute", "etc/up"] {
        assert_eq!(files[name], Found::NotRead("it leads out of the store".into()));
    }
    // What is in the prefix, but not in its store, is somebody's state.
    assert_eq!(files["etc/shadow"], Found::NotRead("it leads out of the store".into()));
}

#[test]
fn loops_pipes_and_what_is_refused_are_named() {
    let prefix = Prefix::new();
    let top = prefix.system('a', false);
    let etc = store('a', "etc/etc");
    prefix.link(&format!("{etc}/one"), "two");
    prefix.link(&format!("{etc}/two"), "one");
    prefix.link(&format!("{etc}/long"), &"x".repeat(300));
    assert!(
        rustix::fs::mknodat(
            rustix::fs::CWD,
            prefix.place(&format!("{etc}/pipe")),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0
        )
        .is_ok()
    );
    let facts = prefix.facts(&top);
    let unread: Vec<_> =
        facts.unread.iter().map(|u| (u.path.as_str(), u.why.split(" (").next().unwrap())).collect();
    assert_eq!(
        unread,
        [
            ("etc/long", "File name too long"),
            ("etc/one", "Too many levels of symbolic links"),
            ("etc/two", "Too many levels of symbolic links")
        ]
    );
}

#[test]
fn what_is_no_system_says_why() {
    let prefix = Prefix::new();
    let path = toplevel('a');
    assert_eq!(prefix.read(&path), SystemReading::Empty(NoSystem::Missing(path.clone())));
    prefix.file(&format!("{path}/bin/hello"), "");
    let lacks =
        |lacks: &str| SystemReading::Empty(NoSystem::NotNixos { path: path.clone(), lacks: lacks.into() });
    assert_eq!(prefix.read(&path), lacks("nixos-version"));
    prefix.file(&format!("{path}/nixos-version"), "1");
    assert_eq!(prefix.read(&path), lacks("etc"));
    // A file is no system either.
    let file = StorePath::parse(&store('f', "file")).unwrap();
    prefix.file(file.as_str(), "x");
    let lacks =
        SystemReading::Empty(NoSystem::NotNixos { path: file.clone(), lacks: "nixos-version".into() });
    assert_eq!(prefix.read(&file), lacks);
    let transport = transport();
    assert_eq!(
        read(&RemoteTree::below(&transport, prefix.root()), &file, &Masker::new([1; 32])).unwrap(),
        lacks
    );
}
