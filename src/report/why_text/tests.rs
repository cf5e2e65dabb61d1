//! How root causes are shown.

use super::*;
use crate::closure::why::fixture::{Spec, specs, store_path, why};

fn system(edit: impl Fn(&mut Spec)) -> Vec<Spec> {
    let mut all = specs();
    all.iter_mut().for_each(edit);
    all
}

/// A new version with its source and a patch, a changed text, a flag, a secret.
fn much() -> Why {
    let old = system(|s| {
        if s.role == "app" {
            let lines: Vec<String> = (0..20).map(|i| format!("option {i} is set to something")).collect();
            s.set("text", &format!("{}\nlisten 80\n", lines.join("\n")));
        }
    });
    let mut new = old.clone();
    for s in &mut new {
        match s.role.as_str() {
            "hello" => {
                s.name = "hello-2.13".to_owned();
                s.set("version", "2.13");
                s.files.push(("fix-build.patch", "diff"));
                s.set("patches", &store_path("diff", "fix-build.patch"));
            }
            "src" => {
                s.name = "hello-2.13.tar.gz".to_owned();
                s.content = Some("2222");
            }
            "app" => {
                let text = s.env["text"].replace("listen 80", "listen 443 ssl \u{1b}[31m");
                s.set("text", &text);
                s.set("DB_PASSWORD", "hunter2");
            }
            "zlib" => {
                s.set(
                    "configureFlags",
                    "--a --b --c --d --e --f --g --h --i --j --k --l --m --n --o --p --q",
                );
            }
            _ => {}
        }
    }
    why(&old, &new)
}

#[test]
fn heads_fit_into_80_columns() {
    let side = |name: &str, named: &str| Side {
        path: crate::model::StorePath::parse(&format!("/nix/store/{}-{name}", "a".repeat(32))).unwrap(),
        named: named.to_owned(),
    };
    let long = side("nixos-system-web-26.05", "generation 12, missing on disk");
    let text = sides([&side("web", "generation 11"), &long]);
    let plain = console::strip_ansi_codes(&text);
    assert!(plain.lines().all(|l| l.chars().count() <= 80), "{plain}");
    assert_eq!(plain.lines().count(), 3, "{plain}");
}

#[test]
fn root_causes() {
    insta::assert_snapshot!(render(&much(), Layout::default()), @r"
3 root causes of 5 rebuilds

zlib 1.3                                                              explains 4
  attribute configureFlags: added: --a --b --c --d --e --f --g --h --i --j --k
              --l --m --n --o --p --q

hello 2.12 → 2.13                                                     explains 3
  added     fix-build.patch (patches)
  source    hello-2.12.tar.gz → hello-2.13.tar.gz

app 1                                                                 explains 2
  attribute DB_PASSWORD: changed (hidden: it may be secret)
  attribute text:
            -listen 80
            +listen 443 ssl \u{1b}[31m

1 other rebuild: only inputs changed
");
}

#[test]
fn narrow_and_short() {
    let text = render(&much(), Layout { width: 40, most: 2 });
    assert!(text.lines().all(|l| l.chars().count() <= 40), "{text}");
    insta::assert_snapshot!(text, @r"
3 root causes of 5 rebuilds

zlib 1.3                      explains 4
  attribute configureFlags: added: --a
              --b --c --d --e --f --g
              --h --i --j --k --l --m
              --n --o --p --q

hello 2.12 → 2.13             explains 3
  added     fix-build.patch (patches)
  source    hello-2.12.tar.gz →
              hello-2.13.tar.gz

and 1 more cause

1 other rebuild: only inputs changed
");
}

#[test]
fn nothing() {
    insta::assert_snapshot!(render(&why(&specs(), &specs()), Layout::default()), @r"
nothing is rebuilt
");
    insta::assert_snapshot!(markdown(&why(&specs(), &specs()), Layout::default()), @r"
**nothing is rebuilt**
");
}

#[test]
fn a_source_alone_and_a_derivation_that_is_gone() {
    let mut new = specs();
    for s in &mut new {
        match s.role.as_str() {
            "src" => s.content = Some("2222"),
            "zlib" => {
                s.set("x", "y");
                s.absent = true;
            }
            _ => {}
        }
    }
    let why = why(&specs(), &new);
    insta::assert_snapshot!(render(&why, Layout::default()), @r"
2 root causes of 5 rebuilds

hello-2.12.tar.gz                                                     explains 4
  source    hello-2.12.tar.gz (sha256:1111…) → hello-2.12.tar.gz (sha256:2222…)
  used by   hello

zlib 1.3                                                              explains 4
  unknown   the new .drv file is not there any more: what else changed is not
              known

3 other rebuilds: only inputs changed
note: 1 derivation is not there any more: what changed in or below is not known
");
}

#[test]
fn one_package() {
    let why = much();
    let layout = Layout::default();
    insta::assert_snapshot!(render_beneath(&why, &why.beneath("app"), layout), @r"
app is rebuilt: 3 root causes

app 1                                                                 explains 2
  attribute DB_PASSWORD: changed (hidden: it may be secret)
  attribute text:
            -listen 80
            +listen 443 ssl \u{1b}[31m

zlib 1.3                                                              explains 4
  through   app → zlib
  attribute configureFlags: added: --a --b --c --d --e --f --g --h --i --j --k
              --l --m --n --o --p --q

hello 2.12 → 2.13                                                     explains 3
  through   app → hello
  added     fix-build.patch (patches)
  source    hello-2.12.tar.gz → hello-2.13.tar.gz
");
    insta::assert_snapshot!(render_beneath(&why, &why.beneath("nowhere"), layout), @r"
nowhere is in neither
");
}

#[test]
fn for_a_pull_request() {
    insta::assert_snapshot!(markdown(&much(), Layout { most: 2, ..Layout::default() }), @r"
**3 root causes of 5 rebuilds**

- `zlib 1.3` explains 4
  - attribute `configureFlags: added: --a --b --c --d --e --f --g --h --i --j --k --l --m --n --o --p --q`
- `hello 2.12 → 2.13` explains 3
  - added `fix-build.patch (patches)`
  - source `hello-2.12.tar.gz → hello-2.13.tar.gz`
- and 1 more cause
");
}

#[test]
fn the_same_cause_several_times_is_shown_once() {
    let mut why = much();
    let mut stage = why.roots[0].clone();
    stage.explains -= 1;
    why.roots.push(stage);
    let text = render(&why, Layout::default());
    assert_eq!(text.matches("zlib 1.3").count(), 1, "{text}");
    assert!(text.contains("zlib 1.3 (2 derivations)"), "{text}");
    why.roots.last_mut().unwrap().changes.clear();
    assert!(!render(&why, Layout::default()).contains("(2 derivations)"));
}

#[test]
fn nothing_reaches_the_terminal_as_a_command() {
    let why = much();
    for text in [render(&why, Layout::default()), markdown(&why, Layout::default())] {
        assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[31m"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let secret = serde_json::to_string(&why).unwrap();
    assert!(!secret.contains("hunter2") && secret.contains("\"form\":\"hidden\""));
}
