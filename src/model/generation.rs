//! One generation of the system profile.

use serde::{Deserialize, Serialize};

use super::StorePath;

/// A generation: its number and the toplevel that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// As in `system-<number>-link`.
    pub number: u64,
    /// The toplevel. Where another tool has wrapped one into a profile of its own, the one that is wrapped.
    pub path: StorePath,
}

impl Generation {
    /// The number in the name of a generation link (`system-12-link`), if it is one.
    pub fn number_of_link(name: &str) -> Option<u64> {
        name.strip_prefix("system-")?.strip_suffix("-link")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn reads_link_names() {
        assert_eq!(Generation::number_of_link("system-12-link"), Some(12));
        for other in ["system", "system-link", "system-x-link", "system--1-link", "per-user-1-link"] {
            assert_eq!(Generation::number_of_link(other), None, "{other}");
        }
    }
}
