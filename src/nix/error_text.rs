//! What Nix said when it failed, turned into a cause and a hint.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::text::printable;

/// What to do about a full disk.
pub const FREE_SPACE: &str = "free some space there: `nix-collect-garbage --delete-older-than 30d`";

/// What to do about a Nix that today's nixpkgs cannot be evaluated with (its `lib/minver.nix`).
pub const TOO_OLD: &str = "today's nixpkgs needs Nix 2.18 or newer to be evaluated, and `nix --version` says what this is: use a newer Nix here";

/// A failure of Nix. `said` is its standard error, colours removed; the cause comes first, the rest after it.
pub fn failure(exit: Exit, doing: &str, said: &[String]) -> Failure {
    let all = said.join("\n");
    let cause = cause(said);
    let rest: Vec<&String> =
        said.iter().filter(|l| !l.trim().is_empty() && !cause.contains(without_label(l))).collect();
    let rest = rest.iter().skip(rest.len().saturating_sub(20)).fold(String::new(), |t, l| t + "\n  " + l);
    let failure =
        Failure::new(exit, format!("{doing} failed: {}{}", printable(&cause, false), printable(&rest, true)));
    match hint(&all) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn without_label(line: &str) -> &str {
    let line = line.trim();
    line.strip_prefix("error:").filter(|rest| !rest.trim().is_empty()).map_or(line, str::trim)
}

/// The innermost error: Nix prints traces around it, and the last `error:` that says something is the cause.
pub fn cause(said: &[String]) -> String {
    let error = |(at, l): (usize, &String)| {
        let error = l.trim_start().strip_prefix("error:").map(str::trim).filter(|e| !e.is_empty())?;
        // Since Nix 2.31 the reason of a build's failure stands on a line, or two, of its own.
        let more = said.iter().skip(at + 1).map(|l| l.trim());
        let more = more.take_while(|l| l.starts_with("Reason:") || l.starts_with("Required "));
        Some(std::iter::once(error).chain(more).collect::<Vec<_>>().join(" "))
    };
    let causes: Vec<String> = said.iter().enumerate().filter_map(error).collect();
    let last = causes.iter().rfind(|e| !is_consequence(e)).cloned();
    last.or_else(|| said.iter().rev().find(|l| !l.trim().is_empty()).cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}

/// Errors that only say that another one happened.
fn is_consequence(error: &str) -> bool {
    error.contains("dependencies of derivation")
        || error.ends_with(" dependency failed.")
        || error.ends_with(" dependencies failed.")
        || error.starts_with("build of ")
        || error.starts_with("some errors")
}

/// What usually helps.
fn hint(said: &str) -> Option<&'static str> {
    let rows: [(&[&str], &str); 14] = [
        (&["Nixpkgs requires Nix"], TOO_OLD),
        (&["requires Nix version"], TOO_OLD),
        (&["attribute 'convertHash' missing"], TOO_OLD),
        (&["attribute 'readFileType' missing"], TOO_OLD),
        (&["is not tracked by Git"], "`git add` it: Nix sees only the files of a flake that Git tracks"),
        (
            &["-source/", "does not exist"],
            "if the file is new, `git add` it: Nix sees only the files that Git tracks",
        ),
        (
            &["-source/", "No such file"],
            "if the file is new, `git add` it: Nix sees only the files that Git tracks",
        ),
        (
            &["does not provide attribute"],
            "`nix flake show` lists the hosts of the flake (nixosConfigurations)",
        ),
        (&["does not contain a 'flake.nix'"], "name the flake: FLAKE#HOST, or set NQD_FLAKE"),
        (
            &["lacks a", "signature"],
            "the target does not trust these paths: add the SSH user to nix.settings.trusted-users, or sign them (nix.settings.trusted-public-keys)",
        ),
        (&["No space left on device"], FREE_SPACE),
        (&["database or disk is full"], FREE_SPACE),
        (&["infinite recursion"], "`-- --show-trace` shows the way there"),
        (&["cannot connect to", "ssh"], "see whether the machine is up and SSH works"),
    ];
    rows.into_iter().find(|(words, _)| words.iter().all(|w| said.contains(w))).map(|(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Failure {
        failure(Exit::Evaluation, "evaluating web", &text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_innermost_error_comes_first() {
        let f = of(
            "error:\n       … while evaluating the attribute 'config'\n         at flake.nix:3:\n       error: undefined variable 'foo'\n       at flake.nix:9:",
        );
        assert!(f.what.starts_with("evaluating web failed: undefined variable 'foo'\n"), "{f}");
        let f = of(
            "error: builder for '/nix/store/x.drv' failed with exit code 1\nerror: 1 dependencies of derivation '/nix/store/y.drv' failed to build",
        );
        assert!(f.what.contains("failed: builder for"), "{f}");
        let f = of(
            "error: Cannot build '/nix/store/x.drv'.\n       Reason: builder failed with exit code 1.\n       Output paths:\nerror: Cannot build '/nix/store/y.drv'.\n       Reason: 1 dependency failed.\n       Output paths:",
        );
        assert!(
            f.what.contains("failed: Cannot build '/nix/store/x.drv'. Reason: builder failed with"),
            "{f}"
        );
    }

    #[test]
    fn hints() {
        for (said, hint) in [
            ("error: Path 'hosts/new.nix' in the repository \"/x\" is not tracked by Git.", "git add"),
            (
                "error: getting status of '/nix/store/abc-source/new.nix': No such file or directory",
                "git add",
            ),
            ("error: path '/nix/store/abc-source/new.nix' does not exist", "git add"),
            ("error: cannot add path '/nix/store/x' because it lacks a valid signature", "trusted-users"),
            (
                "error: cannot add path '/nix/store/x' because it lacks a signature by a trusted key",
                "trusted-users",
            ),
            (
                "error: evaluation aborted with the following error message: 'This version of Nixpkgs requires Nix >= 2.18, please upgrade'",
                "2.18 or newer",
            ),
            ("error: attribute 'convertHash' missing", "2.18 or newer"),
            ("error: writing to file: No space left on device", "free some space"),
            (
                "error: committing transaction: database or disk is full (in '/nix/var/nix/db/db.sqlite')",
                "free some space",
            ),
            (
                "error: flake 'path:/x' does not provide attribute 'nixosConfigurations.\"a\"'",
                "nix flake show",
            ),
        ] {
            let f = of(said);
            assert!(f.hint.as_deref().is_some_and(|h| h.contains(hint)), "{said}: {f}");
        }
        assert_eq!(of("error: something else").hint, None);
        assert!(of("").what.contains("did not say why"));
    }
}
