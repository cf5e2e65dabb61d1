//! Derivations of every form, and damaged ones.

use proptest::prelude::*;

use super::fixture::Plain;
use super::*;

fn path(name: &str) -> String {
    format!("/nix/store/{}-{name}", "a".repeat(32))
}

fn plain() -> Plain {
    let s = str::to_owned;
    Plain {
        outputs: vec![[s("out"), path("hello-1"), s(""), s("")]],
        inputs: vec![(path("bash.drv"), vec![s("out")]), (path("zlib.drv"), vec![s("dev"), s("out")])],
        sources: vec![path("build.sh")],
        platform: s("x86_64-linux"),
        builder: path("bash/bin/bash"),
        arguments: vec![s("-e"), path("build.sh")],
        env: vec![(s("name"), s("hello-1")), (s("script"), s("a\t\"b\"\r\n\\c"))],
        dynamic: false,
    }
}

/// What was parsed, as a text is made of it.
fn again(drv: &Derivation) -> Plain {
    let text = |q: Quoted<'_>| q.text().into_owned();
    Plain {
        outputs: drv
            .outputs()
            .map(|o| [text(o.name), text(o.path), text(o.algorithm), text(o.hash)])
            .collect(),
        inputs: drv
            .inputs()
            .map(|i| (i.path.to_owned(), i.outputs.iter().copied().map(text).collect()))
            .collect(),
        sources: drv.sources().map(str::to_owned).collect(),
        platform: text(drv.platform()),
        builder: text(drv.builder()),
        arguments: drv.arguments().map(text).collect(),
        env: drv.env().map(|(k, v)| (text(k), text(v))).collect(),
        dynamic: drv.inputs().any(|i| i.dynamic.is_some()),
    }
}

#[test]
fn what_is_written_is_read() {
    let mut plain = plain();
    assert_eq!(again(&Derivation::parse(&plain.print()).unwrap()), plain);
    plain.dynamic = true;
    let drv = Derivation::parse(&plain.print()).unwrap();
    assert_eq!(again(&drv), plain);
    assert!(drv.inputs().all(|i| i.dynamic.is_some_and(|d| d.raw().ends_with(b"[(\"out\",[\"inner\"])])"))));
}

#[test]
fn a_traditional_derivation_has_no_dynamic_inputs() {
    let mut plain = plain();
    plain.dynamic = true;
    let text = String::from_utf8(plain.print()).unwrap().replace("DrvWithVersion(\"xp-dyn-drv\",", "Derive(");
    let error = Derivation::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.expected, "[");
    assert_eq!(Header::scan(text.as_bytes()).unwrap_err(), error);
}

#[test]
fn kinds_of_outputs() {
    use OutputKind::{Deferred, Fixed, Floating, Impure, InputAddressed};
    for (path, algorithm, hash, kind) in [
        ("/nix/store/x", "", "", InputAddressed),
        ("/nix/store/x", "r:sha256", "00", Fixed),
        ("", "r:sha256", "", Floating),
        ("", "", "", Deferred),
        ("", "r:sha256", "impure", Impure),
    ] {
        let text = format!("Derive([(\"out\",\"{path}\",\"{algorithm}\",\"{hash}\")],[],[],\"\",\"\",[],[])");
        let drv = Derivation::parse(text.as_bytes()).unwrap();
        assert_eq!(drv.outputs().next().unwrap().kind(), kind);
        assert_eq!(drv.is_fixed(), kind == Fixed);
    }
}

#[test]
fn what_is_no_derivation_says_where() {
    for (text, at, expected) in [
        ("", 0, "Derive( or DrvWithVersion(\"xp-dyn-drv\","),
        ("Derive([],[],[],\"\",\"\",[],[])x", 28, "the end of the file"),
        ("Derive([],[],[],\"\",\"", 20, "the end of a string"),
        ("Derive([],[],[],\"\",\"\\", 20, "the end of a string"),
        ("Derive([],[(\"/etc/x\",[])],[],\"\",\"\",[],[])", 12, "a store path"),
        ("Derive([],[],[\"x\"],\"\",\"\",[],[])", 14, "a store path"),
    ] {
        assert_eq!(Derivation::parse(text.as_bytes()).unwrap_err(), ParseError { at, expected }, "{text}");
    }
}

#[test]
fn depth_has_an_end() {
    let nest = |n: usize| {
        let inner = "[(\"o\",([],".repeat(n) + "[]" + &"))]".repeat(n);
        let text = format!(
            "DrvWithVersion(\"xp-dyn-drv\",[],[(\"{}\",([],{inner}))],[],\"\",\"\",[],[])",
            path("x.drv")
        );
        Derivation::parse(text.as_bytes())
    };
    assert!(nest(50).is_ok());
    assert!(nest(100_000).is_err());
}

#[test]
fn bytes_that_are_no_text() {
    let mut text = plain().print();
    let at = text.windows(5).position(|w| w == b"hello").unwrap();
    text[at] = 0xff;
    let at = text.windows(7).rposition(|w| w == b"hello-1").unwrap();
    text[at] = 0xff;
    let drv = Derivation::parse(&text).unwrap();
    assert_eq!(drv.attribute("name").unwrap(), "\u{fffd}ello-1");
    assert_eq!(Header::scan(&text).unwrap().name.unwrap(), "\u{fffd}ello-1");
}

#[test]
fn headers() {
    let mut plain = plain();
    plain.outputs.push(["dev".into(), path("hello-1-dev"), String::new(), String::new()]);
    let header = Header::scan(&plain.print()).unwrap();
    assert_eq!((&header.pname, &header.version), (&None, &None));
    assert_eq!(header.name.as_deref(), Some("hello-1"));
    assert_eq!(
        header.outputs,
        [("out".to_owned(), path("hello-1")), ("dev".to_owned(), path("hello-1-dev"))]
    );
    plain.env = vec![("__json".into(), r#"{"name":"x-1","pname":"x","version":"1","n":[1]}"#.into())];
    let header = Header::scan(&plain.print()).unwrap();
    assert_eq!((header.pname.as_deref(), header.version.as_deref()), (Some("x"), Some("1")));
    assert_eq!(Derivation::parse(&plain.print()).unwrap().attribute("pname").as_deref(), Some("x"));
    plain.env = vec![("__json".into(), "{".into()), ("pname".into(), "y".into())];
    let header = Header::scan(&plain.print()).unwrap();
    assert_eq!((header.pname.as_deref(), header.version), (Some("y"), None));
}

fn any_plain() -> impl Strategy<Value = Plain> {
    let text = || ".{0,12}".prop_map(String::from);
    let store = || "[a-z0-9.+-]{1,9}".prop_map(|n| path(&n));
    let texts = move || prop::collection::vec(text(), 0..4);
    let outputs = prop::collection::vec([text(), text(), text(), text()], 1..3);
    let inputs = prop::collection::vec((store(), texts()), 0..4);
    let env = prop::collection::btree_map(text(), text(), 0..6);
    let rest = (prop::collection::vec(store(), 0..3), text(), text(), texts());
    (outputs, inputs, env, rest).prop_map(
        |(outputs, inputs, env, (sources, platform, builder, arguments))| Plain {
            outputs,
            inputs,
            sources,
            platform,
            builder,
            arguments,
            env: env.into_iter().collect(),
            dynamic: false,
        },
    )
}

proptest! {
    #[test]
    fn any_derivation_is_read_as_it_was_written(plain in any_plain()) {
        let mut read = again(&Derivation::parse(&plain.print()).unwrap());
        // They are sorted by what stands in the file.
        read.env.sort();
        prop_assert_eq!(read, plain);
    }

    #[test]
    fn damage_never_panics(plain in any_plain(), at in any::<prop::sample::Index>(), byte: u8, cut: bool, dynamic: bool) {
        let mut text = Plain { dynamic, ..plain }.print();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = byte }
        // Both read the same grammar; only paths are checked by one alone.
        match (Derivation::parse(&text), Header::scan(&text)) {
            (Ok(_), scanned) => prop_assert!(scanned.is_ok()),
            (Err(e), Ok(_)) => prop_assert!(matches!(e.expected, "a store path" | "the end of the file" | ")")),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"Derive([".to_vec();
        text.extend(&bytes);
        prop_assert!(Derivation::parse(&text).is_err() || text.ends_with(b")"));
        drop(Header::scan(&bytes));
    }
}
