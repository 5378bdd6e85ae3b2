//! Mistakes that are put in on purpose, one at a time, to see that the simulation finds them. Nothing of it is in a node: outside tests
//! the answer is always no, and the compiler leaves it out.

/// Is this mistake put in?
#[cfg(not(test))]
pub const fn is(_: &str) -> bool {
    false
}

/// Is this mistake put in? `TOFT_PLANTED` names it, for the whole process.
#[cfg(test)]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("TOFT_PLANTED").ok()).as_deref() == Some(name)
}
