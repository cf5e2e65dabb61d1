//! Whole closures compared.

use proptest::prelude::*;

use super::{Change, Closure, ClosureDiff, Kind, Member};
use crate::model::StorePath;

/// A closure of these names. The hash of a path depends on its name only by what stands before a slash.
fn closure(names: &[&str]) -> Closure {
    let member = |name: &&str| {
        let (hash, name) = name.split_once('/').unwrap_or(("a", name));
        let path = StorePath::parse(&format!("/nix/store/{}-{name}", hash.repeat(32))).unwrap();
        Member { nar_size: Some(name.len() as u64), ..Member::bare(path) }
    };
    let members: Vec<Member> = names.iter().map(member).collect();
    Closure::new(members[0].path.clone(), members)
}

fn diff(old: &[&str], new: &[&str]) -> (Vec<String>, usize) {
    let d = ClosureDiff::between(&closure(old), &closure(new));
    (d.changes.iter().map(Change::text).collect(), d.rebuilt)
}

#[test]
fn versions_are_compared_by_name() {
    let old = ["web-1.0", "gone-3", "same-1", "a/lib-2", "etc"];
    let new = ["web-2.0", "new-7", "same-1", "b/lib-2", "b/etc"];
    let (lines, rebuilt) = diff(&old, &new);
    assert_eq!(lines, ["gone: removed 3", "new: added 7", "web: 1.0 → 2.0"]);
    assert_eq!(rebuilt, 2, "lib and etc");
}

#[test]
fn a_closure_does_not_differ_from_itself() {
    let x = closure(&["web-1.0", "etc"]);
    let d = ClosureDiff::between(&x, &x);
    assert!(d.is_empty());
    assert_eq!((d.summary(), d.changes, d.rebuilds), ("no change".to_owned(), vec![], vec![]));
}

#[test]
fn several_versions_of_one_name() {
    let (lines, _) = diff(&["ssl-1", "ssl-2"], &["ssl-2", "ssl-3"]);
    assert_eq!(lines, ["ssl: 1 → 3"]);
    let d = ClosureDiff::between(&closure(&["ssl-1", "ssl-2"]), &closure(&["ssl-2", "ssl-3"]));
    assert_eq!((d.changes[0].kind, &d.changes[0].kept), (Kind::Upgraded, &vec!["2".to_owned()]));
}

#[test]
fn outputs_are_one_package_and_a_hidden_growth_is_counted() {
    let old = ["a/tool-1.0", "a/tool-1.0-man", "a/big-2"];
    let new = ["a/tool-1.1", "a/tool-1.1-man", "a/tool-1.1-doc", "b/big-2"];
    let d = ClosureDiff::between(&closure(&old), &closure(&new));
    assert_eq!(d.changes.len(), 1);
    assert_eq!((d.changes[0].paths, d.changes[0].growth()), ([2, 3], Some(12)));
    assert_eq!((d.rebuilds[0].name.as_str(), d.rebuilds[0].kind), ("big", Kind::Rebuilt));
}

#[test]
fn a_version_more_or_less_is_a_change_not_a_package() {
    let d = ClosureDiff::between(&closure(&["py-3.11"]), &closure(&["py-3.11", "py-3.12"]));
    assert_eq!((d.changes[0].kind, d.changes[0].kept.len()), (Kind::Changed, 1));
    let d = ClosureDiff::between(&closure(&["x"]), &closure(&["x", "py-3.12"]));
    assert_eq!(d.changes[0].kind, Kind::Added);
}

/// An output more, another build: the package was there, and stays.
#[test]
fn what_stays_is_neither_added_nor_removed() {
    let both = |old: &[&str], new: &[&str]| {
        let there = ClosureDiff::between(&closure(old), &closure(new));
        let back = ClosureDiff::between(&closure(new), &closure(old));
        assert_eq!((back.changes.len(), back.rebuilt), (there.changes.len(), there.rebuilt));
        there
    };
    for (old, new) in [
        (&["curl-8.7"][..], &["curl-8.7", "curl-8.7-man"][..]),
        (&["mesa-25"], &["mesa-25", "b/mesa-25"]),
        (&["ssl-1", "ssl-2"], &["ssl-1", "ssl-2", "b/ssl-1", "b/ssl-2"]),
        (&["ssl-1", "ssl-2", "b/ssl-1"], &["ssl-1", "ssl-2", "b/ssl-2"]),
    ] {
        let d = both(old, new);
        assert_eq!((d.changes.len(), d.rebuilt), (0, 1), "{old:?} {new:?}: {:?}", d.changes);
        assert_eq!((d.rebuilds[0].kind, &d.rebuilds[0].old), (Kind::Rebuilt, &d.rebuilds[0].new));
    }
    // A version that comes besides is added, the others stay.
    let d = both(&["mesa-24"], &["mesa-24", "b/mesa-24", "mesa-25"]);
    let change = &d.changes[0];
    assert_eq!((change.kind, change.old.len()), (Kind::Changed, 0));
    assert_eq!((&change.new, &change.kept), (&vec!["25".to_owned()], &vec!["24".to_owned()]));
    // One of two builds becomes another version: that is what is said of it.
    let d = both(&["mesa-24", "b/mesa-24"], &["mesa-24", "mesa-25"]);
    assert_eq!(d.changes[0].text(), "mesa: 24 → 25");
}

#[test]
fn outputs_are_folded_without_derivations() {
    let d = ClosureDiff::between(
        &closure(&["ul-2.41", "ul-2.41-login", "ul-2.41-swap"]),
        &closure(&["ul-2.42", "ul-2.42-login", "ul-2.42-swap"]),
    );
    assert_eq!((d.changes.len(), d.changes[0].text()), (1, "ul: 2.41 → 2.42".to_owned()));
    // Nothing is folded into what is not there.
    let d = ClosureDiff::between(&closure(&["x"]), &closure(&["x", "ul-2.42-login"]));
    assert_eq!(d.changes[0].text(), "ul: added 2.42-login");
}

#[test]
fn a_snapshot_by_date_keeps_its_name() {
    let (lines, _) = diff(&["foo-unstable-2024-01-31"], &["foo-0-unstable-2024-02-01"]);
    assert_eq!(lines, ["foo: unstable-2024-01-31 → 0-unstable-2024-02-01"]);
}

#[test]
fn one_sided_knowledge_is_not_used() {
    let with = |mut c: Closure| {
        for m in &mut c.members {
            m.package = super::Package::exact(m.path.name(), Some("font-100dpi"), "1");
        }
        c
    };
    let (old, new) = (|| closure(&["font-100dpi-1"]), || closure(&["b/font-100dpi-1"]));
    let name = |d: &ClosureDiff| d.rebuilds.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(name(&ClosureDiff::between(&with(old()), &with(new()))), ["font-100dpi"]);
    assert_eq!(name(&ClosureDiff::between(&with(old()), &new())), ["font"]);
}

/// Names that do not look alike are one package where derivations say so.
#[test]
fn derivations_join_what_names_tell_apart() {
    let with = |mut c: Closure, pname: &str, version: &str| {
        for m in c.members.iter_mut().filter(|m| m.path.name().contains(version)) {
            m.package = super::Package::exact(m.path.name(), Some(pname), version);
        }
        c
    };
    let foo = |names: &[&str], version: &str| with(closure(names), "foo", version);
    let d = ClosureDiff::between(&foo(&["foo-v1.2"], "v1.2"), &foo(&["foo-v1.3"], "v1.3"));
    assert_eq!((d.changes.len(), d.changes[0].text()), (1, "foo: v1.2 → v1.3".to_owned()));
    assert_eq!(d.changes[0].kind, Kind::Upgraded);
    let d = ClosureDiff::between(&foo(&["foo-1.0"], "1.0"), &foo(&["foo-master"], "master"));
    assert_eq!((d.changes.len(), d.changes[0].text()), (1, "foo: 1.0 → master".to_owned()));
    // What stays is recognised by the name that was told.
    let d = ClosureDiff::between(&foo(&["foo-v1.2"], "v1.2"), &foo(&["foo-v1.2", "foo-v1.2-man"], "v1.2"));
    assert_eq!((d.changes.len(), d.rebuilt), (0, 1), "{:?}", d.changes);
    // Where one derivation is gone, there is nothing to join them by.
    let d = ClosureDiff::between(&foo(&["foo-v1.2"], "v1.2"), &closure(&["foo-v1.3"]));
    assert_eq!(d.changes.len(), 2);
}

fn any_closure() -> impl Strategy<Value = Closure> {
    let name = ("[ab]", "(web|lib|ssl|etc)", "(-[0-3](\\.[0-2])?)?", "(-man|-dev)?");
    let text = name.prop_map(|(h, n, v, o)| format!("{h}/{n}{v}{o}"));
    proptest::collection::vec(text, 1..20)
        .prop_map(|names| closure(&names.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn mirrored(kind: Kind) -> Kind {
    match kind {
        Kind::Upgraded => Kind::Downgraded,
        Kind::Downgraded => Kind::Upgraded,
        Kind::Added => Kind::Removed,
        Kind::Removed => Kind::Added,
        same => same,
    }
}

proptest! {
    #[test]
    fn with_itself_is_empty(a in any_closure()) {
        let d = ClosureDiff::between(&a, &a);
        prop_assert!(d.is_empty() && d.changes.is_empty() && d.rebuilds.is_empty());
    }

    #[test]
    fn the_other_way_round_it_is_mirrored(a in any_closure(), b in any_closure()) {
        let (there, back) = (ClosureDiff::between(&a, &b), ClosureDiff::between(&b, &a));
        prop_assert_eq!(there.changes.len(), back.changes.len());
        for (x, y) in there.changes.iter().zip(&back.changes) {
            prop_assert_eq!((&x.name, &x.old, &x.new, x.kind), (&y.name, &y.new, &y.old, mirrored(y.kind)));
            prop_assert_eq!(x.growth(), y.growth().map(|g| -g));
        }
        prop_assert_eq!(there.rebuilt, back.rebuilt);
    }

    #[test]
    fn sizes_add_up(a in any_closure(), b in any_closure()) {
        let d = ClosureDiff::between(&a, &b);
        let growth: i64 = d.changes.iter().chain(&d.rebuilds).map(|c| c.growth().unwrap()).sum();
        let [old, new] = d.bytes.unwrap();
        prop_assert_eq!(growth, new.cast_signed() - old.cast_signed());
        let paths = |i: usize| d.changes.iter().chain(&d.rebuilds).map(|c| c.paths[i]).sum::<usize>();
        prop_assert_eq!((paths(0), paths(1)), (d.old_paths, d.new_paths));
    }
}
