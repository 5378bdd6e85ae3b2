//! What to send of a stretch of the log, and in which order (pure but for the view).
//!
//! The log keeps a record's initial write and its newest message in arrival order. A child written between them would
//! reach the other device before the state of its parent that it needs. So here the newest write follows its
//! initial write at once: one pass is enough. A delete stays where it is: what hangs on the deleted
//! record comes before it, and the other device takes it although its parent never had data there
//! (`Message::replayed`).

use crate::{
    cid::Cid,
    dwn::{Fault, View, is_method, record_id},
};

/// For one message of the log: the CIDs to send for it, oldest first. Empty when it is no longer kept.
pub fn to_send(view: &dyn View, cid: &Cid) -> Result<Vec<Cid>, Fault> {
    let Some(stored) = view.message(cid)? else { return Ok(vec![]) };
    let is_records = stored.message["descriptor"]["interface"] == "Records";
    let Some(record) =
        record_id(&stored.message).filter(|_| is_records).map(|id| view.record(id)).transpose()?.flatten()
    else {
        return Ok(vec![*cid]);
    };
    // The newest message went with its initial write already, unless the initial one lies behind the cursor.
    let is_write = is_method(&record.newest.message, "Write");
    Ok(if is_write && record.initial.cid == *cid && record.newest.cid != *cid {
        vec![record.initial.cid, record.newest.cid]
    } else {
        vec![*cid]
    })
}

/// Does this device lack an offered message? Also when it has an initial write that came without its data, which the other
/// may bring.
pub fn is_wanted(view: &dyn View, cid: &Cid) -> Result<bool, Fault> {
    let Some(stored) = view.message(cid)? else { return Ok(true) };
    let (Some(id), false) = (&stored.record_id, stored.latest) else { return Ok(false) };
    Ok(view.record(id)?.is_some_and(|record| record.newest.cid == *cid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dwn::{
        create::{Write, protocols_configure, records_delete, records_update, records_write},
        testing::{Past, at, data_cid, person},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::{BTreeSet, HashMap};

    const PROTOCOL: &str = "http://notes.example/p";

    /// One device; all know the data of all.
    struct Device<'a> {
        past: Past,
        data: &'a HashMap<String, Vec<u8>>,
    }

    impl Device<'_> {
        /// What is kept, and whether it is the state of something.
        fn kept(&self) -> BTreeSet<(Cid, bool)> {
            let events = self.past.events(&[], None, None).expect("events").into_iter();
            events
                .map(|event| (event.cid, self.past.message(&event.cid).expect("reads").expect("is there").latest))
                .collect()
        }

        /// Tells the other device all that is here; whether it took something.
        fn push(&self, other: &mut Self) -> bool {
            let events = self.past.events(&[], None, None).expect("events");
            let mut offers: Vec<Cid> = vec![];
            for event in events {
                let more = to_send(&self.past, &event.cid).expect("is there");
                offers.extend(more.into_iter().filter(|cid| !offers.contains(cid)).collect::<Vec<_>>());
            }
            offers.retain(|cid| is_wanted(&other.past, cid).expect("reads"));
            let mut taken = false;
            for cid in offers {
                let stored = self.past.message(&cid).expect("reads").expect("is there");
                let data = self.past.has_data(&stored).expect("reads");
                let data = stored.message.pointer("/descriptor/dataCid").filter(|_| data).and_then(Value::as_str);
                let data = data.and_then(|cid| self.data.get(cid)).map(Vec::as_slice);
                let reply = other.past.replay((**stored.message).clone(), data);
                taken |= matches!(reply["status"]["code"].as_u64(), Some(202 | 204));
            }
            taken
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Topic,
        /// A topic without its data.
        Bare,
        /// A record's initial write once more.
        Again(usize),
        Note(usize),
        Update(usize),
        Delete(usize, bool),
        Meet,
    }

    fn act() -> impl Strategy<Value = (bool, Act)> {
        let act = prop_oneof![
            2 => Just(Act::Topic),
            1 => Just(Act::Bare),
            2 => any::<usize>().prop_map(Act::Again),
            4 => any::<usize>().prop_map(Act::Note),
            3 => any::<usize>().prop_map(Act::Update),
            4 => (any::<usize>(), any::<bool>()).prop_map(|(of, prune)| Act::Delete(of, prune)),
            2 => Just(Act::Meet),
        ];
        (any::<bool>(), act)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Two devices write, update, delete and prune apart and meet now and then; a third is new at the end.
        #[test]
        fn devices_that_have_met_keep_the_same(acts in prop::collection::vec(act(), 1..30)) {
            let alice = person(1);
            let texts = (0..acts.len()).map(|n| format!("data {n}").into_bytes());
            let data: HashMap<_, _> = texts.map(|text| (data_cid(&text).to_string(), text)).collect();
            let definition = json!({
                "protocol": PROTOCOL, "published": true, "types": {"topic": {}, "note": {}},
                "structure": {"topic": {"note": {"note": {}}}},
            });
            let configure = protocols_configure(definition, &at(0), &alice).expect("made");
            let mut devices = [(); 3].map(|()| Device { past: Past::of(&alice), data: &data });
            for device in &mut devices {
                prop_assert_eq!(device.past.code(Ok(configure.clone()), None), 202);
            }
            let mut records: Vec<Value> = vec![];
            for (n, (second, act)) in acts.iter().enumerate() {
                // Some things happen in one second.
                let (time, text) = (at(n as u32 / 2 + 1), format!("data {n}").into_bytes());
                let [one, two, _] = &mut devices;
                let device = if *second { &mut *two } else { &mut *one };
                let of = |n: &usize| records.get(n.checked_rem(records.len()).unwrap_or_default()).cloned();
                let create = |path: &str, parent: Option<&str>| {
                    let write = Write { protocol: Some((PROTOCOL, path)), parent_context: parent, data_format: "text/plain", ..Write::default() };
                    records_write(&write, (&data_cid(&text), text.len() as u64), &time, &alice).expect("made")
                };
                // What the device does not know or has lost it refuses; that is no matter here.
                match act {
                    Act::Topic => records.push(create("topic", None)),
                    Act::Bare => {
                        records.push(create("topic", None));
                        device.past.code(Ok(records[records.len() - 1].clone()), None);
                        continue;
                    }
                    Act::Again(record) => {
                        let Some(record) = of(record) else { continue };
                        let data = record["descriptor"]["dataCid"].as_str().and_then(|cid| data.get(cid));
                        device.past.code(Ok(record.clone()), data.map(Vec::as_slice));
                        continue;
                    }
                    Act::Note(parent) => {
                        let Some(parent) = of(parent) else { continue };
                        let path = parent["descriptor"]["protocolPath"].as_str().expect("a path");
                        if path.split('/').count() < 3 {
                            records.push(create(&format!("{path}/note"), parent["contextId"].as_str()));
                        }
                    }
                    Act::Update(record) => {
                        let Some(record) = of(record) else { continue };
                        let changes = json!({"dataCid": data_cid(&text).to_string(), "dataSize": text.len()});
                        device.past.code(records_update(&record, &changes, &time, &alice), Some(&text));
                        continue;
                    }
                    Act::Delete(record, prune) => {
                        let Some(record) = of(record) else { continue };
                        let id = record["recordId"].as_str().expect("an id");
                        device.past.code(records_delete(id, *prune, &time, &alice), None);
                        continue;
                    }
                    Act::Meet => {
                        one.push(two);
                        two.push(one);
                        continue;
                    }
                }
                if let Some(written) = records.last() {
                    device.past.code(Ok(written.clone()), Some(&text));
                }
            }
            let [one, two, new] = &mut devices;
            let mut rounds = 0;
            while one.push(two) | two.push(one) {
                rounds += 1;
                prop_assert!(rounds < 5, "they do not come to an end");
            }
            prop_assert_eq!(one.kept(), two.kept());
            one.push(new);
            prop_assert_eq!(one.kept(), new.kept(), "one pass is enough for a new device");
        }
    }
}
