//! What a guest boots: Debian's kernel for virtual machines, and an initramfs that mounts the disk and runs `/firmware`
//! on it. Taken out of Debian's packages once and kept: installed, they would rebuild the boot loader of this machine.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::run::{cache, run, sh};

/// What a changed recipe must change, so that old files are not used.
const RECIPE: u32 = 3;
/// Modules in the order in which they are loaded. All else that a guest needs is built in.
const MODULES: [&str; 10] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/char/virtio_console",
];

/// The directory with `vmlinuz` and `initramfs`; made if it is not there.
pub fn files() -> PathBuf {
    let dir = cache();
    let lock = File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::LockExclusive).unwrap();
    let files = dir.join(format!("kernel-{RECIPE}"));
    if !files.exists() {
        eprintln!("getting a kernel for the guests (once, some seconds): {}", files.display());
        make(&files);
    }
    files
}

fn make(files: &Path) {
    let new = files.with_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new).unwrap();
    }
    let packages = new.join("packages");
    fs::create_dir_all(&packages).unwrap();
    // The kernel's package is named by what the one without a version depends on.
    sh(&format!(
        "cd {}
        apt-get -qq update
        kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | grep -m 1 '^linux-image-')
        apt-get -qq -o APT::Sandbox::User=root download \"$kernel\" busybox-static
        for package in *.deb; do dpkg-deb --extract \"$package\" .; done
        cp boot/vmlinuz-* ../vmlinuz",
        packages.display()
    ));
    initramfs(&packages, &new);
    fs::remove_dir_all(&packages).unwrap();
    fs::rename(new, files).unwrap();
}

fn initramfs(packages: &Path, new: &Path) {
    let root = new.join("root");
    for dir in ["dev", "proc", "sys", "disk", "modules"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let (from, to) = (packages.display(), root.display());
    for (n, module) in MODULES.iter().enumerate() {
        sh(&format!("cp {from}/lib/modules/*/kernel/{module}.ko {to}/modules/{n}.ko"));
    }
    fs::write(root.join("init"), INIT).unwrap();
    sh(&format!(
        "find {from} -type f -path '*bin/busybox' -exec cp {{}} {to} ';'
        cd {to}
        chmod 755 init
        find . | ./busybox cpio -o -H newc > ../initramfs"
    ));
    fs::remove_dir_all(&root).unwrap();
}

/// NixOS's stage 1: it ends with the machine as nspawn has it where `/firmware` starts. With `nqd.init=PROGRAM` on the
/// kernel's command line that starts instead, with a second disk as its /nix, and virtio ports have the names that udev
/// would give them.
const INIT: &str = r#"#!/busybox sh
set -e
/busybox mount -t devtmpfs dev /dev
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sys /sys
for module in /modules/*; do
  /busybox insmod $module
done
init=/firmware
for word in $(/busybox cat /proc/cmdline); do
  case $word in nqd.init=*) init=${word#*=} ;; esac
done
/busybox mount -t ext4 -o noatime /dev/vda /disk
if [ $init = /firmware ]; then
  /busybox ip link set eth0 name host0
else
  /busybox mount -t ext4 -o noatime /dev/vdb /disk/nix
  /busybox mkdir /dev/virtio-ports
  # Ports get their names some moments after the module is there.
  for try in 0 1 2 3 4 5 6 7 8 9; do
    [ ! -s /sys/class/virtio-ports/vport*/name ] || break
    /busybox sleep 0.3
  done
  for port in /sys/class/virtio-ports/*; do
    /busybox ln -s ../${port##*/} "/dev/virtio-ports/$(/busybox cat $port/name)"
  done
fi
/busybox umount /sys
/busybox umount /proc
/busybox mount -o move /dev /disk/dev
/busybox mount -t proc proc /disk/proc
/busybox mount -t sysfs sys /disk/sys
/busybox mount -t tmpfs -o mode=755 run /disk/run
exec /busybox switch_root /disk $init
"#;
