//! What strangers say, as it may be shown: bounded, and with nothing in it that means something to a terminal, a log or a
//! page of metrics.

use std::fmt::{self, Display, Write as _};

/// Characters shown of one text: a long DID or URL is still whole.
pub const SHOWN_MAX: usize = 200;

/// A foreign text to be shown: control characters, line ends of all kinds and marks of writing direction are escaped,
/// and after [`SHOWN_MAX`] characters stands how long it was.
pub fn shown<T: AsRef<str> + ?Sized>(text: &T) -> Shown<'_> {
    Shown(text.as_ref())
}

#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(&'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, c) in self.0.chars().enumerate() {
            if count == SHOWN_MAX {
                return write!(f, "… ({} bytes)", self.0.len());
            }
            if is_plain(c) { f.write_char(c)? } else { write!(f, "{}", c.escape_unicode())? }
        }
        Ok(())
    }
}

/// Means nothing to who displays it, and is displayed.
fn is_plain(c: char) -> bool {
    // Line and paragraph separators, marks of direction, zero-width characters, the byte-order mark, tags.
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_means_anything_to_a_terminal_and_it_ends() {
        assert_eq!(shown("did:web:ü.example").to_string(), "did:web:ü.example");
        assert_eq!(shown("a\n\u{1b}[2Jb\u{202e}c").to_string(), r"a\u{a}\u{1b}[2Jb\u{202e}c");
        let long = shown(&"x".repeat(3_000_000)).to_string();
        assert_eq!(long.chars().count(), SHOWN_MAX + "… (3000000 bytes)".chars().count());
        assert!(long.ends_with("x… (3000000 bytes)"));
    }
}
