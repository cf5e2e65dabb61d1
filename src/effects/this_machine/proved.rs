//! The garbage collector roots of systems that were proved: one link each, named as what it leads to, in a directory
//! that holds nothing else. What is not such a link is not ours, and left alone.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::effects::machine::{Fault, tried};
use crate::effects::{files, layout};
use crate::guard::keep::Keep;
use crate::model::StorePath;

/// The systems that are kept now.
pub fn proved_roots() -> Result<Vec<StorePath>, Fault> {
    roots(Path::new(layout::PROVED)).map_err(tried("reading the roots of proved systems"))
}

/// Keeps what is to be kept, and then lets go of the rest.
pub fn keep_proved(keep: &Keep) -> Result<(), Fault> {
    apply(Path::new(layout::PROVED), keep).map_err(tried("keeping proved systems"))
}

fn roots(dir: &Path) -> io::Result<Vec<StorePath>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(files::at(dir)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(files::at(dir))?.path();
        let target = files::read_link(&path)?;
        let system = target.and_then(|t| StorePath::parse(t.to_str()?).ok());
        found.extend(system.filter(|s| s.as_path().file_name() == path.file_name()));
    }
    found.sort();
    Ok(found)
}

fn apply(dir: &Path, keep: &Keep) -> io::Result<()> {
    files::make_dir(dir, 0o755)?;
    let link = |system: &StorePath| dir.join(system.as_path().file_name().unwrap_or_default());
    let there = roots(dir)?;
    for system in keep.kept.iter().filter(|s| !there.contains(s)) {
        symlink(system.as_path(), link(system)).map_err(files::at(&link(system)))?;
    }
    for system in keep.dropped.iter().filter(|s| there.contains(s)) {
        files::remove(&link(system))?;
    }
    files::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::fake_machine::path;

    #[test]
    fn roots_come_and_go_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("nqd-proved");
        assert_eq!(roots(&dir).unwrap(), [], "before the first time");
        let keep = |kept: &[char], dropped: &[char]| Keep {
            kept: kept.iter().copied().map(path).collect(),
            dropped: dropped.iter().copied().map(path).collect(),
        };
        apply(&dir, &keep(&['a', 'b'], &[])).unwrap();
        fs::write(dir.join("note"), "mine").unwrap();
        symlink(path('d').as_path(), dir.join("my-own-root")).unwrap();
        for _ in 0..2 {
            apply(&dir, &keep(&['b', 'c'], &['a', 'd'])).unwrap();
            assert_eq!(roots(&dir).unwrap(), [path('b'), path('c')]);
        }
        assert_eq!(fs::read_link(dir.join("my-own-root")).unwrap(), path('d').as_path());
        assert_eq!(fs::read_to_string(dir.join("note")).unwrap(), "mine");
        // Something that is not ours is in the place of a root: it is not replaced.
        fs::write(dir.join(path('f').as_path().file_name().unwrap()), "mine").unwrap();
        assert!(apply(&dir, &keep(&['f'], &['b'])).is_err());
        assert_eq!(roots(&dir).unwrap(), [path('b'), path('c')], "nothing is dropped then");
    }

    #[test]
    fn a_directory_that_cannot_be_read_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(roots(&dir.path().join("file")).is_err());
    }
}
