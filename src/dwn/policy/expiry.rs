//! When records are over.

use super::document::{Expires, tag_of};
use crate::dwn::{fields, text};
use serde_json::Value;

/// At whose node something is asked, and when by its clock, as messages write it.
#[derive(Debug, Clone, Copy)]
pub(in crate::dwn) struct At<'a> {
    pub tenant: &'a str,
    pub now: &'a str,
}

/// When a record ends: so many seconds after a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Never,
    At(String, i64),
}

impl End {
    pub fn is_over(&self, now: &str) -> bool {
        match self {
            Self::Never => false,
            Self::At(time, seconds) => !text::is_before(now, time, *seconds),
        }
    }
}

/// Has the data to be read to know?
pub(super) fn is_in_data(expires: &Expires) -> bool {
    matches!(expires, Expires::At(place) if place.starts_with('/'))
}

/// When the state of a record ends that has this message and data. What stands where a time should, if that is none.
pub(super) fn end(expires: &Expires, message: &Value, data: Option<&[u8]>) -> Result<End, String> {
    let place = match expires {
        Expires::After(span) => {
            let created = fields::descriptor_text(message, "dateCreated").unwrap_or_default();
            return Ok(End::At(created.to_owned(), i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX / 2)));
        }
        Expires::At(place) => place,
    };
    let value = match tag_of(place) {
        Some(tag) => fields::descriptor_of(message).get("tags").and_then(|tags| tags.get(tag)).cloned(),
        None => data.and_then(|data| serde_json::from_slice::<Value>(data).ok()?.pointer(place).cloned()),
    };
    match value {
        None | Some(Value::Null) => Ok(End::Never),
        Some(Value::String(time)) if text::is_time(&time) => Ok(End::At(time, 0)),
        Some(_) => Err(format!("{place} is no time in UTC, like \"2027-01-01T00:00:00Z\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_is_over_at_its_end_and_not_before() {
        let message = json!({"descriptor": {"dateCreated": "2026-11-30T23:59:30.000000Z", "tags": {"until": "2026-12-01T00:00:00Z", "n": 1}}});
        let end = |expires: Value, data: Option<&[u8]>| {
            super::end(&serde_json::from_value(expires).expect("parses"), &message, data)
        };
        let ends = [
            end(json!({"at": "tag.until"}), None),
            end(json!({"after": "30s"}), None),
            end(json!({"at": "/a/b"}), Some(br#"{"a": {"b": "2026-12-01T00:00:00.000000Z"}}"#)),
        ];
        for end in ends {
            let end = end.expect("a time");
            assert!(
                !end.is_over("2026-11-30T23:59:59.999999Z") && end.is_over("2026-12-01T00:00:00.000000Z"),
                "{end:?}"
            );
        }
        assert_eq!(end(json!({"at": "tag.none"}), None), Ok(End::Never));
        assert_eq!(end(json!({"at": "/none"}), Some(b"no JSON")), Ok(End::Never));
        assert!(end(json!({"at": "tag.n"}), None).is_err());
        assert!(end(json!({"at": "/t"}), Some(br#"{"t": "tomorrow"}"#)).is_err());
    }
}
