//! A target's store, read by scripts over the shared connection. They need a POSIX shell and GNU's find, coreutils and
//! xargs, which every NixOS has in `sw/bin`. Nothing of what they read is on a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::SystemTree;
use crate::closure::system::Unread;
use crate::closure::system::tree::{Ask, Found, Listing, Node};
use crate::effects::shell::quote;
use crate::effects::transport::Transport;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// Reads systems where a transport runs scripts.
pub struct RemoteTree<'a> {
    transport: &'a Transport,
    /// What comes before `/nix/store`; tests only.
    root: String,
}

impl<'a> RemoteTree<'a> {
    /// Over a connection that is open.
    pub fn new(transport: &'a Transport) -> Self {
        Self { transport, root: String::new() }
    }

    /// A store elsewhere, whose links are relative.
    #[cfg(test)]
    pub fn below(transport: &'a Transport, root: &std::path::Path) -> Self {
        Self { transport, root: root.display().to_string() }
    }

    fn text(&self, script: &str) -> Result<String, Failure> {
        let out = self.transport.run(script, &[0])?;
        out.text().map(str::to_owned).map_err(|_| odd("it holds bytes that are no text"))
    }
}

fn odd(why: &str) -> Failure {
    Failure::new(Exit::Internal, format!("the target's answer about a system cannot be understood: {why}"))
}

/// Each record is four fields, each ended by a NUL, which no name can hold: the kind as find calls it, the directory,
/// the name below it, the link's text. Errors of find come after what it found, so that neither cuts the other.
fn list_script(root: &str, system: &StorePath, directories: &[(&str, usize)]) -> String {
    let mut script = format!("top={}\nroot={}\n", quote(&format!("{root}{system}")), quote(root));
    script.push_str(
        r#"store=$(readlink -f "$root/nix/store")
exec 3>&1
list() {
  d=$(readlink -f -- "$top${1:+/$1}") || return 0
  if [ -z "$1" ] && [ -f "$d" ]; then printf 'f\000\000\000\000'; fi
  [ -d "$d" ] || return 0
  case $d/ in
    "$store"/*) ;;
    *) printf 'u\000%s\000it leads out of the store\000\000' "$1"; return 0 ;;
  esac
  printf 'd\000%s\000\000\000' "$1"
  errors=$(find "$d" -mindepth 1 -maxdepth "$2" -printf "%y\\0$1\\0%P\\0%l\\0" 2>&1 >&3)
  [ -z "$errors" ] || printf 'u\000%s\000%s\000\000' "$1" "$errors"
}
"#,
    );
    for (directory, depth) in directories {
        writeln!(script, "list {} {depth}", quote(directory)).unwrap_or(());
    }
    script + "printf 'end\\000\\000\\000\\000'\n"
}

fn read_listing(text: &str) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    let fields: Vec<&str> = text.split('\0').collect();
    for record in fields.chunks_exact(4) {
        let [kind, directory, name, link] = record else { return Err(odd("a record is torn")) };
        let path = [*directory, *name].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("/");
        let node = match *kind {
            "end" => return Ok(listing),
            "u" => {
                listing.unread.push(Unread { path: (*directory).to_owned(), why: (*name).to_owned() });
                continue;
            }
            "l" => Node::Link((*link).to_owned()),
            "f" => Node::File,
            "d" => Node::Directory,
            _ => Node::Other,
        };
        if listing.nodes.len() >= super::MOST_NAMES {
            let why = format!("more than {} names", super::MOST_NAMES);
            listing.unread.push(Unread { path: (*directory).to_owned(), why });
            return Ok(listing);
        }
        listing.nodes.insert(path, node);
    }
    Err(odd("it was cut short"))
}

/// Reads files of one limit, with a few processes for all of them: a thousand forks would take seconds. First a letter
/// for each, then the sizes of those that are files, then these one after another in base 64, each cut behind the
/// limit, so that a larger one shows.
fn read_script(root: &str, paths: &[String], limit: u64) -> String {
    let paths = paths.iter().fold(String::new(), |all, path| all + root + path + "\n");
    format!(
        r#"store=$(readlink -f {store})
files=$(xargs -d '\n' readlink -m -- <<'nqd-end-of-paths'
{paths}nqd-end-of-paths
)
kinds=$(printf '%s\n' "$files" | while IFS= read -r file; do
  case $file in
    "$store"/*) ;;
    *) echo o; continue ;;
  esac
  if [ -d "$file" ]; then echo d
  elif [ -f "$file" ]; then [ -r "$file" ] && echo "f $file" || echo u
  elif [ -e "$file" ]; then echo x
  else echo m
  fi
done)
printf '%s\n' "$kinds" | cut -c 1
echo sizes
regular=$(printf '%s\n' "$kinds" | sed -n 's/^f //p')
[ -z "$regular" ] || printf '%s\n' "$regular" | xargs -d '\n' stat -c %s --
echo bytes
[ -z "$regular" ] || printf '%s\n' "$regular" | xargs -d '\n' head -q -c {limit} -- | base64 -w 0
printf '\nend\n'
"#,
        store = quote(&format!("{root}/nix/store")),
        limit = limit + 1,
    )
}

/// What such a script found, in the order in which it was asked for.
fn read_files(text: &str, asked: usize, limit: u64) -> Result<Vec<Found>, Failure> {
    let parts = text.strip_suffix("\nend\n").and_then(|t| t.split_once("sizes\n"));
    let parts = parts.and_then(|(kinds, rest)| Some((kinds, rest.split_once("bytes\n")?)));
    let (kinds, (sizes, bytes)) = parts.ok_or_else(|| odd("it was cut short"))?;
    let bytes = decode(bytes).ok_or_else(|| odd("files are not in base 64"))?;
    let mut sizes = sizes.lines();
    let mut at = 0_usize;
    let mut found = Vec::with_capacity(asked);
    for kind in kinds.lines() {
        found.push(match kind {
            "f" => {
                let size = sizes.next().and_then(|s| s.parse::<u64>().ok());
                let size = size.ok_or_else(|| odd("as many sizes as files were expected"))?.min(limit + 1);
                let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
                let content = end.and_then(|end| bytes.get(at..end));
                let content =
                    content.ok_or_else(|| odd("it has not sent all of the files: is its disk damaged?"))?;
                at += content.len();
                super::text(content.to_vec(), limit)
            }
            "d" => Found::Directory,
            "m" => Found::Missing,
            "u" => Found::Unreadable("Permission denied".to_owned()),
            "o" => Found::NotRead("it leads out of the store".to_owned()),
            "x" => Found::NotRead("not a file".to_owned()),
            _ => return Err(odd("a line of an unknown kind")),
        });
    }
    if found.len() != asked || at != bytes.len() {
        return Err(odd("as many files as were asked for were expected"));
    }
    Ok(found)
}

/// Base 64 with padding (RFC 4648, section 4).
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for b in digits.bytes() {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    text.len().is_multiple_of(4).then_some(bytes)
}

impl SystemTree for RemoteTree<'_> {
    fn list(&self, system: &StorePath, directories: &[(&str, usize)]) -> Result<Listing, Failure> {
        read_listing(&self.text(&list_script(&self.root, system, directories))?)
    }

    fn read(&self, system: &StorePath, asks: &[Ask]) -> Result<BTreeMap<String, Found>, Failure> {
        // The script takes a path a line.
        let (asked, odd): (Vec<&Ask>, Vec<&Ask>) =
            asks.iter().partition(|a| !a.path.contains(|c: char| c.is_control()));
        let mut found = BTreeMap::new();
        let limits: BTreeSet<u64> = asked.iter().map(|a| a.limit).collect();
        for limit in limits {
            let names: Vec<&String> = asked.iter().filter(|a| a.limit == limit).map(|a| &a.path).collect();
            let paths: Vec<String> = names.iter().map(|n| system.join(n).display().to_string()).collect();
            let text = self.text(&read_script(&self.root, &paths, limit))?;
            found.extend(names.into_iter().cloned().zip(read_files(&text, paths.len(), limit)?));
        }
        let why = || Found::NotRead("its name holds control characters".to_owned());
        found.extend(odd.into_iter().map(|a| (a.path.clone(), why())));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_or_does_not_fit_together_is_refused() {
        // Three bytes of one file, five of the next, of which one is over the limit.
        let whole = "f\nm\nf\nd\nsizes\n3\n9\nbytes\nYWJjZGVmZ2g=\nend\n";
        let found = read_files(whole, 4, 4).unwrap();
        assert_eq!(found[0], Found::Text("abc".to_owned()));
        assert!(matches!(
            (&found[1], &found[2], &found[3]),
            (Found::Missing, Found::NotRead(_), Found::Directory)
        ));
        for (text, asked) in [
            (whole.replace("\nend\n", ""), 4),
            (whole.to_owned(), 5),
            (whole.replace("f\nm", "m"), 3),
            (whole.replace("\n9\n", "\n"), 4),
            (whole.replace("3\n9", "1\n9"), 4),
            (whole.replace("YWJjZGVmZ2g=", "YWJj"), 4),
            (whole.replace("YWJjZGVmZ2g=", "?"), 4),
            (whole.replace("m\n", "q\n"), 4),
        ] {
            assert!(read_files(&text, asked, 4).is_err(), "{text:?} was taken");
        }
    }
}
