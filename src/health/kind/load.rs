//! `load`: the load average, divided by the processors that are online, is not too high.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// Over how many minutes: 1, 5 or 15, as the kernel counts.
    #[serde(default = "five")]
    pub minutes: u8,
    /// The highest that passes.
    #[serde(default = "two")]
    pub max_per_cpu: f64,
}

fn five() -> u8 {
    5
}
fn two() -> f64 {
    2.0
}

impl Load {
    pub(super) fn fault(&self) -> Option<String> {
        if !matches!(self.minutes, 1 | 5 | 15) {
            return Some(format!("minutes is {}; the kernel counts over 1, 5 and 15", self.minutes));
        }
        let sensible = self.max_per_cpu.is_finite() && self.max_per_cpu > 0.0;
        (!sensible).then(|| "maxPerCpu must be more than 0".to_owned())
    }
}
