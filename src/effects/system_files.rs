//! Reads what the files of a system, its profile and its boot loader say, on this machine.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{self, at, read_link, read_text};
use super::layout;
use crate::model::boot_default::BootFiles;
use crate::model::described::{LINKS, TEXT_FILES};
use crate::model::{BootDefault, BootId, Described, Generation, StorePath, Triple};

/// More of a file is not read.
const LIMIT: u64 = 8 << 20;

/// For which system a boot loader was installed successfully, and by us.
#[derive(Debug, Serialize, Deserialize)]
pub struct BootRecord {
    /// The system.
    pub system: StorePath,
}

fn invalid<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> io::Error + '_ {
    move |e| io::Error::new(ErrorKind::InvalidData, format!("{}: {e}", path.display()))
}

/// Describes a toplevel in this machine's store.
pub fn describe(system: &StorePath) -> io::Result<Described> {
    let mut d = Described::new(system.clone());
    // Checked first: a toplevel that is not there at all is an error, not a system without files.
    fs::metadata(system).map_err(at(system.as_path()))?;
    for (key, file) in TEXT_FILES {
        let path = system.join(file);
        if let Some(text) = read_text(&path, LIMIT)? {
            d.set(key, &text).map_err(invalid(&path))?;
        }
    }
    for link in LINKS {
        if let Some(target) = read_link(&system.join(link))? {
            d.set(link, &target.display().to_string()).map_err(invalid(&target))?;
        }
    }
    d.switchable = fs::metadata(system.join("bin/switch-to-configuration")).is_ok();
    d.specialisations = specialisations(system)?;
    Ok(d)
}

fn specialisations(system: &StorePath) -> io::Result<Vec<(String, StorePath)>> {
    let dir = system.join("specialisation");
    let mut found = Vec::new();
    for name in names_in(&dir)? {
        let path = fs::canonicalize(dir.join(&name)).map_err(at(&dir))?;
        found.push((name, StorePath::containing(&path).map_err(invalid(&path))?));
    }
    Ok(found)
}

/// The names in a directory, sorted; none if it is not there.
fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(at(dir)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(at(dir))?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// A link to a system, resolved; `None` if it is not there.
pub fn system_link(link: &str) -> io::Result<Option<StorePath>> {
    let link = Path::new(link);
    match fs::canonicalize(link) {
        Ok(path) => StorePath::parse(&path.to_string_lossy()).map(Some).map_err(invalid(link)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(link)(e)),
    }
}

/// What runs, what the profile names, what boots.
pub fn triple() -> io::Result<Triple> {
    let profile = profile()?;
    // A boot partition that cannot be read must not stop anybody from going back.
    let boot_default = match boot_files() {
        Ok(files) => BootDefault::read(&files, profile.as_ref().map(|g| &g.path)),
        Err(e) => BootDefault::Unknown { why: format!("the boot loader's files cannot be read: {e}") },
    };
    Ok(Triple { running: running()?, profile, boot_default })
}

/// What runs.
pub fn running() -> io::Result<StorePath> {
    system_link(layout::RUNNING)?.ok_or_else(|| {
        io::Error::new(ErrorKind::NotFound, "/run/current-system is not there: is this NixOS?")
    })
}

fn profile() -> io::Result<Option<Generation>> {
    let path = Path::new(layout::PROFILE);
    let Some(link) = read_link(path)? else { return Ok(None) };
    let number = link.file_name().and_then(|n| n.to_str()).and_then(Generation::number_of_link);
    let number = number.ok_or_else(|| invalid(path)("it does not point at a generation"))?;
    // Other tools wrap a system into a profile of their own: which system it is, its init says.
    let init = fs::canonicalize(path.join("init")).or_else(|_| fs::canonicalize(path)).map_err(at(path))?;
    let path = StorePath::containing(&init).map_err(invalid(path))?;
    Ok(Some(Generation { number, path }))
}

/// The boot loader's files, and our own record.
pub fn boot_files() -> io::Result<BootFiles> {
    let mut found = BootFiles::default();
    for dir in layout::BOOT_DIRS.map(Path::new) {
        found.loader_conf = match found.loader_conf {
            None => read_text(&dir.join("loader/loader.conf"), LIMIT)?,
            conf => conf,
        };
        found.grub |= read_text(&dir.join("grub/grub.cfg"), 1)?.is_some();
        let entries = dir.join("loader/entries");
        for name in names_in(&entries)?.into_iter().filter(|n| n.to_ascii_lowercase().ends_with(".conf")) {
            if let Some(text) = read_text(&entries.join(&name), LIMIT)? {
                found.entries.push((name, text));
            }
        }
    }
    found.efi_one_shot = efi_variable("LoaderEntryOneShot")?;
    found.efi_default = efi_variable("LoaderEntryDefault")?;
    let path = layout::state("boot.json");
    if let Some(text) = files::read_own_text(&path, LIMIT)? {
        let record: BootRecord = serde_json::from_str(&text).map_err(invalid(&path))?;
        found.record = Some(record.system);
    }
    Ok(found)
}

/// A variable of the boot loader: four bytes of attributes, then UTF-16.
fn efi_variable(name: &str) -> io::Result<Option<String>> {
    let path = Path::new(layout::EFI_VARS).join(format!("{name}-{}", layout::LOADER_VENDOR));
    match fs::read(&path) {
        Ok(bytes) => {
            let units =
                bytes.get(4..).unwrap_or_default().chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
            let units: Vec<u16> = units.take_while(|u| *u != 0).collect();
            String::from_utf16(&units).map(Some).map_err(invalid(&path))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(&path)(e)),
    }
}

/// Whether a system is in the store.
pub fn is_there(system: &StorePath) -> io::Result<bool> {
    fs::exists(system.as_path()).map_err(files::at(system.as_path()))
}

/// Which boot this is.
pub fn boot_id() -> io::Result<BootId> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = read_text(path, 64)?.unwrap_or_default();
    BootId::parse(&text).map_err(invalid(path))
}

/// The name of this machine.
pub fn host_name() -> io::Result<String> {
    let text = read_text(Path::new("/proc/sys/kernel/hostname"), 256)?;
    Ok(text.unwrap_or_default().trim_end().to_owned())
}

/// Makes the boot record durable.
pub fn write_boot_record(system: &StorePath) -> io::Result<()> {
    let path = layout::state("boot.json");
    let text = serde_json::to_string(&BootRecord { system: system.clone() }).map_err(invalid(&path))?;
    files::write_durable(&path, text.as_bytes(), 0o600)
}
