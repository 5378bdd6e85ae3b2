//! Conditional and range requests (RFC 9110, sections 13 and 14): the whole file, a range of it, or "not modified".

use axum::http::{HeaderMap, Method, header};
use std::ops::Range;

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    head: bool,
    none_match: Option<String>,
    if_range: Option<String>,
    range: Option<String>,
}

/// What it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Range(Range<u64>),
    /// The range asked for has nothing in it.
    Unsatisfiable,
    NotModified,
}

impl Asked {
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
        Self {
            head: *method == Method::HEAD,
            none_match: text(header::IF_NONE_MATCH),
            if_range: text(header::IF_RANGE),
            range: text(header::RANGE),
        }
    }

    /// `tag`: the file's entity tag, in its quotes. `size`: its bytes.
    pub fn part(&self, tag: &str, size: u64) -> Part {
        if self.none_match.as_deref().is_some_and(|tags| names(tags, tag)) {
            return Part::NotModified;
        }
        // A range is for GET alone, and only of the version that the client has begun to read.
        if self.head || self.if_range.as_deref().is_some_and(|wanted| wanted != tag) {
            return Part::Whole;
        }
        self.range.as_deref().map_or(Part::Whole, |range| of(range, size))
    }

    /// The bytes to read for it. `None`: all.
    pub fn bytes(&self, part: &Part) -> Option<Range<u64>> {
        match part {
            Part::Whole if self.head => Some(0..0),
            Part::Whole => None,
            Part::Range(range) => Some(range.clone()),
            Part::Unsatisfiable | Part::NotModified => Some(0..0),
        }
    }
}

/// Is `tag` in a list of entity tags?
fn names(tags: &str, tag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// One range of bytes. Several ranges, and units that are not known here, are ignored, which the RFC allows.
fn of(range: &str, size: u64) -> Part {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text if text.bytes().all(|b| b.is_ascii_digit()) => Some(Some(text.parse::<u64>().unwrap_or(u64::MAX))),
        _ => None,
    };
    let range = match (number(first), number(last)) {
        (Some(None), Some(Some(count))) => size.saturating_sub(count)..size,
        (Some(Some(first)), Some(None)) => first..size,
        (Some(Some(first)), Some(Some(last))) if first <= last => first..last.saturating_add(1).min(size),
        _ => return Part::Whole,
    };
    if range.is_empty() { Part::Unsatisfiable } else { Part::Range(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bytes() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range(0..1)),
            ("bytes=2-", Part::Range(2..10)),
            ("bytes=2-99", Part::Range(2..10)),
            ("bytes=-3", Part::Range(7..10)),
            ("bytes=-99", Part::Range(0..10)),
            ("bytes=9-99999999999999999999999", Part::Range(9..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(of(range, 10), expected, "{range}");
        }
        assert_eq!((of("bytes=0-", 0), of("bytes=-1", 0)), (Part::Unsatisfiable, Part::Unsatisfiable));
    }

    #[test]
    fn a_client_that_has_the_file_gets_304_and_one_that_has_another_version_gets_all() {
        let part = |method: Method, given: &[(header::HeaderName, &str)]| {
            let headers = given.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
            Asked::of(&method, &headers.collect()).part("\"cid\"", 10)
        };
        use header::{IF_NONE_MATCH, IF_RANGE, RANGE};
        for (tags, same) in
            [("\"cid\"", true), ("W/\"cid\"", true), ("\"a\", \"cid\"", true), ("*", true), ("\"a\"", false)]
        {
            let expected = if same { Part::NotModified } else { Part::Range(0..2) };
            assert_eq!(part(Method::GET, &[(IF_NONE_MATCH, tags), (RANGE, "bytes=0-1")]), expected, "{tags}");
        }
        for (tag, expected) in [("\"cid\"", Part::Range(0..2)), ("\"a\"", Part::Whole), ("W/\"cid\"", Part::Whole)] {
            assert_eq!(part(Method::GET, &[(IF_RANGE, tag), (RANGE, "bytes=0-1")]), expected, "{tag}");
        }
        assert_eq!(part(Method::HEAD, &[(RANGE, "bytes=0-1")]), Part::Whole);
    }
}
