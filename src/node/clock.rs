//! The clock as DWN writes it.

/// Now: UTC, six fraction digits, `Z`.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    format!("{now:.6}")
}
