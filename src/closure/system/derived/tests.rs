use super::*;
use crate::closure::system::sample::{facts, unit};

/// What a switch does to `web.service` whose text is one, and then another. `more` are files of both.
fn switch(old: &str, new: &str, more: &[(&str, &str)]) -> Actions {
    let side = |letter, text: &str| {
        let (path, text) = unit(letter, "web.service", text);
        let mut files = more.to_vec();
        if text.lines().count() > 1 {
            files.push((&path, &text));
        }
        facts(letter, &files)
    };
    actions(&side('a', old), &side('b', new))
}

fn said(a: &Actions) -> String {
    let list = |what: &str, units: &std::collections::BTreeSet<String>| {
        units.iter().map(|u| format!("{what} {u}")).collect::<Vec<_>>()
    };
    [
        list("stop", &a.stop),
        list("restart", &a.restart),
        list("reload", &a.reload),
        list("start", &a.start),
        list("leave", &a.left_alone),
        a.said.clone(),
    ]
    .concat()
    .join(", ")
}

const OLD: &str = "[Service]\nExecStart=/a\n";

#[test]
fn the_rules_of_switch_to_configuration() {
    for (new, expected) in [
        (OLD, ""),
        ("[Unit]\nDescription=x\n[Service]\nExecStart=/a\n", ""),
        ("[Unit]\nX-Reload-Triggers=/x\n[Service]\nExecStart=/a\n", "reload web.service"),
        ("[Service]\nExecStart=/b\n", "restart web.service"),
        ("[Service]\nExecStart=/b\nX-StopIfChanged=false\n", "restart web.service"),
        ("[Service]\nExecStart=/b\nX-ReloadIfChanged=true\n", "reload web.service"),
        ("[Service]\nExecStart=/b\nX-RestartIfChanged=false\n", "leave web.service"),
        ("[Unit]\nRefuseManualStop=true\n[Service]\nExecStart=/b\n", "leave web.service"),
        ("[Unit]\nX-OnlyManualStart=true\n[Service]\nExecStart=/b\n", "leave web.service"),
        ("[Service]\nExecStart=/b\nType=oneshot\n", "leave web.service"),
        ("[Service]\nExecStart=/b\nType=oneshot\nRemainAfterExit=true\n", "restart web.service"),
        ("", "stop web.service"),
    ] {
        assert_eq!(said(&switch(OLD, new, &[])), expected, "{new}");
    }
    assert_eq!(said(&switch("[Unit]\nX-StopOnRemoval=false\n", "", &[])), "leave web.service");
}

#[test]
fn a_changed_secret_restarts() {
    let unit = |key: &str| format!("[Service]\nEnvironment=API_KEY={key}\n");
    assert_eq!(said(&switch(&unit("one"), &unit("two"), &[])), "restart web.service");
    assert_eq!(said(&switch(&unit("one"), &unit("one"), &[])), "");
}

#[test]
fn sockets_are_restarted_instead_of_their_service() {
    let active = [
        ("etc/systemd/system/web.socket", "→ /nix/store/x/web.socket\n[Socket]\nListenStream=80\n"),
        ("etc/systemd/system/sockets.target.wants/web.socket", "→ ../web.socket"),
    ];
    let new = "[Service]\nExecStart=/b\n";
    assert_eq!(said(&switch(OLD, new, &active)), "stop web.service, restart web.socket");
    let own = format!("{new}X-NotSocketActivated=true\n");
    assert_eq!(said(&switch(OLD, &own, &active)), "restart web.service, restart web.socket");
    // A socket that nothing pulls in does not run.
    assert_eq!(said(&switch(OLD, new, &active[..1])), "restart web.service");
}

#[test]
fn a_socket_that_is_restarted_is_not_left_alone() {
    let side = |letter, port: &str, program: &str| {
        let socket = unit(letter, "web.socket", &format!("[Socket]\nListenStream={port}\n"));
        let service = unit(letter, "web.service", &format!("[Service]\nExecStart={program}\n"));
        let wants = ("etc/systemd/system/sockets.target.wants/web.socket", "→ ../web.socket");
        facts(letter, &[(&socket.0, &socket.1), (&service.0, &service.1), wants])
    };
    assert_eq!(
        said(&actions(&side('a', "80", "/a"), &side('b', "81", "/b"))),
        "stop web.service, restart web.socket"
    );
    assert_eq!(said(&actions(&side('a', "80", "/a"), &side('b', "81", "/a"))), "leave web.socket");
}

#[test]
fn instances_of_templates() {
    const WANTS: (&str, &str) =
        ("etc/systemd/system/multi-user.target.wants/web@a.service", "→ ../web@.service");
    const DROP_IN: (&str, &str) =
        ("etc/systemd/system/web@a.service.d/x.conf", "→ /nix/store/x/x.conf\n[Service]\nNice=1\n");
    const OTHER: (&str, &str) =
        ("etc/systemd/system/web@a.service.d/x.conf", "→ /nix/store/y/x.conf\n[Service]\nNice=2\n");
    let side = |letter, text: &str, more: &[(&str, &str)]| {
        let (path, text) = unit(letter, "web@.service", text);
        let mut files = more.to_vec();
        files.push((&path, &text));
        facts(letter, &files)
    };
    let new = "[Service]\nExecStart=/b\n";
    for (old, new, expected) in [
        (side('a', OLD, &[WANTS]), side('b', OLD, &[WANTS]), ""),
        (side('a', OLD, &[WANTS]), side('b', new, &[WANTS]), "restart web@.service, restart web@a.service"),
        (side('a', OLD, &[WANTS, DROP_IN]), side('b', OLD, &[WANTS, OTHER]), "restart web@a.service"),
        (side('a', OLD, &[WANTS, DROP_IN]), side('b', OLD, &[WANTS, DROP_IN]), ""),
        (side('a', OLD, &[WANTS]), side('b', OLD, &[WANTS, DROP_IN]), "restart web@a.service"),
        (side('a', OLD, &[]), side('b', OLD, &[WANTS]), "start web@a.service"),
        // Nothing pulls it in any more, but it stays as it runs.
        (side('a', OLD, &[WANTS]), side('b', OLD, &[]), ""),
        (side('a', OLD, &[WANTS]), facts('b', &[]), "stop web@.service, stop web@a.service"),
    ] {
        assert_eq!(said(&actions(&old, &new)), expected);
    }
}

#[test]
fn a_changed_secret_of_the_fstab_remounts() {
    let side = |text: &str| facts('a', &[("etc/fstab", text)]);
    let entry = |place: &str, word: &str| format!("//nas/x {place} cifs username=u,password={word} 0 0\n");
    let between = |old: &str, new: &str| said(&actions(&side(old), &side(new)));
    assert_eq!(between(&entry("/mnt/x", "one"), &entry("/mnt/x", "one")), "");
    assert_eq!(between(&entry("/mnt/x", "one"), &entry("/mnt/x", "two")), "reload mnt-x.mount");
    let two = |word: &str| entry("/mnt/x", word) + &entry("/mnt/y", "same") + "/dev/a / ext4 rw\n";
    assert_eq!(
        between(&two("one"), &two("two")),
        "reload mnt-x.mount, reload mnt-y.mount, a masked value of the fstab changed: which file system's is not known"
    );
}

#[test]
fn other_kinds_of_units() {
    for (name, old, new, expected) in [
        ("a.slice", "[Slice]\nA=1\n", "[Slice]\nA=2\n", "leave a.slice"),
        ("a.socket", "[Socket]\nA=1\n", "[Socket]\nA=2\n", "leave a.socket"),
        ("a.timer", "[Timer]\nA=1\n", "[Timer]\nA=2\n", "restart a.timer"),
        ("a.path", "[Path]\nA=1\n", "[Path]\nA=2\n", "restart a.path"),
        ("a.target", "[Unit]\nA=1\n", "[Unit]\nA=2\n", ""),
        ("a.mount", "[Mount]\nWhat=1\n", "[Mount]\nWhat=2\n", "restart a.mount"),
        ("a.mount", "[Mount]\nOptions=1\n", "[Mount]\nOptions=2\n", "reload a.mount"),
        ("nix.mount", "[Mount]\nWhat=1\n", "[Mount]\nWhat=2\n", "reload nix.mount"),
    ] {
        let side = |letter, text| {
            let (path, text) = unit(letter, name, text);
            facts(letter, &[(&path, &text)])
        };
        assert_eq!(said(&actions(&side('a', old), &side('b', new))), expected, "{name}");
    }
}

#[test]
fn what_is_newly_pulled_in_is_started() {
    let wants = ("etc/systemd/system/multi-user.target.wants/web.service", "→ ../web.service");
    let (path, text) = unit('a', "web.service", OLD);
    let file = (path.as_str(), text.as_str());
    let with = |files: &[(&str, &str)]| facts('a', files);
    assert_eq!(said(&actions(&with(&[]), &with(&[file, wants]))), "start web.service");
    assert_eq!(said(&actions(&with(&[]), &with(&[file]))), "");
    assert_eq!(said(&actions(&with(&[file]), &with(&[file, wants]))), "start web.service");
    assert_eq!(said(&actions(&with(&[file, wants]), &with(&[file, wants]))), "");
}

#[test]
fn file_systems() {
    let old = "/dev/a / ext4 rw\n/dev/b /srv/my-data ext4 rw\n/dev/c /gone ext4\n/dev/s none swap\n/dev/d /nix ext4 rw\n";
    let new = "/dev/x / ext4 rw\n/dev/b /srv/my-data ext4 ro\n/dev/y /nix ext4 ro\n# /dev/c /gone ext4\n";
    let side = |text| facts('a', &[("etc/fstab", text)]);
    assert_eq!(
        said(&actions(&side(old), &side(new))),
        r"stop gone.mount, reload nix.mount, reload srv-my\x2ddata.mount, leave -.mount, would stop swap device: /dev/s"
    );
}
