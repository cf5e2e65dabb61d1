//! `memory`: memory is left, and swap is not full.

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Memory {
    /// Smallest part of all memory that must be available, as `free` counts: without swapping.
    #[serde(default = "five")]
    pub min_available_percent: u8,
    /// Largest part of the swap space in use; not looked at unless given. A machine without swap passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_swap_used_percent: Option<u8>,
}

fn five() -> u8 {
    5
}

impl Memory {
    pub(super) fn fault(&self) -> Option<String> {
        words::percent("minAvailablePercent", self.min_available_percent)
            .or_else(|| words::percent("maxSwapUsedPercent", self.max_swap_used_percent.unwrap_or(0)))
    }
}
