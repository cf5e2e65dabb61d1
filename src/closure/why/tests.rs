//! One change each, what is said of it, and next to it the change of which that must not be said.

use serde_json::Value;

use super::fixture::{Spec, make, specs, why, with};
use super::{Change, Why};

/// `hello 2.12→2.13 explains 3: version 2.12 2.13; source …`, a line a cause.
fn told(why: &Why) -> Vec<String> {
    let cause = |c: &super::Cause| {
        let version = |v: &Option<String>| v.clone().unwrap_or_default();
        let changes: Vec<String> =
            c.changes.iter().map(|c| flat(&serde_json::to_value(c).unwrap())).collect();
        format!(
            "{} {}→{} explains {}: {}",
            c.name,
            version(&c.old),
            version(&c.new),
            c.explains,
            changes.join("; ")
        )
    };
    why.roots.iter().map(cause).collect()
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(flat).collect::<Vec<_>>().join(" ")),
        Value::Object(all) => {
            let kind = all.get("kind").map(flat);
            let place = |k: &str| match k {
                "key" | "name" => 0,
                "new" | "added" => 2,
                _ => 1,
            };
            let mut rest: Vec<_> = all.iter().filter(|(k, _)| *k != "kind").collect();
            rest.sort_by_key(|(k, _)| place(k));
            let rest = rest.into_iter().map(|(_, v)| flat(v));
            kind.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// A system, of which these derivations are changed.
fn changed(edit: impl Fn(&mut Spec)) -> Vec<Spec> {
    let mut all = specs();
    all.iter_mut().for_each(edit);
    all
}

fn bump(s: &mut Spec) {
    if s.role == "hello" {
        s.name = "hello-2.13".to_owned();
        s.set("name", "hello-2.13");
        s.set("version", "2.13");
    }
}

fn new_source(s: &mut Spec) {
    if s.role == "src" {
        s.name = "hello-2.13.tar.gz".to_owned();
        s.content = Some("2222");
    }
}

fn assert_told(what: &str, new: &[Spec], expected: &[&str]) {
    let why = why(&specs(), new);
    assert_eq!(told(&why), expected, "{what}");
    assert!(why.cascades + why.roots.len() <= why.differing, "{what}");
}

#[test]
fn nothing_changed() {
    let why = why(&specs(), &specs());
    assert!(why.is_empty() && why.roots.is_empty() && why.cascades == 0);
    assert_told("nothing", &specs(), &[]);
}

#[test]
fn a_version_with_its_source_is_one_cause() {
    let both = changed(|s| {
        bump(s);
        new_source(s);
    });
    let line = "hello 2.12→2.13 explains 3: version 2.12 2.13; source hello-2.12.tar.gz hello-2.13.tar.gz";
    assert_told("both", &both, &[line]);
    assert_told("version", &changed(bump), &["hello 2.12→2.13 explains 3: version 2.12 2.13"]);
    // The source alone is a cause of its own, and says who uses it.
    let alone = why(&specs(), &changed(new_source));
    assert_eq!(told(&alone), ["hello-2.13.tar.gz → explains 4: source hello-2.12.tar.gz hello-2.13.tar.gz"]);
    assert_eq!(alone.roots[0].used_by, ["hello"]);
    assert_eq!((alone.differing, alone.cascades), (4, 3));
}

#[test]
fn a_source_of_the_same_name_says_what_tells_it_apart() {
    let url = |s: &mut Spec| s.set("urls", "https://me:hunter2@example.org/other.tar.gz");
    let content = |s: &mut Spec| s.content = Some("2222");
    let line = "hello-2.12.tar.gz → explains 4: source hello-2.12.tar.gz (sha256:1111…) hello-2.12.tar.gz (sha256:2222…)";
    assert_told("content", &with("src", content), &[line]);
    let both = with("src", |s| {
        url(s);
        content(s);
    });
    let line = "hello-2.12.tar.gz → explains 4: source hello-2.12.tar.gz (https://example.org/hello-2.12.tar.gz) \
                hello-2.12.tar.gz (https://me:‹masked›@example.org/other.tar.gz)";
    assert_told("url", &both, &[line]);
    // The same content from elsewhere, or fetched by another curl, rebuilds nothing.
    assert_told("only the url", &with("src", url), &[]);
    assert_told("the fetcher", &with("curl", |s| s.set("x", "y")), &[]);
    assert_told("the fetcher's version", &with("curl", |s| s.name = "curl-9".to_owned()), &[]);
}

#[test]
fn a_source_with_a_user_that_did_not_change_is_told_twice() {
    let two = |edit: fn(&mut Spec)| {
        let mut all = changed(edit);
        let at = all.iter().position(|s| s.role == "app").unwrap();
        all[at].inputs.push("src".to_owned());
        all
    };
    let why = why(
        &two(|_| {}),
        &two(|s| {
            bump(s);
            new_source(s);
        }),
    );
    let lines = told(&why);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("hello-2.13.tar.gz → explains 4"), "{lines:?}");
    assert!(lines[1].contains("version 2.12 2.13; source"), "{lines:?}");
}

#[test]
fn environment() {
    let set = |key: &'static str, value: &'static str| with("hello", |s| s.set(key, value));
    for (key, value, expected) in [
        ("CFLAGS", "-O3", "attribute CFLAGS values null -O3"),
        (
            "configureFlags",
            "--with-zlib=§zlib.dev§/include",
            "attribute configureFlags words [--enable-nls] []",
        ),
        ("configureFlags", "--enable-nls --with-zlib=§zlib.dev§/include", "attribute configureFlags order"),
        ("buildInputs", "§zlib.dev§", "attribute buildInputs words [bash-5.2] []"),
        ("DB_PASSWORD", "hunter2", "attribute DB_PASSWORD hidden"),
        ("script", "a\nb\n", "attribute script size null 4"),
    ] {
        assert_told(key, &set(key, value), &[&format!("hello 2.12→2.12 explains 3: {expected}")]);
    }
}

/// A system with a secret in it.
type Form<'a> = &'a dyn Fn(&str) -> Vec<Spec>;

/// A word alone does not tell that it is a secret: its neighbours do.
#[test]
fn a_secret_is_hidden_wherever_it_stands() {
    let long = "x".repeat(61);
    let set = |key: &'static str, text: String| with("hello", |s| s.set(key, &text));
    let json = |text: &str| set("__json", text.to_owned());
    let arguments = |words: [&str; 3]| with("hello", |s| s.arguments = words.map(str::to_owned).to_vec());
    let pem =
        |body: &str| format!("{long}\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let forms: [(&str, Form<'_>); 9] = [
        ("words", &|pw| set("FLAGS", format!("{long} --password {pw} -v"))),
        ("wrapper", &|pw| set("makeWrapperArgs", format!("{long} --set API_KEY {pw} --set A b"))),
        ("lines", &|pw| set("text", format!("{long}\nExecStart=/bin/web --token \\\n  {pw}\n"))),
        ("key", &|pw| set("text", pem(pw))),
        ("arguments", &|pw| arguments(["-x", "--token", pw])),
        ("argument of two words", &|pw| arguments(["-x", "--token", &format!("two {pw}")])),
        ("header", &|pw| arguments(["-x", "-H", &format!("Authorization: Bearer {pw}")])),
        ("list", &|pw| json(&format!(r#"{{"flags": ["--password", "{pw}", "-v"]}}"#))),
        ("list beside an input", &|pw| {
            let mut all = set(
                "CONF",
                format!("§zlib.dev§ --password {pw} {}", if pw == "hunter2x" { "" } else { "§curl§" }),
            );
            all.iter_mut()
                .find(|s| s.role == "hello")
                .unwrap()
                .inputs
                .extend((pw != "hunter2x").then(|| "curl".to_owned()));
            all
        }),
    ];
    for (what, form) in forms {
        let why = why(&form("hunter2x"), &form("batteryst"));
        let told = serde_json::to_string(&why).unwrap();
        assert!(!told.contains("hunter2x") && !told.contains("batteryst"), "{what}: {told}");
        assert!(told.contains(r#""form":"hidden""#), "{what}: {told}");
    }
}

#[test]
fn long_texts_are_told_by_what_is_new_in_them() {
    let text = |n: usize, line: &str| {
        let lines: Vec<String> =
            (0..n).map(|i| if i == 5 { line.to_owned() } else { format!("line {i}") }).collect();
        let mut all = specs();
        all.iter_mut().find(|s| s.role == "app").unwrap().set("text", &lines.join("\n"));
        all
    };
    let told = |old: &[Spec], new: &[Spec]| told(&why(old, new)).join("");
    assert_eq!(
        told(&text(90, "listen 80 §hello§"), &text(90, "listen 81 §hello§")),
        "app 1→1 explains 2: attribute text lines [listen 80 hello-2.12] [listen 81 hello-2.12]"
    );
    assert_eq!(told(&text(90, "listen 80"), &text(9, "x")), "app 1→1 explains 2: attribute text size 712 57");
    let secret = told(&text(9, "password = hunter2"), &text(9, "password = hunter3"));
    assert!(!secret.contains("hunter"), "{secret}");
}

#[test]
fn builder_arguments_platform_and_outputs() {
    for (what, new, expected) in [
        (
            "builder",
            with("hello", |s| s.builder = "§bash§/bin/sh".to_owned()),
            "builder words [bash-5.2/bin/bash] [bash-5.2/bin/sh]",
        ),
        ("arguments", with("hello", |s| s.arguments.push("-x".to_owned())), "arguments words [] [-x]"),
        ("platform", with("hello", |s| s.platform = "aarch64-linux"), "platform x86_64-linux aarch64-linux"),
        ("outputs", with("hello", |s| s.outputs.push("man")), "outputs [out] [out man]"),
    ] {
        assert_told(what, &new, &[&format!("hello 2.12→2.12 explains 3: {expected}")]);
    }
}

#[test]
fn inputs_added_and_removed() {
    let extra = |used: bool| {
        let mut all = specs();
        all.insert(0, Spec::new("pcre", "pcre-10.4", &[]));
        let hello = all.iter_mut().find(|s| s.role == "hello").unwrap();
        if used {
            hello.inputs.push("pcre".to_owned());
            hello.set("buildInputs", "§zlib.dev§ §bash§ §pcre§");
        }
        all
    };
    assert_told("added", &extra(true), &["hello 2.12→2.12 explains 3: inputAdded pcre-10.4 [buildInputs]"]);
    assert_eq!(
        told(&why(&extra(true), &specs())),
        ["hello 2.12→2.12 explains 3: inputRemoved pcre-10.4 [buildInputs]"]
    );
    assert_told("there, but not used", &extra(false), &[]);
    let output = with("hello", |s| s.inputs.push("zlib".to_owned()));
    assert_told("output", &output, &["hello 2.12→2.12 explains 3: inputOutputs zlib-1.3 [] [out]"]);
}

#[test]
fn patches_and_files() {
    let patched = with("hello", |s| {
        let path = super::fixture::store_path("diff", "CVE-2024-1.patch");
        s.files.push(("CVE-2024-1.patch", "diff"));
        s.set("patches", &path);
    });
    assert_told("patch", &patched, &["hello 2.12→2.12 explains 3: inputAdded CVE-2024-1.patch [patches]"]);
    let other = with("hello", |s| {
        s.files = vec![("build.sh", "make -j")];
        s.arguments = vec!["-e".to_owned(), super::fixture::store_path("make -j", "build.sh")];
    });
    let lines = told(&why(&specs(), &other));
    assert!(
        lines[0].starts_with("hello 2.12→2.12 explains 3: source ") && lines[0].ends_with("-build.sh"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 1);
}

#[test]
fn cascades_are_counted_only() {
    let why = why(&specs(), &with("bash", |s| s.name = "bash-5.3".to_owned()));
    assert_eq!(told(&why), ["bash 5.2→5.3 explains 5: version 5.2 5.3"]);
    assert_eq!((why.differing, why.cascades), (5, 4), "bash, zlib, hello, app, top");
}

#[test]
fn two_causes_share_what_depends_on_both() {
    let mut new = with("zlib", |s| s.set("x", "y"));
    new.iter_mut().find(|s| s.role == "app").unwrap().set("z", "1");
    assert_eq!(
        told(&why(&specs(), &new)),
        [
            "zlib 1.3→1.3 explains 4: attribute x values null y",
            "app 1→1 explains 2: attribute z values null 1",
        ]
    );
}

#[test]
fn structured_attributes_are_compared_key_by_key() {
    let json = |flags: &str, debug: bool, bash: &str| {
        with("hello", |s| {
            s.env.clear();
            s.builder = bash.to_owned();
            s.set("__json", &format!(
                r#"{{"pname":"hello","version":"2.12","configureFlags":[{flags}],"debug":{debug},"env":{{"SHELL":"§bash§"}}}}"#
            ));
        })
    };
    let old = json(r#""-a","-b""#, true, "x");
    let lines = told(&why(&old, &json(r#""-a""#, false, "x")));
    assert_eq!(
        lines,
        [
            "hello 2.12→2.12 explains 3: attribute configureFlags words [-b] []; attribute debug values true false"
        ]
    );
    let mut bash = old.clone();
    bash.iter_mut().find(|s| s.role == "bash").unwrap().name = "bash-5.3".to_owned();
    assert_eq!(
        told(&why(&old, &bash)),
        ["bash 5.2→5.3 explains 5: version 5.2 5.3"],
        "env.SHELL is normalised"
    );
    let mut bumped = old.clone();
    let hello = bumped.iter_mut().find(|s| s.role == "hello").unwrap();
    let json = hello.env["__json"].replace("2.12", "2.13");
    hello.set("__json", &json);
    assert_eq!(told(&why(&old, &bumped)), ["hello 2.12→2.13 explains 3: version 2.12 2.13"]);
}

#[test]
fn floating_and_deferred_outputs() {
    // hello is content-addressed: app and top do not know its path, nor their own.
    let floating = |edit: fn(&mut Spec)| {
        changed(|s| {
            match s.role.as_str() {
                "hello" => s.content = Some(""),
                "app" | "top" => {
                    s.deferred = true;
                    for value in s.env.values_mut() {
                        *value = value.replace("§hello§", &format!("/{}", "1".repeat(52)));
                    }
                }
                _ => {}
            }
            edit(s);
        })
    };
    let old = floating(|_| {});
    let told_why = why(
        &old,
        &floating(|s| {
            if s.role == "hello" {
                s.set("x", "y");
            }
        }),
    );
    assert_eq!(told(&told_why), ["hello 2.12→2.12 explains 3: attribute x values null y"]);
    assert_eq!(told_why.notes.len(), 1, "{:?}", told_why.notes);
    // With another placeholder, as Nix has it: still a cascade.
    let other = floating(|s| {
        if s.role == "hello" {
            s.set("x", "y");
        }
        for value in s.env.values_mut() {
            *value = value.replace(&"1".repeat(52), &"2".repeat(52));
        }
    });
    assert_eq!(told(&why(&old, &other)).len(), 1);
    // The .drv files differ up to the top, since a fetcher did: nothing is rebuilt.
    let fetched = why(
        &old,
        &floating(|s| {
            if s.role == "curl" {
                s.set("x", "y");
            }
        }),
    );
    assert!(fetched.is_empty() && fetched.roots.is_empty(), "{:?}", told(&fetched));
}

#[test]
fn dynamic_derivations() {
    let dynamic = |edit: fn(&mut Spec)| {
        changed(|s| {
            s.dynamic = s.role == "app" || s.role == "hello";
            edit(s);
        })
    };
    let old = dynamic(|_| {});
    assert_eq!(told(&why(&old, &dynamic(bump))), ["hello 2.12→2.13 explains 3: version 2.12 2.13"]);
    assert!(why(&old, &dynamic(|_| {})).is_empty());
    let of_app = told(&why(&old, &with("hello", |s| s.dynamic = true)));
    assert!(of_app[0].contains("inputOutputs"), "{of_app:?}");
}

#[test]
fn derivations_that_are_not_there() {
    let mut old = specs();
    old.iter_mut().find(|s| s.role == "zlib").unwrap().absent = true;
    let new = with("bash", |s| s.set("x", "y"));
    let why = why(&old, &new);
    assert_eq!(
        told(&why),
        ["bash 5.2→5.2 explains 4: attribute x values null y", "zlib 1.3→1.3 explains 4: absent true false",]
    );
    assert_eq!(why.absent.len(), 1);
    assert_eq!(why.notes.len(), 1, "{:?}", why.notes);
    // What did not change is not asked for.
    old = with("zlib", |s| s.absent = true);
    let fine = super::fixture::why(
        &old,
        &changed(|s| {
            s.absent = s.role == "zlib";
            bump(s);
        }),
    );
    assert_eq!(told(&fine), ["hello 2.12→2.13 explains 3: version 2.12 2.13"]);
    assert!(fine.absent.is_empty());
    let mut no_top = specs();
    no_top.last_mut().unwrap().absent = true;
    let nothing = super::fixture::why(&no_top, &changed(bump));
    assert_eq!((nothing.differing, nothing.roots.len(), nothing.absent.len()), (1, 1, 1));
}

#[test]
fn another_name_is_another_package_unless_the_pname_is_the_same() {
    let renamed = changed(|s| {
        if s.role == "zlib" {
            s.name = "zlib-ng-1.3".to_owned();
        }
    });
    let lines = told(&why(&specs(), &renamed));
    assert_eq!(
        lines,
        [
            "hello 2.12→2.12 explains 3: inputRemoved zlib-1.3 [buildInputs]; inputAdded zlib-ng-1.3 [buildInputs]; \
         attribute configureFlags words [--with-zlib=zlib-1.3-dev/include] [--with-zlib=zlib-ng-1.3-dev/include]",
            "app 1→1 explains 2: inputRemoved zlib-1.3 []; inputAdded zlib-ng-1.3 []",
        ]
    );
    let python = |name: &'static str, bash: &'static str| {
        changed(|s| match s.role.as_str() {
            "zlib" => {
                s.name = name.to_owned();
                s.set("name", name);
                s.set("pname", "zlib");
                s.set("version", "1.3");
            }
            "bash" => s.name = bash.to_owned(),
            _ => {}
        })
    };
    let old = python("py3.11-zlib-1.3", "bash-5.2");
    let lines = told(&why(&old, &python("py3.12-zlib-1.3", "bash-5.2")));
    assert_eq!(lines, ["zlib 1.3→1.3 explains 4: name py3.11-zlib-1.3 py3.12-zlib-1.3"]);
    // Where an input changed, that is the cause.
    let lines = told(&why(&old, &python("py3.12-zlib-1.3", "bash-5.3")));
    assert_eq!(lines, ["bash 5.2→5.3 explains 5: version 5.2 5.3"]);
}

#[test]
fn several_derivations_of_one_name_are_paired_by_what_they_say() {
    let sources = |first: &'static str, second: &'static str| {
        let mut all = specs();
        for (role, content) in [("one", first), ("two", second)] {
            let mut source = Spec::new(role, "source", &[]);
            source.content = Some(content);
            source.set("owner", role);
            source.set("rev", content);
            all.insert(0, source);
        }
        all.iter_mut()
            .find(|s| s.role == "hello")
            .unwrap()
            .inputs
            .extend(["one".to_owned(), "two".to_owned()]);
        all
    };
    for (first, second) in [("a1", "b1"), ("a2", "b2"), ("zz", "00"), ("00", "zz")] {
        let mut lines = told(&why(&sources("a", "b"), &sources(first, second)));
        lines.sort();
        let line = |a: &str, b: &str| format!("source → explains 4: source source ({a}) source ({b})");
        assert_eq!(lines, [line("a", first), line("b", second)]);
    }
}

#[test]
fn beneath_a_package() {
    let new = changed(|s| match s.role.as_str() {
        "bash" => s.name = "bash-5.3".to_owned(),
        "app" => s.set("z", "1"),
        _ => {}
    });
    let why = why(&specs(), &new);
    let chains = |package: &str| -> Vec<String> {
        why.beneath(package).chains.iter().map(|c| format!("{} {}", c.root, c.path.join(" "))).collect()
    };
    assert_eq!(chains("app"), ["1 app", "0 app hello bash"].map(str::to_owned));
    assert_eq!(chains("zlib"), ["0 zlib bash"]);
    assert_eq!(chains("nixos-system-web-26.05"), ["1 nixos-system-web app", "0 nixos-system-web hello bash"]);
    assert_eq!(why.beneath("curl").differing, 0);
    assert_eq!(why.beneath("zlib").differing, 1);
}

#[test]
fn loops_end() {
    // No real derivation needs itself; a made-up file may say so.
    let (mut world, top) = make(&specs());
    let (other, new_top) = make(&changed(bump));
    world.files.extend(other.files);
    let text = |path: &crate::model::StorePath| world.files[path].clone().unwrap();
    let twist = |bytes: Vec<u8>, from: &crate::model::StorePath, to: &crate::model::StorePath| {
        let text = String::from_utf8(bytes).unwrap().replace(from.as_str(), to.as_str());
        crate::derivation::Derivation::parse(text.as_bytes()).unwrap()
    };
    let app = |bytes: &[u8]| {
        let drv = crate::derivation::Derivation::parse(bytes).unwrap();
        let path = drv.input_paths().find(|p| p.ends_with("-app-1.drv")).unwrap().to_owned();
        crate::model::StorePath::parse(&path).unwrap()
    };
    let (a, b) = (app(&text(&top)), app(&text(&new_top)));
    let read = |path: &crate::model::StorePath| {
        Ok::<_, std::convert::Infallible>(Some(match path {
            p if *p == top => twist(text(p), &a, &top),
            p if *p == new_top => twist(text(p), &b, &new_top),
            p => twist(text(p), p, p),
        }))
    };
    let why = super::explain(&top, &new_top, read).unwrap();
    assert_eq!(why.roots.len(), 1);
}

#[test]
fn a_change_is_json() {
    let why = why(&specs(), &changed(bump));
    let json = serde_json::to_value(&why).unwrap();
    assert_eq!(
        json["roots"][0]["changes"][0],
        serde_json::json!({"kind": "version", "old": "2.12", "new": "2.13"})
    );
    assert_eq!(json["roots"][0]["usedBy"], serde_json::json!(["nixos-system-web", "app"]));
    assert!(matches!(why.roots[0].changes[0], Change::Version { .. }));
}
