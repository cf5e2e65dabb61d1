//! The flake templates of `templates/`, as `nqd init` has them.

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its files: paths below the folder, and their texts.
    pub files: &'static [(&'static str, &'static str)],
    /// What to do once they are there, and the command if it is one.
    pub next: &'static [(&'static str, &'static str)],
}

macro_rules! files {
    ($template:literal: $($path:literal),+) => {
        &[$(($path, include_str!(concat!("../templates/", $template, "/", $path)))),+]
    };
}

const GIT: (&str, &str) = ("Nix sees only files that Git tracks", "git init && git add --all");
const TRY: (&str, &str) = ("boot its VM and run its health checks", "nix run .#test -- web");
const PLAN: (&str, &str) = ("what a deployment would change", "nix run .#plan -- web");
const DEPLOY: (&str, &str) = ("deploy it", "nix run .#deploy -- web");

/// All of them.
pub const TEMPLATES: [Template; 3] = [
    Template {
        name: "host",
        about: "one machine",
        files: files!("host": "README.md", "configuration.nix", "flake.nix", "hardware.nix"),
        next: &[
            ("your SSH key and the machine's address", "$EDITOR configuration.nix"),
            ("on the machine: its disks", "nixos-generate-config --show-hardware-config > hardware.nix"),
            GIT,
            TRY,
            PLAN,
            DEPLOY,
        ],
    },
    Template {
        name: "fleet",
        about: "three machines with tags, and what they have in common",
        files: files!(
            "fleet": "README.md", "common.nix", "flake.nix", "hosts/db.nix", "hosts/monitor.nix", "hosts/web.nix"
        ),
        next: &[
            ("your SSH key, disks and addresses", "$EDITOR common.nix hosts/*.nix"),
            GIT,
            TRY,
            PLAN,
            ("deploy them, one after another", "nix run .#deploy -- web db monitor"),
        ],
    },
    Template {
        name: "existing",
        about: "what to add to a flake that you have",
        files: files!("existing": "quick-deploy/README.md", "quick-deploy/default.nix"),
        next: &[
            ("the lines for your flake.nix", "$PAGER quick-deploy/README.md"),
            ("Nix sees only files that Git tracks", "git add --all"),
            TRY,
            PLAN,
            DEPLOY,
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// All files below a folder, by their paths in it.
    fn below(folder: &Path, prefix: &str) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap());
        let mut found: Vec<_> = entries
            .flat_map(|e| {
                let name = format!("{prefix}{}", e.file_name().into_string().unwrap());
                let is_dir = e.file_type().unwrap().is_dir();
                let file = || vec![(name.clone(), fs::read_to_string(e.path()).unwrap())];
                if is_dir { below(&e.path(), &format!("{name}/")) } else { file() }
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn the_folder_is_what_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let embedded = TEMPLATES.iter().flat_map(|t| {
            t.files.iter().map(|(path, text)| (format!("{}/{path}", t.name), (*text).to_owned()))
        });
        let mut embedded: Vec<_> = embedded.collect();
        embedded.sort();
        assert_eq!(below(&root, ""), embedded);
    }

    #[test]
    fn each_has_a_readme() {
        for template in TEMPLATES {
            assert!(template.files.iter().any(|(path, _)| path.ends_with("README.md")), "{}", template.name);
        }
    }
}
