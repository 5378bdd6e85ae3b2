//! What stock clients can read of an answer with data. Over HTTP the data is the body and the reply stands in a header;
//! node's client and fetch read at most 16 KiB of headers in all.
//!
//! They read each byte of a header as the character of that number, as HTTP/1.1 says and as the reference writes it.

use super::{fields, json::Json, message::Message, refusal::Refusal};
use std::borrow::Cow;

/// Bytes that the messages in such a reply may have. Of the 16,384 a client reads, 1,024 are left for the reply around them
/// and the other headers; those that toft sends have 230.
const MESSAGES_MAX: usize = 15 << 10;
/// A reply that is no longer than this in plain ASCII is written so: whatever a client takes the bytes of a header for, it
/// reads that.
const PLAIN_MAX: usize = MESSAGES_MAX + 256;
/// A byte of a message's DAG-CBOR is at most so many in a header: a control character in a text, "\u0001".
const GROWTH_MAX: usize = 6;

/// JSON text as it stands in a header, for clients that read bytes as Latin-1.
pub fn in_header(text: &str) -> Cow<'_, [u8]> {
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text.as_bytes());
    }
    let plain = written(text, |c| c.is_ascii() && is_plain(c as u8));
    Cow::Owned(if plain.len() <= PLAIN_MAX { plain } else { written(text, is_read) })
}

/// Refuses a write that no stock client could read back: RecordsRead tells it together with its record's initial write.
pub(super) fn check(write: &Message, initial: Option<&Json>) -> Result<(), Refusal> {
    let initial = initial.map_or("", Json::text);
    if (write.bytes().len() + initial.len()) * GROWTH_MAX <= MESSAGES_MAX {
        return Ok(());
    }
    let length = length(write.json().text()) + length(initial);
    if length <= MESSAGES_MAX {
        return Ok(());
    }
    let what = if initial.is_empty() { " has" } else { " and its record's initial write have" };
    let record = fields::record_id(write.json()).unwrap_or_default();
    let why = format!(
        "RecordsWriteTooLongToRead: this message{what} {length} bytes in the header of an answer, and clients read at \
         most {MESSAGES_MAX} there: put less into the tags and other properties of {record}, and more into its data"
    );
    Err(Refusal::new(413, why))
}

/// Bytes of JSON text in a header, if it is written as short as can be.
fn length(text: &str) -> usize {
    text.chars().map(|c| if is_read(c) { 1 } else { 6 * c.len_utf16() }).sum()
}

fn written(text: &str, as_it_is: impl Fn(char) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) if as_it_is(c) => out.push(byte),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
    out
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte)
}

/// Is it read back as it was? Of Latin-1 all but control characters, which clients or proxies refuse or take away.
fn is_read(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn headers_hold_any_text() {
        let json = json!({"a": "ü\u{7f}\u{85}😀\n"});
        let text = json.to_string();
        assert_eq!(*in_header(&text), *br#"{"a":"\u00fc\u007f\u0085\ud83d\ude00\n"}"#);
        let long = json!({"a": "ü\u{7f}\u{85}😀\n", "b": "é".repeat(6000)});
        let bytes = in_header(&long.to_string()).into_owned();
        assert!(bytes.starts_with(b"{\"a\":\"\xfc\\u007f\\u0085\\ud83d\\ude00\\n\",\"b\":\"\xe9\xe9"));
        assert_eq!(bytes.len(), length(&long.to_string()));
        for bytes in [in_header(&text).into_owned(), bytes] {
            let read: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            let read = serde_json::from_str::<Value>(&read).expect("still JSON");
            assert!(read == json || read == long);
        }
    }
}
