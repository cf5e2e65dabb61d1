//! Downloads (fixed outputs) whose content differs.

use super::change::Change;
use super::label::Side;
use crate::closure::mask;
use crate::derivation::Derivation;

/// What tells the two apart: their names, else the first of revision, URL and hash that differs.
pub(super) fn change(old: &Side<'_>, new: &Side<'_>) -> Change {
    let told = |side: &Side<'_>, more: Option<String>| match more {
        Some(more) => format!("{} ({more})", side.name),
        None => side.name.to_owned(),
    };
    if old.name != new.name {
        return Change::Source { old: told(old, None), new: told(new, None) };
    }
    for what in [|d| text(d, &["rev"]), |d| text(d, &["url", "urls"]), hash] as [fn(&Derivation) -> _; 3] {
        let (a, b) = (what(old.drv), what(new.drv));
        if a != b {
            return Change::Source { old: told(old, a), new: told(new, b) };
        }
    }
    Change::Source { old: told(old, None), new: told(new, None) }
}

fn text(drv: &Derivation, keys: &[&str]) -> Option<String> {
    let all = keys.iter().find_map(|k| drv.attribute(k))?;
    let first = all.split_whitespace().next()?;
    Some(mask::value("url", first).into_owned())
}

/// `sha256:` and the first digits of the content's hash.
fn hash(drv: &Derivation) -> Option<String> {
    let output = drv.outputs().next()?;
    let digits: String = output.hash.text().chars().take(12).collect();
    Some(format!("{}:{digits}…", output.algorithm.text()))
}
