//! The order of versions. Two that cannot be put in order are different, neither newer nor older.

use std::cmp::Ordering;

use super::name::is_git_hash;

/// Words that come before the release that they name, in their order.
const BEFORE: [(&str, u8); 11] = [
    ("nightly", 0),
    ("dev", 0),
    ("snapshot", 0),
    ("alpha", 1),
    ("a", 1),
    ("m", 1),
    ("beta", 2),
    ("b", 2),
    ("pre", 3),
    ("preview", 3),
    ("rc", 4),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'a> {
    /// Before a release.
    Before(u8),
    /// A letter or a word.
    Word(&'a str),
    /// Decimal digits, without zeros in front.
    Number(&'a str),
    /// A git revision: it has no order.
    Hash(&'a str),
}

/// Compares two versions. `None`: there is no telling which is newer, as of two git revisions.
///
/// Parts are separated by `. - _ + = ~` and where digits meet letters, and compared one by one as numbers or words;
/// `alpha`, `beta`, `pre` and `rc` come before what they precede, other words after it; a word comes before a number
/// (as in Nix's `compareVersions`: 2.3a is before 2.3.1).
pub fn compare(a: &str, b: &str) -> Option<Ordering> {
    if a == b {
        return Some(Ordering::Equal);
    }
    // What has no version is neither older nor newer than what has one.
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b) = dates(a, b).unwrap_or((a, b));
    let (mut a, mut b) = (parts(a).into_iter(), parts(b).into_iter());
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Some(Ordering::Equal),
            (Some(part), None) => return end(&part),
            (None, Some(part)) => return end(&part).map(Ordering::reverse),
            (Some(x), Some(y)) => x.compare(&y)?,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
}

/// Puts versions in an order that is that of [`compare`] where there is one, and total.
pub fn sort(versions: &mut [String]) {
    // The end of a version is between what comes before a release and what comes after it.
    let place = |part: &Part<'_>| match part {
        Part::Before(rank) => (0, usize::from(*rank), String::new()),
        Part::Word(word) => (2, word.len(), (*word).to_owned()),
        Part::Number(digits) => (3, digits.len(), (*digits).to_owned()),
        Part::Hash(hash) => (4, 0, (*hash).to_owned()),
    };
    let key = |version: &String| {
        let places: Vec<_> = parts(version).iter().map(place).chain([(1, 0, String::new())]).collect();
        (places, version.clone())
    };
    versions.sort_by_cached_key(key);
}

/// How many leading parts two versions share.
pub fn shared(a: &str, b: &str) -> usize {
    parts(a).iter().zip(&parts(b)).take_while(|(x, y)| x == y).count()
}

/// The dates of two snapshots of a repository: nixpkgs writes `0-unstable-DATE` for what it once wrote as
/// `unstable-DATE`, or as `DATE` alone.
fn dates<'a>(a: &'a str, b: &'a str) -> Option<(&'a str, &'a str)> {
    let date = |v: &'a str| {
        let v = v.strip_prefix("0-").unwrap_or(v);
        let v = v.strip_prefix("unstable-").unwrap_or(v);
        let shape = v.get(..10)?.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
        shape.eq(*b"0000-00-00").then_some(v)
    };
    date(a).zip(date(b))
}

/// How a version is to one that ends where this part stands.
fn end(part: &Part<'_>) -> Option<Ordering> {
    match part {
        Part::Before(_) => Some(Ordering::Less),
        Part::Word(_) | Part::Number(_) => Some(Ordering::Greater),
        Part::Hash(_) => None,
    }
}

impl Part<'_> {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Hash(a), Self::Hash(b)) if a == b => Some(Ordering::Equal),
            (Self::Hash(_), _) | (_, Self::Hash(_)) => None,
            (Self::Before(a), Self::Before(b)) => Some(a.cmp(b)),
            (Self::Before(_), _) => Some(Ordering::Less),
            (_, Self::Before(_)) => Some(Ordering::Greater),
            (Self::Number(a), Self::Number(b)) => Some(a.len().cmp(&b.len()).then_with(|| a.cmp(b))),
            // Letters that count releases (1.0.2z, 1.0.2za) have an order, names have none.
            (Self::Word(a), Self::Word(b)) if a == b => Some(Ordering::Equal),
            (Self::Word(a), Self::Word(b)) if a.len() <= 2 && b.len() <= 2 => {
                Some(a.len().cmp(&b.len()).then_with(|| a.cmp(b)))
            }
            (Self::Word(_), Self::Word(_)) => None,
            (Self::Word(a), Self::Number(_)) => (a.len() <= 2).then_some(Ordering::Less),
            (Self::Number(_), Self::Word(b)) => (b.len() <= 2).then_some(Ordering::Greater),
        }
    }
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for word in version.split(['.', '-', '_', '+', '=', '~']).filter(|w| !w.is_empty()) {
        if is_git_hash(word) || is_decimal_hash(word, version) {
            parts.push(Part::Hash(word));
            continue;
        }
        let mut rest = word;
        while let Some(first) = rest.bytes().next() {
            let digits = first.is_ascii_digit();
            let end = rest.bytes().position(|b| b.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (run, more) = rest.split_at(end);
            parts.push(part(run, more));
            rest = more;
        }
    }
    parts
}

/// A revision that happens to have no letter: a whole one, or one that is all of the version and as long as git makes
/// them. Eight digits are a date.
fn is_decimal_hash(word: &str, version: &str) -> bool {
    let alone = word == version && (word.len() == 7 || (word.len() > 7 && word.starts_with('0')));
    (alone || word.len() == 40) && word.len() <= 40 && word.bytes().all(|b| b.is_ascii_digit())
}

/// `2.0a1` is an alpha of 2.0, `1.0.2a` comes after 1.0.2: `more` follows in the same word.
fn part<'a>(run: &'a str, more: &str) -> Part<'a> {
    if run.starts_with(|c: char| c.is_ascii_digit()) {
        return Part::Number(run.trim_start_matches('0'));
    }
    if run.len() == 1 && more.is_empty() {
        return Part::Word(run);
    }
    let rank = BEFORE.iter().find(|(word, _)| run.eq_ignore_ascii_case(word));
    rank.map_or(Part::Word(run), |(_, rank)| Part::Before(*rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer() {
        for (older, newer) in [
            ("1.9", "1.10"),
            ("1.0", "1.0.1"),
            ("2.0-rc1", "2.0"),
            ("2.0rc1", "2.0rc2"),
            ("2.0-alpha.3", "2.0-beta.1"),
            ("2.0-beta", "2.0-rc.1"),
            ("2.0pre20240101", "2.0"),
            ("1.9", "2.0-rc1"),
            ("3.13.0a1", "3.13.0b2"),
            ("3.13.0b2", "3.13.0"),
            ("1.0.2", "1.0.2a"),
            ("1.0.2k", "1.0.2u"),
            ("1.0.2z", "1.0.2za"),
            ("9.6", "9.6p1"),
            ("9.6p1", "9.6.1"),
            ("unstable-2024-01-31", "unstable-2024-02-01"),
            ("unstable-2024-01-31", "0-unstable-2024-02-01"),
            ("0-unstable-2024-02-01", "1.0"),
            ("2024-05-01", "0-unstable-2025-06-01"),
            ("2024-05-01", "unstable-2025-06-01"),
            ("2.0-M1", "2.0"),
            ("3.0.0-nightly", "3.0.0"),
            ("1.2-unstable-2024-02-01", "1.2-unstable-2024-03-01"),
            ("1.2", "1.2-unstable-2024-02-01"),
            ("1.2-unstable-2024-02-01", "1.3"),
            ("2024-02-01-1a2b3c4", "2024-02-02-0a2b3c4"),
            ("26.05.20260101.aaaaaa1", "26.05.20260102.0000001a"),
            ("0012", "13"),
            ("20240101", "20240102"),
            ("1.0.1234567", "1.0.1234568"),
        ] {
            assert_eq!(compare(older, newer), Some(Ordering::Less), "{older} < {newer}");
            assert_eq!(compare(newer, older), Some(Ordering::Greater), "{newer} > {older}");
        }
    }

    #[test]
    fn what_has_no_order() {
        for (a, b) in [
            ("a1b2c3d", "0b2c3d4"),
            ("unstable-a1b2c3d", "unstable-0b2c3d4"),
            ("1.0-ga1b2c3d", "1.0-g0b2c3d4"),
            ("1.0", "1.0-a1b2c3d"),
            ("1.0-wayland", "1.0-x11"),
            ("1234567", "0234567"),
            ("1234567", "2345678"),
            ("0123456789", "1234567890"),
            ("1234567", "a1b2c3d"),
            ("", "1"),
        ] {
            assert_eq!((compare(a, b), compare(b, a)), (None, None), "{a} and {b}");
        }
        assert_eq!(compare("1.0", "1-0"), Some(Ordering::Equal));
    }

    #[test]
    fn leading_parts() {
        assert_eq!((shared("1.2.3", "1.2.9"), shared("1.2", "1.2"), shared("2", "1")), (2, 2, 0));
    }

    proptest::proptest! {
        #[test]
        fn the_order_of_a_list_is_total_and_agrees(
            mut list in proptest::collection::vec("[0-2](\\.[0-2])?(-rc1|-a1b2c3d|-wayland|-1|a)?", 0..60),
        ) {
            sort(&mut list);
            let mut again: Vec<String> = list.iter().rev().cloned().collect();
            sort(&mut again);
            proptest::prop_assert_eq!(&list, &again);
            for pair in list.windows(2) {
                proptest::prop_assert_ne!(compare(&pair[0], &pair[1]), Some(Ordering::Greater), "{:?}", pair);
            }
        }
    }
}
