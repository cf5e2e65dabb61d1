//! What a switch does to the units of the running machine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Where this is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The new system's own `dry-activate`, on the machine.
    DryActivate,
    /// The unit files alone: each line holds only for units that run.
    #[default]
    Derived,
}

/// Units by what is done to them. A unit that is stopped and started again is restarted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actions {
    /// Where this is known from.
    pub source: Source,
    /// Stopped, and not started by the switch.
    pub stop: BTreeSet<String>,
    /// Restarted, or stopped and started again.
    pub restart: BTreeSet<String>,
    /// Reloaded.
    pub reload: BTreeSet<String>,
    /// Started.
    pub start: BTreeSet<String>,
    /// Changed, and left as they run.
    pub left_alone: BTreeSet<String>,
    /// systemd itself is executed anew.
    pub reexec: bool,
    /// What else was said: lines of activation scripts, swap devices, words that are not understood.
    pub said: Vec<String>,
}

impl Actions {
    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        *self == Self { source: self.source, ..Self::default() }
    }

    /// Joins stop and start of one unit into a restart. What is done to a unit for one reason (its service is
    /// restarted, say) is not left undone for another.
    #[must_use]
    pub fn joined(mut self) -> Self {
        let both: Vec<String> = self.stop.intersection(&self.start).cloned().collect();
        for unit in both {
            self.stop.remove(&unit);
            self.start.remove(&unit);
            self.restart.insert(unit);
        }
        for done in [&self.stop, &self.restart, &self.reload, &self.start] {
            self.left_alone.retain(|unit| !done.contains(unit));
        }
        self
    }
}
