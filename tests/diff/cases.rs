//! What each kind of difference looks like.

use insta::assert_snapshot;

use crate::scene::{Row, Scene, diff, plain};

#[allow(clippy::too_many_lines, reason = "a table")]
pub fn rows() -> Vec<Row> {
    vec![
        ("upgraded_downgraded_added_removed", || {
            assert_snapshot!(
                "upgraded_downgraded_added_removed",
                diff(
                    r#"(p "firefox" "127.0") (p "git" "2.45") (p "nano" "8.0") (p "same" "1")"#,
                    r#"(p "firefox" "128.0.1") (p "git" "2.44") (p "vim" "9.1") (p "same" "1")"#
                )
            );
        }),
        ("rebuilt_and_its_hidden_growth", || {
            assert_snapshot!(
                "rebuilt_and_its_hidden_growth",
                diff(
                    r#"(package { pname = "llvm"; version = "18"; }) (package { pname = "less"; version = "6"; })"#,
                    r#"(package { pname = "llvm"; version = "18"; size = 5000000; }) (package { pname = "less"; version = "6"; salt = "x"; })"#
                )
            );
        }),
        ("several_versions_of_one_name", || {
            assert_snapshot!(
                "several_versions_of_one_name",
                diff(
                    r#"(p "python3" "3.11.8") (p "python3" "3.12.3") (p "openssl" "1.1.1w") (p "openssl" "3.0.13")"#,
                    r#"(p "python3" "3.11.9") (p "python3" "3.12.4") (p "python3" "3.13.0") (p "openssl" "3.0.14")"#
                )
            );
        }),
        ("outputs_are_one_package", || {
            assert_snapshot!(
                "outputs_are_one_package",
                diff(
                    r#"(let x = package { pname = "curl"; version = "8.7"; outputs = [ "out" "dev" "man" ]; }; in [ x x.dev x.man ])"#,
                    r#"(let x = package { pname = "curl"; version = "8.8"; outputs = [ "out" "dev" "man" ]; }; in [ x x.dev x.man ])"#
                )
            );
        }),
        ("versions_in_no_or_in_another_order", || {
            assert_snapshot!(
                "versions_in_no_or_in_another_order",
                diff(
                    r#"(p "app" "2.0-rc1") (p "git-tool" "a1b2c3d") (p "nightly" "0-unstable-2024-05-01") (p "ten" "1.9") (p "tls" "1.0.2z")"#,
                    r#"(p "app" "2.0") (p "git-tool" "0b2c3d4") (p "nightly" "0-unstable-2024-04-01") (p "ten" "1.10") (p "tls" "1.0.2za")"#
                )
            );
        }),
        ("only_paths_without_a_version", || {
            let bare = |salt: &str| {
                format!(
                    r#"(package {{ pname = "etc"; salt = "{salt}"; }}) (package {{ pname = "unit-web.service"; salt = "{salt}"; }})"#
                )
            };
            assert_snapshot!(
                "only_paths_without_a_version",
                diff(&bare("1"), &(bare("2") + r#"(package { pname = "unit-new.service"; })"#))
            );
        }),
        ("what_somebody_chose_is_marked", || {
            assert_snapshot!(
                "what_somebody_chose_is_marked",
                diff(
                    r#"(path [ (p "chosen" "1") ]) (p "needed" "1")"#,
                    r#"(path [ (p "chosen" "2") ]) (p "needed" "2")"#
                )
            );
        }),
        ("what_users_chose_is_marked", chosen),
        ("packages_are_sorted_as_asked_for", sorted),
        ("colours_are_shown_where_they_are_wanted", colours),
        ("a_wide_terminal_is_used", wide),
        ("derivations_know_better_than_names", exact),
        ("the_same_twice", || {
            let scene = Scene::new();
            let [a, _] = scene.systems(r#"(p "x" "1")"#, r#"(p "x" "1")"#);
            assert_snapshot!(
                "the_same_twice",
                plain(&scene.nqd(&["diff", &a, &a, "--exit-code"]).expect(0, &[]).stdout)
            );
        }),
        ("what_is_no_system_is_compared_by_its_paths", || {
            let scene = Scene::new();
            let [a, b] = ["1", "2"].map(|v| scene.build(&format!(r#"p "tool" "{v}""#)));
            assert_snapshot!("what_is_no_system", plain(&scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout));
        }),
        ("as_a_table", || {
            let scene = Scene::new();
            let [a, b] = scene.systems(r#"(p "x" "1") (p "pipe" "1")"#, r#"(p "x" "2") (p "y" "1")"#);
            assert_snapshot!(
                "as_a_table",
                plain(&scene.nqd(&["diff", &a, &b, "--markdown"]).expect(0, &[]).stdout)
            );
        }),
        ("long_names_and_many_versions_fit_eighty_columns", || {
            let long = "a-package-whose-name-is-much-longer-than-anybody-would-like-it-to-be";
            let text = diff(
                &format!(
                    r#"(p "{long}" "26.05.20260101.1a2b3c4") (p "many" "1.1") (p "many" "2.1") (p "many" "3.1")"#
                ),
                &format!(
                    r#"(p "{long}" "26.05.20260201.0a2b3c4") (p "many" "1.2") (p "many" "2.2") (p "many" "3.2")"#
                ),
            );
            let widest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(widest <= 80, "{widest} columns:\n{text}");
            assert_snapshot!("long_names_and_many_versions_fit_eighty_columns", text);
        }),
    ]
}

/// By `home.packages` and `users.users.NAME.packages`; what only looks alike is not marked.
fn chosen() {
    let all = |v: &str| {
        ["home-manager-path", "user-environment", "some-environment"]
            .map(|name| format!(r#"(env "{name}" [ (p "of-{name}" "{v}") ])"#))
            .join(" ")
    };
    let text = diff(&all("1"), &all("2"));
    let marked: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("  ↑*")?.split(' ').next()).collect();
    assert_eq!(marked, ["of-home-manager-path", "of-user-environment"], "{text}");
    assert!(text.contains("  ↑ of-some-environment "), "{text}");
    assert!(!diff(r#"(p "x" "1")"#, r#"(p "x" "2")"#).contains('*'), "nobody chose it");
}

fn sorted() {
    let scene = Scene::new();
    let sized = |name: &str, version: &str, size: usize| {
        format!(r#"(package {{ pname = "{name}"; version = "{version}"; size = {size}; }})"#)
    };
    let old = [sized("a", "2", 100), sized("b", "1", 100), sized("c", "1", 100)].concat();
    let new = [sized("a", "1", 90_000), sized("b", "2", 200), sized("c", "2", 5_000_000)].concat();
    let [a, b] = scene.systems(&old, &new);
    let order = |by: &str| -> Vec<String> {
        let text = plain(&scene.nqd(&["diff", &a, &b, "--sort", by]).expect(0, &[]).stdout);
        let name = |l: &str| Some(l.strip_prefix("  ↑ ").or(l.strip_prefix("  ↓ "))?[..1].to_owned());
        text.lines().filter_map(name).collect()
    };
    assert_eq!(order("name"), ["a", "b", "c"]);
    assert_eq!(order("size"), ["c", "a", "b"]);
    assert_eq!(order("kind"), ["b", "c", "a"]);
    let table = |by: &str| scene.nqd(&["diff", &a, &b, "--markdown", "--sort", by]).expect(0, &[]).stdout;
    let first = |by: &str| {
        table(by).lines().find(|l| l.starts_with("| ↑") || l.starts_with("| ↓")).unwrap().to_owned()
    };
    assert!(first("name").contains("| a |") && first("size").contains("| c |"), "{}", table("size"));
    scene.nqd(&["diff", &a, &b, "--sort", "age"]).expect(2, &["age"]);
}

/// On a terminal, unless `NO_COLOR` is set; always and never where that is asked for.
fn colours() {
    let scene = Scene::new();
    let [a, b] = scene.systems(r#"(p "x" "1")"#, r#"(p "x" "2")"#);
    let coloured = |text: &str| {
        assert!(text.contains("Packages"), "{text}");
        text.contains("\u{1b}[")
    };
    let to_a_pipe =
        |more: &[&str]| coloured(&scene.nqd(&[&["diff", &a, &b], more].concat()).expect(0, &[]).stdout);
    assert!(!to_a_pipe(&[]));
    assert!(to_a_pipe(&["--color", "always"]));
    let to_a_terminal =
        |set: &str, more: &str| coloured(&scene.on_terminal(80, set, &format!("diff {a} {b} {more}")));
    assert!(to_a_terminal("", ""));
    assert!(!to_a_terminal("NO_COLOR=1", ""));
    assert!(!to_a_terminal("", "--color never"));
}

fn wide() {
    let scene = Scene::new();
    let long = "a-package-whose-name-is-much-longer-than-anybody-would-like-it-to-be";
    let [a, b] = scene.systems(
        &format!(r#"(p "{long}" "26.05.20260101.1a2b3c4") (path [ (p "many" "1.1") (p "many" "2.1") ])"#),
        &format!(r#"(p "{long}" "26.05.20260201.0a2b3c4") (path [ (p "many" "1.2") (p "many" "2.2") ])"#),
    );
    let at = |width: usize| {
        let text =
            plain(&scene.on_terminal(width, "", &format!("diff {a} {b} --color never"))).replace('\r', "");
        let widest = text.lines().skip(2).map(|l| l.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} columns:\n{text}");
        text
    };
    let one_line = |text: &str| text.lines().any(|l| l.contains(long) && l.contains("26.05.20260201"));
    let (wide, narrow) = (at(200), at(80));
    assert!(one_line(&wide) && !one_line(&narrow), "{wide}\n{narrow}");
    assert_snapshot!("two_hundred_columns", wide);
}

/// With its derivation a name is split where the package's own version begins; without, where it looks like one.
fn exact() {
    let scene = Scene::new();
    let font = |v: &str| format!(r#"(package {{ pname = "font-100dpi"; version = "{v}"; }})"#);
    let [a, b] = scene.systems(&font("1.0.3"), &font("1.0.4"));
    let compare = || plain(&scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout);
    let exact = compare();
    assert!(exact.contains(" font-100dpi  1.0.3 → 1.0.4"), "{exact}");
    // One that is cut short says nothing, and that is told.
    scene.sh("f=$(echo /nix/store/*-font-100dpi-1.0.4.drv); cp $f kept; head -c 100 kept > $f");
    let damaged = compare().split_whitespace().collect::<Vec<_>>().join(" ");
    let says = ["font-100dpi-1.0.4.drv is damaged", "↑ font 100dpi-1.0.3 → 100dpi-1.0.4"];
    assert!(says.iter().all(|s| damaged.contains(s)), "{damaged}");
    scene.sh("rm /nix/store/*-font-100dpi-1.0.4.drv");
    let guessed = compare();
    assert!(guessed.contains(" font      100dpi-1.0.3 → 100dpi-1.0.4"), "{guessed}");
}
