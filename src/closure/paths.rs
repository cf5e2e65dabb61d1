//! Store paths inside texts.

use std::borrow::Cow;

use crate::model::store_path::STORE_DIR;

const HASH_LEN: usize = 32;

/// The text with `…` for the hash of each store path: two texts that differ only by what was rebuilt become equal.
pub fn normalised(text: &str) -> Cow<'_, str> {
    let prefix = format!("{STORE_DIR}/");
    if !text.contains(&prefix) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split(&prefix);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(&prefix);
        match part.split_at_checked(HASH_LEN) {
            Some((hash, rest))
                if rest.starts_with('-') && hash.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                out.push('…');
                out.push_str(rest);
            }
            _ => out.push_str(part),
        }
    }
    Cow::Owned(out)
}

/// The name of the store path that a path is or lies in: `linux-6.12.4` of `/nix/store/HASH-linux-6.12.4/bzImage`; the
/// path itself where it is none.
pub fn name(path: &str) -> &str {
    let base = path.strip_prefix(STORE_DIR).and_then(|p| p.strip_prefix('/'));
    let name = base.and_then(|b| b.get(HASH_LEN + 1..)).and_then(|n| n.split('/').next());
    name.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_go_and_names_stay() {
        let a = "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-nginx-1.27.3/bin/nginx";
        assert_eq!(normalised(a), "/nix/store/…-nginx-1.27.3/bin/nginx");
        assert_eq!(normalised("x /nix/store/short-y /nix/store"), "x /nix/store/short-y /nix/store");
        assert_eq!(normalised(&format!("{a}:{a}")).matches('…').count(), 2);
        assert_eq!(name(a), "nginx-1.27.3");
        assert_eq!(name("/etc/x"), "/etc/x");
        assert_eq!(name("/nix/store/é"), "/nix/store/é");
    }
}
