//! Words for a POSIX shell. Every word of a remote command that is not our own literal goes through [`quote`].

/// Quotes a word so that any POSIX shell takes it for exactly this word. A NUL, which no argument can hold, is left
/// out.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\0', "").replace('\'', r"'\''"))
}

/// Quotes words and joins them into a command.
pub fn command<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    words.into_iter().map(|w| quote(w.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::effects::runner::{Cmd, Runner};

    fn through_sh(words: &[String]) -> Vec<u8> {
        let script = format!("printf '%s\\0' {}", command(words));
        Runner::default().run(&Cmd::new("/bin/sh").arg("-s").stdin(script)).unwrap().stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_real_sh_reads_back_what_was_quoted(words in proptest::collection::vec("[^\0]*", 1..4)) {
            let expected: Vec<u8> = words.iter().flat_map(|w| w.bytes().chain([0])).collect();
            prop_assert_eq!(through_sh(&words), expected);
        }
    }

    #[test]
    fn nothing_is_expanded() {
        let evil: Vec<String> =
            ["$(reboot)", "`id`", "a'; id; '", "-n", "*", "~", "a\nb", "\\", "!x", "\u{1f600}"]
                .map(String::from)
                .into();
        let expected: Vec<u8> = evil.iter().flat_map(|w| w.bytes().chain([0])).collect();
        assert_eq!(through_sh(&evil), expected);
    }
}
