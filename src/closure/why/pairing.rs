//! Which of the old names belongs to which of the new ones.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap};

use crate::closure::{change, name, version};

/// Indices into the old and the new names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Paired {
    pub(super) pairs: Vec<(usize, usize)>,
    pub(super) removed: Vec<usize>,
    pub(super) added: Vec<usize>,
}

/// Groups with more candidates than this are paired in order, unread.
const MOST: usize = 1024;

impl Paired {
    /// Nothing is paired yet.
    pub(super) fn none(old: usize, new: usize) -> Self {
        Self { pairs: Vec::new(), removed: (0..old).collect(), added: (0..new).collect() }
    }

    /// Pairs what has the same name; of several, those that are most `alike`.
    pub(super) fn by_name<E>(
        &mut self,
        old: &[&str],
        new: &[&str],
        alike: impl FnMut(usize, usize) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.by_key(|i| old.get(i).copied(), |i| new.get(i).copied(), alike)
    }

    /// Pairs what has the same name but for the version; of several, those that `nqd diff` matches. Patches are what
    /// their whole name says.
    pub(super) fn by_pname(&mut self, old: &[&str], new: &[&str]) {
        let mut groups: BTreeMap<&str, [Vec<(String, usize)>; 2]> = BTreeMap::new();
        for (side, all, left) in [(0, old, &self.removed), (1, new, &self.added)] {
            for (whole, i) in left.iter().filter_map(|i| Some((*all.get(*i)?, *i))) {
                if ![".patch", ".diff", ".patch.gz"].iter().any(|e| whole.ends_with(e)) {
                    let (pname, version) = name::split(whole);
                    groups.entry(pname).or_default()[side].push((version.unwrap_or_default().to_owned(), i));
                }
            }
        }
        for [old, new] in groups.into_values() {
            let (old, new) = (in_order(old), in_order(new));
            let versions = |all: &[(String, usize)]| all.iter().map(|(v, _)| v.clone()).collect::<Vec<_>>();
            let both = |(i, j): (Option<usize>, Option<usize>)| Some((old.get(i?)?.1, new.get(j?)?.1));
            match change::aligned(&versions(&old), &versions(&new)) {
                Some(aligned) => self.pairs.extend(aligned.into_iter().filter_map(both)),
                // Too many for that.
                None => self.pairs.extend(old.iter().zip(&new).map(|((_, i), (_, j))| (*i, *j))),
            }
        }
        self.drop_paired();
    }

    /// Pairs what has the same key (none: is not paired).
    pub(super) fn by_key<K: Ord, E>(
        &mut self,
        old: impl Fn(usize) -> Option<K>,
        new: impl Fn(usize) -> Option<K>,
        mut alike: impl FnMut(usize, usize) -> Result<usize, E>,
    ) -> Result<(), E> {
        let (left, right) = (keyed(&self.removed, old), keyed(&self.added, new));
        let (mut a, mut b) = (left.as_slice(), right.as_slice());
        while let (Some((x, _)), Some((y, _))) = (a.first(), b.first()) {
            let (i, j) = match x.cmp(y) {
                Ordering::Less => (run(a), 0),
                Ordering::Greater => (0, run(b)),
                Ordering::Equal => (run(a), run(b)),
            };
            best(&a[..i], &b[..j], &mut alike, &mut self.pairs)?;
            (a, b) = (&a[i..], &b[j..]);
        }
        self.drop_paired();
        Ok(())
    }

    /// What is paired is neither removed nor added.
    fn drop_paired(&mut self) {
        let (mut left, mut right): (Vec<_>, Vec<_>) = self.pairs.iter().copied().unzip();
        left.sort_unstable();
        right.sort_unstable();
        self.removed.retain(|i| left.binary_search(i).is_err());
        self.added.retain(|j| right.binary_search(j).is_err());
    }
}

/// By version, as `nqd diff` puts them.
fn in_order(mut all: Vec<(String, usize)>) -> Vec<(String, usize)> {
    let mut versions: Vec<String> = all.iter().map(|(v, _)| v.clone()).collect();
    version::sort(&mut versions);
    let places: HashMap<&str, usize> = versions.iter().enumerate().map(|(n, v)| (v.as_str(), n)).collect();
    all.sort_by_key(|(v, i)| (places.get(v.as_str()).copied(), *i));
    all
}

/// Indices by their keys, in order.
fn keyed<K: Ord>(all: &[usize], key: impl Fn(usize) -> Option<K>) -> Vec<(K, usize)> {
    let mut keyed: Vec<(K, usize)> = all.iter().filter_map(|i| Some((key(*i)?, *i))).collect();
    keyed.sort_unstable();
    keyed
}

/// How many have the first one's key.
fn run<K: Ord>(keyed: &[(K, usize)]) -> usize {
    keyed.iter().take_while(|(k, _)| Some(k) == keyed.first().map(|(k, _)| k)).count()
}

/// Pairs of one group: the most alike first.
fn best<K, E>(
    old: &[(K, usize)],
    new: &[(K, usize)],
    alike: &mut impl FnMut(usize, usize) -> Result<usize, E>,
    pairs: &mut Vec<(usize, usize)>,
) -> Result<(), E> {
    if old.len() * new.len() <= 1 || old.len() * new.len() > MOST {
        pairs.extend(old.iter().zip(new).map(|((_, i), (_, j))| (*i, *j)));
        return Ok(());
    }
    let mut scores = Vec::new();
    for (_, i) in old {
        for (_, j) in new {
            scores.push((Reverse(alike(*i, *j)?), *i, *j));
        }
    }
    scores.sort_unstable();
    let first = pairs.len();
    for (_, i, j) in scores {
        if pairs[first..].iter().all(|(a, b)| *a != i && *b != j) {
            pairs.push((i, j));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn paired(old: &[&str], new: &[&str]) -> Vec<String> {
        let mut paired = Paired::none(old.len(), new.len());
        paired.by_name(old, new, |_, _| Ok::<_, Infallible>(0)).unwrap();
        paired.by_pname(old, new);
        let mut lines: Vec<String> =
            paired.pairs.iter().map(|(i, j)| format!("{} {}", old[*i], new[*j])).collect();
        lines.extend(paired.removed.iter().map(|i| format!("-{}", old[*i])));
        lines.extend(paired.added.iter().map(|j| format!("+{}", new[*j])));
        lines
    }

    #[test]
    fn several_versions_of_one_name() {
        assert_eq!(
            paired(&["ssl-1.1", "ssl-3.0"], &["ssl-1.1", "ssl-3.1"]),
            ["ssl-1.1 ssl-1.1", "ssl-3.0 ssl-3.1"]
        );
        assert_eq!(
            paired(&["py-3.11.8", "py-3.12.2"], &["py-3.12.5"]),
            ["py-3.12.2 py-3.12.5", "-py-3.11.8"]
        );
        // As `nqd diff` matches them: 3.11.8 did not become 3.13.0.
        assert_eq!(
            paired(&["py-3.11.8", "py-3.12.3"], &["py-3.12.4", "py-3.13.0"]),
            ["py-3.12.3 py-3.12.4", "-py-3.11.8", "+py-3.13.0"]
        );
        assert_eq!(paired(&["x-1.9", "x-1.10"], &["x-1.11"]), ["x-1.10 x-1.11", "-x-1.9"]);
        assert_eq!(paired(&["a-1"], &["b-1"]), ["-a-1", "+b-1"]);
    }

    #[test]
    fn patches_are_not_versions_of_each_other() {
        assert_eq!(paired(&["CVE-1.patch"], &["CVE-2.patch"]), ["-CVE-1.patch", "+CVE-2.patch"]);
        assert_eq!(paired(&["CVE-1.tar"], &["CVE-2.tar"]), ["CVE-1.tar CVE-2.tar"]);
    }
}
