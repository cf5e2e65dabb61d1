//! What `/etc` is made of.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::files::{read_link, read_text};
use super::machine::EtcIdentity;
use crate::model::StorePath;

/// `/etc` of this machine.
pub fn read() -> io::Result<EtcIdentity> {
    let mounts = read_text(Path::new("/proc/self/mountinfo"), 8 << 20)?.unwrap_or_default();
    Ok(EtcIdentity { link: read_link(Path::new("/etc/static"))?, mounts: store_paths_of_etc(&mounts) })
}

/// The store paths that the mounts over `/etc` are made of (proc(5), mountinfo): the lower directories of an overlay.
/// Of several mounts the last one counts, as it covers the others.
fn store_paths_of_etc(mountinfo: &str) -> BTreeSet<String> {
    let over_etc = |l: &&str| l.split(' ').nth(4) == Some("/etc");
    let Some(line) = mountinfo.lines().rfind(over_etc) else {
        return BTreeSet::new();
    };
    let parts = line.split([':', '=', ',', ' ']).filter(|p| p.starts_with("/nix/store/"));
    parts.filter_map(|p| StorePath::containing(Path::new(p)).ok()).map(|p| p.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_is_known_by_its_lower_directories() {
        let a = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-etc-lowerdir";
        let b = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-etc-lowerdir";
        let line = |p: &str| {
            format!(
                "43 28 0:38 / /etc rw,relatime shared:9 - overlay overlay rw,lowerdir=/run/etc-metadata::{p},redirect_dir=on\n"
            )
        };
        let root = "28 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";
        let paths = store_paths_of_etc(&format!("{root}{}{}", line(a), line(b)));
        assert_eq!(paths.into_iter().collect::<Vec<_>>(), [b]);
        assert!(store_paths_of_etc(root).is_empty());
    }
}
