//! Paths under another root, as of a store in a chroot: there links still name `/nix/store`, and mean the one inside.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::files::{at, read_link};

/// Links that are followed at most, as the kernel does.
const LINKS: usize = 40;

/// Resolves all links of `path`, which is absolute as seen from inside `root`, without ever leaving it. The result is
/// as seen from inside. Nothing there is [`ErrorKind::NotFound`].
pub fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut rest: VecDeque<OsString> = words(path);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(word) = rest.pop_front() {
        if word == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&word);
        let outside = inside(root, &next);
        match read_link(&outside)? {
            Some(target) => {
                links += 1;
                if links > LINKS {
                    return Err(at(&outside)(io::Error::new(ErrorKind::InvalidInput, "too many links")));
                }
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                words(&target).into_iter().rev().for_each(|w| rest.push_front(w));
            }
            None => {
                std::fs::symlink_metadata(&outside).map_err(at(&outside))?;
                done = next;
            }
        }
    }
    Ok(done)
}

/// Where a path that is seen from inside `root` lies.
pub fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn words(path: &Path) -> VecDeque<OsString> {
    let word = |c| match c {
        Component::Normal(word) => Some(word.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(word).collect()
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
        let resolved = |path: &str| resolve(root, Path::new(path)).map_err(|e| e.kind());
        assert_eq!(resolved("/nix/var/nix/profiles/system"), Ok("/nix/store/x".into()));
        assert_eq!(resolved("/nix/store/x/out"), Err(ErrorKind::NotFound), "it does not lead out");
        assert_eq!(resolved("/nix/store/x/../.."), Ok("/nix".into()));
        assert_eq!(resolved("/loop"), Err(ErrorKind::InvalidInput));
    }
}
