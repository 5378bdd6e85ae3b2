//! Messages of a delegate: made as the SDK makes them, under the grant that is found for them.

use super::{permissions::revocation, *};
use crate::crypto;
use zeroize::Zeroizing;

const FORUM: &str = "http://example.com/threads";

/// By `tests/vectors/generate-delegated.mjs`.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/delegated.json")).expect("JSON")
}

fn signer(person: &Value) -> Signer {
    let secret = crypto::decode(person["secret"].as_str().expect("a secret")).expect("base64url");
    Signer::new(Zeroizing::new(<[u8; 32]>::try_from(secret).expect("32 bytes")), person["kid"].as_str().expect("a kid"))
}

/// A message with what is signed instead of the signature: which bytes JSON is written in, each side chooses.
fn readable(message: &Value) -> Value {
    let mut message = message.clone();
    let signature = &mut message["authorization"]["signature"];
    let header = signature["signatures"][0]["protected"].as_str().and_then(crypto::decode).expect("a header");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    *signature = json!({"header": header, "payload": jws::payload(signature)});
    message
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The delegate's message that says what this one says, under the grant that is found for it.
fn made(theirs: &Value, data: Option<&[u8]>, grantor: &str, grantee: &Signer, past: &Past) -> Value {
    let now = text(theirs, "/descriptor/messageTimestamp").expect("a time");
    let of = |name: &str| {
        text(theirs, &format!("/descriptor/{name}")).or(text(theirs, &format!("/descriptor/filter/{name}")))
    };
    let id = text(theirs, "/recordId").or(of("recordId"));
    let kept = id.and_then(|id| past.record(id).expect("no fault"));
    let before = kept.as_ref().map_or(theirs, |record| &record.newest.message);
    let method = ["Write", "Delete", "Read", "Query", "Subscribe"].into_iter().find(|it| of("method") == Some(it));
    let deed = Deed {
        method: method.expect("a method"),
        protocol: text(before, "/descriptor/protocol").or(of("protocol")).map(str::to_owned),
        context: text(before, "/contextId").or(of("contextId")).map(str::to_owned),
        path: text(before, "/descriptor/protocolPath").or(of("protocolPath")).map(str::to_owned),
        published: theirs["descriptor"]["published"] == true,
    };
    let found = mandate(grantor, grantee.did(), &deed, past, now).expect("no fault");
    let Mandate::Held(grant) = found else { panic!("{deed:?}: {found:?}") };
    let declared = data.map(|data| (data_cid(data), data.len() as u64));
    let made = match (deed.method, &kept, &declared) {
        ("Write", None, Some((cid, size))) => {
            let context = text(theirs, "/contextId").and_then(|context| context.rsplit_once('/'));
            let new = Write {
                protocol: of("protocol").zip(of("protocolPath")),
                parent_context: context.map(|(parent, _)| parent),
                recipient: of("recipient"),
                schema: of("schema"),
                data_format: of("dataFormat").expect("a format"),
                published: deed.published,
                tags: theirs["descriptor"]["tags"].as_object().cloned(),
            };
            draft(&new, (cid, *size), now, &grant.grantor).and_then(|draft| sign_records_write(draft, grantee))
        }
        ("Write", Some(record), Some((cid, size))) => {
            let changes = json!({"dataCid": cid.to_string(), "dataSize": size});
            records_update(&record.newest.message, &changes, now, grantee)
        }
        ("Delete", ..) => records_delete(of("recordId").expect("an id"), true, now, grantee),
        ("Read", ..) => records_read(theirs["descriptor"]["filter"].clone(), now, Some(grantee)),
        ("Query", ..) => {
            let more = json!({"dateSort": of("dateSort"), "pagination": theirs["descriptor"]["pagination"]});
            records_query(theirs["descriptor"]["filter"].clone(), more, now, Some(grantee))
        }
        _ => subscribe_to_records(theirs["descriptor"]["filter"].clone(), now, Some(grantee)),
    };
    let invoked = Invoked { delegated: Some(&grant), ..Invoked::default() };
    invoking(made.expect("was made"), invoked, grantee).expect("signs")
}

#[test]
fn a_delegate_says_it_as_the_sdk_does() {
    let vectors = vectors();
    let (grantor, grantee) = (signer(&vectors["grantor"]), signer(&vectors["grantee"]));
    let mut past = Past::of(&grantor);
    let mut told = Vec::new();
    for step in vectors["steps"].as_array().expect("steps") {
        let data = step["data"].as_str().map(|data| crypto::decode(data).expect("base64url"));
        let theirs = &step["message"];
        let message = match step["ours"].as_str() {
            Some(name) => {
                told.push(name);
                let ours = made(theirs, data.as_deref(), grantor.did(), &grantee, &past);
                assert_eq!(readable(&ours), readable(theirs), "{name}");
                ours
            }
            None => theirs.clone(),
        };
        if step["ours"] == "subscribe" {
            // What was asked there had nothing to follow events with.
            let message = Message::parse(grantor.did(), message).expect("parses");
            message.verify(&key_of).expect("is signed");
            assert!(subscribe(&message, &past, message.timestamp()).is_ok());
            continue;
        }
        let reply = past.send(Ok(message), data.as_deref());
        assert_eq!(reply["status"]["code"], step["code"], "{reply}");
        assert_eq!(reply["entries"].as_array().map(Vec::len), step["count"].as_u64().map(|count| count as usize));
    }
    assert_eq!(told, ["write", "write", "update", "read", "query", "subscribe", "delete"]);
}

/// A forum, and the grants that Alice gives Bob there.
struct Forum {
    past: Past,
    alice: Signer,
    bob: Signer,
    second: u32,
}

impl Forum {
    fn new() -> Self {
        let alice = person(1);
        let mut past = Past::of(&alice);
        assert_eq!(past.code(protocols_configure(threads(), &at(0), &alice), None), 202);
        Self { past, alice, bob: person(2), second: 0 }
    }

    /// `more`: in the grant's data.
    fn grant(&mut self, scope: Value, expires: u32, more: Value) -> Value {
        self.second += 1;
        let mut all = json!({"interface": "Records", "protocol": FORUM});
        all.as_object_mut().expect("an object").extend(scope.as_object().expect("an object").clone());
        let tags = json!({"protocol": all["protocol"]});
        let mut data = json!({"dateExpires": at(expires), "delegated": true, "scope": all});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let data = data.to_string().into_bytes();
        let bob = self.bob.did().to_owned();
        let grant = Write {
            protocol: Some((PERMISSIONS, "grant")),
            recipient: Some(&bob),
            data_format: "application/json",
            tags: tags.as_object().cloned(),
            ..Write::default()
        };
        let grant = write(&grant, &data, self.second, &self.alice).expect("was made");
        assert_eq!(self.past.code(Ok(grant.clone()), Some(&data)), 202);
        grant
    }

    fn revoke(&mut self, grant: &Value, second: u32) {
        let revoked = self.past.code(revocation(grant, second, &self.alice), Some(b"{}"));
        assert_eq!(revoked, 202);
    }

    /// How Bob stands who wants to do this: the id of his grant, or why he has none.
    fn stands(&self, deed: &Deed, second: u32) -> String {
        match mandate(self.alice.did(), self.bob.did(), deed, &self.past, &at(second)).expect("no fault") {
            Mandate::Held(grant) => grant.message["recordId"].as_str().expect("an id").to_owned(),
            Mandate::Ended(granted) => granted.standing.to_string(),
            Mandate::Lacking => "lacking".into(),
            Mandate::None => "none".into(),
        }
    }
}

fn writing(context: Option<&str>) -> Deed {
    let context = context.map(str::to_owned);
    Deed { method: "Write", protocol: Some(FORUM.into()), context, path: Some("thread".into()), published: false }
}

fn id(grant: &Value) -> String {
    grant["recordId"].as_str().expect("an id").to_owned()
}

#[test]
fn the_grant_that_is_good_longest_counts_until_it_is_revoked_or_over() {
    let mut forum = Forum::new();
    let deed = writing(None);
    assert_eq!(forum.stands(&deed, 50), "none");
    let short = forum.grant(json!({"method": "Write"}), 100, json!({}));
    let long = forum.grant(json!({"method": "Write"}), 300, json!({}));
    let middle = forum.grant(json!({"method": "Write"}), 200, json!({}));
    assert_eq!(forum.stands(&deed, 50), id(&long));
    assert_eq!(forum.stands(&deed, 300), "expired");
    forum.revoke(&long, 60);
    assert_eq!(forum.stands(&deed, 70), id(&middle));
    forum.revoke(&middle, 80);
    assert_eq!(forum.stands(&deed, 90), id(&short));
    assert_eq!(forum.stands(&deed, 150), "revoked");
    // Under none of them anything else is done.
    assert_eq!(forum.stands(&Deed { method: "Delete", ..deed.clone() }, 90), "lacking");
    assert_eq!(
        forum.stands(&Deed { protocol: Some("http://example.com/other".into()), ..deed.clone() }, 90),
        "lacking"
    );
    assert_eq!(forum.stands(&Deed { protocol: None, ..deed }, 90), "lacking");
}

#[test]
fn only_a_delegated_grant_that_covers_it_lets_somebody_act_in_the_grantors_name() {
    let mut forum = Forum::new();
    forum.grant(json!({"method": "Write"}), 900, json!({"delegated": false}));
    assert_eq!(forum.stands(&writing(None), 50), "none", "he writes there in his own name");
    let reply = forum.grant(json!({"method": "Write", "protocolPath": "thread/reply"}), 900, json!({}));
    let inner = forum.grant(json!({"method": "Write", "contextId": "x"}), 900, json!({}));
    let published = forum.grant(json!({"method": "Write"}), 900, json!({"conditions": {"publication": "Required"}}));
    assert_eq!(forum.stands(&writing(None), 50), "lacking");
    assert_eq!(forum.stands(&Deed { path: Some("thread/reply".into()), ..writing(None) }, 50), id(&reply));
    assert_eq!(forum.stands(&writing(Some("x/y")), 50), id(&inner));
    assert_eq!(forum.stands(&writing(Some("xy")), 50), "lacking");
    assert_eq!(forum.stands(&Deed { published: true, ..writing(None) }, 50), id(&published));
    // One that begins later, by the clock of who gave it.
    forum.second = 500;
    let later = forum.grant(json!({"method": "Write"}), 900, json!({}));
    assert_eq!((forum.stands(&writing(None), 50), forum.stands(&writing(None), 600)), ("active".into(), id(&later)));
}

#[test]
fn what_a_device_brings_is_within_the_grant_that_comes_along() {
    let mut forum = Forum::new();
    for method in ["Write", "Delete"] {
        forum.grant(json!({"method": method}), 900, json!({}));
    }
    let scopes = [json!({"method": "Read"}), json!({"method": "Write", "protocolPath": "thread/reply"})];
    let [reading, replies] = scopes.map(|scope| forum.grant(scope, 900, json!({})));
    let held = |forum: &Forum, method| {
        let deed = Deed { method, ..writing(None) };
        match mandate(forum.alice.did(), forum.bob.did(), &deed, &forum.past, &at(50)).expect("no fault") {
            Mandate::Held(grant) => grant,
            other => panic!("{other:?}"),
        }
    };
    let (writes, deletes) = (held(&forum, "Write"), held(&forum, "Delete"));
    let other = |grant: &Value| {
        let grant = forum.past.record(&id(grant)).expect("no fault").expect("is kept").newest;
        let data = forum.past.inline_data(&grant).expect("no fault").expect("data");
        let mut message = Value::clone(&grant.message);
        message["encodedData"] = crypto::encode(&data).into();
        DelegatedGrant { grantor: forum.alice.did().to_owned(), cid: grant.cid.to_string(), message }
    };
    let (reading, replies) = (other(&reading), other(&replies));
    let bob = person(2);
    let by = |message: Result<Value, Refusal>, grant: &DelegatedGrant| {
        let invoked = Invoked { delegated: Some(grant), ..Invoked::default() };
        message.and_then(|message| invoking(message, invoked, &bob)).expect("was made")
    };
    let new = |text: &[u8], second, grant: &DelegatedGrant| {
        let new = Write { protocol: Some((FORUM, "thread")), ..note() };
        let new = draft(&new, (&data_cid(text), text.len() as u64), &at(second), &grant.grantor);
        by(new.and_then(|draft| sign_records_write(draft, &bob)), grant)
    };
    let mut brought = |message: &Value, data: Option<&[u8]>| {
        let reply = forum.past.replay(message.clone(), data);
        let said = detail(&reply).split(':').next().unwrap_or_default().to_owned();
        (reply["status"]["code"].as_u64().expect("a code"), said)
    };
    let refused = |code: &str| (401, code.to_owned());
    let method = refused("GrantAuthorizationMethodMismatch");
    let path = refused("RecordsGrantAuthorizationScopeProtocolPathMismatch");
    assert_eq!(brought(&new(b"a", 60, &reading), Some(b"a")), method);
    assert_eq!(brought(&new(b"b", 60, &replies), Some(b"b")), path);
    assert_eq!(brought(&new(b"c", 950, &writes), Some(b"c")), refused("GrantAuthorizationGrantExpired"));
    let good = new(b"d", 60, &writes);
    assert_eq!(brought(&good, Some(b"d")).0, 202);
    let end = |grant| by(records_delete(good["recordId"].as_str().expect("an id"), false, &at(70), &bob), grant);
    assert_eq!(brought(&end(&writes), None), method);
    assert_eq!(brought(&end(&deletes), None).0, 202);
}
