//! `disk`: a file system has room.

use std::path::Path;

use rustix::fs::statvfs;

use crate::health::ProbeResult;

pub(super) fn probe(path: &Path, max_used: u8, max_inodes: u8) -> ProbeResult {
    let stat = match statvfs(path) {
        Ok(stat) => stat,
        Err(e) => return ProbeResult::fail(format!("{}: {e}", path.display())),
    };
    // As df(1) counts: what only root may use is neither used nor available.
    let used = percent(stat.f_blocks - stat.f_bfree, stat.f_blocks - stat.f_bfree + stat.f_bavail);
    let inodes = percent(stat.f_files - stat.f_ffree, stat.f_files);
    let at = path.display();
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
        assert_eq!(probe(Path::new("/"), 100, 100).status, ProbeStatus::Pass);
        assert_eq!(probe(Path::new("/"), 0, 100).status, ProbeStatus::Fail);
        assert_eq!(probe(Path::new("/no/such/path"), 100, 100).status, ProbeStatus::Fail);
    }

    #[test]
    fn percentages_round_up() {
        assert_eq!((percent(0, 0), percent(1, 1000), percent(1000, 1000)), (0, 1, 100));
    }
}
