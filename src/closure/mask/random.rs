//! Tokens that look random: runs of the characters of base 64 that no person would have written.

use std::ops::Range;

/// Shorter runs are left alone: nothing can be said of them.
const LEAST: usize = 16;

/// Which letters follow which in the words of unit files and manuals: the 330 commonest pairs of the 8,580 words that
/// Debian's systemd, tmpfiles and /etc use, 95 % of all pairs.
const FOLLOW: [&str; 26] = [
    "bcdfgiklmnprstuvwxy",
    "aceilorsuy",
    "acdehiklmoprstuy",
    "abcdefilmnoprstu",
    "abcdefgilmnopqrstuvwxy",
    "aefilorstu",
    "aeghilmnoprsu",
    "aeiortu",
    "abcdefglmnoprstvxz",
    "aeo",
    "aeims",
    "abcdeilmopstuy",
    "abcdeilmopstu",
    "acdefgiklmnoprstuv",
    "abcdfgiklmnoprstuvwx",
    "acdefghikloprstu",
    "u",
    "abcdefgiklmnoprstuvy",
    "acdefghiklmnoprstuvwy",
    "acdefhilmnoprstuwxy",
    "abcdegilmnoprstv",
    "aceios",
    "adehinors",
    "ceilmpst",
    "eimnpst",
    "aei",
];

/// What the keys and tokens of some services begin with.
const PREFIXES: [&str; 19] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "xoxa-",
    "xoxb-",
    "xoxc-",
    "xoxd-",
    "xoxe-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
];
/// A shorter rest after a prefix is none of them: `sk-utils` is a name.
const LEAST_AFTER: usize = 10;

/// The tokens of a text that look random, or begin as tokens do.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|b| is_token(**b)).count();
        if prefixed(&bytes[at..at + len]) {
            found.push(at..at + len);
        } else if len >= LEAST {
            in_run(bytes, at..at + len, &mut found);
        }
        at += len.max(1);
    }
    found
}

/// Whether a run begins as the tokens of some services do.
fn prefixed(run: &[u8]) -> bool {
    PREFIXES.iter().any(|p| run.strip_prefix(p.as_bytes()).is_some_and(|rest| rest.len() >= LEAST_AFTER))
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || is_separator(b)
}

/// The characters of base 64, and of its form for URLs, that are no letters or digits.
fn is_separator(b: u8) -> bool {
    matches!(b, b'+' | b'/' | b'-' | b'_')
}

/// Looks at a run in chains of parts between separators. Long words end a chain, so that a token is not drowned by
/// the path that it stands in; so do the hashes that may be shown.
fn in_run(bytes: &[u8], run: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut chain = run.start..run.start;
    let mut at = run.start;
    while at < run.end {
        let readable = readable(bytes, at, &run);
        let len = bytes[at..run.end].iter().take_while(|b| !is_separator(**b)).count();
        let part = &bytes[at..at + len];
        let ends_chain = readable > 0 || is_long_word(part);
        if ends_chain {
            judge(bytes, &chain, found);
        } else if len >= LEAST && !natural(part) {
            found.push(at..padded(bytes, at + len));
        }
        // Past the separator; a padding after a readable hash is no token's character.
        at = (at + len.max(readable) + 1).min(run.end);
        chain = if ends_chain { at..at } else { chain.start..at };
    }
    judge(bytes, &chain, found);
}

fn judge(bytes: &[u8], chain: &Range<usize>, found: &mut Vec<Range<usize>>) {
    if chain.len() >= LEAST && !natural(&bytes[chain.clone()]) {
        found.push(chain.start..padded(bytes, chain.end));
    }
}

/// The end of a token with its padding.
fn padded(bytes: &[u8], end: usize) -> usize {
    end + bytes[end..].iter().take(2).take_while(|b| **b == b'=').count()
}

/// How many bytes from `at` on are a hash that may be shown; 0 if none.
fn readable(bytes: &[u8], at: usize, run: &Range<usize>) -> usize {
    let rest = &bytes[at..run.end];
    let sri = [("sha1-", 27), ("sha256-", 43), ("sha384-", 64), ("sha512-", 86)];
    for (name, digits) in sri {
        if rest.starts_with(name.as_bytes()) && base64(&rest[name.len()..]) == digits {
            return name.len() + digits;
        }
    }
    let len = rest.iter().take_while(|b| !is_separator(**b)).count();
    let part = &rest[..len];
    let base32 = part.iter().all(|b| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"eotu".contains(b)));
    let hex = part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let before = &bytes[..at];
    match len {
        // A store path: what stands elsewhere could as well be a key of 32 digits (`…-us6` is Mailchimp's).
        32 if base32 && [b"/nix/store/".as_slice(), b"../"].iter().any(|d| before.ends_with(d)) => 32,
        40 | 64 | 128 if hex => len,
        // SHA-256 and SHA-512 in Nix's base 32.
        52 | 103 if base32 => len,
        8 if is_disk_id(before) => uuid(rest),
        _ => 0,
    }
}

/// The length of what is base 64, `-` and `_` excluded.
fn base64(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count()
}

/// File systems are named by their UUID, which is no secret there.
fn is_disk_id(before: &[u8]) -> bool {
    let tail = &before[before.len().saturating_sub(12)..];
    let tail = tail.to_ascii_lowercase();
    [b"uuid=".as_slice(), b"uuid/", b"uuid-"].iter().any(|name| tail.ends_with(name))
}

fn uuid(rest: &[u8]) -> usize {
    let is = |(i, b): (usize, &u8)| match i {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    };
    if rest.len() >= 36 && rest.iter().take(36).enumerate().all(is) { 36 } else { 0 }
}

/// A word of eight letters or more: chance makes none.
fn is_long_word(part: &[u8]) -> bool {
    let words = Words::count(part);
    part.len() >= 8 && words.breaks == 0 && words.likely >= part.len() * 2
}

/// Whether people may have written this. The fewer changes between letters and digits, and small and capital letters,
/// the fewer of its letters must be in words. Measured: of 60,000 random tokens of 20 characters of base 64, 9 pass; of
/// all of Debian's unit files, five differing tokens that are no secrets do not.
fn natural(run: &[u8]) -> bool {
    let words = Words::count(run);
    let (letters, breaks) = (words.len, words.breaks);
    let enough = match breaks {
        _ if letters == 0 => 0,
        0 if words.longest < LEAST => 0,
        0 => 25,
        n if n * 10 <= letters => 40,
        n if n * 5 <= letters => 60,
        _ => 75,
    };
    words.likely * 50 >= enough * letters
}

/// What a run is made of.
#[derive(Default)]
struct Words {
    /// Letters and digits.
    len: usize,
    /// Changes of kind within a part; a capital letter that begins a word is none.
    breaks: usize,
    /// Twice the letters that are in words; short words count half.
    likely: usize,
    /// The longest part.
    longest: usize,
}

impl Words {
    fn count(run: &[u8]) -> Self {
        let mut words = Self::default();
        for part in run.split(|b| is_separator(*b)).filter(|p| !is_version(p)) {
            words.longest = words.longest.max(part.len());
            words.len += part.len();
            let pieces = pieces(part);
            words.breaks += pieces.len().saturating_sub(1);
            words.likely += pieces.iter().map(|p| worth(&part[p.clone()], pieces.len() == 1)).sum::<usize>();
        }
        words
    }
}

/// A part of a version such as `66` or `2025b`, or nothing: neither a word nor chance.
fn is_version(part: &[u8]) -> bool {
    let digits = part.iter().take_while(|b| b.is_ascii_digit()).count();
    part.is_empty() || (digits > 0 && part.len() <= 6 && part.len() - digits <= 1)
}

/// Cuts a part where its kind changes.
fn pieces(part: &[u8]) -> Vec<Range<usize>> {
    let kind = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for (i, b) in part.iter().enumerate() {
        match pieces.last_mut() {
            Some(p) if kind(part[p.end - 1]) == kind(*b) => p.end = i + 1,
            // A capital letter and the small ones after it.
            Some(p) if p.len() == 1 && part[p.start].is_ascii_uppercase() && b.is_ascii_lowercase() => {
                p.end = i + 1;
            }
            _ => pieces.push(i..i + 1),
        }
    }
    pieces
}

/// Twice the number of letters that count as part of words.
fn worth(piece: &[u8], alone: bool) -> usize {
    let word: Vec<u8> = piece.to_ascii_lowercase();
    if !word.iter().all(u8::is_ascii_lowercase) {
        return if alone && piece.len() <= 3 { piece.len() } else { 0 };
    }
    if word.len() < 4 {
        return if alone { word.len() } else { 0 };
    }
    let follows = |w: &[u8]| FOLLOW[usize::from(w[0] - b'a')].as_bytes().contains(&w[1]);
    let odd = word.windows(2).filter(|w| !follows(w)).count();
    let vowel = word.iter().any(|b| b"aeiouy".contains(b));
    if vowel && odd * 5 < word.len() { word.len() * 2 } else { 0 }
}
