//! Two kinds of text that messages must spell in one way: timestamps and URIs.

use super::refusal::Refusal;
use serde_json::{Map, Value};
use url::Url;

/// Does the day and the time of day exist? The digits have been checked by the shape.
pub(super) fn check_time(text: &str) -> Result<(), Refusal> {
    if time_exists(text) {
        Ok(())
    } else {
        Err(Refusal::bad("TimestampInvalid", format_args!("Invalid timestamp: {text}")))
    }
}

/// A write may be dated this many seconds ahead of the node's clock, as clocks go; what is dated further would stay
/// the newest state of its record until then, whatever anybody writes.
const AHEAD_MAX: i64 = 600;

/// A message that was made before a permission ended is taken for this many seconds longer, as clocks and networks go;
/// what comes later may be dated as its author likes.
const LATE_MAX: i64 = 600;

/// Refuses what is dated in the future.
pub(super) fn check_not_ahead(time: &str, now: &str) -> Result<(), Refusal> {
    if !is_later(time, now, AHEAD_MAX) {
        return Ok(());
    }
    let text = format_args!("messageTimestamp {time} is more than 10 minutes ahead of this node's clock ({now})");
    Err(Refusal::bad("MessageTimestampAhead", text))
}

/// Is it `now` too late to say that something was done before `end`?
pub(super) fn is_too_late(end: &str, now: &str) -> bool {
    is_later(now, end, LATE_MAX)
}

/// Is a time later than another one and so many seconds?
fn is_later(time: &str, than: &str, seconds: i64) -> bool {
    let (Some(time), Some((whole, fraction))) = (instant(time), instant(than)) else { return false };
    time > (whole + seconds, fraction)
}

/// Is a time earlier than another one and so many seconds?
pub(super) fn is_before(time: &str, than: &str, seconds: i64) -> bool {
    let (Some(time), Some((whole, fraction))) = (instant(time), instant(than)) else { return false };
    time < (whole.saturating_add(seconds), fraction)
}

/// Is it a time in UTC, to the second or finer?
pub(super) fn is_time(text: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let (Some(head), Some(tail)) = (text.get(..19), text.get(19..)) else { return false };
    let spelt = head.bytes().zip("0000-00-00T00:00:00".bytes()).all(|(byte, as_in)| match as_in {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    let fraction = tail.strip_suffix('Z');
    let exact = fraction.is_some_and(|f| {
        f.is_empty()
            || f.strip_prefix('.').is_some_and(|f| (1..=9).contains(&f.len()) && f.as_bytes().iter().all(is_digit))
    });
    let below_60 = |range: std::ops::Range<usize>| text.get(range).is_some_and(|two| two < "60");
    spelt && exact && time_exists(text) && below_60(14..16) && below_60(17..19)
}

/// A time as whole seconds of the Gregorian calendar and the digits after them.
fn instant(text: &str) -> Option<(i64, &str)> {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<i64>().ok());
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day;
    // 00Z and 00.000Z are one moment.
    let fraction = text.get(19..)?.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    Some((((days * 24 + hour) * 60 + minute) * 60 + second, fraction))
}

fn time_exists(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day), Some(hour)) = (number(0..4), number(5..7), number(8..10), number(11..13))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day) && hour < 24
}

/// A protocol URI must be in normal form, so that one protocol has one name.
pub(super) fn check_protocol_uri(uri: &str) -> Result<(), Refusal> {
    check_uri(uri, "UrlProtocolNotNormalized", "Protocol")
}

/// A schema URI must be in normal form.
pub(super) fn check_schema_uri(uri: &str) -> Result<(), Refusal> {
    check_uri(uri, "UrlSchemaNotNormalized", "Schema")
}

/// Checks the URIs that a descriptor or filter may hold.
pub(super) fn check_uris(map: &Map<String, Value>) -> Result<(), Refusal> {
    map.get("protocol").and_then(Value::as_str).map_or(Ok(()), check_protocol_uri)?;
    map.get("schema").and_then(Value::as_str).map_or(Ok(()), check_schema_uri)
}

fn check_uri(uri: &str, code: &str, kind: &str) -> Result<(), Refusal> {
    if normalize(uri).as_deref() == Some(uri) {
        return Ok(());
    }
    Err(Refusal::bad(code, format_args!("{kind} URI {uri} must be normalized.")))
}

/// Normal form of a protocol or schema URI: a scheme, no query, no fragment, no slash at the end.
pub fn normalize(uri: &str) -> Option<String> {
    let mut url = if has_scheme(uri) { Url::parse(uri) } else { Url::parse(&format!("http://{uri}")) }.ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let text = String::from(url);
    Some(text.strip_suffix('/').map(str::to_owned).unwrap_or(text))
}

/// Something before a colon, then, perhaps after `//`, something that is not a slash.
fn has_scheme(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let begins = |rest: &str| rest.chars().next().is_some_and(|c| c != '/');
    !scheme.is_empty() && (rest.strip_prefix("//").is_some_and(begins) || begins(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normal_forms() {
        for (uri, normal) in [
            ("example.com/", "http://example.com"),
            ("http://example.com/p/?a#b", "http://example.com/p"),
            ("HTTP://Example.com", "http://example.com"),
            ("https://tbd.website/dwn/permissions", "https://tbd.website/dwn/permissions"),
            ("did:example:a", "did:example:a"),
            ("thread", "http://thread"),
        ] {
            assert_eq!(normalize(uri).as_deref(), Some(normal), "{uri}");
        }
        assert_eq!(normalize(""), None);
    }

    #[test]
    fn a_day_must_exist() {
        let time = |day: &str| check_time(&format!("{day}T00:00:00.000000Z")).is_ok();
        assert!(time("2024-02-29") && time("2000-02-29") && time("2026-12-31"));
        assert!(!time("2023-02-29") && !time("1900-02-29") && !time("2026-13-01") && !time("2026-04-31"));
        assert!(!time("2026-00-10") && !time("2026-10-00"));
    }

    #[test]
    fn what_is_dated_ahead_is_refused() {
        let now = "2026-12-31T23:55:00.000000Z";
        assert_eq!(check_not_ahead("2027-01-01T00:05:00.000000Z", now), Ok(()));
        let refusal = check_not_ahead("2027-01-01T00:05:00.000001Z", now).expect_err("refused");
        assert!(refusal.detail.starts_with("MessageTimestampAhead: messageTimestamp 2027-01-01T00:05:00.000001Z "));
    }

    #[test]
    fn what_was_done_in_time_may_be_told_ten_minutes_later() {
        let end = "2026-12-31T23:55:00.500000Z";
        assert!(!is_too_late(end, "2026-12-31T23:00:00.000000Z") && !is_too_late(end, "2027-01-01T00:05:00.500000Z"));
        assert!(is_too_late(end, "2027-01-01T00:05:00.500001Z"));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = normalize(&text);
            let _ = check_time(&text);
            let _ = check_not_ahead(&text, &text);
        }
    }
}
