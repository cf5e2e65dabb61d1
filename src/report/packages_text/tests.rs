//! How packages are listed: their order, and what fits a width.

use super::*;
use crate::closure::{Closure, Member};
use crate::model::StorePath;

/// A closure of `name` and size; the hash is that of the side.
fn closure(side: &str, members: &[(&str, u64)]) -> Closure {
    let member = |(name, size): &(&str, u64)| {
        let path = StorePath::parse(&format!("/nix/store/{}-{name}", side.repeat(32))).unwrap();
        Member { nar_size: Some(*size), selected: name.starts_with("git"), ..Member::bare(path) }
    };
    let members: Vec<Member> = members.iter().map(member).collect();
    Closure::new(members[0].path.clone(), members)
}

const LONG: &str = "a-package-whose-name-is-longer-than-anybody-would-like";

fn changes() -> ClosureDiff {
    let long = [127, 128].map(|v| format!("{LONG}-{v}.0.20260101.1a2b3c4"));
    let old = [("zed-1", 100), ("git-2.45", 9000), ("nano-8", 5000), ("cat-1", 50), (&long[0], 10)];
    let new = [("zed-2", 90_000), ("git-2.44", 9001), ("vim-9", 7000), ("cat-1", 60), (&long[1], 20)];
    ClosureDiff::between(&closure("a", &old), &closure("b", &new))
}

fn shown(width: usize, sort: Sort) -> Vec<String> {
    let text = lines(&changes(), &View { width, sort, all: true }).join("\n");
    console::strip_ansi_codes(&text).lines().map(str::to_owned).collect()
}

/// The names of the packages, in the order in which they are listed.
fn order(sort: Sort) -> Vec<String> {
    let lines = shown(200, sort);
    let rows = lines.iter().skip(1).take_while(|l| l.starts_with("  "));
    rows.map(|l| l[2..].trim_start_matches(['↑', '↓', '+', '-', '~', '*', ' ']))
        .map(|l| l.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn packages_come_in_the_order_that_was_asked_for() {
    assert_eq!(order(Sort::Kind), [LONG, "zed", "git", "vim", "nano"]);
    assert_eq!(order(Sort::Name), [LONG, "git", "nano", "vim", "zed"]);
    assert_eq!(order(Sort::Size), ["zed", "vim", "nano", LONG, "git"]);
}

#[test]
fn every_line_fits_the_width() {
    for width in [80, 100, 200] {
        for line in shown(width, Sort::Kind) {
            assert!(measure_text_width(&line) <= width, "{width} columns: {line}");
        }
    }
    let of_long = |width| {
        let lines = shown(width, Sort::Kind);
        let at = lines.iter().position(|l| l.contains(LONG)).unwrap();
        lines[at].contains("128.0.2026")
    };
    assert!(of_long(200), "its versions stand beside its name where there is room");
    assert!(!of_long(80), "and below it where there is none");
}

#[test]
fn what_somebody_chose_has_a_star_and_nothing_else_has() {
    let starred: Vec<String> = shown(80, Sort::Name).into_iter().filter(|l| l.contains('*')).collect();
    assert_eq!(starred.len(), 2, "the legend and git: {starred:?}");
    assert!(starred[0].contains("* chosen by somebody") && starred[1].starts_with("  ↓*git "), "{starred:?}");
}
