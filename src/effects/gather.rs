//! The script that asks a target how it is, and the reader of its answer: lines of `key<TAB>value`. It needs nothing
//! of ours on the target, only a POSIX shell and what every NixOS system has on its path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::layout;
use super::shell::quote;
use crate::deploy::facts::TargetFacts;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::model::boot_default::BootFiles;
use crate::model::described::{LINKS, TEXT_FILES};
use crate::model::{BootDefault, BootId, Described, Generation, StorePath, Triple, TxId};
use crate::nix::PathInfo;

/// Functions that both scripts use. `text KEY FILE` and `link KEY FILE` report what is there.
const FUNCTIONS: &str = r#"tab=$(printf '\t')
say() { printf '%s\t%s\n' "$1" "$2"; }
text() {
  [ -e "$2" ] || return 0
  [ -r "$2" ] || { say unreadable "$2"; return 0; }
  say "$1" ''
  while IFS= read -r line || [ -n "$line" ]; do say "$1" "|$line"; done < "$2"
}
link() { [ -L "$2" ] && say "$1" "$(readlink "$2")"; return 0; }
# What a generation's init belongs to: other tools wrap a system into a profile of their own.
system_of() { i=$(readlink -f "$1/init") && [ -e "$i" ] && echo "${i%/init}" || readlink -f "$1"; }
specialised() {
  [ -n "$2" ] || return 0
  say "$1.path" "$2"
  for s in "$2"/specialisation/*; do
    [ -e "$s" ] && say "$1.specialisation" "${s##*/}$tab$(readlink -f "$s")"
  done
  return 0
}
path() { p=$(readlink -f "$2" 2>/dev/null) && [ -e "$p" ] && say "$1" "$p"; return 0; }
"#;

/// Reports a closure. Where Nix cannot say it, the script ends with its status: no closure is not an empty one.
const CLOSURE: &str = r#"set -- $(df -Pk /nix/store | tail -n 1) && say free-kib "$4"
closure=$(nix-store --query --requisites SYSTEM) || {
  [ "${4:-1}" = 0 ] && echo 'No space left on device: even Nix cannot be asked' >&2
  exit 1
}
for p in $closure; do say closure "$p"; done
sizes=$(printf '%s\n' "$closure" | xargs nix-store --query --size) || exit
for n in $sizes; do say size "$n"; done
"#;

/// The body of `describe PREFIX TOPLEVEL`.
fn describe_function() -> String {
    let mut body = String::from(
        "describe() {\n  set -- \"$1\" \"$(readlink -f \"$2\")\"\n  [ -e \"$2\" ] || return 0\n",
    );
    for (key, file) in TEXT_FILES {
        writeln!(body, "  text \"$1.{key}\" \"$2/{file}\"").unwrap_or(());
    }
    for link in LINKS {
        writeln!(body, "  link \"$1.{link}\" \"$2/{link}\"").unwrap_or(());
    }
    body + "  [ -x \"$2/bin/switch-to-configuration\" ] && say \"$1.switchable\" yes\n  specialised \"$1\" \"$2\"\n}\n"
}

/// What a target is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Everything that a plan needs. Nothing is changed.
    Plan,
    /// What a person wants to know. A transaction whose guard has died is finished first (DESIGN rule 15), and Nix is
    /// not asked: its database may be what is in trouble.
    Status,
}

/// The script that gathers everything about a target.
pub fn gather_script(purpose: Purpose) -> String {
    let (as_is, closure, gone) = match purpose {
        // The deployment brings a guard, which reads the journal first.
        Purpose::Plan => (" --as-is", CLOSURE.replace("SYSTEM", layout::RUNNING), ":".to_owned()),
        Purpose::Status => ("", String::new(), format!("say status {}", guard_is_gone())),
    };
    let dirs = layout::BOOT_DIRS.join(" ");
    let (running, booted, profile, profiles) =
        (layout::RUNNING, layout::BOOTED, layout::PROFILE, layout::PROFILES);
    let (vars, vendor, guard) = (layout::EFI_VARS, layout::LOADER_VENDOR, layout::GUARD);
    let [boot_record, journal] =
        ["boot.json", "journal"].map(|name| layout::state(name).display().to_string());
    format!(
        r#"{FUNCTIONS}{describe}say uid "$(id -u)"
[ "$(id -u)" = 0 ] || {{ say end yes; exit 0; }}
if [ -x {guard} ]; then say status "$({guard} status{as_is})"; elif [ -e {journal} ]; then {gone}; fi
text host /proc/sys/kernel/hostname
text boot-id /proc/sys/kernel/random/boot_id
describe running {running}
path booted-path {booted}
[ {booted} -ef {running} ] || describe booted {booted}
link profile-link {profile}
specialised profile "$(system_of {profile})"
for g in {profiles}/system-*-link; do say generation-link "${{g##*/}}"; done
for i in $(readlink -m {profiles}/system-*-link/init); do say generation-init "$i"; done
for d in {dirs}; do
  text loader-conf "$d/loader/loader.conf"
  [ -e "$d/grub/grub.cfg" ] && say grub yes
  for e in "$d"/loader/entries/*.conf; do
    [ -e "$e" ] && {{ say entry "${{e##*/}}"; text entry-line "$e"; }}
  done
done
for v in LoaderEntryOneShot LoaderEntryDefault; do
  [ -e {vars}/$v-{vendor} ] && say $v "$(tail -c +5 {vars}/$v-{vendor} | tr -d '\000')"
done
text boot-record {boot_record}
{closure}say end yes
"#,
        describe = describe_function()
    )
}

/// The script that describes a system in the target's store, with its closure.
pub fn describe_script(system: &StorePath, specialisation: Option<&str>) -> String {
    let spec = specialisation.map_or_else(String::new, |name| {
        format!("describe specialisation {}\n", quote(&format!("{system}/specialisation/{name}")))
    });
    format!(
        "{FUNCTIONS}{describe}describe system {system}\n{spec}{closure}say end yes\n",
        describe = describe_function(),
        closure = CLOSURE.replace("SYSTEM", &quote(system.as_str())),
        system = quote(system.as_str())
    )
}

/// What is answered, as a word of a script, where there is a journal and nobody who can read it.
pub fn guard_is_gone() -> String {
    let what = format!("there is a journal of transactions, and {} cannot be run", layout::GUARD);
    let hint = "somebody has removed it: nqd deploy brings another guard, which finishes what is unfinished";
    let reply = Reply::Refused(Failure::refused(what).hint(hint));
    quote(&serde_json::to_string(&reply).unwrap_or_default())
}

fn lines_of(paths: &[StorePath]) -> String {
    paths.iter().fold(String::new(), |all, p| all + p.as_str() + "\n")
}

/// Notes durably which paths are going to be copied in which boot; part of a script that ends on errors.
pub fn note_copy(id: &TxId, paths: &[StorePath]) -> String {
    let (dir, state, list) = (layout::COPIES, layout::STATE, lines_of(paths));
    format!(
        r"mkdir -p {state}
chmod 711 {state}
mkdir -p -m 700 {dir}
(umask 077; cat /proc/sys/kernel/random/boot_id - > {dir}/{id} <<'nqd-end'
{list}nqd-end
)
sync {dir}/{id} {dir}
"
    )
}

/// The script that says which of these paths are not valid in the target's store. Copies that an earlier boot did not
/// bring to an end are looked at first: what is valid and torn is removed, so that it is copied again.
pub fn missing_script(paths: &[StorePath]) -> String {
    let (dir, roots, absent) = (layout::COPIES, layout::ROOTS, absent_script(paths));
    format!(
        r#"for note in {dir}/*; do
  [ -e "$note" ] || continue
  read -r boot < "$note"
  [ "$boot" != "$(cat /proc/sys/kernel/random/boot_id)" ] || continue
  torn=
  for p in $(tail -n +2 "$note"); do
    if nix-store --check-validity "$p" 2> /dev/null && ! nix-store --verify-path "$p" 2> /dev/null; then torn="$torn $p"; fi
  done
  rm -f "{roots}/${{note##*/}}"-*
  [ -z "$torn" ] || nix-store --delete $torn >&2 || exit 1
  rm -f "$note"
done
{absent}"#
    )
}

/// The script that says the same and changes nothing: what is valid and torn counts as there.
pub fn absent_script(paths: &[StorePath]) -> String {
    format!("xargs nix-store --check-validity --print-invalid <<'nqd-end'\n{}nqd-end\n", lines_of(paths))
}

/// What a script reported: the values of each key, in order.
struct Report<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Report<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in text.lines().filter_map(|l| l.split_once('\t')) {
            values.entry(key).or_default().push(value);
        }
        let report = Self(values);
        if let Some(file) = report.one("unreadable") {
            let what = format!("{file} cannot be read on the target");
            return Err(Failure::refused(what).hint("log in as root, or use --escalate sudo"));
        }
        if report.one("end").is_none() {
            return Err(Failure::new(crate::exit::Exit::Unreachable, "the target's answer was cut short"));
        }
        Ok(report)
    }

    fn one(&self, key: &str) -> Option<&'a str> {
        self.all(key).first().copied()
    }

    fn all(&self, key: &str) -> &[&'a str] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// The lines of a file, each after a bar; the first value only says that it is there.
    fn text(&self, key: &str) -> Option<String> {
        let line = |l: &&'a str| l.strip_prefix('|').unwrap_or(l);
        self.all(key).split_first().map(|(_, lines)| lines.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    fn path(&self, key: &str) -> Result<Option<StorePath>, Failure> {
        self.one(key).map(StorePath::parse).transpose().map_err(|e| odd(&e))
    }

    fn described(&self, prefix: &str) -> Result<Option<Described>, Failure> {
        let Some(path) = self.path(&format!("{prefix}.path"))? else { return Ok(None) };
        let mut d = Described::new(path);
        let texts = TEXT_FILES.iter().map(|(key, _)| (*key, self.text(&format!("{prefix}.{key}"))));
        let links = LINKS.iter().map(|key| (*key, self.one(&format!("{prefix}.{key}")).map(str::to_owned)));
        for (key, value) in texts.chain(links) {
            if let Some(value) = value {
                d.set(key, &value).map_err(|e| odd(&e))?;
            }
        }
        d.switchable = self.one(&format!("{prefix}.switchable")).is_some();
        for entry in self.all(&format!("{prefix}.specialisation")) {
            let (name, path) = entry.split_once('\t').unwrap_or_default();
            d.specialisations.push((name.to_owned(), StorePath::parse(path).map_err(|e| odd(&e))?));
        }
        Ok(Some(d))
    }

    fn closure(&self) -> Result<Vec<PathInfo>, Failure> {
        let (paths, sizes) = (self.all("closure"), self.all("size"));
        if paths.len() != sizes.len() {
            return Err(odd(&"as many sizes as paths were expected"));
        }
        let info = |(path, size): (&&str, &&str)| {
            let path = StorePath::parse(path).map_err(|e| odd(&e))?;
            Ok(PathInfo { path, nar_size: size.parse().map_err(|e| odd(&e))? })
        };
        paths.iter().zip(sizes).map(info).collect()
    }
}

fn odd(e: &dyn std::fmt::Display) -> Failure {
    Failure::refused(format!("the target's answer cannot be understood: {e}"))
}

/// Reads the answer of [`gather_script`].
pub fn read_gathered(text: &str) -> Result<TargetFacts, Failure> {
    let report = Report::parse(text)?;
    if report.one("uid") != Some("0") {
        return Err(Failure::refused("a deployment needs root on the target")
            .hint("log in as root, or use --escalate sudo"));
    }
    let running = report.described("running")?.ok_or_else(|| {
        Failure::refused("the target is not NixOS: it has no /run/current-system")
            .hint("for a first installation see nixos-anywhere")
    })?;
    let profile = report.described("profile")?;
    let number = report.one("profile-link").and_then(Generation::number_of_link);
    let generation =
        profile.as_ref().zip(number).map(|(p, number)| Generation { number, path: p.path.clone() });
    let files = boot_files(&report)?;
    let boot_default = BootDefault::read(&files, generation.as_ref().map(|g| &g.path));
    let boot_id = BootId::parse(&report.text("boot-id").unwrap_or_default()).map_err(|e| odd(&e))?;
    let status = report.one("status").map(read_status).transpose()?;
    Ok(TargetFacts {
        host_name: report.text("host").unwrap_or_default(),
        boot_id,
        triple: Triple { running: running.path.clone(), profile: generation, boot_default },
        booted: match report.path("booted-path")? {
            Some(booted) if booted == running.path => Some(running.clone()),
            _ => report.described("booted")?,
        },
        profile_specialisations: profile
            .iter()
            .flat_map(|p| &p.specialisations)
            .map(|(_, p)| p.clone())
            .collect(),
        generations: generations(&report)?,
        closure: report.closure()?,
        free: report.one("free-kib").and_then(|n| n.parse::<u64>().ok()).map(|kib| kib.saturating_mul(1024)),
        status,
        running,
    })
}

fn read_status(text: &str) -> Result<crate::guard::protocol::Status, Failure> {
    match serde_json::from_str(text) {
        Ok(Reply::Status(status)) => Ok(*status),
        Ok(Reply::Refused(failure)) => Err(failure),
        Ok(_) => Err(odd(&"the guard answered something else than its status")),
        Err(e) => Err(odd(&format!("the guard's status: {e}"))),
    }
}

fn generations(report: &Report<'_>) -> Result<Vec<Generation>, Failure> {
    let mut found = Vec::new();
    let (links, inits) = (report.all("generation-link"), report.all("generation-init"));
    if links.len() != inits.len() {
        return Err(odd(&"as many systems as generations were expected"));
    }
    for (link, init) in links.iter().zip(inits) {
        if let Some(number) = Generation::number_of_link(link) {
            let path = StorePath::containing(Path::new(init)).map_err(|e| odd(&e))?;
            found.push(Generation { number, path });
        }
    }
    found.sort_by_key(|g| g.number);
    Ok(found)
}

fn boot_files(report: &Report<'_>) -> Result<BootFiles, Failure> {
    #[derive(serde::Deserialize)]
    struct BootRecord {
        system: StorePath,
    }
    let record = report.text("boot-record").map(|t| serde_json::from_str::<BootRecord>(&t)).transpose();
    Ok(BootFiles {
        loader_conf: report.text("loader-conf"),
        entries: entries(report),
        efi_one_shot: report.one("LoaderEntryOneShot").map(str::to_owned),
        efi_default: report.one("LoaderEntryDefault").map(str::to_owned),
        grub: report.one("grub").is_some(),
        record: record.map_err(|e| odd(&e))?.map(|r| r.system),
    })
}

/// Names and texts of boot entries. Each text begins with an empty value, which marks that the file is there.
fn entries(report: &Report<'_>) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for line in report.all("entry-line") {
        match (line.strip_prefix('|'), texts.last_mut()) {
            (Some(line), Some(text)) => *text = format!("{text}{line}\n"),
            _ => texts.push(String::new()),
        }
    }
    report.all("entry").iter().map(|n| (*n).to_owned()).zip(texts).collect()
}

/// A system in the target's store: itself, its specialisation, its closure.
pub type RemoteSystem = (Described, Option<Described>, Vec<PathInfo>);

/// Reads the answer of [`describe_script`].
pub fn read_described(text: &str) -> Result<RemoteSystem, Failure> {
    let report = Report::parse(text)?;
    let system = report
        .described("system")?
        .ok_or_else(|| Failure::refused("the target does not have this system"))?;
    Ok((system, report.described("specialisation")?, report.closure()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-a";

    fn gathered(more: &str) -> String {
        format!(
            "uid\t0\nhost\t\nhost\t|web\nboot-id\t\nboot-id\t|6600d058-bc74-4f75-b6e4-532f8a2d456e\nrunning.path\t{A}\n\
             running.system\t\nrunning.system\t|x86_64-linux\nrunning.switchable\tyes\nprofile-link\tsystem-7-link\n\
             profile.path\t{A}\ngeneration-link\tsystem-10-link\ngeneration-link\tsystem-7-link\n\
             generation-init\t{A}/init\ngeneration-init\t{A}/init\nloader-conf\t\n\
             loader-conf\t|default nixos-generation-7.conf\nentry\tnixos-generation-7.conf\nentry-line\t\n\
             entry-line\t|title NixOS\nentry-line\t|options init={A}/init quiet\nclosure\t{A}\nsize\t1000\nfree-kib\t2048\n{more}"
        )
    }

    #[test]
    fn a_target_is_read() {
        let facts = read_gathered(&gathered("end\tyes\n")).unwrap();
        assert_eq!((facts.host_name.as_str(), facts.free), ("web", Some(2 << 20)));
        assert_eq!(facts.triple.profile.as_ref().unwrap().number, 7);
        assert_eq!(facts.triple.boot_default.path().unwrap().as_str(), A);
        assert_eq!(facts.generations.iter().map(|g| g.number).collect::<Vec<_>>(), [7, 10]);
        assert_eq!(facts.triple.diverged(&[]), None);
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        for (text, says) in [
            (gathered(""), "cut short"),
            (gathered("unreadable\t/boot/loader/loader.conf\nend\tyes\n"), "loader.conf"),
            (gathered("end\tyes\n").replace("uid\t0", "uid\t1000"), "needs root"),
            ("uid\t0\nend\tyes\n".to_owned(), "not NixOS"),
            (gathered("status\t???\nend\tyes\n"), "status"),
            (gathered("end\tyes\n").replace("size\t1000\n", ""), "as many sizes"),
            (gathered("end\tyes\n").replace("size\t1000", "size\tx"), "cannot be understood"),
        ] {
            let failure = read_gathered(&text).unwrap_err();
            assert!(failure.what.contains(says), "{says}: {failure}");
        }
    }

    #[test]
    fn the_scripts_are_valid_sh() {
        use crate::effects::runner::{Cmd, Runner};
        let system = StorePath::parse(A).unwrap();
        for script in [
            gather_script(Purpose::Plan),
            gather_script(Purpose::Status),
            describe_script(&system, Some("x'y")),
            missing_script(std::slice::from_ref(&system)),
        ] {
            Runner::default().run(&Cmd::new("/bin/sh").args(["-n", "-s"]).stdin(script)).unwrap();
        }
    }

    #[test]
    fn what_is_being_copied_is_noted_privately() {
        use std::os::unix::fs::PermissionsExt;

        use crate::effects::runner::{Cmd, Runner};
        let dir = tempfile::tempdir().unwrap();
        let id = TxId::new("2026-11-22T06:03:01Z", [1, 2, 3]);
        let note = note_copy(&id, &[StorePath::parse(A).unwrap()]);
        let note = note.replace(layout::STATE, &dir.path().join("nqd").display().to_string());
        Runner::default()
            .run(&Cmd::new("/bin/sh").arg("-s").stdin(format!("set -e; umask 022\n{note}")))
            .unwrap();
        let file = dir.path().join("nqd/copies").join(id.as_str());
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().nth(1), Some(A));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_local_directory_is_described_as_the_script_reports_it() {
        use crate::effects::runner::{Cmd, Runner};
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/nqd")).unwrap();
        std::fs::write(dir.path().join("system"), "x86_64-linux").unwrap();
        std::fs::write(dir.path().join("etc/fstab"), "a\n\n  b\\t\n").unwrap();
        std::os::unix::fs::symlink("/nix/store/k/bzImage", dir.path().join("kernel")).unwrap();
        let call = format!("describe system {}\nsay end yes\n", dir.path().display());
        let script = format!("{FUNCTIONS}{}{call}", describe_function());
        let out = Runner::default().run(&Cmd::new("/bin/sh").arg("-s").stdin(script)).unwrap();
        let text = out.text().unwrap().replacen(&dir.path().display().to_string(), A, 1);
        let d = Report::parse(&text).unwrap().described("system").unwrap().unwrap();
        assert_eq!(d.fstab.as_deref(), Some("a\n\n  b\\t"));
        assert_eq!(d.kernel.as_deref(), Some("/nix/store/k/bzImage"));
        assert_eq!(d.system.unwrap().as_str(), "x86_64-linux");
    }
}
