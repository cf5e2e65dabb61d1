//! Which of the old names belongs to which of the new ones.

use std::collections::BTreeMap;

use crate::closure::name;

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

    /// Pairs what has the same name but for the version; of several, those whose versions are closest. Patches are
    /// what their whole name says.
    pub(super) fn by_pname(&mut self, old: &[&str], new: &[&str]) {
        let pname = |all: &[&str], i: usize| -> Option<String> {
            let whole = all.get(i)?;
            let patch = [".patch", ".diff", ".patch.gz"].iter().any(|e| whole.ends_with(e));
            (!patch).then(|| name::split(whole).0.to_owned())
        };
        let common = |i: usize, j: usize| match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) => Ok(a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()),
            _ => Ok::<_, std::convert::Infallible>(0),
        };
        match self.by_key(|i| pname(old, i), |i| pname(new, i), common) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Pairs what has the same key (none: is not paired).
    pub(super) fn by_key<K: Ord, E>(
        &mut self,
        old: impl Fn(usize) -> Option<K>,
        new: impl Fn(usize) -> Option<K>,
        mut alike: impl FnMut(usize, usize) -> Result<usize, E>,
    ) -> Result<(), E> {
        let mut groups: BTreeMap<K, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for i in &self.removed {
            if let Some(key) = old(*i) {
                groups.entry(key).or_default().0.push(*i);
            }
        }
        for j in &self.added {
            if let Some(key) = new(*j) {
                groups.entry(key).or_default().1.push(*j);
            }
        }
        for (a, b) in groups.into_values() {
            self.pairs.extend(best(&a, &b, &mut alike)?);
        }
        let (mut left, mut right): (Vec<_>, Vec<_>) = self.pairs.iter().copied().unzip();
        left.sort_unstable();
        right.sort_unstable();
        self.removed.retain(|i| left.binary_search(i).is_err());
        self.added.retain(|j| right.binary_search(j).is_err());
        Ok(())
    }
}

/// Pairs of one group: the most alike first.
fn best<E>(
    old: &[usize],
    new: &[usize],
    alike: &mut impl FnMut(usize, usize) -> Result<usize, E>,
) -> Result<Vec<(usize, usize)>, E> {
    if old.len() * new.len() <= 1 || old.len() * new.len() > MOST {
        return Ok(old.iter().copied().zip(new.iter().copied()).collect());
    }
    let mut scores = Vec::new();
    for i in old {
        for j in new {
            scores.push((std::cmp::Reverse(alike(*i, *j)?), *i, *j));
        }
    }
    scores.sort_unstable();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (_, i, j) in scores {
        if pairs.iter().all(|(a, b)| *a != i && *b != j) {
            pairs.push((i, j));
        }
    }
    Ok(pairs)
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
        assert_eq!(paired(&["a-1"], &["b-1"]), ["-a-1", "+b-1"]);
    }

    #[test]
    fn patches_are_not_versions_of_each_other() {
        assert_eq!(paired(&["CVE-1.patch"], &["CVE-2.patch"]), ["-CVE-1.patch", "+CVE-2.patch"]);
        assert_eq!(paired(&["CVE-1.tar"], &["CVE-2.tar"]), ["CVE-1.tar CVE-2.tar"]);
    }
}
