//! The rules in stories: policies beside a protocol; and many random ones beside a model.

use super::*;
use crate::{
    cid,
    crypto::{hd, record},
};

const SHOP: &str = "http://example.com/shop";

fn shop() -> Value {
    let anyone = json!([{"who": "anyone", "can": ["create", "read", "update", "delete", "co-update", "co-delete"]}]);
    json!({
        "protocol": SHOP,
        "published": true,
        "types": {"offer": {}, "receipt": {}, "lease": {}, "remark": {}, "clerk": {}, "order": {}},
        "structure": {
            "offer": {
                "$actions": anyone,
                "$tags": {"$allowUndefinedTags": true, "status": {"type": "string", "enum": ["open", "taken", "done", "closed"]}},
                "remark": {"$actions": anyone},
            },
            "receipt": {"$actions": anyone},
            "lease": {"$actions": anyone},
            "clerk": {"$role": true},
            "order": {
                "$actions": [{"role": "clerk", "can": ["create", "co-update"]}],
                "$tags": {"$allowUndefinedTags": false, "state": {"type": "string"}},
            },
        },
    })
}

fn policy() -> Value {
    json!({
        "protocol": SHOP,
        "description": "how this shop is kept",
        "paths": {
            "offer": {
                "data": {"type": "object", "properties": {"price": {"type": "integer", "minimum": 0}}, "required": ["price"]},
                "unique": [{"by": ["author", "tag.ref"], "where": {"tag.status": ["open", "taken"]}}],
                "transitions": [{"tag": "status", "start": ["open"], "moves": [
                    {"from": ["open"], "to": ["taken"], "by": [{"who": "recipient"}]},
                    {"from": ["open"], "to": ["closed"], "by": [{"who": "author"}, {"who": "tenant"}]},
                    {"from": ["taken"], "to": ["done", "open"], "by": [{"who": "author", "of": "offer"}]},
                ]}],
            },
            "offer/remark": {"unique": [{"by": ["author"], "within": "parent"}]},
            "receipt": {"immutable": true, "unique": [{"by": ["tag.spends"]}]},
            "lease": {"expires": {"at": "tag.until"}},
            "clerk": {"expires": {"after": "600s"}},
        },
    })
}

fn policy_record(policy: &Value, second: u32, signer: &Signer) -> (Result<Value, Refusal>, Vec<u8>) {
    let data = policy.to_string().into_bytes();
    let tags = json!({"protocol": policy["protocol"]});
    let about = Write {
        protocol: Some((POLICY, "policy")),
        schema: Some("https://toft.invalid/protocols/policy/policy.json"),
        tags: tags.as_object().cloned(),
        data_format: "application/json",
        ..Write::default()
    };
    (write(&about, &data, second, signer), data)
}

/// The protocol of policies as it ships.
fn policies() -> Value {
    serde_json::from_str(include_str!("../../../protocols/policy.json")).expect("JSON")
}

fn with_policy(alice: &Signer) -> Past {
    let mut past = Past::of(alice);
    for definition in [policies(), shop()] {
        assert_eq!(past.code(protocols_configure(definition, &at(0), alice), None), 202);
    }
    let (message, data) = policy_record(&policy(), 1, alice);
    let reply = past.send(message, Some(&data));
    assert_eq!(reply["status"]["code"], 202, "{reply}");
    past
}

fn of<'a>(path: &'a str, tags: &'a Value, recipient: Option<&'a str>) -> Write<'a> {
    Write {
        protocol: Some((SHOP, path)),
        tags: tags.as_object().cloned(),
        recipient,
        data_format: "application/json",
        ..Write::default()
    }
}

fn code_of(reply: &Value) -> (u64, &str) {
    let code = detail(reply).split(':').next().unwrap_or_default();
    (reply["status"]["code"].as_u64().expect("a code"), code)
}

const PRICE: &[u8] = br#"{"price": 5}"#;

#[test]
fn data_has_the_shape_that_its_policy_says() {
    let (alice, bob) = (person(1), person(2));
    let mut past = with_policy(&alice);
    let tags = json!({"status": "open"});
    let offer = of("offer", &tags, None);
    for (data, pointer) in [(&br#"{"price": -1}"#[..], "/price"), (b"{}", "the data"), (b"no JSON", "no JSON")] {
        let reply = past.send(write(&offer, data, 2, &bob), Some(data));
        assert_eq!(code_of(&reply), (400, "PolicyDataInvalid"));
        assert!(detail(&reply).contains(pointer), "{reply}");
    }
    let large = format!(r#"{{"price": 1, "more": "{}"}}"#, "x".repeat(30_000)).into_bytes();
    let reply = past.send(write(&offer, &large, 2, &bob), Some(&large));
    assert_eq!(code_of(&reply), (400, "PolicyDataTooLarge"));
    assert_eq!(past.code(write(&offer, PRICE, 2, &bob), Some(PRICE)), 202);
    // What another own device has judged is taken.
    let other = br#"{"other": 1}"#;
    assert_eq!(past.replay(write(&offer, other, 3, &bob).expect("made"), Some(other))["status"]["code"], 202);
}

#[test]
fn what_is_immutable_is_not_changed_deleted_or_pruned() {
    let alice = person(1);
    let mut past = with_policy(&alice);
    let tags = json!({"spends": ["a:0", "b:1"]});
    let receipt = write(&of("receipt", &tags, None), b"{}", 2, &alice);
    assert_eq!(past.code(receipt.clone(), Some(b"{}")), 202);
    let update = records_update(receipt.as_ref().expect("made"), &json!({}), &at(3), &alice);
    assert_eq!(code_of(&past.send(update, None)), (400, "PolicyImmutable"));
    for prune in [false, true] {
        let delete = records_delete(record_id(&receipt), prune, &at(4), &alice);
        assert_eq!(code_of(&past.send(delete, None)), (400, "PolicyImmutable"));
    }
    let again = write(&of("receipt", &json!({"spends": ["c:2", "b:1"]}), None), b"{}", 5, &alice);
    assert_eq!(code_of(&past.send(again, Some(b"{}"))), (409, "PolicyNotUnique"), "one of many values is enough");
    // Without its policy it is a record as any other.
    let (message, _) = policy_record(&policy(), 1, &alice);
    assert_eq!(past.code(records_delete(record_id(&message), false, &at(6), &alice), None), 202);
    assert_eq!(past.code(records_delete(record_id(&receipt), false, &at(7), &alice), None), 202);
}

#[test]
fn tags_go_their_ways_by_those_who_may() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = with_policy(&alice);
    let tags = |status: &str| json!({"status": status, "ref": "r1"});
    let taken = tags("taken");
    let wrong = write(&of("offer", &taken, Some(carol.did())), PRICE, 2, &bob);
    assert_eq!(code_of(&past.send(wrong, Some(PRICE))), (400, "PolicyTransition"));
    let open = tags("open");
    let offer = write(&of("offer", &open, Some(carol.did())), PRICE, 2, &bob);
    assert_eq!(past.code(offer.clone(), Some(PRICE)), 202);
    let second_one = write(&of("offer", &open, None), PRICE, 50, &bob);
    assert_eq!(code_of(&past.send(second_one.clone(), Some(PRICE))), (409, "PolicyNotUnique"));
    let mut newest = offer.expect("made");
    let mut second = 3;
    let mut go = |past: &mut Past, status: &str, who: &Signer| {
        let update = records_update(&newest, &json!({"tags": tags(status)}), &at(second), who).expect("made");
        second += 1;
        let reply = past.send(Ok(update.clone()), None);
        let (code, why) = code_of(&reply);
        if code == 202 {
            newest = update;
        }
        (code, why.to_owned())
    };
    let denied = (401, "PolicyTransitionNotAllowed".to_owned());
    assert_eq!(go(&mut past, "taken", &bob), denied);
    assert_eq!(go(&mut past, "done", &bob), (400, "PolicyTransition".into()));
    assert_eq!(go(&mut past, "closed", &carol), denied);
    assert_eq!(go(&mut past, "taken", &carol).0, 202);
    assert_eq!(go(&mut past, "done", &carol), denied);
    assert_eq!(go(&mut past, "done", &bob).0, 202);
    assert_eq!(past.code(second_one, Some(PRICE)), 202, "one that is done is in nobody's way");
    let remark = Write { parent_context: newest["contextId"].as_str(), ..of("offer/remark", &Value::Null, None) };
    let remark = Write { tags: None, ..remark };
    assert_eq!(past.code(write(&remark, b"1", 51, &carol), Some(b"1")), 202);
    assert_eq!(code_of(&past.send(write(&remark, b"2", 52, &carol), Some(b"2"))), (409, "PolicyNotUnique"));
    assert_eq!(past.code(write(&remark, b"2", 52, &bob), Some(b"2")), 202);
}

#[test]
fn what_is_over_gives_no_rights_and_takes_no_updates() {
    let (alice, bob) = (person(1), person(2));
    let mut past = with_policy(&alice);
    let until = json!({"until": at(100)});
    let lease = write(&of("lease", &until, None), b"{}", 2, &bob);
    assert_eq!(past.code(lease.clone(), Some(b"{}")), 202);
    let update = |second| records_update(lease.as_ref().expect("made"), &json!({}), &at(second), &bob);
    assert_eq!(past.code(update(99), None), 202);
    assert_eq!(code_of(&past.send(update(100), None)), (400, "PolicyExpired"));
    let late = write(&of("lease", &until, None), b"{}", 101, &bob);
    assert_eq!(code_of(&past.send(late, Some(b"{}"))), (400, "PolicyExpired"));
    let never = json!({"until": "some day"});
    let reply = past.send(write(&of("lease", &never, None), b"{}", 3, &bob), Some(b"{}"));
    assert_eq!(code_of(&reply), (400, "PolicyExpiryInvalid"));

    // A role ends to the second.
    let none = Write { tags: None, ..of("clerk", &Value::Null, Some(bob.did())) };
    assert_eq!(past.code(write(&none, b"{}", 10, &alice), Some(b"{}")), 202);
    let state = json!({"state": "new"});
    let order = |second| {
        let order = write(&of("order", &state, None), b"{}", second, &bob);
        Ok(with_payload(order, json!({"protocolRole": "clerk"}), &bob))
    };
    assert_eq!(past.code(write(&none, b"{}", 11, &alice), Some(b"{}")), 400, "a role is held once");
    assert_eq!(past.code(order(609), Some(b"{}")), 202);
    let reply = past.send(order(610), Some(b"{}"));
    assert_eq!(code_of(&reply), (401, "ProtocolAuthorizationMatchingRoleRecordNotFound"));
    assert_eq!(past.code(write(&none, b"{}", 611, &alice), Some(b"{}")), 202, "and can be given anew");
    assert_eq!(past.code(order(612), Some(b"{}")), 202);
}

#[test]
fn a_policy_that_cannot_be_followed_is_refused() {
    let (alice, bob) = (person(1), person(2));
    let mut past = with_policy(&alice);
    let (first, _) = policy_record(&policy(), 1, &alice);
    let mut refused = |change: &dyn Fn(&mut Value), said: &str| {
        let mut changed = policy();
        change(&mut changed);
        let data = changed.to_string().into_bytes();
        let cid = data_cid(&data).to_string();
        let update = json!({"dataCid": cid, "dataSize": data.len()});
        let update = records_update(first.as_ref().expect("made"), &update, &at(2), &alice);
        let reply = past.send(update, Some(&data));
        assert_eq!(code_of(&reply), (400, "PolicyInvalid"), "{changed}");
        assert!(detail(&reply).contains(said), "{reply}");
    };
    refused(&|p| p["path"] = json!({}), "unknown field");
    refused(&|p| p["protocol"] = "http://example.com/other".into(), "its tag says");
    refused(&|p| p["paths"]["offers"] = json!({"immutable": true}), "no path `offers`");
    refused(&|p| p["paths"]["offer"]["data"] = json!({"$ref": "#"}), "refers to itself");
    refused(&|p| p["paths"]["offer"]["data"]["pattern"] = "(".into(), "data");
    refused(&|p| p["paths"]["offer"]["transitions"][0]["start"] = json!(["never"]), "can never be");
    refused(&|p| p["paths"]["order"] = json!({"unique": [{"by": ["tag.none"]}]}), "may have a tag `none`");
    refused(&|p| p["paths"]["order"] = json!({"unique": [{"by": ["data.none"]}]}), "neither");
    refused(&|p| p["paths"]["order"] = json!({"expires": {"after": "900ms"}}), "whole seconds");
    refused(&|p| p["paths"]["order"] = json!({"expires": {"at": "until"}}), "neither");
    refused(&|p| p["paths"]["offer"]["immutable"] = true.into(), "immutable");
    let by = |by: Value| move |p: &mut Value| p["paths"]["offer"]["transitions"][0]["moves"][0]["by"] = by.clone();
    refused(&by(json!([{"role": "offer"}])), "no role `offer`");
    refused(&by(json!([{"who": "author", "of": "receipt"}])), "no `receipt` is above");
    refused(&by(json!([{"who": "anyone", "role": "clerk"}])), "`by` names");

    let (second, data) = policy_record(&policy(), 9, &alice);
    assert_eq!(code_of(&past.send(second, Some(&data))), (409, "PolicyNotUnique"));
    let (strangers, data) = policy_record(&policy(), 9, &bob);
    assert_eq!(past.code(strangers, Some(&data)), 401);
    let mut other = policy();
    other["protocol"] = "http://example.com/none".into();
    let (unknown, data) = policy_record(&other, 9, &alice);
    assert_eq!(code_of(&past.send(unknown, Some(&data))), (400, "PolicyInvalid"));
}

#[test]
fn a_policy_of_a_later_toft_stops_its_protocol_and_no_other() {
    let alice = person(1);
    let mut past = with_policy(&alice);
    let (first, _) = policy_record(&policy(), 1, &alice);
    let mut later = policy();
    later["paths"]["offer"]["since2030"] = true.into();
    let data = later.to_string().into_bytes();
    let changes = json!({"dataCid": data_cid(&data).to_string(), "dataSize": data.len()});
    let update = records_update(first.as_ref().expect("made"), &changes, &at(2), &alice).expect("made");
    assert_eq!(past.replay(update, Some(&data))["status"]["code"], 202, "another own device has it");
    let tags = json!({"status": "open"});
    let reply = past.send(write(&of("offer", &tags, None), PRICE, 3, &alice), Some(PRICE));
    assert_eq!(code_of(&reply), (400, "PolicyUnreadable"));
    assert!(detail(&reply).contains("update"), "{reply}");
    assert_eq!(past.code(write(&note(), b"n", 3, &alice), Some(b"n")), 202);
    let back = records_delete(record_id(&first), false, &at(4), &alice);
    assert_eq!(past.code(back, None), 202);
    assert_eq!(past.code(write(&of("offer", &tags, None), PRICE, 5, &alice), Some(PRICE)), 202);
}

#[test]
fn what_is_over_is_in_nobodys_way_and_lists_of_values_stay_what_they_are() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    for definition in [policies(), shop()] {
        assert_eq!(past.code(protocols_configure(definition, &at(0), &alice), None), 202);
    }
    let policy = json!({"protocol": SHOP, "paths": {
        "lease": {"expires": {"at": "tag.until"}, "unique": [{"by": ["tag.of"]}]},
        "receipt": {"transitions": [{"tag": "spends", "moves": []}], "unique": [{"by": []}]},
    }});
    let (message, data) = policy_record(&policy, 1, &alice);
    assert_eq!(past.code(message, Some(&data)), 202);
    let lease =
        |until: u32, second| write(&of("lease", &json!({"of": "a", "until": at(until)}), None), b"{}", second, &alice);
    assert_eq!(past.code(lease(10, 2), Some(b"{}")), 202);
    assert_eq!(past.code(lease(90, 9), Some(b"{}")), 409);
    assert_eq!(past.code(lease(90, 10), Some(b"{}")), 202);
    let receipt =
        |spends: Value, second| write(&of("receipt", &json!({"spends": spends}), None), b"{}", second, &alice);
    let first = receipt(json!(["a", "b"]), 2);
    assert_eq!(past.code(first.clone(), Some(b"{}")), 202);
    let reply = past.send(receipt(json!(["c"]), 3), Some(b"{}"));
    assert!(code_of(&reply) == (409, "PolicyNotUnique") && detail(&reply).contains("there already"), "{reply}");
    for (n, (spends, code)) in
        [(json!(["a", "b"]), 202), (json!(["c"]), 400), (json!("c"), 400), (Value::Null, 400)].into_iter().enumerate()
    {
        let tags = if spends.is_null() { json!({}) } else { json!({"spends": spends}) };
        let update = records_update(first.as_ref().expect("made"), &json!({"tags": tags}), &at(4 + n as u32), &alice);
        assert_eq!(past.code(update, None), code, "{spends}");
    }
}

#[test]
fn what_a_policy_has_to_look_into_is_neither_encrypted_nor_large() {
    let alice = person(1);
    let root = hd::PrivateKey::root("did:x#enc", hd::Scheme::ProtocolPath, &[6; 32]).expect("a key");
    let sealed = |path: &str, data: &[u8], second| {
        let about = Write { tags: None, ..of(path, &Value::Null, None) };
        let mut draft =
            create::draft(&about, (&data_cid(data), data.len() as u64), &at(second), alice.did()).expect("made");
        let holder = record::Recipient::holder(&root, &draft).expect("derives");
        draft["encryption"] =
            record::encryption(&record::DataKey::random().expect("randomness"), &[holder]).expect("seals");
        sign_records_write(draft, &alice)
    };
    let mut past = Past::of(&alice);
    let private = record::with_keys(&shop(), &root).expect("derives");
    let mut definition = shop();
    definition["structure"]["receipt"]["$encryption"] = private["structure"]["receipt"]["$encryption"].clone();
    for definition in [policies(), definition] {
        assert_eq!(past.code(protocols_configure(definition, &at(0), &alice), None), 202);
    }
    let needs = json!({"type": "object", "required": ["until"]});
    let policy = |receipt: Value| {
        json!({"protocol": SHOP, "paths": {
            "lease": {"expires": {"at": "/until"}}, "offer": {"data": needs}, "receipt": receipt,
        }})
    };
    let (message, data) = policy_record(&policy(json!({"expires": {"at": "/until"}})), 1, &alice);
    let reply = past.send(message, Some(&data));
    assert!(code_of(&reply) == (400, "PolicyInvalid") && detail(&reply).contains("encrypted"), "{reply}");
    let (message, data) = policy_record(&policy(json!({"data": needs})), 1, &alice);
    assert_eq!(past.code(message, Some(&data)), 202);
    for path in ["lease", "offer"] {
        let reply = past.send(sealed(path, b"ciphertext", 2), Some(b"ciphertext"));
        assert_eq!(code_of(&reply), (400, "PolicyDataEncrypted"), "{path}");
        let large = vec![b' '; 30_001];
        let plain = Write { tags: None, ..of(path, &Value::Null, None) };
        let reply = past.send(write(&plain, &large, 3, &alice), Some(&large));
        assert_eq!(code_of(&reply), (400, "PolicyDataTooLarge"), "{path}");
    }
    assert_eq!(
        past.code(sealed("receipt", b"ciphertext", 4), Some(b"ciphertext")),
        202,
        "what is private is not looked into"
    );
    let plain = Write { tags: None, ..of("receipt", &Value::Null, None) };
    assert_eq!(code_of(&past.send(write(&plain, b"{}", 5, &alice), Some(b"{}"))), (400, "PolicyDataInvalid"));
}

/// A record, as the model sees it.
#[derive(Debug, Clone)]
struct Thing {
    path: &'static str,
    message: Value,
    creator: usize,
    author: usize,
    recipient: usize,
    tags: Value,
}

/// Everything that stands against a write, found by going through everything.
fn against(things: &[Thing], own: Option<usize>, next: &Thing, data: Option<&[u8]>, second: u32) -> Vec<&'static str> {
    let mut against = Vec::new();
    let text = |tags: &Value, name: &str| tags[name].as_str().map(str::to_owned);
    let before = own.map(|own| &things[own]);
    let others = || {
        things
            .iter()
            .enumerate()
            .filter(|(n, thing)| Some(*n) != own && thing.path == next.path)
            .map(|(_, thing)| thing)
    };
    match next.path {
        "offer" => {
            let json = data.map(serde_json::from_slice::<Value>);
            if json.is_some_and(|json| !json.is_ok_and(|json| json["price"].as_u64().is_some())) {
                against.push("PolicyDataInvalid");
            }
            let status = text(&next.tags, "status");
            match before {
                None if status.as_deref() != Some("open") => against.push("PolicyTransition"),
                Some(before) if text(&before.tags, "status") != status => {
                    let from = text(&before.tags, "status").unwrap_or_default();
                    let ways = [
                        ("open", "taken", vec![next.recipient]),
                        ("open", "closed", vec![next.creator, 0]),
                        ("taken", "done", vec![next.creator]),
                        ("taken", "open", vec![next.creator]),
                    ];
                    match ways.iter().find(|(a, b, _)| *a == from && Some(*b) == status.as_deref()) {
                        None => against.push("PolicyTransition"),
                        Some((.., by)) if !by.contains(&next.author) => against.push("PolicyTransitionNotAllowed"),
                        _ => {}
                    }
                }
                _ => {}
            }
            let is_live = |tags: &Value| matches!(tags["status"].as_str(), Some("open" | "taken"));
            let same = |other: &Thing| {
                is_live(&other.tags) && other.author == next.author && other.tags["ref"] == next.tags["ref"]
            };
            if is_live(&next.tags) && text(&next.tags, "ref").is_some() && others().any(same) {
                against.push("PolicyNotUnique");
            }
        }
        "receipt" => {
            if before.is_some() {
                against.push("PolicyImmutable");
            }
            let spends = |tags: &Value| tags["spends"].as_array().cloned().unwrap_or_default();
            if others().any(|other| spends(&other.tags).iter().any(|one| spends(&next.tags).contains(one))) {
                against.push("PolicyNotUnique");
            }
        }
        _ => {
            let is_over = |tags: &Value| tags["until"].as_str().is_some_and(|until| until <= at(second).as_str());
            if is_over(&next.tags) || before.is_some_and(|before| is_over(&before.tags)) {
                against.push("PolicyExpired");
            }
        }
    }
    against
}

/// Random writes and deletes by three people, judged as a model judges them. `TOFT_LONG=1`: 100,000.
#[test]
fn random_operations_are_judged_as_a_slow_model_does() {
    let long = std::env::var_os("TOFT_LONG").is_some();
    let rounds: u64 = if long { 500 } else { 10 };
    let (mut taken, mut refused) = (0, std::collections::BTreeMap::<String, u32>::new());
    for round in 0..rounds {
        let mut seed = 1_000_000 * round;
        let mut pick = |n: usize| {
            seed += 1;
            let digest = cid::digest(&u64::to_be_bytes(seed));
            usize::from(u16::from_be_bytes([digest[0], digest[1]])) % n
        };
        let people = [person(1), person(2), person(3)];
        let (mut past, mut things) = (with_policy(&people[0]), Vec::<Thing>::new());
        for second in 2..202 {
            let author = pick(3);
            let path = ["offer", "receipt", "lease"][pick(3)];
            let mut tags = match path {
                "offer" => {
                    json!({"status": (["open", "open", "taken", "done", "closed"][pick(5)]), "ref": format!("r{}", pick(4))})
                }
                "receipt" => json!({"spends": [format!("c{}", pick(40)), format!("c{}", pick(40))]}),
                _ => json!({"until": at(second + ([0, 1, 30, 500][pick(4)]))}),
            };
            if pick(8) == 0 && path != "offer" {
                tags = json!({"other": true});
            }
            let data: &[u8] = [&b"{\"price\": 1}"[..], b"{\"price\": 22}", b"{\"price\": \"x\"}", b"{}"][pick(4)];
            let known: Vec<usize> = (0..things.len()).filter(|n| things[*n].path == path).collect();
            let own = (pick(2) == 0 && !known.is_empty()).then(|| known[pick(known.len())]);
            if let Some(own) = own.filter(|_| pick(4) == 0) {
                let id = things[own].message["recordId"].as_str().expect("an id").to_owned();
                let reply = past.send(records_delete(&id, false, &at(second), &people[author]), None);
                let expected = if path == "receipt" { (400, "PolicyImmutable") } else { (202, "Accepted") };
                assert_eq!(code_of(&reply), expected, "{reply}");
                if expected.0 == 202 {
                    things.remove(own);
                }
                continue;
            }
            let recipient = own.map_or_else(|| pick(3), |own| things[own].recipient);
            let creator = own.map_or(author, |own| things[own].creator);
            let with_data = own.is_none() || pick(2) == 0;
            let message = match own {
                None => write(&of(path, &tags, Some(people[recipient].did())), data, second, &people[author]),
                Some(own) => {
                    let mut changes = json!({"tags": tags});
                    if with_data {
                        changes["dataCid"] = data_cid(data).to_string().into();
                        changes["dataSize"] = data.len().into();
                    }
                    records_update(&things[own].message, &changes, &at(second), &people[author])
                }
            };
            let message = message.expect("made");
            let next = Thing { path, message: message.clone(), creator, author, recipient, tags };
            let data = with_data.then_some(data);
            let against = against(&things, own, &next, data, second);
            let reply = past.send(Ok(message), data);
            let (code, why) = code_of(&reply);
            assert_eq!(code == 202, against.is_empty(), "{next:?}: {against:?}, and not {reply}");
            if code != 202 {
                assert!(against.contains(&why), "{next:?}: {against:?}, and not {reply}");
                *refused.entry(why.to_owned()).or_default() += 1;
                continue;
            }
            taken += 1;
            match own {
                Some(own) => things[own] = next,
                None => things.push(next),
            }
        }
    }
    println!("{} operations: {taken} taken, refused: {refused:?}", rounds * 200);
    assert!(taken > rounds * 20 && refused.len() == 6, "each rule had something to refuse: {refused:?}");
}
