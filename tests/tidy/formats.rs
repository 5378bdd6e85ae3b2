//! What the documents say of formats is what the code does.

use super::{root, rust_files};
use std::{collections::BTreeSet, fs};

/// Constants that say which version of a format is read, beside those that have the word in their name.
const ALSO: [&str; 1] = ["FORMAT"];

#[test]
fn the_formats_page_names_every_version() {
    let page = fs::read_to_string(root().join("docs/formats.md")).expect("the page");
    let named: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("| `src/"))
        .map(|line| {
            // The last column says what it is.
            line.rsplit_once(" | ").expect("columns").0.to_owned()
        })
        .collect();
    let mut is = BTreeSet::new();
    for path in rust_files(&root().join("src")) {
        let relative = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
        for line in fs::read_to_string(&path).expect("a source file").lines() {
            let line =
                line.trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let Some((name, rest)) = line.strip_prefix("const ").and_then(|rest| rest.split_once(": u")) else {
                continue;
            };
            let Some((_, value)) = rest.trim_end_matches(';').split_once(" = ") else { continue };
            if name.contains("VERSION") || ALSO.contains(&name) {
                is.insert(format!("| `{name}` | `{relative}` | {value}"));
            }
        }
    }
    assert!(is.len() > 8, "versions are written as `const NAME: u8 = n;`");
    assert_eq!(named, is, "docs/formats.md, Versions");
}
