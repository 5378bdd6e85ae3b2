//! The architecture, held: the order of modules, who may name what, a `//!` for every module, no leftovers.

mod formats;
mod order;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The modules in the order in which `lib.rs` lists them.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)).collect()
}

/// `src/store/log.rs` → `store`.
fn module_of(path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root().join("src")).expect("below src");
    let first = relative.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// A source file without the lines that are comments: those may name what they like.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Names of modules of this crate that code uses.
fn used(text: &str) -> Vec<String> {
    let text = code(text);
    let mut names = vec![];
    let mut rest = text.as_str();
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a, b::{c, d}, e}`: the names at depth one
            let (mut depth, mut name) = (1, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                let edge = depth == 1 && matches!(c, ',' | '}') || depth == 0;
                if edge {
                    names.push(std::mem::take(&mut name));
                } else {
                    name.push(c);
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            names.push(rest.to_owned());
        }
    }
    let ident = |s: &str| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    names.iter().map(|n| ident(n)).filter(|n| !n.is_empty()).collect()
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let modules = modules();
    assert!(modules.len() > 10, "lib.rs lists the modules as `pub mod name;`");
    let rank: BTreeMap<_, _> = modules.iter().enumerate().map(|(i, m)| (m.clone(), i)).collect();
    let mut wrong = vec![];
    for path in rust_files(&root().join("src")) {
        let Some(module) = module_of(&path) else { continue };
        let Some(&own) = rank.get(&module) else { panic!("lib.rs does not list {module}") };
        for name in used(&fs::read_to_string(&path).expect("a source file")) {
            if rank.get(&name).is_some_and(|&other| other > own) {
                wrong.push(format!("{}: {module} uses {name}, which stands below it in lib.rs", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_know_only_cid_crypto_and_did_and_the_followers_not_each_other() {
    let mut wrong = vec![];
    for path in rust_files(&root().join("src")) {
        let Some(module) = module_of(&path) else { continue };
        let names = used(&fs::read_to_string(&path).expect("a source file"));
        let may = |name: &str| match module.as_str() {
            "dwn" => matches!(name, "dwn" | "cid" | "crypto" | "did" | "foreign" | "span"),
            "net" => !matches!(name, "sync" | "anchor"),
            "sync" => !matches!(name, "net" | "anchor"),
            "remote" => !matches!(name, "net" | "anchor"),
            "anchor" => !matches!(name, "net" | "sync" | "remote"),
            _ => true,
        };
        wrong.extend(names.iter().filter(|n| !may(n)).map(|n| format!("{}: {module} uses {n}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_their_modules_name_sled_libp2p_http_and_bitcoind() {
    let owners = [
        ("sled::", vec!["src/store/lsm/disk.rs"]),
        ("libp2p::", vec!["src/net/"]),
        ("axum", vec!["src/rpc/", "src/web/", "src/daemon/tests.rs"]),
        ("hyper", vec!["src/rpc/", "src/web/", "src/resolve/http.rs", "src/remote/line.rs", "src/daemon/tests.rs"]),
        ("tokio_tungstenite", vec!["src/rpc/"]),
        ("rustls::", vec!["src/resolve/"]),
        (
            "pkarr::",
            vec!["src/did/dht.rs", "src/did/fuzzing.rs", "src/resolve/tests/", "src/daemon/servers.rs", "src/rpc/"],
        ),
        ("bitcoincore_rpc", vec!["src/anchor/"]),
        ("rs_merkle", vec!["src/anchor/"]),
    ];
    let mut wrong = vec![];
    for path in rust_files(&root().join("src")) {
        let relative = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
        let text = fs::read_to_string(&path).expect("a source file");
        let code = code(&text);
        for (name, places) in &owners {
            if code.contains(name) && !places.iter().any(|place| relative.starts_with(place)) {
                wrong.push(format!("{relative} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_place_writes_to_the_terminal_and_one_to_the_log() {
    // There, what strangers say is escaped and bounded. `-o -` gives out bytes, as they are.
    let doors = ["src/cli/output.rs", "src/cli/file.rs", "src/log.rs"];
    let ways = ["println!", "print!(", "stdout()", "stderr()"];
    let mut wrong = vec![];
    for path in rust_files(&root().join("src")) {
        let relative = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
        let test = relative.contains("/tests/") || relative.ends_with("/tests.rs") || relative.contains("fuzzing");
        if test || doors.contains(&relative.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let code = code(text.split("#[cfg(test)]\nmod ").next().unwrap_or_default());
        wrong.extend(ways.iter().filter(|way| code.contains(*way)).map(|way| format!("{relative} names {way}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_have_no_clock_no_randomness_and_no_io() {
    for path in rust_files(&root().join("src/dwn")) {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in ["std::fs", "std::io", "std::time", "std::net", "jiff", "getrandom", "tokio"] {
            assert!(!code.contains(name), "{} names {name}", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is_for_and_nothing_is_left_over() {
    // Spelled apart, so that this file does not find itself.
    let leftovers =
        [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["db", "g!("].concat(), ["FIX", "ME"].concat()];
    let mut wrong = vec![];
    for path in rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests"))) {
        let text = fs::read_to_string(&path).expect("a source file");
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not open with //!", path.display()));
        }
        wrong.extend(leftovers.iter().filter(|l| text.contains(*l)).map(|l| format!("{}: {l}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lock_files_name_no_download_hosts() {
    for name in [
        "clients/ts/package-lock.json",
        "tests/interop/package-lock.json",
        "tests/interop/web5/package-lock.json",
        "tests/peers/package-lock.json",
    ] {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!text.contains("\"resolved\""), "{name} names download hosts");
    }
}

#[test]
fn the_check_finds_a_wrong_use() {
    assert_eq!(used("use crate::{a::{b, c}, d};\nlet x = crate::e::f();"), ["a", "d", "e"]);
    assert!(used("nothing").is_empty());
    assert!(used("//! Seam for `crate::a`.\n    // crate::b").is_empty());
}
