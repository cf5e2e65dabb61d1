//! A store, two systems in it, and what `nqd` says of them.

use std::path::PathBuf;

use crate::harness::{Ended, Operator};

pub type Row = (&'static str, fn());

/// Somebody with a Nix store.
pub struct Scene {
    pub operator: Operator,
}

impl Scene {
    pub fn new() -> Self {
        let nqd = PathBuf::from(env!("CARGO_BIN_EXE_nqd"));
        let operator = Operator::new(&nqd, &nqd);
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/diff/store.nix");
        std::fs::copy(library, operator.flake().join("store.nix")).unwrap();
        Self { operator }
    }

    /// Builds an expression that may use all of tests/diff/store.nix.
    pub fn build(&self, expression: &str) -> String {
        let text = format!("with import ./store.nix; {expression}");
        let out = self.operator.command("nix-build", &["--no-out-link", "-E", &text]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Builds two systems of these packages.
    pub fn systems(&self, old: &str, new: &str) -> [String; 2] {
        [self.build(&format!("nixos \"1\" [ {old} ]")), self.build(&format!("nixos \"1\" [ {new} ]"))]
    }

    pub fn nqd(&self, args: &[&str]) -> Ended {
        self.operator.nqd(args)
    }

    /// What `nqd` says where the database is to be read by one command of Nix only: whoever may not read it asks the
    /// daemon. Here the file is only not where it should be.
    pub fn nqd_without_database(&self, command: &str, args: &[&str]) -> String {
        let program = format!(
            "#!/bin/sh\\nnix=/nix/var/nix/db\\nmv $nix/hidden $nix/db.sqlite\\n/usr/bin/{command} \"$@\"; s=$?\\nmv $nix/db.sqlite $nix/hidden\\nexit $s\\n"
        );
        let path = format!("{}/bin:{}", self.operator.flake().display(), self.operator.path());
        self.sh(&format!(
            "mkdir bin; printf '{program}' > bin/{command}; chmod +x bin/{command}
            mv /nix/var/nix/db/db.sqlite /nix/var/nix/db/hidden
            PATH={path} {} {}
            mv /nix/var/nix/db/hidden /nix/var/nix/db/db.sqlite",
            env!("CARGO_BIN_EXE_nqd"),
            args.join(" ")
        ))
    }

    /// What `nqd` says on a terminal of so many columns, with these variables set.
    pub fn on_terminal(&self, columns: usize, variables: &str, args: &str) -> String {
        let nqd = env!("CARGO_BIN_EXE_nqd");
        let command = format!("stty rows 50 cols {columns}; TERM=xterm {variables} {nqd} {args}");
        self.sh(&format!("script --quiet --return --command '{command}' /dev/null"))
    }

    /// Runs something where the store is.
    pub fn sh(&self, script: &str) -> String {
        let out = self.operator.command("/bin/sh", &["-euc", script]).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

/// Compares two systems of these packages.
pub fn diff(old: &str, new: &str) -> String {
    let scene = Scene::new();
    let [a, b] = scene.systems(old, new);
    plain(&scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout)
}

/// Without hashes, which depend on the Nix that built.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("/nix/store/") {
        let (before, after) = rest.split_at(at + "/nix/store/".len());
        out.push_str(before);
        let hash = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        out.push_str(if hash == 32 { "…" } else { &after[..hash] });
        rest = &after[hash..];
    }
    out + rest
}
