//! Two ways to stop: a refusal is an answer the client understands, a fault is our problem.

use crate::foreign;
use std::fmt;

/// Characters of a detail: sentences are shorter, unless they quote what somebody sent.
const DETAIL_MAX: usize = 2 << 10;

/// An answer that says no: HTTP-like status and the detail text clients know (`<DwnErrorCode>: <message>`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {detail}")]
pub struct Refusal {
    /// 400, 401, 404 or 409.
    pub code: u16,
    pub detail: String,
}

impl Refusal {
    /// A refusal in these words, of which what somebody sent may be a part.
    pub fn new(code: u16, detail: impl fmt::Display) -> Self {
        Self { code, detail: foreign::plain(detail, DETAIL_MAX) }
    }

    /// 400: `<code>: <message>`.
    pub fn bad(code: &str, message: impl fmt::Display) -> Self {
        Self::new(400, format!("{code}: {message}"))
    }

    /// 404 in the words of the dialect.
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 409 in the words of the dialect.
    pub fn conflict() -> Self {
        Self::new(409, "Conflict")
    }

    /// 401: `<code>: <message>`.
    pub fn denied(code: &str, message: impl fmt::Display) -> Self {
        Self::new(401, format!("{code}: {message}"))
    }
}

/// What went wrong on our side, with its causes; clients see a 500 without the chain.
pub type Fault = anyhow::Error;

/// Why a decision did not come out.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_quotes_a_stranger_is_bounded_and_plain() {
        let evil = format!("a\n\u{1b}[2J{}", "x".repeat(3_000_000));
        for refusal in [Refusal::new(400, &evil), Refusal::bad("Code", &evil), Refusal::denied("Code", &evil)] {
            assert!(
                refusal.detail.len() < DETAIL_MAX + 64 && refusal.detail.chars().all(foreign::is_plain),
                "{refusal}"
            );
        }
    }
}
