//! `load`: the load average, divided by the processors that are online.

use std::path::Path;

use crate::effects::files::read_text;
use crate::health::ProbeResult;
use crate::health::kind::Load;

/// proc(5): three averages, over 1, 5 and 15 minutes, and more.
const AVERAGES: &str = "/proc/loadavg";
/// Ranges, such as `0-3,6`.
const ONLINE: &str = "/sys/devices/system/cpu/online";

pub(super) fn probe(load: &Load) -> ProbeResult {
    match (read(AVERAGES), read(ONLINE)) {
        (Ok(averages), Ok(online)) => judge(load, &averages, &online),
        (Err(why), _) | (_, Err(why)) => ProbeResult::unknown(why),
    }
}

fn read(path: &str) -> Result<String, String> {
    let text = read_text(Path::new(path), 64 << 10).map_err(|e| e.to_string())?;
    text.ok_or_else(|| format!("{path} is not there"))
}

fn judge(load: &Load, averages: &str, online: &str) -> ProbeResult {
    let column = match load.minutes {
        1 => 0,
        5 => 1,
        _ => 2,
    };
    let Some(average) = averages.split_whitespace().nth(column).and_then(|a| a.parse::<f64>().ok()) else {
        return ProbeResult::unknown(format!("{AVERAGES} cannot be understood: {averages:?}"));
    };
    let Some(cpus) = count(online.trim()).filter(|n| *n > 0) else {
        return ProbeResult::unknown(format!("{ONLINE} cannot be understood: {online:?}"));
    };
    let (each, limit) = (average / f64::from(cpus), load.max_per_cpu);
    let text = format!("load {average} over {} min is {each:.2} for each of {cpus} CPUs", load.minutes);
    if each > limit {
        ProbeResult::fail(format!("{text}, at most {limit} wanted"))
    } else {
        ProbeResult::pass(text)
    }
}

/// How many numbers a list of ranges holds.
fn count(ranges: &str) -> Option<u32> {
    let of_range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    ranges.split(',').try_fold(0_u32, |sum, range| sum.checked_add(of_range(range)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass, Unknown};

    fn load(minutes: u8, max_per_cpu: f64) -> Load {
        Load { minutes, max_per_cpu }
    }

    #[test]
    fn the_average_that_was_asked_for_is_shared_by_all_processors() {
        let averages = "9.14 5.70 3.38 2/330 12345\n";
        let rows = [
            (load(1, 2.0), averages, "0-3\n", Fail),
            (load(1, 2.0), averages, "0-3,6", Pass),
            (load(5, 2.0), averages, "0-3", Pass),
            (load(15, 3.0), averages, "0", Fail),
            (load(15, 3.38), averages, "0", Pass),
            (load(1, 2.0), "", "0", Unknown),
            (load(1, 2.0), averages, "", Unknown),
            (load(1, 2.0), averages, "3-1", Unknown),
        ];
        for (load, averages, online, expected) in rows {
            let got = judge(&load, averages, online);
            assert_eq!(got.status, expected, "{load:?} {online}: {}", got.message);
        }
        assert_eq!(
            judge(&load(1, 2.0), averages, "0-3").message,
            "load 9.14 over 1 min is 2.29 for each of 4 CPUs, at most 2 wanted"
        );
    }

    #[test]
    fn this_machine_has_a_load() {
        assert_eq!(probe(&load(1, 1e9)).status, Pass);
        assert!(read("/proc/no-such-file").is_err());
    }
}
