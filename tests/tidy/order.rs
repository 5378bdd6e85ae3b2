//! The order inside folders: a module lists its files bottom-up, and a file uses only files listed above it. What several of them
//! need lies in one of them; the folder's own file is the roof, which uses all and which none of them uses.

use super::{code, root, rust_files};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// `store::query::plan`, in parts; of the crate itself: none.
type Module = Vec<String>;

/// The modules below each module, as it lists them, and which of them are for tests.
#[derive(Default)]
struct Tree {
    below: BTreeMap<Module, Vec<String>>,
    tests: BTreeSet<Module>,
}

impl Tree {
    fn read() -> Self {
        let mut tree = Self::default();
        for path in rust_files(&root().join("src")) {
            let text = fs::read_to_string(&path).expect("a source file");
            let module = module_of(&path);
            let (mut names, mut for_tests) = (vec![], false);
            for line in text.lines() {
                let line = line.trim_end();
                let bare =
                    line.trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
                if let Some(name) = bare.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                    if for_tests {
                        tree.tests.insert([module.clone(), vec![name.to_owned()]].concat());
                    }
                    names.push(name.to_owned());
                }
                for_tests = line.starts_with("#[cfg(") && line.contains("test");
            }
            tree.below.insert(module, names);
        }
        tree
    }

    fn rank(&self, of: &[String], name: &str) -> Option<usize> {
        self.below.get(of)?.iter().position(|other| other == name)
    }

    fn is_for_tests(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|n| self.tests.contains(&module[..n]))
    }

    /// In which folder the use is wrong, and why.
    fn wrong(&self, user: &[String], used: &[String]) -> Option<(Module, String)> {
        let common = user.iter().zip(used).take_while(|(a, b)| a == b).count();
        // Of what lies below itself, or is it.
        let own = user.get(common)?;
        let folder = &user[..common];
        let say = |what: String| Some((folder.to_vec(), format!("{} uses {what}", user.join("::"))));
        match used.get(common) {
            Some(name) if self.rank(folder, name).is_some() => {
                let is_below = self.rank(folder, name) > self.rank(folder, own);
                if is_below { say(format!("{name}, which is listed below it")) } else { None }
            }
            // The crate has no roof.
            _ if folder.is_empty() => None,
            name => say(format!("{} of the folder's own file", name.map_or("something", |name| name))),
        }
    }
}

/// `src/store/query/mod.rs` → `store::query`; `src/lib.rs` → nothing.
fn module_of(path: &Path) -> Module {
    let relative = path.strip_prefix(root().join("src")).expect("below src").with_extension("");
    let parts = relative.components().map(|part| part.as_os_str().to_str().expect("UTF-8").to_owned());
    parts.filter(|part| !matches!(part.as_str(), "mod" | "lib" | "main")).collect()
}

/// Every path in `code` that begins with `crate`, `super` or `self`, from the crate's root.
fn paths(code: &str, module: &[String]) -> Vec<Module> {
    let tokens = tokens(code);
    let mut found = vec![];
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let begins = matches!(tokens[at], "crate" | "super" | "self") && tokens.get(at + 1) == Some(&"::");
        // `pub(in crate::a)` uses nothing.
        if begins && !matches!(before, Some("::" | "in" | "$")) {
            at = tree(&tokens, at, module.to_vec(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a path, or a group of them, from `at`; returns what comes after it.
fn tree(tokens: &[&str], mut at: usize, mut path: Module, found: &mut Vec<Module>) -> usize {
    loop {
        match tokens.get(at).copied() {
            Some("crate") => path.clear(),
            Some("super") => drop(path.pop()),
            Some("self") => {}
            Some("{") => {
                at += 1;
                while !matches!(tokens.get(at), None | Some(&"}")) {
                    at = tree(tokens, at, path.clone(), found);
                    // `as other`, and the comma.
                    while !matches!(tokens.get(at), None | Some(&("}" | ","))) {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            Some(name) => path.push(name.to_owned()),
            None => break,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.push(path);
    at
}

/// Names, `::` and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut rest) = (vec![], code.trim_start());
    while let Some(first) = rest.chars().next() {
        let len = match first {
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(len);
        found.push(token);
        rest = after.trim_start();
    }
    found
}

#[test]
fn a_file_uses_only_files_listed_above_it() {
    let tree = Tree::read();
    let mut wrong = BTreeMap::<String, BTreeSet<String>>::new();
    for path in rust_files(&root().join("src")) {
        let module = module_of(&path);
        if tree.is_for_tests(&module) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let text = code(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        for used in paths(&text, &module) {
            // Production never calls a test's code.
            let for_tests = tree.is_for_tests(&used);
            let why = tree.wrong(&module, &used);
            if for_tests {
                let name = used.join("::");
                wrong
                    .entry("tests".into())
                    .or_default()
                    .insert(format!("{} uses {name}, which is for tests", module.join("::")));
            } else if let Some((folder, why)) = why {
                wrong.entry(folder.join("::")).or_default().insert(why);
            }
        }
    }
    let said: Vec<_> = wrong
        .iter()
        .map(|(folder, why)| format!("{folder}:\n  {}", Vec::from_iter(why.iter().cloned()).join("\n  ")))
        .collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn paths_are_found_as_rust_reads_them() {
    let module: Module = ["store", "query"].map(str::to_owned).into();
    let found = |code: &str| paths(code, &module).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(found("use crate::{a::{b, c as d}, e};"), ["a::b", "a::c", "e"]);
    assert_eq!(found("use super::{f, super::g};\nlet x = self::h::i();"), ["store::f", "g", "store::query::h::i"]);
    assert_eq!(found("pub(in crate::store) fn x() { super::super::j::k() }"), ["j::k"]);
    assert_eq!(found("pub(super) use self::l::*;"), ["store::query::l::*"]);
}

#[test]
fn a_use_of_what_is_below_or_of_the_roof_is_found() {
    let parts = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let tree = Tree { below: [(parts("s"), vec!["a".into(), "b".into()])].into(), tests: BTreeSet::new() };
    let wrong = |user, used| tree.wrong(&parts(user), &parts(used)).is_some();
    assert!(wrong("s::a", "s::b::X") && wrong("s::a", "s::X") && wrong("s::a::inner", "s::b"));
    assert!(!wrong("s::b", "s::a::X") && !wrong("s", "s::b::X") && !wrong("s::a", "s::a::X") && !wrong("s::a", "t"));
}
