//! Today's Nix beside Debian's: taken once from Debian's unstable branch, with its libraries, so that it runs on the
//! operator's side and on a target, both of an older Debian. Used where `NQD_TEST_NIX=new`.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::run::{cache, run, sh};

/// The commands of Nix.
const COMMANDS: [&str; 7] =
    ["nix", "nix-store", "nix-env", "nix-daemon", "nix-collect-garbage", "nix-build", "nix-instantiate"];

/// Whether the tests are to use it.
pub fn wanted() -> bool {
    std::env::var_os("NQD_TEST_NIX").is_some_and(|v| v == "new")
}

/// The directory whose `bin` holds it; made if it is not there.
pub fn tree() -> PathBuf {
    let dir = cache();
    let lock = File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::LockExclusive).unwrap();
    let tree = dir.join("nix-new-2");
    if !tree.exists() {
        eprintln!("getting today's Nix from Debian unstable (once, about a minute): {}", tree.display());
        make(&dir, &tree);
    }
    tree
}

fn make(dir: &Path, tree: &Path) {
    let root = dir.join("unstable.new");
    let new = tree.with_extension("new");
    for left_over in [&root, &new] {
        if left_over.exists() {
            fs::remove_dir_all(left_over).unwrap();
        }
    }
    let at = root.to_str().unwrap();
    run(&["debootstrap", "--variant=minbase", "sid", at]);
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).unwrap();
    // As a debootstrap --include it fails to configure.
    let install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nix-bin";
    run(&["chroot", at, "sh", "-c", install]);
    fs::create_dir_all(new.join("lib")).unwrap();
    fs::create_dir_all(new.join("bin")).unwrap();
    sh(&format!(
        "chroot {at} ldd /usr/bin/nix | sed -n 's,.*=> \\(/[^ ]*\\).*,{at}\\1,p' | xargs cp -L -t {lib}
        cp -L {at}/lib64/ld-linux-x86-64.so.2 {lib}/ld.so
        cp -L {at}/usr/bin/nix {new}/bin/nix
        patchelf --set-interpreter {tree}/lib/ld.so --set-rpath {tree}/lib --force-rpath {new}/bin/nix",
        lib = new.join("lib").display(),
        new = new.display(),
        tree = tree.display()
    ));
    for command in &COMMANDS[1..] {
        symlink("nix", new.join("bin").join(command)).unwrap();
    }
    fs::remove_dir_all(&root).unwrap();
    fs::rename(new, tree).unwrap();
}

/// Puts it onto a target in the place of Debian's.
pub fn install(root: &Path) {
    let tree = tree();
    // Nix finds its libraries by the path that was written into it.
    let there = root.join(tree.strip_prefix("/").unwrap());
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    run(&["cp", "-r", tree.to_str().unwrap(), there.to_str().unwrap()]);
    for command in COMMANDS {
        let there = root.join("usr/bin").join(command);
        if there.is_symlink() || there.exists() {
            fs::remove_file(&there).unwrap();
        }
        symlink(tree.join("bin").join(command), there).unwrap();
    }
}
