//! File systems that are full, or cannot be written.

use std::time::Duration;

use super::scene::site;
use super::{Row, row};

/// Puts a small file system over /boot, with what was there.
const SMALL_BOOT: &str = "cp -a /boot /run/boot.kept; mount -t tmpfs -o size=64k tmpfs /boot; cp -a /run/boot.kept/. /boot/; while head -c 1024 /dev/zero >> /boot/filler; do :; done 2>/dev/null; true";

pub fn rows() -> Vec<Row> {
    vec![
        row("nix-full-before", "no space on /nix", "before", |s| {
            s.good();
            let filler = s.machine.fill_disk("/nix");
            let ended = s.deploy(&[]).expect(42, &["nix-collect-garbage"]);
            std::fs::remove_file(filler).unwrap();
            Some(ended.code)
        }),
        row(
            "nix-full-probing",
            "no space on /nix, and a check that fails: the reserved space lets the rollback through",
            "probing",
            |s| {
                // What the way back writes finds no room but the reserved one.
                s.from(&site(
                    "1h",
                    "200",
                    "onSwitch = \"[ ! -e /run/big ] || head -c 4194304 /dev/urandom > /nix/big || exit 1\";",
                ));
                s.candidate(&site("2", "500", ""));
                let running = s.start(&[]);
                s.at("probing");
                s.machine.exec("touch /run/big");
                let filler = s.machine.fill_disk("/nix");
                let ended =
                    running.end().expect(20, &["rolled back: check site", "it is banned from now on"]);
                assert_eq!(s.machine.exec("stat -c %s /nix/big"), "4194304");
                let history = s.machine.exec("tail -n 1 /nix/var/nqd/history.jsonl");
                let last: nqd::guard::Evidence = serde_json::from_str(&history).unwrap();
                assert_eq!(last.candidate.as_str(), s.system(), "the attempt is not in the history");
                std::fs::remove_file(filler).unwrap();
                Some(ended.code)
            },
        )
        .quick(),
        row("nix-full-committing", "no space on /nix, nor on /boot, which lies there", "committing", |s| {
            // What Nix gives back between the two is taken again, or now and then there would be room.
            s.candidate(&site("2", "200", "onBoot = \"cat /dev/zero > /nix/filler-2 2> /dev/null; sync\";"));
            let running = s.start(&["--soak", "2s"]);
            s.at("soaking");
            let filler = s.machine.fill_disk("/nix");
            let ended = running.end().expect(20, &["it could not be made the boot default"]);
            std::fs::remove_file(filler).unwrap();
            s.machine.exec("rm -f /nix/filler-2");
            Some(ended.code)
        }),
        row("var-full", "no space on /var", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            s.machine.exec(
                "mount -t tmpfs -o size=64k tmpfs /var; cat /dev/zero > /var/filler 2> /dev/null || true",
            );
            let ended = running.end().expect(0, &["committed"]);
            s.machine.exec("umount -l /var");
            Some(ended.code)
        }),
        row("var-tmpfs", "a tmpfs /var", "always", |s| {
            s.machine.exec("mount -t tmpfs tmpfs /var");
            s.good();
            let code = s.ends(&[], 0, &["committed"]);
            s.machine.exec("umount -l /var");
            code
        }),
        row("var-read-only", "a read-only /var", "probing", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("probing");
            s.machine.exec("mount --bind /var /var; mount -o remount,bind,ro /var");
            let ended = running.end().expect(0, &["committed"]);
            s.machine.exec("umount -l /var");
            Some(ended.code)
        }),
        // A file system that is remounted is refused while files are open for writing: what can be made read-only at any
        // time is a mount of its own.
        row("state-read-only", "/nix/var is read-only for half a minute", "soaking", |s| {
            s.good();
            let running = s.start(&["--soak", "3s"]);
            s.at("soaking");
            s.machine.exec("mount --bind /nix/var /nix/var; mount -o remount,bind,ro /nix/var");
            std::thread::sleep(Duration::from_secs(30));
            s.machine.exec("umount -l /nix/var");
            Some(running.end().expect(20, &["rolled back"]).code)
        }),
        row(
            "root-read-only",
            "an error makes the root file system read-only, until a power cut",
            "soaking",
            |s| {
                s.good();
                let running = s.start(&["--soak", "3s", "--contact-timeout", "60s"]);
                s.at("soaking");
                s.machine.exec("mount -o remount,abort /");
                std::thread::sleep(Duration::from_secs(10));
                s.power_cut();
                Some(running.end().expect(24, &["interrupted"]).code)
            },
        ),
        row("inodes", "no inodes left", "probing", |s| {
            s.candidate(&site("2", "500", ""));
            let running = s.start(&["--soak", "5s"]);
            s.at("probing");
            s.machine
                .exec("mkdir /many; perl -e 'for ($i = 0; open(F, \">\", \"/many/$i\"); $i++) { close F }'");
            let ended = running.end().expect(20, &["rolled back"]);
            s.machine.exec("rm -rf /many");
            Some(ended.code)
        }),
        row("boot-full", "no space on /boot", "committing", |s| {
            s.machine.exec(SMALL_BOOT);
            s.good();
            let ended = s.deploy(&[]).expect(20, &["could not be made the boot default", "still boots"]);
            s.machine.exec("umount -l /boot");
            Some(ended.code)
        }),
        row("boot-unreadable", "the boot partition goes away", "probing", |s| {
            s.candidate(&site("2", "500", ""));
            let running = s.start(&["--soak", "4s"]);
            s.at("probing");
            s.boots_unknown();
            s.machine.exec("mv /boot /boot.gone; ln -s /boot /boot");
            let ended = running.end().expect(20, &["rolled back"]);
            s.machine.exec("rm /boot; mv /boot.gone /boot");
            Some(ended.code)
        }),
        row("state-gone", "somebody deletes /nix/var/nqd", "after", |s| {
            s.good();
            s.deploy(&[]).expect(0, &["committed"]);
            assert_eq!(s.machine.triple(), [s.system(); 3]);
            s.machine.exec("rm -r /nix/var/nqd");
            s.look();
            s.operator.on(&s.machine, &["status"]).expect(0, &["no transaction"]);
            // What was written down is gone; the machine is as it was, and can be deployed to.
            s.begins_nothing();
            None
        }),
    ]
}
