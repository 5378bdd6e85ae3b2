//! Held against what the JS implementation said (`tests/vectors/generate.mjs`).

use super::*;
use crate::{cid, crypto};

fn load(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().expect("a list")
}

fn changed(base: &Value, case: &Value) -> Value {
    let mut message = base.clone();
    let path = case["path"].as_str().expect("a path");
    let (parent, last) = path.rsplit_once('/').expect("a pointer");
    let parent = message.pointer_mut(parent).expect("it is there");
    match (case["op"].as_str().expect("an op"), parent) {
        ("del", Value::Array(items)) => drop(items.remove(0)),
        ("del", Value::Object(map)) => drop(map.remove(last)),
        ("set", parent) => *parent.pointer_mut(&format!("/{last}")).expect("it is there") = case["value"].clone(),
        ("add", parent) => {
            let object = parent.pointer_mut(&format!("/{last}")).and_then(Value::as_object_mut).expect("an object");
            object.extend(case["value"].as_object().expect("an object").clone());
        }
        (op, _) => panic!("{op}"),
    }
    message
}

/// Is this a refusal that needs no past in the SDK's words, or an exception of JavaScript that got out?
fn is_worded(detail: &str) -> bool {
    let code = detail.split(':').next().unwrap_or_default();
    detail.contains(": ") && !code.contains(' ') && !code.starts_with("ProtocolAuthorization")
        || detail.starts_with("Both interface")
}

#[test]
fn every_change_of_a_message_is_refused_in_the_same_words() {
    let vectors = load(include_str!("../../../tests/vectors/shapes.json"));
    let tenant = vectors["tenant"].as_str().expect("a tenant");
    let mut wrong = Vec::new();
    for case in list(&vectors, "cases") {
        let message = changed(&vectors["bases"][case["base"].as_str().expect("a base")], case);
        let verdict = Message::parse(tenant, message);
        let expected = case["detail"].as_str().expect("a detail");
        let said = verdict.as_ref().err().map_or("", |refusal| refusal.detail.as_str());
        // Passing the shape is fine where the JS side did; what it thought of the signature is no matter here.
        let agrees = match case["code"].as_u64() {
            Some(400) if is_worded(expected) => said == expected,
            _ => true,
        };
        if !agrees {
            wrong.push(format!(
                "{} {} {} {}\n    sdk:  {expected}\n    ours: {said}",
                case["base"], case["op"], case["path"], case["value"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn definitions_are_refused_in_the_same_words() {
    let vectors = load(include_str!("../../../tests/vectors/definitions.json"));
    for case in list(&vectors, "cases") {
        let verdict = Message::parse(vectors["tenant"].as_str().expect("a tenant"), case["message"].clone());
        match (case["code"].as_u64(), verdict) {
            (Some(400), Err(refusal)) => {
                assert_eq!(
                    (refusal.code, refusal.detail.as_str().into()),
                    (400, case["detail"].clone()),
                    "{}",
                    case["name"]
                );
            }
            (Some(202 | 409), Ok(_)) => {}
            (_, verdict) => panic!("{}: {verdict:?}", case["name"]),
        }
    }
}

#[test]
fn what_is_signed_well_and_wrong_is_refused_in_the_same_words() {
    let vectors = load(include_str!("../../../tests/vectors/integrity.json"));
    // Each stands alone: nothing is kept between them but what is accepted.
    let mut past = Past::new(vectors["tenant"].as_str().expect("a tenant"));
    for case in list(&vectors, "cases") {
        let reply = past.send(Ok(case["message"].clone()), None);
        let status = json!({"code": case["code"], "detail": case["detail"]});
        assert_eq!(reply["status"], status, "{}", case["name"]);
    }
}

#[test]
fn stories_go_as_they_went_there() {
    replay(&load(include_str!("../../../tests/vectors/stories.json")));
}

#[test]
fn stories_of_grants_and_roles_go_as_they_went_there() {
    replay(&load(include_str!("../../../tests/vectors/permissions.json")));
}

#[test]
fn tags_are_judged_in_the_words_of_ajv() {
    let vectors = load(include_str!("../../../tests/vectors/tags.json"));
    for case in list(&vectors, "cases") {
        let rules = case["rules"].as_object().expect("rules");
        let of_tags = rules.iter().filter(|(tag, _)| !tag.starts_with('$'));
        let of_schema =
            of_tags.into_iter().try_for_each(|(tag, rule)| tags::check_schema(rule, &format!("p/$tags/{tag}")));
        let said = of_schema.and_then(|()| tags::check(rules, Some(&case["tags"]), "p/$tags"));
        let said = said.err().map(|refusal| refusal.detail);
        let expected = ["schema", "record"].into_iter().find_map(|place| case[place].as_str());
        let expected = expected.map(|text| format!("tags schema validation error: {text}"));
        let expected = expected.or_else(|| case["refused"].as_str().map(str::to_owned));
        let agrees = match (&said, &expected) {
            (Some(said), Some(expected)) => said.ends_with(expected),
            (said, expected) => said == expected,
        };
        assert!(agrees, "{case:#}\nours: {said:?}");
    }
}

/// Who signed a message (none of these stories' queries comes from a delegate).
fn author_of(message: &Value) -> Option<String> {
    let jws = Jws::parse(message.pointer("/authorization/signature")?).ok()?;
    jws.kids().next().map(|kid| fields::did_of(kid).to_owned())
}

/// Is this a record that somebody sees only because they began it, before others wrote to it? There it is taken from them.
fn is_theirs_here_only(entry: &Value, asker: Option<&str>) -> bool {
    let (author, creator) = (author_of(entry), entry.get("initialWrite").and_then(author_of));
    let descriptor = &entry["descriptor"];
    let is_party = author.as_deref() == asker || descriptor["recipient"].as_str() == asker;
    creator.is_some() && creator.as_deref() == asker && !is_party && descriptor["published"] != true
}

fn replay(vectors: &Value) {
    for (number, story) in list(vectors, "stories").iter().enumerate() {
        let mut past = Past::new(story["tenant"].as_str().expect("a tenant"));
        for (step, case) in list(story, "steps").iter().enumerate() {
            let data = case.get("data").map(|data| match data.as_u64() {
                Some(size) => (0..size).map(|i| (i % 251) as u8).collect(),
                None => crypto::decode(data.as_str().expect("text")).expect("base64url"),
            });
            let mut reply = past.send(Ok(case["message"].clone()), data.as_deref());
            if case["message"]["descriptor"]["interface"] == "Messages"
                && let Some(Value::Array(entries)) = reply.get_mut("entries")
            {
                // Told in an order of our own, see `order`.
                entries.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            let asker = author_of(&case["message"]);
            if case["message"]["descriptor"]["interface"] == "Records"
                && asker.as_deref() != story["tenant"].as_str()
                && let Some(Value::Array(entries)) = reply.get_mut("entries")
            {
                entries.retain(|entry| !is_theirs_here_only(entry, asker.as_deref()));
            }
            let at = || format!("story {number} step {step}: {case:#}\nours: {reply:#}");
            assert_eq!(reply["status"]["code"], case["code"], "{}", at());
            assert_eq!(reply["status"]["detail"], case["detail"], "{}", at());
            let part = |name: &str| reply.get(name).map(|value| json!({name: value}));
            let body = part("entries").or_else(|| part("entry")).map(|body| cid::of_json(&body).expect("encodes").0);
            assert_eq!(body.map(|cid| cid.to_string()).as_deref(), case["body"].as_str(), "{}", at());
            assert_eq!(
                reply.get("data").cloned().unwrap_or_default(),
                case.get("data_cid").cloned().unwrap_or_default(),
                "{}",
                at()
            );
            if case["message"]["descriptor"]["interface"] == "Records" {
                assert_eq!(reply.get("cursor"), case.get("cursor"), "{}", at());
            }
        }
    }
}
