//! Names and texts of foreign files as they may stand in code: a name is made of ASCII letters and digits, a comment has nothing
//! in it that could end it, a quoted text nothing that is not plain ASCII.

use std::collections::BTreeSet;

/// Characters of a name that is made of a foreign one.
const NAME_MAX: usize = 80;
/// Characters of a comment.
const SAID_MAX: usize = 200;

/// Names that are taken, so that two foreign names never become one.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>, &'static [&'static str]);

impl Names {
    /// Never one of these.
    pub fn but(reserved: &[&str]) -> Self {
        Self(reserved.iter().map(|name| (*name).to_owned()).collect(), &[])
    }

    /// Never one of these words: `type` becomes `type_`.
    pub fn members(words: &'static [&'static str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect(), words)
    }

    /// `wanted`, or what comes nearest to it; `ends`: what will be named after it, and must be free too.
    pub fn with_ends(&mut self, wanted: &str, ends: &[&str]) -> String {
        let wanted = if self.1.contains(&wanted) { format!("{wanted}_") } else { wanted.to_owned() };
        let mut name = wanted.clone();
        let mut number = 2;
        while self.0.contains(&name) || ends.iter().any(|end| self.0.contains(&format!("{name}{end}"))) {
            name = format!("{wanted}{number}");
            number += 1;
        }
        self.0.insert(name.clone());
        self.0.extend(ends.iter().map(|end| format!("{name}{end}")));
        name
    }

    pub fn fresh(&mut self, wanted: &str) -> String {
        self.with_ends(wanted, &[])
    }
}

/// The words of a foreign name: `thread/message` and `threadMessage` have two.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = text.chars().take(NAME_MAX).collect();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map_or(' ', |at| chars[at]);
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        let begins = c.is_ascii_uppercase() && (!before.is_ascii_uppercase() || after.is_ascii_lowercase());
        if !c.is_ascii_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `ThreadMessage`; of a name without a letter or digit, and before a digit, `other`.
pub(super) fn pascal(text: &str, other: &str) -> String {
    let capital = |word: String| word[..1].to_ascii_uppercase() + &word[1..];
    begun(words(text).into_iter().map(capital).collect(), other)
}

/// `thread_message`.
pub(super) fn snake(text: &str, other: &str) -> String {
    begun(words(text).join("_"), other)
}

/// `threadMessage`.
pub(super) fn camel(text: &str, other: &str) -> String {
    let name = pascal(text, other);
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn begun(name: String, other: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("{other}{name}") }
}

/// Is it a name as it stands? One that begins with `_` is not: languages mean something by that.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A foreign text in a comment of one line: letters, digits and what is plain between them. No quotes, backticks, brackets,
/// stars or backslashes, which end comments or mean something to those who read documentation.
pub(super) fn said(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.,:;!?()+=%/'".contains(c);
    let plain: String = text.chars().take(SAID_MAX).map(|c| if is_plain(c) { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in quotes, in ASCII alone; `escaped`: how a language writes other characters.
pub(super) fn quoted(text: &str, escaped: fn(char) -> String) -> String {
    let inner = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => escaped(c),
    });
    format!("\"{}\"", inner.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_become_names() {
        for (text, is) in [
            ("thread/message", ["ThreadMessage", "thread_message", "threadMessage"]),
            ("schema-registry", ["SchemaRegistry", "schema_registry", "schemaRegistry"]),
            ("dataCID", ["DataCid", "data_cid", "dataCid"]),
            ("18+", ["X18", "x18", "x18"]),
            ("日本", ["X", "x", "x"]),
            ("a\"; evil()\n", ["AEvil", "a_evil", "aEvil"]),
            ("@context", ["Context", "context", "context"]),
        ] {
            assert_eq!([pascal(text, "X"), snake(text, "x"), camel(text, "x")], is);
        }
        let long = "a".repeat(1000);
        assert_eq!(pascal(&long, "X").len(), NAME_MAX);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names = Names::but(&["String"]);
        let given = [names.fresh("A"), names.fresh("A"), names.fresh("A"), names.fresh("String")];
        assert_eq!(given, ["A", "A2", "A3", "String2"]);
        names.fresh("BData");
        assert_eq!(names.with_ends("B", &["Data"]), "B2");
        assert_eq!(names.fresh("B2Data"), "B2Data2");
        let mut members = Names::members(&["type"]);
        assert_eq!([members.fresh("type"), members.fresh("type"), members.fresh("a")], ["type_", "type_2", "a"]);
    }

    #[test]
    fn nothing_in_a_comment_or_a_text_gets_out() {
        assert_eq!(said("*/ evil() /* `x` [y] \n# \u{202e}z ```"), "/ evil() / x y z");
        assert_eq!(quoted("a\"\\\n\u{2028}é", |c| format!("<{}>", u32::from(c))), "\"a\\\"\\\\<10><8232><233>\"");
        assert!(is_name("a_1") && !is_name("_a") && !is_name("1a") && !is_name("") && !is_name("é"));
    }
}
