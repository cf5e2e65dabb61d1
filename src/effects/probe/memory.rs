//! `memory`: memory is left, and swap is not full.

use std::path::Path;

use crate::effects::files::read_text;
use crate::health::ProbeResult;
use crate::health::kind::Memory;

/// proc(5): `MemTotal:  16315280 kB` and so on.
const MEMINFO: &str = "/proc/meminfo";

pub(super) fn probe(memory: &Memory) -> ProbeResult {
    match read_text(Path::new(MEMINFO), 64 << 10) {
        Ok(Some(text)) => judge(memory, &text),
        Ok(None) => ProbeResult::unknown(format!("{MEMINFO} is not there")),
        Err(e) => ProbeResult::unknown(e.to_string()),
    }
}

fn judge(memory: &Memory, meminfo: &str) -> ProbeResult {
    let value = |name: &str| -> Option<u64> {
        let of_name = |l: &str| -> Option<u64> {
            l.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok()
        };
        meminfo.lines().find_map(of_name).filter(|kib| *kib <= u64::MAX / 100)
    };
    let all = (value("MemTotal"), value("MemAvailable"), value("SwapTotal"), value("SwapFree"));
    let (Some(total), Some(available), Some(swap), Some(free)) = all else {
        return ProbeResult::unknown(format!(
            "{MEMINFO} lacks MemTotal, MemAvailable, SwapTotal or SwapFree"
        ));
    };
    // Rounded against the machine: down what is left, up what is used.
    let left = (available * 100).checked_div(total).unwrap_or(0);
    let used = if swap == 0 { 0 } else { (swap.saturating_sub(free) * 100).div_ceil(swap) };
    let least = u64::from(memory.min_available_percent);
    if left < least {
        return ProbeResult::fail(format!("{left} % of memory is available, at least {least} % wanted"));
    }
    match memory.max_swap_used_percent.map(u64::from) {
        Some(most) if used > most => {
            ProbeResult::fail(format!("{used} % of swap is used, at most {most} % wanted"))
        }
        Some(_) => ProbeResult::pass(format!("{left} % of memory is available, {used} % of swap is used")),
        None => ProbeResult::pass(format!("{left} % of memory is available")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass, Unknown};

    fn meminfo(total: u64, available: u64, swap: u64, free: u64) -> String {
        format!(
            "MemTotal: {total} kB\nMemFree: 1 kB\nMemAvailable:   {available} kB\nSwapCached: 0 kB\nSwapTotal: {swap} kB\nSwapFree: {free} kB\n"
        )
    }

    #[test]
    fn limits_decide() {
        let half = meminfo(1000, 500, 1000, 499);
        let rows = [
            (50, None, &half, Pass),
            (51, None, &half, Fail),
            (50, Some(51), &half, Pass),
            (50, Some(50), &half, Fail),
            (5, Some(0), &meminfo(1000, 500, 0, 0), Pass),
            (1, None, &meminfo(1000, 9, 0, 0), Fail),
            (0, None, &"MemTotal: 5 kB\n".to_owned(), Unknown),
            (0, None, &String::new(), Unknown),
        ];
        for (min_available_percent, max_swap_used_percent, text, expected) in rows {
            let memory = Memory { min_available_percent, max_swap_used_percent };
            let got = judge(&memory, text);
            assert_eq!(got.status, expected, "{memory:?} {text}: {}", got.message);
        }
    }

    #[test]
    fn this_machine_has_some_left_and_not_all_of_it() {
        let of = |min_available_percent| {
            probe(&Memory { min_available_percent, max_swap_used_percent: Some(100) }).status
        };
        assert_eq!((of(0), of(100)), (Pass, Fail));
    }
}
