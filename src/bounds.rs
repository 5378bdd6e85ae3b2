//! Bounds in the settings: each has a range, and none can be turned off.
//!
//! The range's end is what a node of this kind can hold and stay what it promises to be; beyond it a bound bounds nothing.

use anyhow::{Error, bail};
use std::{
    fmt::Display,
    ops::{Div, RangeInclusive},
};

/// With this in the environment a debug build takes bounds beyond their range: tests show so that a guard matters. A
/// release build does not know it.
pub const BEYOND: &str = "TOFT_TEST_BEYOND_BOUNDS";

/// Are bounds to be taken beyond their range?
pub fn is_beyond() -> bool {
    cfg!(debug_assertions) && std::env::var_os(BEYOND).is_some()
}

/// Says what is wrong with a setting that is out of its range.
pub fn check<T: PartialOrd + Display>(key: &str, value: T, range: RangeInclusive<T>) -> Result<(), Error> {
    if value < *range.start() || value > *range.end() {
        if is_beyond() {
            return Ok(());
        }
        bail!("{key} = {value}: it must be from {} to {}; a bound cannot be turned off", range.start(), range.end());
    }
    Ok(())
}

/// The same of a part of something: it is never more than half of it, so that one address, or who has a reserve, leaves
/// room for others. `all`: the key of the whole, and the whole.
pub fn check_part<T>(key: &str, part: T, least: T, all: (&str, T)) -> Result<(), Error>
where
    T: Copy + Display + PartialOrd + Div<Output = T> + From<u8>,
{
    let (name, most) = all;
    if !(least..=most / T::from(2)).contains(&part) && !is_beyond() {
        bail!(
            "{key} = {part}: it must be at least {least}, and at most half of {name} ({most}): the rest is for others"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_part_is_at_most_half() {
        let part = |part: u32| super::check_part("a.each", part, 4, ("all", 100));
        assert!(part(4).is_ok() && part(50).is_ok());
        assert!(part(3).is_err());
        let error = part(51).expect_err("more than half").to_string();
        assert!(error.starts_with("a.each = 51: it must be at least 4, and at most half of all (100)"), "{error}");
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        assert!(super::check("dwn.limits.connections", 1024, 16..=65_536).is_ok());
        let error = super::check("dwn.limits.connections", 0, 16..=65_536).expect_err("out of range");
        assert!(error.to_string().starts_with("dwn.limits.connections = 0: it must be from 16 to 65536"), "{error}");
    }
}
