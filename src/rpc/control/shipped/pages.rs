//! `docs/protocols/*.md` say what the definitions say: `TOFT_WRITE_DOCS=1 cargo test --lib shipped` writes them anew.

use super::{ALL, named};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn holds(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("TOFT_WRITE_DOCS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("is made");
        fs::write(&file, text).expect("writes");
    }
    let held = fs::read_to_string(&file).unwrap_or_default();
    assert!(held == text, "{path} is behind its definition: TOFT_WRITE_DOCS=1 cargo test --lib shipped");
}

#[test]
fn there_is_a_page_for_each_that_says_who_may_do_what() {
    let mut index = String::from(
        "# Protocols\n\nThey come with toft: `toft protocol install NAME`. One page each, made from the definition in `protocols/`; the schemas of the data \
         are in\n`protocols/schemas/`, and who may do what is tested cell by cell in `tests/protocols/`.\n\n| name | URI | definition |\n|---|---|---|\n",
    );
    for (name, _) in ALL {
        let definition = named(name).expect("JSON");
        let published = if definition["published"] == true { "published" } else { "not published" };
        let _ = writeln!(index, "| [{name}]({name}.md) | `{}` | {published} |", text(&definition["protocol"]));
        holds(&format!("docs/protocols/{name}.md"), &page(name, &definition));
    }
    holds("docs/protocols/README.md", &index);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn page(name: &str, definition: &Map<String, Value>) -> String {
    let seen = match definition["published"] == true {
        true => "Anybody may read the definition.",
        false => "The definition is not published: who has no grant does not get it from the node.",
    };
    let mut page = format!(
        "# {name}\n\n`{}`. {seen} The owner may do all of it; in the table stands what others may.\n\n| path | who | may |\n|---|---|---|\n",
        text(&definition["protocol"])
    );
    let asked = super::policy(name).map(Value::from).unwrap_or_default();
    if !asked.is_null() {
        let _ = writeln!(
            page,
            "\n{} With `toft protocol policy set {name}` this node asks what stands below as \"Under its policy\" ([how](../dwn.md#policies)).",
            text(&asked["description"])
        );
    }
    let mut places = Vec::new();
    walk("", &definition["structure"], &mut places);
    for (path, rules) in &places {
        let mut first = true;
        for rule in rules["$actions"].as_array().into_iter().flatten() {
            let can: Vec<&str> = rule["can"].as_array().into_iter().flatten().map(text).collect();
            let shown = if first { format!("`{path}`") } else { String::new() };
            let _ = writeln!(page, "| {shown} | {} | {} |", who(rule), can.join(", "));
            first = false;
        }
        if first {
            let _ = writeln!(page, "| `{path}` | nobody else | |");
        }
    }
    let types = definition["types"].as_object().cloned().unwrap_or_default();
    for (path, rules) in &places {
        let _ = writeln!(page, "\n## `{path}`\n");
        let kind = path.rsplit('/').next().and_then(|name| types.get(name)).cloned().unwrap_or_default();
        let formats: Vec<String> =
            kind["dataFormats"].as_array().into_iter().flatten().map(|format| format!("`{}`", text(format))).collect();
        let mut said = vec![match formats.is_empty() {
            true => "Data of any format".to_owned(),
            false => format!("Data: {}", formats.join(", ")),
        }];
        let size = &rules["$size"];
        said.extend(size["min"].as_u64().map(|min| format!("at least {min} bytes")));
        said.extend(size["max"].as_u64().map(|max| format!("at most {max} bytes")));
        let _ = writeln!(page, "{}.", said.join(", "));
        if rules["$role"] == true {
            let _ = writeln!(page, "Each record gives its recipient the role `{path}`.");
        }
        tags(&mut page, &rules["$tags"]);
        policy(&mut page, &asked["paths"][path]);
        example(&mut page, name, path);
    }
    page
}

fn walk(above: &str, structure: &Value, places: &mut Vec<(String, Value)>) {
    for (name, rules) in structure.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('$')) {
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        places.push((path.clone(), rules.clone()));
        walk(&path, rules, places);
    }
}

fn who(rule: &Value) -> String {
    match (rule["role"].as_str(), text(&rule["who"]), rule["of"].as_str()) {
        (Some(role), ..) => format!("who holds the role `{role}`"),
        (None, "anyone", _) => "anyone".to_owned(),
        (None, "tenant", _) => "the owner".to_owned(),
        (None, who, Some(of)) => format!("the {who} of the `{of}`"),
        (None, who, None) => format!("the {who}"),
    }
}

/// What the policy that comes with the protocol asks at a path.
fn policy(page: &mut String, rules: &Value) {
    let mut said = Vec::new();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|one| format!("`{}`", text(one))).collect()
    };
    if rules["data"].is_object() {
        said.push("The data fits its schema.".to_owned());
    }
    if rules["immutable"] == true {
        said.push("It is neither changed nor deleted.".to_owned());
    }
    for unique in rules["unique"].as_array().into_iter().flatten() {
        let by = list(&unique["by"]).join(" and ");
        let within = if unique["within"] == "parent" { " beside it" } else { "" };
        let only: Vec<String> = unique["where"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, values)| format!("`{name}` is {}", list(values).join(" or ")))
            .collect();
        let only =
            if only.is_empty() { String::new() } else { format!(", of those whose {}", only.join(" and whose ")) };
        said.push(format!("No other{within} has the same {by}{only}."));
    }
    for transitions in rules["transitions"].as_array().into_iter().flatten() {
        let tag = text(&transitions["tag"]);
        let start = list(&transitions["start"]);
        if !start.is_empty() {
            said.push(format!("`{tag}` begins as {}.", start.join(" or ")));
        }
        let moves = transitions["moves"].as_array().cloned().unwrap_or_default();
        if moves.is_empty() {
            said.push(format!("`{tag}` stays as it is."));
        }
        for one in moves {
            let by: Vec<String> = one["by"].as_array().into_iter().flatten().map(who).collect();
            let by = if by.is_empty() { String::new() } else { format!(", by {}", by.join(" or ")) };
            said.push(format!(
                "`{tag}` goes from {} to {}{by}.",
                list(&one["from"]).join(" or "),
                list(&one["to"]).join(" or ")
            ));
        }
    }
    if let Some(place) = rules["expires"]["at"].as_str() {
        said.push(format!("It is over at the time in `{place}`."));
    }
    if let Some(span) = rules["expires"]["after"].as_str() {
        said.push(format!("It is over {span} after it was created."));
    }
    if rules["keepHistory"] == true {
        said.push("Its earlier states stay readable.".to_owned());
    }
    if !said.is_empty() {
        let _ = writeln!(page, "\nUnder its policy:\n");
        page.extend(said.iter().map(|rule| format!("- {rule}\n")));
    }
}

fn tags(page: &mut String, tags: &Value) {
    let Some(tags) = tags.as_object() else { return };
    let required: Vec<&str> =
        tags.get("$requiredTags").and_then(Value::as_array).into_iter().flatten().map(text).collect();
    let named: BTreeMap<&String, &Value> = tags.iter().filter(|(name, _)| !name.starts_with('$')).collect();
    if named.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n| tag | | values |\n|---|---|---|");
    for (name, rule) in named {
        let is_required = if required.contains(&name.as_str()) { "required" } else { "" };
        let _ = writeln!(page, "| `{name}` | {is_required} | `{rule}` |");
    }
    if tags.get("$allowUndefinedTags") == Some(&Value::Bool(true)) {
        let _ = writeln!(page, "\nOther tags are allowed.");
    }
}

/// What its schema gives as one.
fn example(page: &mut String, name: &str, path: &str) {
    let kind = path.rsplit('/').next().unwrap_or_default();
    let file = format!("protocols/schemas/{name}/{kind}.json");
    let Ok(schema) = fs::read_to_string(root().join(&file)) else { return };
    let schema: Value = serde_json::from_str(&schema).unwrap_or_else(|why| panic!("{file}: {why}"));
    let about = [&schema["title"], &schema["description"]].map(text).join(". ");
    let _ = writeln!(page, "\n{about} Schema: `{file}`.");
    if let Some(example) = schema["examples"].get(0) {
        let shown = serde_json::to_string_pretty(example).unwrap_or_default();
        let _ = writeln!(page, "\n```json\n{shown}\n```");
    }
}
