//! `toft protocol new`: a definition from a few words, or from answers to questions.

use super::{
    context::Context,
    file::Target,
    output::{Output, aside},
    protocol_file::{text, wrong},
};
use crate::{
    dwn::{Lint, normalize_uri},
    rpc::control::{Failure, Kind},
};
use serde_json::{Map, Value, json};
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

/// Actions of who may create, and of who may look.
const ACTIONS: &str = "create, read, update, delete, co-update, co-delete, prune, co-prune, query, subscribe";

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// URI of the protocol, such as https://example.com/notes: it names the protocol and need not lead anywhere.
    uri: Option<String>,
    /// A kind of record, or its place below another: thread, thread/message. May be given several times.
    #[arg(long = "type", value_name = "PATH")]
    types: Vec<String>,
    /// JSON Schema of the data at a path; its $id becomes the schema that records name.
    #[arg(long = "schema", value_name = "PATH=FILE")]
    schemas: Vec<String>,
    /// A tag by which records at a path are found; its values are those of the property of that name in the schema, else texts.
    #[arg(long = "tag", value_name = "PATH:NAME")]
    tags: Vec<String>,
    /// Who else may do what: WHO is anyone, author of PATH, recipient of PATH, or role PATH.
    #[arg(long = "allow", value_name = "PATH:WHO:ACTION,…")]
    allowed: Vec<String>,
    /// Records at this path give their recipient a role.
    #[arg(long = "role", value_name = "PATH")]
    roles: Vec<String>,
    /// Anybody may read the definition.
    #[arg(long)]
    published: bool,
    /// Where to write it (default, and -: the terminal). A file that exists is not replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<Option<Output>, Failure> {
    let target = args.output.as_ref().map_or(Ok(Target::Terminal), |path| Target::find(path, args.force))?;
    let args = if args.uri.is_some() { args } else { ask(context, args)? };
    let mut schemas = Vec::new();
    for given in &args.schemas {
        let (path, file) =
            given.split_once('=').ok_or_else(|| usage(format!("--schema {given:?} is not PATH=FILE")))?;
        let file = Path::new(file);
        let text = text(file).map_err(|error| wrong(file, error.to_string()))?;
        let schema =
            serde_json::from_str(&text).map_err(|error| wrong(file, format!("a JSON Schema is JSON: {error}")))?;
        schemas.push((path.to_owned(), schema));
    }
    let definition = draft(&args, &schemas).map_err(usage)?;
    if let Some(problem) = Lint::of(&definition).problems.into_iter().next() {
        return Err(usage(problem));
    }
    let text = serde_json::to_string_pretty(&definition).unwrap_or_default() + "\n";
    target.put(text.as_bytes()).await?;
    let Some(name) = target.name() else { return Ok(None) };
    let next = context.next(&format!("protocol install {}", name.display()));
    Output::told(&definition, format!("✓ {}\n→ Install it with: {next}", name.display())).map(Some)
}

fn usage(why: String) -> Failure {
    Failure::new(Kind::Usage, why)
}

/// Asks for what is not given.
fn ask(context: &Context, args: Args) -> Result<Args, Failure> {
    if context.json || !std::io::stdin().is_terminal() {
        return Err(usage(
            "name the protocol: toft protocol new https://example.com/notes --type note; without that it asks, on a terminal".into(),
        ));
    }
    let uri = answer("URI of the protocol, such as https://example.com/notes?")?;
    let types = answer("Kinds of records, such as thread thread/message?")?;
    let types: Vec<String> = types.split_whitespace().map(str::to_owned).collect();
    let (mut allowed, mut tags) = (args.allowed, args.tags);
    for path in &types {
        let names = answer(&format!("Tags by which a {path} is found (none: press Enter)?"))?;
        tags.extend(names.split_whitespace().map(|name| format!("{path}:{name}")));
        let who =
            answer(&format!("Who else may do what with a {path}, such as anyone:create,read (nobody: press Enter)?"))?;
        allowed.extend(who.split_whitespace().map(|who| format!("{path}:{who}")));
    }
    Ok(Args { uri: Some(uri), types, allowed, tags, ..args })
}

fn answer(question: &str) -> Result<String, Failure> {
    let failed = |error| Failure::new(Kind::Failed, format!("reading the answer: {error}"));
    aside(question);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}

/// The definition that these words say; why they say none, if so.
fn draft(args: &Args, schemas: &[(String, Value)]) -> Result<Value, String> {
    let uri = args.uri.as_deref().unwrap_or_default();
    let uri = normalize_uri(uri).ok_or_else(|| format!("{uri:?} is not a URI, such as https://example.com/notes"))?;
    if args.types.is_empty() && args.roles.is_empty() {
        return Err("a protocol has kinds of records: --type note".into());
    }
    let (mut types, mut structure) = (Map::new(), Value::Object(Map::new()));
    for path in args.types.iter().chain(&args.roles) {
        let (mut place, mut name) = (&mut structure, "");
        for segment in path.split('/') {
            if segment.is_empty() || segment.starts_with('$') {
                return Err(format!("{path:?} is no path of names, such as thread/message"));
            }
            let below = place.as_object_mut().ok_or("the structure is no object")?;
            (place, name) = (below.entry(segment).or_insert_with(|| json!({})), segment);
            types.entry(segment).or_insert_with(|| json!({}));
        }
        let schema = schemas.iter().find(|(of, _)| of == path).map(|(_, schema)| schema);
        if let Some(schema) = schema {
            let mut kind = json!({"dataFormats": ["application/json"]});
            if let Some(id) = schema.get("$id").and_then(Value::as_str) {
                kind["schema"] =
                    normalize_uri(id).ok_or_else(|| format!("$id {id:?} of the schema is not a URI"))?.into();
            }
            types.insert(name.to_owned(), kind);
        }
    }
    for (path, _) in schemas {
        rules(&mut structure, path)?;
    }
    for path in &args.roles {
        rules(&mut structure, path)?["$role"] = true.into();
    }
    for given in &args.tags {
        let (path, tag) = given.rsplit_once(':').ok_or_else(|| format!("--tag {given:?} is not PATH:NAME"))?;
        let schema =
            schemas.iter().find(|(of, _)| of == path).and_then(|(_, schema)| schema.get("properties")?.get(tag));
        let rules = rules(&mut structure, path)?;
        rules["$tags"]["$allowUndefinedTags"] = false.into();
        rules["$tags"][tag] = values(schema);
    }
    for given in &args.allowed {
        let mut parts = given.split(':');
        let (Some(path), Some(who), Some(can), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(format!("--allow {given:?} is not PATH:WHO:ACTION,…, such as note:anyone:create,read"));
        };
        let can: Vec<&str> = can.split(',').map(str::trim).collect();
        if let Some(unknown) = can.iter().find(|action| !ACTIONS.split(", ").any(|known| known == **action)) {
            return Err(format!("{unknown:?} is no action; these are: {ACTIONS}"));
        }
        let mut rule =
            match who.split_once(' ').map_or((who, ""), |(who, rest)| (who, rest.trim_start_matches("of ").trim())) {
                ("anyone", "") => json!({"who": "anyone"}),
                (who @ ("author" | "recipient"), "") => json!({"who": who}),
                (who @ ("author" | "recipient"), of) => json!({"who": who, "of": of}),
                ("role", role) if !role.is_empty() => json!({"role": role}),
                _ => return Err(format!("{who:?} is none of: anyone, author of PATH, recipient of PATH, role PATH")),
            };
        rule["can"] = can.into();
        let rules = rules(&mut structure, path)?;
        match rules.get_mut("$actions").and_then(Value::as_array_mut) {
            Some(actions) => actions.push(rule),
            None => rules["$actions"] = json!([rule]),
        }
    }
    Ok(json!({"protocol": uri, "published": args.published, "types": types, "structure": structure}))
}

/// The rules at a path.
fn rules<'a>(structure: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    let found = path.split('/').try_fold(structure, |place, segment| place.get_mut(segment));
    found.ok_or_else(|| format!("no records are at {path:?}: name it with --type"))
}

/// What a tag may be, of a property: the dialect knows texts, numbers and flags, and lists of them.
fn values(property: Option<&Value>) -> Value {
    const KEPT: &[&str] =
        &["type", "enum", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
    let kept =
        property.and_then(Value::as_object).into_iter().flatten().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    match kept.get("type").and_then(Value::as_str) {
        Some("string" | "number" | "integer" | "boolean") => kept.into(),
        Some("array") => {
            let items = values(property.and_then(|property| property.get("items")));
            json!({"type": "array", "items": items})
        }
        _ => json!({"type": "string"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(types: &[&str], allowed: &[&str], tags: &[&str]) -> Args {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        Args {
            uri: Some("https://example.com/p/".into()),
            types: owned(types),
            allowed: owned(allowed),
            tags: owned(tags),
            ..Args::default()
        }
    }

    #[test]
    fn a_few_words_make_a_definition_that_can_be_installed() {
        let mut words = args(
            &["thread", "thread/message"],
            &[
                "thread:anyone:create,read",
                "thread/message:role thread/member:create,read,query,subscribe",
                "thread/message:author of thread:co-delete",
            ],
            &["thread:kind", "thread/message:stars"],
        );
        words.roles.push("thread/member".into());
        let schema = json!({"$id": "https://example.com/message", "properties": {"stars": {"type": "integer", "minimum": 1, "title": "x"}}});
        let made = draft(&words, &[("thread/message".into(), schema)]).expect("a definition");
        assert_eq!(Lint::of(&made), Lint::default(), "{made}");
        assert_eq!(made["protocol"], "https://example.com/p");
        assert_eq!(made["types"]["message"]["schema"], "https://example.com/message");
        let message = &made["structure"]["thread"]["message"];
        assert_eq!(message["$tags"]["stars"], json!({"type": "integer", "minimum": 1}));
        assert_eq!(message["$actions"][1], json!({"who": "author", "of": "thread", "can": ["co-delete"]}));
        assert_eq!(made["structure"]["thread"]["member"]["$role"], true);
    }

    #[test]
    fn words_that_make_none_say_why() {
        for (words, why) in [
            (args(&[], &[], &[]), "--type"),
            (args(&["a//b"], &[], &[]), "no path of names"),
            (args(&["$role"], &[], &[]), "no path of names"),
            (args(&["a"], &["b:anyone:read"], &[]), "--type"),
            (args(&["a"], &["a:anyone"], &[]), "PATH:WHO:ACTION"),
            (args(&["a"], &["a:anyone:write"], &[]), "no action"),
            (args(&["a"], &["a:nobody:read"], &[]), "none of"),
            (args(&["a"], &[], &["a"]), "PATH:NAME"),
        ] {
            let said = draft(&words, &[]).expect_err("no definition");
            assert!(said.contains(why), "{said}");
        }
        assert!(draft(&Args { uri: Some(String::new()), ..args(&["a"], &[], &[]) }, &[]).is_err());
    }
}
