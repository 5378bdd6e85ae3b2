//! What strangers say, as it may be shown: bounded, and with nothing in it that means something to a terminal, a log or a
//! page of metrics.

use serde_json::Value;
use std::{
    borrow::Cow,
    fmt::{self, Display, Write as _},
};

/// Characters shown of one text: a long DID or URL is still whole.
pub const SHOWN_MAX: usize = 200;

/// Characters shown of a sentence that has foreign parts, or of another's error text.
pub const SAID_MAX: usize = 1000;

/// A foreign text to be shown: control characters, line ends of all kinds and marks of writing direction are escaped,
/// and after [`SHOWN_MAX`] characters stands how long it was.
pub fn shown<T: AsRef<str> + ?Sized>(text: &T) -> Shown<'_> {
    Shown(text.as_ref())
}

#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(&'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = Plain::new(f, SHOWN_MAX);
        plain.write_str(self.0)?;
        plain.end()
    }
}

/// A sentence with foreign parts, such as another's error with its causes, to be shown: as [`shown`], and longer.
pub fn said<T: Display>(sentence: T) -> String {
    plain(sentence, SAID_MAX)
}

/// What a value says, escaped, and of it at most `max` characters.
pub fn plain<T: Display>(value: T, max: usize) -> String {
    let mut text = String::new();
    // A `String` takes everything.
    let _ = write_plain(&mut text, format_args!("{value}"), max);
    text
}

/// Writes what a value says, escaped, and of it at most `max` characters.
pub fn write_plain(to: &mut dyn fmt::Write, value: fmt::Arguments<'_>, max: usize) -> fmt::Result {
    let mut plain = Plain::new(to, max);
    plain.write_fmt(value)?;
    plain.end()
}

/// Lines to be shown: they stay lines, and nothing in them means anything else.
pub fn lines(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c == '\n' || is_plain(c) {
            out.push(c)
        } else {
            out.extend(c.escape_unicode())
        }
        out
    })
}

/// Characters shown of one text where it is what was asked for, and may have to be typed again: any DID is whole.
pub const LISTED_MAX: usize = 4 << 10;

/// A value whose texts are to be shown: each is escaped, and bounded by [`LISTED_MAX`].
pub fn value(value: &Value) -> Value {
    match value {
        Value::String(text) => plain(text, LISTED_MAX).into(),
        Value::Array(list) => list.iter().map(self::value).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (plain(key, LISTED_MAX), self::value(value))).collect(),
        other => other.clone(),
    }
}

/// A URL without the user and password that may stand in it.
pub fn without_credentials(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]).into(),
        None => url.into(),
    }
}

/// JSON that means the same and nothing to a terminal: what is not plain is escaped as JSON does it.
pub fn json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_plain(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}

/// Writes what it is given escaped, and of it so many characters.
struct Plain<'a> {
    to: &'a mut dyn fmt::Write,
    left: usize,
    /// Bytes given.
    given: usize,
    cut: bool,
}

impl<'a> Plain<'a> {
    fn new(to: &'a mut dyn fmt::Write, max: usize) -> Self {
        Self { to, left: max, given: 0, cut: false }
    }

    /// Says how long it was, if it was too long.
    fn end(self) -> fmt::Result {
        if self.cut { write!(self.to, "… ({} bytes)", self.given) } else { Ok(()) }
    }
}

impl fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.given += text.len();
        let mut rest = text.chars();
        while self.left > 0 {
            let Some(c) = rest.next() else { return Ok(()) };
            self.left -= 1;
            if is_plain(c) { self.to.write_char(c)? } else { write!(self.to, "{}", c.escape_unicode())? }
        }
        self.cut |= rest.next().is_some();
        Ok(())
    }
}

/// Means nothing to who displays it, and is displayed.
pub fn is_plain(c: char) -> bool {
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

    #[test]
    fn a_url_is_shown_without_its_password() {
        assert_eq!(without_credentials("http://u:p@/w@host:1/a@b"), "http://…@/w@host:1/a@b");
        assert_eq!(without_credentials("http://u:p@w@host:1/a@b"), "http://…@host:1/a@b");
        for plain in ["http://host/a@b", "mailto:a@b", "host", "http://host?a@b"] {
            assert_eq!(without_credentials(plain), plain);
        }
    }

    #[test]
    fn lines_stay_lines_and_values_values() {
        assert_eq!(lines("a\nb\r\u{9b}c"), "a\nb\\u{d}\\u{9b}c");
        let given = serde_json::json!({"a\n": ["b\u{1b}", 1, null]});
        assert_eq!(value(&given), serde_json::json!({"a\\u{a}": ["b\\u{1b}", 1, null]}));
        let text = json(&serde_json::json!("a\n\u{9b}\u{202e}\u{e0041}").to_string());
        assert_eq!(text, r#""a\n\u009b\u202e\udb40\udc41""#);
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), "a\n\u{9b}\u{202e}\u{e0041}");
        assert_eq!(
            said(format_args!("{}", "y".repeat(2000))).chars().count(),
            SAID_MAX + "… (2000 bytes)".chars().count()
        );
    }
}
