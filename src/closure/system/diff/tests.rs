use super::*;
use crate::closure::mask::Masker;
use crate::closure::system::sample::{facts, facts_with, store, unit};

fn between(old: &[(&str, &str)], new: &[(&str, &str)]) -> SystemDiff {
    SystemDiff::between(&facts('a', old), &facts('b', new), Given::default())
}

fn web(letter: char, text: &str) -> (String, String) {
    unit(letter, "web.service", text)
}

fn units(old: &str, new: &str) -> UnitsDiff {
    let ((path, old), (_, new)) = (web('a', old), web('b', new));
    between(&[(&path, &old)], &[(&path, &new)]).units
}

#[test]
fn a_system_does_not_differ_from_itself() {
    let (path, text) = web('a', "[Service]\nEnvironment=PASSWORD=x\n");
    let files = [
        ("nixos-version", "26.05"),
        ("kernel-params", "quiet"),
        (path.as_str(), text.as_str()),
        ("etc/hosts", "x"),
    ];
    let diff = between(&files, &files);
    assert!(diff.is_empty() && diff.actions.is_empty() && diff.reboot.is_empty(), "{diff:?}");
}

#[test]
fn a_unit_that_differs_by_hashes_is_paths_only() {
    let text = |letter| format!("[Service]\nExecStart={}/bin/web\n", store(letter, "web-1.0"));
    let diff = units(&text('c'), &text('d'));
    assert_eq!((diff.paths_only.len(), diff.changed.len()), (1, 0));
    // Only its own path differs.
    assert_eq!(units("[Service]\nA=1\n", "[Service]\nA=1\n").paths_only, ["web.service"]);
    // Its version is no hash.
    let other = format!("[Service]\nExecStart={}/bin/web\n", store('d', "web-1.1"));
    assert_eq!(units(&text('c'), &other).changed.len(), 1);
}

#[test]
fn a_unit_diff_is_short_and_masked() {
    let text = |n: u8, key: &str| {
        format!(
            "[Unit]\nDescription=a\n\n[Service]\nA=1\nB=2\nC={n}\nD=4\nE=5\nEnvironment=TOKEN={key}\nF=6\nG=7\n"
        )
    };
    let diff = units(&text(1, "one"), &text(2, "two"));
    insta::assert_snapshot!(diff.changed[0].diff, @r#"
@@ -5,5 +5,5 @@
 A=1
 B=2
-C=1
+C=2
 D=4
 E=5
"#);
    assert_eq!(diff.changed[0].secrets, Secrets::Changed);
    assert_eq!(units(&text(1, "one"), &text(2, "one")).changed[0].secrets, Secrets::Same);
    let only_secret = units(&text(1, "one"), &text(1, "two"));
    assert!(only_secret.changed[0].diff.is_empty() && only_secret.changed[0].secrets == Secrets::Changed);
}

#[test]
fn secrets_of_snapshots_are_not_compared() {
    let (path, old) = web('a', "[Service]\nEnvironment=TOKEN=one\n");
    let (_, new) = web('b', "[Service]\nEnvironment=TOKEN=two\n");
    let (a, b) = (facts('a', &[(&path, &old)]), facts('b', &[(&path, &new)]));
    let json = serde_json::to_string(&a).unwrap();
    let stored: SystemFacts = serde_json::from_str(&json).unwrap();
    let diff = SystemDiff::between(&stored, &b, Given::default());
    assert_eq!(diff.units.not_compared.len(), 1, "{diff:?}");
    assert!(SystemDiff::between(&stored, &a, Given::default()).is_empty(), "the same store path");
    // Two processes do not share a key.
    assert!(!json.contains("seal"));
}

#[test]
fn drop_ins_aliases_and_masks() {
    let file = web('a', "[Service]\nA=1\n");
    let file = (file.0.as_str(), file.1.as_str());
    let drop_in = (
        "etc/systemd/system/web.service.d/overrides.conf",
        "→ /nix/store/x/overrides.conf\n[Service]\nA=2\n",
    );
    let diff = between(&[file], &[file, drop_in]).units;
    insta::assert_snapshot!(diff.changed[0].diff, @r#"
@@ -1,2 +1,6 @@
 [Service]
 A=1
+
+# drop-in overrides.conf
+[Service]
+A=2
"#);
    let alias = ("etc/systemd/system/www.service", "→ web.service\n[Service]\nA=1\n");
    assert_eq!(
        facts('a', &[file, alias]).system_units["www.service"].kind,
        crate::closure::system::UnitKind::Alias("web.service".into())
    );
    let masked = (file.0, "→ /dev/null");
    let diff = between(&[file], &[masked]);
    assert_eq!(diff.units.changed[0].notes, ["masked now: it cannot be started"]);
    assert_eq!(diff.actions.stop.iter().collect::<Vec<_>>(), ["web.service"]);
    let wants = ("etc/systemd/system/multi-user.target.wants/web.service", "→ ../web.service");
    assert_eq!(
        between(&[file], &[file, wants]).units.changed[0].notes,
        ["now pulled in by multi-user.target"]
    );
}

#[test]
fn what_needs_a_reboot() {
    let kernel = |v: &str| format!("→ {}/bzImage", store('k', &format!("linux-{v}")));
    let side = |v: &str, params: &'static str| {
        let kernel = kernel(v);
        facts('a', &[("kernel", &kernel), ("kernel-params", params), ("init-interface-version", "systemd 2")])
    };
    let given = Given { glibc: [Some("2.40".into()), Some("2.42".into())], actions: None };
    let diff = SystemDiff::between(&side("6.12", "a b"), &side("6.18", "b c"), given);
    assert_eq!(diff.reboot, ["kernel", "kernel parameters", "glibc"]);
    assert_eq!(
        diff.parts[0],
        Pair { what: "kernel".into(), old: Some("linux-6.12".into()), new: Some("linux-6.18".into()) }
    );
    assert_eq!(
        (diff.kernel_params.added, diff.kernel_params.removed),
        (vec!["c".to_owned()], vec!["a".to_owned()])
    );
    assert!(!diff.switch_refuses);
    let other = facts('b', &[("init-interface-version", "systemd 3")]);
    assert!(SystemDiff::between(&side("6.12", ""), &other, Given::default()).switch_refuses);
}

#[test]
fn kernel_parameters_in_another_order_say_so() {
    let of = |old: &str, new: &str| between(&[("kernel-params", old)], &[("kernel-params", new)]);
    let path = |letter| format!("quiet a={}", store(letter, "x"));
    for (old, new, note) in [
        ("a b", "b a", "the same in another order or number"),
        ("a b", "a b b", "the same in another order or number"),
        (path('c').as_str(), path('d').as_str(), "the same but for the hashes of store paths"),
    ] {
        let diff = of(old, new);
        assert_eq!(diff.kernel_params, Listed { note: Some(note.to_owned()), ..Listed::default() });
        assert_eq!(diff.reboot, ["kernel parameters"]);
    }
    let same = of("a  b\n", "a b");
    assert!(same.kernel_params.is_empty() && same.reboot.is_empty(), "{same:?}");
}

/// What is not text has a digest, which tells whether it changed.
#[test]
fn files_that_are_not_text() {
    use crate::closure::system::assemble;
    use crate::closure::system::tree::{Found, Node, Tree};
    let side = |letter, digest: &str| {
        let mut tree = Tree::default();
        for path in ["etc/systemd/system/bad.service", "etc/bin"] {
            tree.listing.nodes.insert(path.to_owned(), Node::File);
            tree.files.insert(path.to_owned(), Found::Binary(digest.repeat(64)));
        }
        let toplevel = crate::closure::system::sample::toplevel(letter);
        assemble::facts(&toplevel, &tree, &Masker::new([7; 32]))
    };
    let diff = SystemDiff::between(&side('a', "1"), &side('b', "2"), Given::default());
    assert_eq!(diff.units.changed[0].notes, ["it is not text, and its content changed"]);
    assert!(diff.units.not_compared.is_empty() && diff.etc.not_compared.is_empty());
    assert_eq!(diff.etc.changed["bin"], ["content"]);
    assert!(SystemDiff::between(&side('a', "1"), &side('b', "1"), Given::default()).is_empty());
}

#[test]
fn a_digest_of_a_file_of_etc_holds_no_secret_after_a_blank() {
    let side = |word: &str| facts('a', &[("etc/msmtprc", &format!("user me\npassword {word}\n"))]);
    let text = |facts: &SystemFacts| facts.etc["msmtprc"].content.known().unwrap().text.clone();
    assert_eq!(text(&side("one")), text(&side("two")));
    let diff = SystemDiff::between(&side("one"), &side("two"), Given::default());
    assert_eq!(diff.etc.changed["msmtprc"], ["a masked value"]);
}

#[test]
fn other_settings_of_users() {
    let path = store('w', "users-groups.json");
    let side = |letter, more: &str| {
        let json = format!(r#"{{"users":[{{"name":"alice","uid":1000{more}}}],"groups":[]}}"#);
        let activate = format!("x -w {path}\n");
        facts(letter, &[("activate", &activate), (&path, &json)])
    };
    let changed = |old: &str, new: &str| {
        let diff = SystemDiff::between(&side('a', old), &side('b', new), Given::default());
        diff.users.known().unwrap().changed.get("alice").cloned().unwrap_or_default()
    };
    for (old, new) in [
        (r#","description":"Alice""#, r#","description":"Alice B.""#),
        (r#","hashedPasswordFile":"/run/secrets/a""#, r#","hashedPasswordFile":"/etc/a""#),
        (r#","isSystemUser":false"#, r#","isSystemUser":true"#),
    ] {
        assert_eq!(changed(old, new), ["other settings"], "{new}");
        assert!(changed(new, new).is_empty());
    }
    assert!(changed(r#","description":null"#, "").is_empty());
    assert!(!serde_json::to_string(&side('a', r#","description":"Alice""#)).unwrap().contains("Alice"));
}

#[test]
fn files_of_etc() {
    let old = [
        ("etc/gone", "x"),
        ("etc/relative", "→ ../one\na"),
        ("etc/hosts", "→ /nix/store/cccccccccccccccccccccccccccccccc-hosts\n127.0.0.1 a\n"),
        ("etc/issue", "→ /nix/store/cccccccccccccccccccccccccccccccc-issue\nhi"),
        ("etc/sudoers", "→ /nix/store/cccccccccccccccccccccccccccccccc-sudoers\nx"),
        ("etc/sudoers.mode", "0440"),
        ("etc/app.conf", "→ /nix/store/cccccccccccccccccccccccccccccccc-app.conf\npassword = one"),
    ];
    let new = [
        ("etc/came", "x"),
        ("etc/relative", "→ ../one\nb"),
        ("etc/hosts", "→ /nix/store/dddddddddddddddddddddddddddddddd-hosts\n127.0.0.1 b\n"),
        ("etc/issue", "→ /nix/store/dddddddddddddddddddddddddddddddd-issue\nhi"),
        ("etc/sudoers", "→ /nix/store/cccccccccccccccccccccccccccccccc-sudoers\nx"),
        ("etc/sudoers.mode", "0400"),
        ("etc/app.conf", "→ /nix/store/dddddddddddddddddddddddddddddddd-app.conf\npassword = two"),
    ];
    insta::assert_json_snapshot!(between(&old, &new).etc, @r#"
{
  "added": [
    "came"
  ],
  "removed": [
    "gone"
  ],
  "changed": {
    "app.conf": [
      "a masked value"
    ],
    "hosts": [
      "content"
    ],
    "relative": [
      "content"
    ],
    "sudoers": [
      "mode 0440 → 0400"
    ]
  },
  "pathsOnly": [
    "issue"
  ],
  "notCompared": []
}
"#);
}

#[test]
fn users_and_groups_without_their_passwords() {
    let path = store('w', "users-groups.json");
    let side = |letter, hash: &str, shell: &str, more: &str| {
        let json = format!(
            r#"{{"mutableUsers":false,"users":[{{"name":"alice","uid":1000,"group":"users","shell":"{shell}","hashedPassword":"{hash}"}}{more}],
            "groups":[{{"name":"wheel","gid":1,"members":["{}"]}}]}}"#,
            if letter == 'a' { "alice" } else { "bob" }
        );
        let activate = format!("x -w {path}\n");
        facts(letter, &[("activate", &activate), (&path, &json)])
    };
    let old = side('a', "$6$aaaa$bbbbbbbbbbbbbbbb", "/bin/sh", "");
    let new = side('b', "$6$cccc$dddddddddddddddd", "/bin/zsh", r#",{"name":"bob"}"#);
    let diff = SystemDiff::between(&old, &new, Given::default());
    insta::assert_json_snapshot!((&diff.users, &diff.groups), @r#"
[
  {
    "known": {
      "added": [
        "bob"
      ],
      "removed": [],
      "changed": {
        "alice": [
          "shell /bin/sh → /bin/zsh",
          "groups -wheel",
          "password changed"
        ]
      },
      "pathsOnly": [],
      "notCompared": []
    }
  },
  {
    "known": {
      "added": [],
      "removed": [],
      "changed": {
        "wheel": [
          "members +bob -alice"
        ]
      },
      "pathsOnly": [],
      "notCompared": []
    }
  }
]
"#);
    assert!(!serde_json::to_string(&[&old, &new]).unwrap().contains("$6$"));
}

#[test]
fn firewall_is_not_known_unless_declared() {
    let json = |ports: &str| {
        format!(r#"{{"version":1,"hostName":"web","system":"x86_64-linux","firewall":{ports}}}"#)
    };
    let side = |text: &str| facts('a', &[("etc/nqd/system.json", text)]);
    let firewall = |a: &str, b: &str| SystemDiff::between(&side(a), &side(b), Given::default()).firewall;
    let old = json(r#"{"tcp":[22,80],"udp":[],"tcpRanges":[],"udpRanges":[],"interfaces":{}}"#);
    let new = json(
        r#"{"tcp":[22],"udp":[],"tcpRanges":[{"from":8000,"to":8010}],"udpRanges":[],"interfaces":{"wg0":{"udp":[53]}}}"#,
    );
    let listed = Listed {
        added: vec!["tcp 8000-8010".into(), "udp 53 on wg0".into()],
        removed: vec!["tcp 80".into()],
        secrets: Secrets::Same,
        note: None,
    };
    assert_eq!(firewall(&old, &new), Known::Known(listed));
    assert_eq!(firewall(&old, &old), Known::Known(Listed::default()));
    let off = json("null");
    assert_eq!(firewall(&old, &off).known().unwrap().added, ["every port: the firewall is off"]);
    let why = |a: &str, b: &str| match firewall(a, b) {
        Known::NotKnown(why) => why,
        Known::Known(list) => panic!("{list:?}"),
    };
    assert_eq!(why(&old, r#"{"version":2}"#), "etc/nqd/system.json has version 2, and this nqd reads 1");
    assert_eq!(why(r#"{"version":1}"#, &old), "of the old system: etc/nqd/system.json has no `firewall`");
    assert!(
        why(&old, &json(r#"{"tcp":[70000]}"#)).contains("`firewall` in etc/nqd/system.json: invalid value")
    );
    assert!(why(&old, "{").contains("no JSON"));
    assert_eq!(between(&[], &[]).firewall, Known::NotKnown("the system has no etc/nqd/system.json".into()));
}

#[test]
fn rules_of_tmpfiles() {
    let rule = |text: &'static str| [("etc/tmpfiles.d/00-nixos.conf", text)];
    let diff = between(
        &rule("# x\nd /a 0755\nL /b - - - - /nix/store/cccccccccccccccccccccccccccccccc-x\n"),
        &rule("d /a 0700\nL /b - - - - /nix/store/dddddddddddddddddddddddddddddddd-x\n"),
    );
    assert_eq!(
        (diff.tmpfiles.added, diff.tmpfiles.removed),
        (vec!["00-nixos.conf: d /a 0700".to_owned()], vec!["00-nixos.conf: d /a 0755".to_owned()])
    );
}

#[test]
fn a_secret_is_in_no_fact() {
    let token = "rj4Kd93mZpQ0vLt7Xy2B";
    let text = |t: &str| t.replace('T', token);
    let files = [
        ("kernel-params", text("quiet x.T=T")),
        ("etc/fstab", text("//h/s /mnt cifs password=T")),
        ("etc/app", text("→ /run/secrets/T\n")),
        ("etc/passwords", text("a T b")),
        ("etc/tmpfiles.d/a.conf", text("f /x 0600 - - - token=T")),
        ("etc/systemd/user/a.service", text("→ /nix/store/x/a.service\n[Service]\nEnvironment=A_KEY=T")),
        ("etc/systemd/system/a.service.d/x.conf", text("[Service]\nExecStart=/x --password T")),
        ("nixos-version", text("26.05-T")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let facts = facts_with('a', &files, &Masker::new([1; 32]));
    let all = format!("{facts:?}{}", serde_json::to_string(&facts).unwrap());
    assert!(!all.contains(token), "{all}");
}
