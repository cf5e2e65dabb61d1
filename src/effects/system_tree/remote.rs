//! A target's store, read by scripts over the shared connection. They need a POSIX shell and GNU's find, coreutils and
//! xargs, which every NixOS has in `sw/bin`. Nothing of what they read is on a command line.

use std::collections::BTreeMap;
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

/// One line for each file: a letter, and the file in base 64 or why it cannot be read. One byte more than the limit is
/// sent, so that a larger file shows.
fn read_script(root: &str, system: &StorePath, asks: &[&Ask]) -> String {
    let (mut paths, mut limits) = (String::new(), String::new());
    for ask in asks {
        writeln!(paths, "{root}{}", system.join(&ask.path).display()).unwrap_or(());
        writeln!(limits, "{}", ask.limit + 1).unwrap_or(());
    }
    format!(
        r#"store=$(readlink -f {store})
files=$(xargs -d '\n' readlink -m -- <<'nqd-end-of-paths'
{paths}nqd-end-of-paths
)
exec 3>&1
{{ printf '%s\n' "$files" | while IFS= read -r file; do
  read -r limit <&4
  case $file in
    "$store"/*) ;;
    *) echo o; continue ;;
  esac
  if [ -d "$file" ]; then echo d
  elif [ -f "$file" ]; then
    printf f
    e=$({{ head -c "$limit" -- "$file" | base64 -w 0 >&3; }} 2>&1)
    [ -z "$e" ] && echo || printf '!%s\n' "$(printf %s "$e" | tr '\n' ' ')"
  elif [ -e "$file" ]; then echo x
  else echo m
  fi
done }} 4<<'nqd-end-of-limits'
{limits}nqd-end-of-limits
echo end
"#,
        store = quote(&format!("{root}/nix/store"))
    )
}

fn read_files(text: &str, asks: &[&Ask]) -> Result<BTreeMap<String, Found>, Failure> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() != asks.len() + 1 || lines.last() != Some(&"end") {
        return Err(odd("as many files as were asked for were expected"));
    }
    let mut found = BTreeMap::new();
    for (ask, line) in asks.iter().zip(lines) {
        let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
        let file = match (kind, rest.split_once('!')) {
            ("f", Some((_, why))) => Found::Unreadable(why.trim().to_owned()),
            ("f", None) => {
                let bytes = decode(rest).ok_or_else(|| odd("a file is not in base 64"))?;
                super::text(bytes, ask.limit)
            }
            ("d", _) => Found::Directory,
            ("m", _) => Found::Missing,
            ("o", _) => Found::NotRead("it leads out of the store".to_owned()),
            ("x", _) => Found::NotRead("not a file".to_owned()),
            _ => return Err(odd("a line of an unknown kind")),
        };
        found.insert(ask.path.clone(), file);
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
        if !asked.is_empty() {
            found = read_files(&self.text(&read_script(&self.root, system, &asked))?, &asked)?;
        }
        let why = || Found::NotRead("its name holds control characters".to_owned());
        found.extend(odd.into_iter().map(|a| (a.path.clone(), why())));
        Ok(found)
    }
}
