//! Paths under another root, as of a store in a chroot: there links still name `/nix/store`, and mean the one inside.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::files::at;

/// Links that are followed for one path, as the kernel does (`path_resolution(7)`).
const LINKS: usize = 40;

/// Why a path could not be resolved.
pub struct Stopped {
    /// How far it was, as seen from inside.
    pub at: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// Resolves all links of `path`, which is absolute as seen from inside `root`, without ever leaving it. The result is
/// as seen from inside. Nothing there is [`io::ErrorKind::NotFound`].
pub fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    walk(root, path).map_err(|stopped| at(&inside(root, &stopped.at))(stopped.error))
}

/// The same for whoever wants to know how far it was.
pub fn walk(root: &Path, path: &Path) -> Result<PathBuf, Stopped> {
    let mut rest = words(path);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(word) = rest.pop() {
        if word == Path::new("..") {
            done.pop();
            continue;
        }
        let next = done.join(&word);
        let outside = inside(root, &next);
        let stopped = |error: io::Error| Stopped { at: next.clone(), error };
        if !fs::symlink_metadata(&outside).map_err(stopped)?.is_symlink() {
            done = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(stopped(rustix::io::Errno::LOOP.into()));
        }
        let target = fs::read_link(&outside).map_err(stopped)?;
        if target.is_absolute() {
            done = PathBuf::from("/");
        }
        rest.extend(words(&target));
    }
    Ok(done)
}

/// Where a path that is seen from inside `root` lies.
pub fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The parts of a path, the last first.
fn words(path: &Path) -> Vec<PathBuf> {
    let word = |c| match c {
        Component::Normal(word) => Some(PathBuf::from(word)),
        Component::ParentDir => Some(PathBuf::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_mean_what_is_inside() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("nix/store/x")).unwrap();
        std::fs::create_dir_all(root.join("nix/var/nix/profiles")).unwrap();
        symlink("system-1-link", root.join("nix/var/nix/profiles/system")).unwrap();
        symlink("/nix/store/x", root.join("nix/var/nix/profiles/system-1-link")).unwrap();
        symlink("../../../../../../../etc", root.join("nix/store/x/out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let resolved = |path: &str| walk(root, Path::new(path)).map_err(|s| (s.at, s.error.raw_os_error()));
        let not_found = Some(rustix::io::Errno::NOENT.raw_os_error());
        assert_eq!(resolved("/nix/var/nix/profiles/system"), Ok("/nix/store/x".into()));
        assert_eq!(resolved("/nix/store/x/out"), Err(("/etc".into(), not_found)), "it does not lead out");
        assert_eq!(resolved("/nix/store/x/../.."), Ok("/nix".into()));
        let too_many = Some(rustix::io::Errno::LOOP.raw_os_error());
        assert_eq!(resolved("/loop"), Err(("/loop".into(), too_many)));
        let said = resolve(root, Path::new("/loop")).unwrap_err().to_string();
        assert!(said.contains(&root.join("loop").display().to_string()), "{said}");
    }
}
