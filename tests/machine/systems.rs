//! Systems that Nix built, read and compared without a machine.

use nqd::closure::system::Comparison;
use nqd::closure::system::diff::Given;
use nqd::effects::system_tree::{self, LocalTree};
use nqd::model::StorePath;
use nqd::report::system_text;

use crate::harness::Operator;
use crate::{Row, guard, nqd};

pub fn rows() -> Vec<Row> {
    vec![("systems_are_read_from_a_chroot_store_and_compared", chroot_store)]
}

/// What Nix built lies below the operator's directory, and its links say /nix/store: as in a chroot store.
fn chroot_store() {
    let hosts = |version: &str, port: &str| {
        format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; kernel = "6.{version}"; units."web.service" = httpd {{ port = "{port}"; }}; }};"#
        )
    };
    let operator = Operator::new(&nqd(), &guard());
    let [old, new] = [("1", "8080"), ("2", "8081")].map(|(version, port)| {
        operator.hosts(&hosts(version, port));
        StorePath::parse(&operator.build("web")).unwrap()
    });
    let flake = operator.flake();
    let tree = LocalTree::new(flake.parent().unwrap());
    let masker = system_tree::masker().unwrap();
    let read = |system| system_tree::read(&tree, system, &masker).unwrap();
    let compare = |a, b| Comparison::of(&read(a), &read(b), Given::default());
    let text = system_text::render(&compare(&old, &new), 100);
    for says in [
        "linux-6.1 → linux-6.2",
        "reboot needed: kernel",
        "restarts web.service",
        "8081 200 well",
        "-ExecStart",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("sshd.service") && !text.contains("not read"), "{text}");
    match compare(&new, &new) {
        Comparison::Compared(diff) => assert!(diff.is_empty() && diff.actions.is_empty(), "{diff:?}"),
        Comparison::Empty(why) => panic!("{why:?}"),
    }
}
