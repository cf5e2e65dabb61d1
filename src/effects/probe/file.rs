//! `file`: a file is there, and as described.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use super::matches;
use crate::health::ProbeResult;
use crate::health::kind::{File, FileType};

/// The part of a file that is looked at.
const CONTENT: u64 = 64 << 10;

pub(super) fn probe(file: &File) -> ProbeResult {
    let (path, is, regex) = (&file.path, file.is, file.content_regex.as_deref());
    let at = path.display();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) => return ProbeResult::fail(format!("{at}: {e}")),
    };
    if !is_of(&meta, is) {
        return ProbeResult::fail(format!("{at} is there, but is no {}", word(is)));
    }
    if let Some(limit) = file.max_age_seconds.map(Duration::from_secs) {
        // A change that lies ahead of the clock is not old.
        let age = meta.modified().ok().and_then(|m| m.elapsed().ok()).unwrap_or_default();
        if age > limit {
            return ProbeResult::fail(format!(
                "{at} was last changed {} s ago, {} s allowed",
                age.as_secs(),
                limit.as_secs()
            ));
        }
    }
    match regex.map(|r| content(path).and_then(|text| matches(r, &text))) {
        None => ProbeResult::pass(format!("{at} is there")),
        Some(Ok(true)) => ProbeResult::pass(format!("{at} holds what is expected")),
        Some(Ok(false)) => ProbeResult::fail(format!("{at} does not match {:?}", regex.unwrap_or_default())),
        Some(Err(why)) => ProbeResult::fail(format!("{at}: {why}")),
    }
}

fn content(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(CONTENT).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_of(meta: &Metadata, is: FileType) -> bool {
    match is {
        FileType::Any => true,
        FileType::File => meta.is_file(),
        FileType::Directory => meta.is_dir(),
        FileType::Socket => meta.file_type().is_socket(),
    }
}

fn word(is: FileType) -> &'static str {
    match is {
        FileType::Any => "file at all",
        FileType::File => "regular file",
        FileType::Directory => "directory",
        FileType::Socket => "socket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass};

    #[test]
    fn existence_type_content_and_age() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "state: ready\n").unwrap();
        let old = std::time::UNIX_EPOCH + Duration::from_secs(1);
        let aged = dir.path().join("old");
        fs::File::create(&aged).unwrap().set_modified(old).unwrap();
        let hour = Some(3600);
        let rows = [
            (file.as_path(), FileType::File, Some("ready$|ready\n"), hour, Pass),
            (file.as_path(), FileType::File, Some("broken"), None, Fail),
            (file.as_path(), FileType::Directory, None, None, Fail),
            (dir.path(), FileType::Directory, None, None, Pass),
            (dir.path(), FileType::Any, Some("x"), None, Fail),
            (aged.as_path(), FileType::File, None, hour, Fail),
            (Path::new("/no/such/file"), FileType::Any, None, None, Fail),
        ];
        for (path, is, regex, age, expected) in rows {
            let got = probe(&File {
                path: path.into(),
                is,
                content_regex: regex.map(str::to_owned),
                max_age_seconds: age,
            });
            assert_eq!(got.status, expected, "{path:?} {is:?} {regex:?}: {}", got.message);
        }
    }
}
