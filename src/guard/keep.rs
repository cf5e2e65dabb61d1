//! Which proved systems are kept from the garbage collector: pure, over the history.

use super::{Evidence, State};
use crate::model::StorePath;

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Systems that are kept, the newest first.
    pub kept: Vec<StorePath>,
    /// Those that are kept no longer.
    pub dropped: Vec<StorePath>,
}

/// The systems that the lines of a history say were committed, each once, the last proved first. Lines that a crash
/// tore are not among them, but counted.
///
/// A history that cannot be read is an error and never an empty one: what it proves would be let go of.
pub fn proved(lines: &[String], torn: usize) -> Result<Vec<StorePath>, String> {
    if lines.is_empty() && torn > 0 {
        return Err(format!("none of its {torn} lines is a record"));
    }
    let mut systems = Vec::new();
    for line in lines.iter().rev() {
        let evidence: Evidence =
            serde_json::from_str(line).map_err(|e| format!("a record of it cannot be read: {e}"))?;
        let committed = matches!(evidence.outcome.state, State::Committed | State::CommittedDegraded);
        if committed && !systems.contains(&evidence.candidate) {
            systems.push(evidence.candidate);
        }
    }
    Ok(systems)
}

/// Keeps the first `n` of `proved` that are still in the store, as each says; of those that are `rooted`, the rest is
/// dropped. One that was collected before it was kept is no use, and takes nobody's place.
///
/// A history without a proved system says nothing of what was rooted by an earlier one: that is an error.
pub fn plan(proved: Vec<(StorePath, bool)>, rooted: Vec<StorePath>, n: usize) -> Result<Keep, String> {
    if proved.is_empty() && !rooted.is_empty() && n > 0 {
        return Err(format!("it names no system that was proved, but {} are kept", rooted.len()));
    }
    let there = proved.into_iter().filter(|(_, there)| *there).map(|(system, _)| system);
    let kept: Vec<StorePath> = there.take(n).collect();
    let dropped = rooted.into_iter().filter(|r| !kept.contains(r)).collect();
    Ok(Keep { kept, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::fake_machine::{FakeMachine, System, path};
    use crate::guard::{Options, Transaction};

    fn line(candidate: char, state: State) -> String {
        let mut m = FakeMachine::new(System::good(), System::good());
        let record = m.planned(&path('b'), Options::default());
        Transaction::new(&mut m, record).run().unwrap();
        let mut evidence = m.history.remove(0);
        evidence.candidate = path(candidate);
        evidence.outcome.state = state;
        serde_json::to_string(&evidence).unwrap()
    }

    #[test]
    fn what_was_committed_counts_once_and_the_newest_first() {
        let lines = [
            line('a', State::Committed),
            line('b', State::CommittedDegraded),
            line('c', State::RolledBack),
            line('a', State::Committed),
            line('d', State::Held),
            line('f', State::Interrupted),
        ];
        assert_eq!(proved(&lines, 1).unwrap(), [path('a'), path('b')]);
        assert!(proved(&[], 0).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_history() {
        assert!(proved(&[], 3).unwrap_err().contains("none of its 3 lines"));
        let newer = line('a', State::Committed).replace("\"committed\"", "\"committed-twice\"");
        assert!(proved(&[line('b', State::Committed), newer], 0).is_err());
        assert!(plan(Vec::new(), vec![path('a')], 3).is_err());
    }

    #[test]
    fn the_last_are_kept_and_the_oldest_dropped() {
        let all =
            [('a', true), ('z', false), ('b', true), ('c', true)].map(|(c, there)| (path(c), there)).to_vec();
        let keep =
            |rooted: &[char], n| plan(all.clone(), rooted.iter().copied().map(path).collect(), n).unwrap();
        assert_eq!(keep(&[], 2), Keep { kept: vec![path('a'), path('b')], dropped: Vec::new() });
        assert_eq!(keep(&['c', 'a', 'x'], 2).dropped, [path('c'), path('x')]);
        assert_eq!(keep(&['a', 'b'], 2).dropped, []);
        assert_eq!(keep(&['a'], 0), Keep { kept: Vec::new(), dropped: vec![path('a')] });
        assert_eq!(plan(Vec::new(), Vec::new(), 3).unwrap(), Keep::default());
    }
}
