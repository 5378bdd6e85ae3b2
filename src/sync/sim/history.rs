//! What people do on their devices.

use super::{Random, people};
use crate::{
    crypto::Signer,
    dwn::{
        self, PERMISSIONS,
        create::{self, Write},
        testing::data_cid,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const NOTES: &str = "http://notes.example/p";
pub const CHAT: &str = "http://chat.example/p";

/// A message as a client makes it, and its data.
pub type Made = (Value, Option<Vec<u8>>);

/// The people, and the records that they have made anywhere.
pub struct History {
    alice: Signer,
    bob: Signer,
    records: Vec<Value>,
    /// What Bob was let do.
    grants: Vec<Value>,
    /// Their first data, by recordId.
    data: BTreeMap<String, Vec<u8>>,
    number: u64,
}

fn notes(narrow: bool) -> Value {
    let types =
        if narrow { json!({"topic": {"dataFormats": ["text/plain"]}}) } else { json!({"topic": {}, "note": {}}) };
    let below = if narrow { json!({}) } else { json!({"note": {"note": {}}}) };
    json!({"protocol": NOTES, "published": true, "types": types, "structure": {"topic": below}})
}

fn chat(open: bool) -> Value {
    let actions = if open {
        json!([{"who": "anyone", "can": ["create", "update", "delete"]}])
    } else {
        json!([{"role": "friend", "can": ["create", "update", "delete"]}])
    };
    json!({
        "protocol": CHAT, "published": true, "types": {"friend": {}, "line": {}},
        "structure": {"friend": {"$role": true}, "line": {"$actions": actions}},
    })
}

impl History {
    pub fn new() -> Self {
        let (alice, bob) = people();
        Self { alice, bob, records: Vec::new(), grants: Vec::new(), data: BTreeMap::new(), number: 0 }
    }

    fn remember(&mut self, made: &Value, data: &[u8]) {
        if let Some(id) = made["recordId"].as_str() {
            self.data.insert(id.to_owned(), data.to_vec());
        }
    }

    fn new_data(&mut self, random: &mut Random) -> Vec<u8> {
        self.number += 1;
        let length = if random.percent(15) { 61 + random.below(200) } else { random.below(40) };
        let mut data = format!("{} ", self.number).into_bytes();
        data.resize(data.len() + length as usize, b'.');
        data
    }

    /// The protocols, as everybody begins with them.
    pub fn begin(&self, time: &str) -> Vec<Value> {
        [notes(false), chat(true)]
            .map(|definition| create::protocols_configure(definition, time, &self.alice).expect("made"))
            .to_vec()
    }

    /// Bob may read some of it from now on.
    fn grant(&mut self, random: &mut Random, record: Option<&Value>, time: &str) -> Made {
        let mut scope = json!({"interface": "Records", "method": "Read", "protocol": NOTES});
        match random.below(5) {
            0 => scope["protocolPath"] = "topic".into(),
            1 => scope["protocol"] = CHAT.into(),
            2 => scope = json!({"interface": "Messages", "method": "Read", "protocol": NOTES}),
            3 => {
                let context = record.filter(|record| record["descriptor"]["protocol"] == NOTES);
                if let Some(context) = context.and_then(|record| record["contextId"].as_str()) {
                    scope["contextId"] = context.into();
                }
            }
            _ => {}
        }
        let tags = json!({"protocol": scope["protocol"]});
        let data = json!({"dateExpires": "2036-11-21T00:00:00.000000Z", "scope": scope}).to_string().into_bytes();
        let bob = self.bob.did().to_owned();
        let grant = Write {
            protocol: Some((PERMISSIONS, "grant")),
            recipient: Some(&bob),
            data_format: "application/json",
            tags: tags.as_object().cloned(),
            ..Write::default()
        };
        let told = (&data_cid(&data), data.len() as u64);
        let made = create::records_write(&grant, told, time, &self.alice).expect("made");
        self.grants.push(made.clone());
        (made, Some(data))
    }

    fn revoke(&mut self, random: &mut Random, time: &str) -> Option<Made> {
        let grant = self.grants.get(random.index(self.grants.len()))?;
        let revocation = Write {
            protocol: Some((PERMISSIONS, "grant/revocation")),
            parent_context: grant["contextId"].as_str(),
            data_format: "application/json",
            tags: grant["descriptor"]["tags"].as_object().cloned(),
            ..Write::default()
        };
        let made = create::records_write(&revocation, (&data_cid(b"{}"), 2), time, &self.alice).expect("made");
        Some((made, Some(b"{}".to_vec())))
    }

    /// Who signed it.
    pub fn is_bobs(&self, (message, _): &Made) -> bool {
        dwn::Message::parse(self.alice.did(), message.clone())
            .is_ok_and(|message| message.signer() == Some(self.bob.did()))
    }

    /// One thing that somebody does. What the device refuses is no matter.
    pub fn act(&mut self, random: &mut Random, time: &str) -> Option<Made> {
        let data = self.new_data(random);
        let told = (&data_cid(&data), data.len() as u64);
        let write = |protocol, parent_context, signer: &Signer| {
            let write = Write { protocol, parent_context, data_format: "text/plain", ..Write::default() };
            create::records_write(&write, told, time, signer).expect("made")
        };
        let record = match self.records.len() {
            0 => None,
            n => self.records.get(random.index(n)).cloned(),
        };
        let made = match random.below(120) {
            100..=103 => return Some(self.grant(random, record.as_ref(), time)),
            104..=105 => return self.revoke(random, time),
            106..=108 => {
                let bob = self.bob.did().to_owned();
                let friend = Write {
                    protocol: Some((CHAT, "friend")),
                    recipient: Some(&bob),
                    data_format: "text/plain",
                    ..Write::default()
                };
                create::records_write(&friend, told, time, &self.alice).expect("made")
            }
            // A line of Alice's, or one that is for Bob.
            109..=111 => {
                let bob = self.bob.did().to_owned();
                let recipient = random.percent(50).then_some(bob.as_str());
                let published = random.percent(20);
                let line = Write {
                    protocol: Some((CHAT, "line")),
                    recipient,
                    published,
                    data_format: "text/plain",
                    ..Write::default()
                };
                create::records_write(&line, told, time, &self.alice).expect("made")
            }
            0..=14 => write(None, None, &self.alice),
            15..=29 => write(Some((NOTES, "topic")), None, &self.alice),
            30..=44 => {
                let parent = record?;
                let path = parent["descriptor"]["protocolPath"].as_str()?;
                if parent["descriptor"]["protocol"] != NOTES || path.split('/').count() > 2 {
                    return None;
                }
                let path = format!("{path}/note");
                write(Some((NOTES, &path)), parent["contextId"].as_str(), &self.alice)
            }
            45..=56 => write(Some((CHAT, "line")), None, &self.bob),
            57..=71 => {
                let record = record?;
                let changes = json!({"dataCid": told.0.to_string(), "dataSize": told.1});
                let by_bob = record["descriptor"]["protocol"] == CHAT;
                let signer = if by_bob { &self.bob } else { &self.alice };
                return Some((create::records_update(&record, &changes, time, signer).ok()?, Some(data)));
            }
            72..=85 => {
                let id = record?["recordId"].as_str()?.to_owned();
                return Some((create::records_delete(&id, random.percent(40), time, &self.alice).ok()?, None));
            }
            86..=87 => {
                let definition = notes(random.percent(50));
                return Some((create::protocols_configure(definition, time, &self.alice).ok()?, None));
            }
            88..=89 => {
                let definition = chat(random.percent(50));
                return Some((create::protocols_configure(definition, time, &self.alice).ok()?, None));
            }
            90..=95 => {
                // The same once more; of one that came without its data, now with it.
                let again = record?;
                let data = again["recordId"].as_str().and_then(|id| self.data.get(id)).cloned();
                return Some((again, data));
            }
            _ => {
                let bare = write(None, None, &self.alice);
                self.records.push(bare.clone());
                self.remember(&bare, &data);
                return Some((bare, None));
            }
        };
        self.records.push(made.clone());
        self.remember(&made, &data);
        Some((made, Some(data)))
    }
}
