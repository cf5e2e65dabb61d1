//! The base image: made once with debootstrap, kept, and copied for each machine.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::run::{cache, run, sh};

/// Debian packages that a target has besides the smallest system. strace and sudo are for tests only.
const PACKAGES: &str =
    "systemd,systemd-sysv,dbus,openssh-server,iproute2,ca-certificates,sudo,opendoas,strace,procps";
/// What a changed recipe must change, so that old images are not used.
const RECIPE: u32 = 2;
/// Size of a machine's file system.
const SIZE: &str = "2G";

/// The image of a root file system without any of our systems on it; made if it is not there.
pub fn image() -> PathBuf {
    let dir = cache();
    let lock = File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::LockExclusive).unwrap();
    let image = dir.join(format!("base-{RECIPE}.img"));
    if !image.exists() {
        eprintln!("making the base image of the test machines (once, about a minute): {}", image.display());
        make(&dir, &image);
    }
    image
}

fn make(dir: &Path, image: &Path) {
    let root = dir.join("base.new");
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    let at = root.to_str().unwrap();
    run(&["debootstrap", "--variant=minbase", &format!("--include={PACKAGES}"), "bookworm", at]);
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).unwrap();
    // As a debootstrap --include it fails to configure.
    run(&[
        "chroot",
        at,
        "sh",
        "-c",
        "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nix-bin",
    ]);
    sh(&format!(
        "cd {at}
        rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale usr/share/i18n
        rm -rf etc/systemd/system etc/machine-id etc/hostname etc/ssh/ssh_host_*_key* var/log/*
        # It fails now and then in a container, and would be an old failure that a test does not expect.
        find . -xdev -name 'systemd-update-utmp-runlevel.service' -delete
        mkdir -p etc/nix etc/harness root/.ssh boot nix/var/nix/profiles home/deploy
        : > etc/machine-id"
    ));
    put(
        &root,
        "etc/nix/nix.conf",
        "substituters =\nsandbox = false\nbuild-users-group =\nexperimental-features = nix-command flakes\n",
    );
    put(&root, "firmware", FIRMWARE);
    put(&root, "etc/ssh/sshd_config.d/harness.conf", "PermitRootLogin yes\nUseDNS no\nMaxStartups 100\n");
    put(&root, "etc/resolv.conf", "");
    run(&["chmod", "755", &format!("{at}/firmware")]);
    run(&["chroot", at, "ssh-keygen", "-q", "-A"]);
    // sudo with a password, doas without.
    run(&["chroot", at, "sh", "-c", "useradd -m -s /bin/bash -p \"$(openssl passwd -6 'hunter 2')\" deploy"]);
    put(&root, "etc/sudoers.d/deploy", "deploy ALL=(ALL) ALL\n");
    put(&root, "etc/doas.conf", "permit nopass deploy\n");
    let new = image.with_extension("new");
    run(&["truncate", "-s", SIZE, new.to_str().unwrap()]);
    run(&[
        "mkfs.ext4",
        "-q",
        "-F",
        "-O",
        "^metadata_csum_seed",
        "-E",
        "lazy_itable_init=1",
        "-d",
        at,
        new.to_str().unwrap(),
    ]);
    fs::remove_dir_all(&root).unwrap();
    fs::rename(new, image).unwrap();
}

fn put(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What starts first, as a boot loader would: the system that the default entry names.
const FIRMWARE: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
default=$(sed -n 's/^default *//p' /boot/loader/loader.conf)
init=$(sed -n 's/^options .*init=\([^ ]*\).*/\1/p' "/boot/loader/entries/$default")
exec "$init"
"#;
