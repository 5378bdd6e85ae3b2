//! Tests against real programs. What is missing is an error that names the script that fetches it; nothing is
//! skipped.

mod anchor_chain;
mod anchor_node;
mod support;
