//! What several stories need. It cleans up after itself.

pub mod dag;
pub mod peers;
