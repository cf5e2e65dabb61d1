//! `disk`: a file system has room.

use rustix::fs::statvfs;

use crate::health::ProbeResult;
use crate::health::kind::Disk;

pub(super) fn probe(disk: &Disk) -> ProbeResult {
    let (at, max_used, max_inodes) = (disk.path.display(), disk.max_used_percent, disk.max_inodes_percent);
    let stat = match statvfs(&disk.path) {
        Ok(stat) => stat,
        Err(e) => return ProbeResult::fail(format!("{at}: {e}")),
    };
    // As df(1) counts: what only root may use is neither used nor available.
    let used = percent(stat.f_blocks - stat.f_bfree, stat.f_blocks - stat.f_bfree + stat.f_bavail);
    let inodes = percent(stat.f_files - stat.f_ffree, stat.f_files);
    if used > u64::from(max_used) {
        ProbeResult::fail(format!("{at}: {used} % used, at most {max_used} % wanted"))
    } else if inodes > u64::from(max_inodes) {
        ProbeResult::fail(format!("{at}: {inodes} % of inodes used, at most {max_inodes} % wanted"))
    } else {
        ProbeResult::pass(format!("{at}: {used} % used, {inodes} % of inodes"))
    }
}

/// Rounded up, as df(1) does; 0 of nothing.
fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        0
    } else {
        u64::try_from((u128::from(part) * 100).div_ceil(u128::from(whole))).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus;

    #[test]
    fn limits_decide() {
        let of = |path: &str, max_used_percent, max_inodes_percent| {
            probe(&Disk { path: path.into(), max_used_percent, max_inodes_percent }).status
        };
        assert_eq!(of("/", 100, 100), ProbeStatus::Pass);
        assert_eq!(of("/", 0, 100), ProbeStatus::Fail);
        assert_eq!(of("/no/such/path", 100, 100), ProbeStatus::Fail);
    }

    #[test]
    fn percentages_round_up() {
        assert_eq!((percent(0, 0), percent(1, 1000), percent(1000, 1000)), (0, 1, 100));
    }
}
