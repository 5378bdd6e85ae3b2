//! The order of MessagesQuery, in stories and at random: whoever replays it is refused nothing.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const PROTOCOL: &str = "http://notes.example/p";

fn definition(version: u32) -> Value {
    json!({
        "protocol": PROTOCOL, "published": version.is_multiple_of(2),
        "types": {"topic": {}, "note": {}, "editor": {}},
        "structure": {
            "editor": {"$role": true},
            "topic": {
                "$actions": [{"role": "editor", "can": ["create", "co-update"]}],
                "note": {"$actions": [{"who": "anyone", "can": ["create"]}], "note": {}},
            },
        },
    })
}

fn in_protocol<'a>(path: &'a str, parent_context: Option<&'a str>) -> Write<'a> {
    Write { protocol: Some((PROTOCOL, path)), parent_context, data_format: "text/plain", ..Write::default() }
}

fn context(message: &Result<Value, Refusal>) -> String {
    message.as_ref().expect("was made")["contextId"].as_str().expect("a context").to_owned()
}

/// Everything after `cursor`: messages in the order told, and the cursor after them.
fn told(past: &mut Past, cursor: Option<Value>, owner: &Signer) -> (Vec<String>, Option<Value>) {
    let reply = past.send(messages_query(json!([]), cursor.clone(), &at(3000), owner), None);
    let cids = reply["entries"].as_array().expect("entries").iter().map(|cid| cid.as_str().expect("a CID").to_owned());
    (cids.collect(), reply.get("cursor").cloned().or(cursor))
}

/// A second device that does what web5's sync does: reads message after message and takes it.
struct Device {
    past: Past,
    cursor: Option<Value>,
    /// By dataCid: what the first device can hand out.
    data: HashMap<String, Vec<u8>>,
}

impl Device {
    fn new(owner: &Signer) -> Self {
        Self { past: Past::of(owner), cursor: None, data: HashMap::new() }
    }

    /// One pull; the answers that were no success.
    fn pull(&mut self, from: &mut Past, owner: &Signer) -> Vec<Value> {
        let (cids, cursor) = told(from, self.cursor.take(), owner);
        self.cursor = cursor;
        let mut refused = Vec::new();
        for cid in cids {
            let read = from.send(messages_read(&cid, &at(3000), owner), None);
            let message = read["entry"]["message"].clone();
            let data = read["data"].as_str().and_then(|cid| self.data.get(cid)).cloned();
            let answer = self.past.send(Ok(message), data.as_deref());
            if !matches!(answer["status"]["code"].as_u64(), Some(202 | 204 | 409)) {
                refused.push(answer["status"].clone());
            }
        }
        refused
    }
}

fn send(past: &mut Past, device: &mut Device, message: &Result<Value, Refusal>, data: &[u8]) {
    let reply = past.send(message.clone(), Some(data));
    assert_eq!(reply["status"]["code"], 202, "{reply}");
    device.data.insert(data_cid(data).to_string(), data.to_vec());
}

fn update(past: &mut Past, device: &mut Device, of: &Result<Value, Refusal>, data: &[u8], second: u32, by: &Signer) {
    let changes = json!({"dataCid": data_cid(data).to_string(), "dataSize": data.len()});
    let message = records_update(of.as_ref().expect("was made"), &changes, &at(second), by);
    send(past, device, &message, data);
}

#[test]
fn a_child_of_an_updated_parent_and_records_of_a_changed_protocol_come_in_one_pull() {
    let (alice, bob) = (person(1), person(2));
    let (mut past, mut device) = (Past::of(&alice), Device::new(&alice));
    assert_eq!(past.code(protocols_configure(definition(1), &at(1), &alice), None), 202);
    let topic = write(&in_protocol("topic", None), b"topic", 2, &alice);
    send(&mut past, &mut device, &topic, b"topic");
    let in_topic = context(&topic);
    let note = write(&in_protocol("topic/note", Some(&in_topic)), b"note", 3, &bob);
    send(&mut past, &mut device, &note, b"note");
    let in_note = context(&note);
    let inner = write(&in_protocol("topic/note/note", Some(&in_note)), b"inner", 4, &alice);
    send(&mut past, &mut device, &inner, b"inner");
    let other = write(&super::note(), b"other", 5, &alice);
    send(&mut past, &mut device, &other, b"other");
    update(&mut past, &mut device, &topic, b"newer topic", 6, &alice);
    assert_eq!(past.code(protocols_configure(definition(2), &at(7), &alice), None), 202);
    assert_eq!(device.pull(&mut past, &alice), Vec::<Value>::new());

    // Nothing is new, and then only what is.
    let (cids, cursor) = told(&mut past, device.cursor.clone(), &alice);
    assert_eq!((cids, &cursor), (vec![], &device.cursor));
    update(&mut past, &mut device, &topic, b"newest topic", 8, &alice);
    let (cids, _) = told(&mut past, device.cursor.clone(), &alice);
    assert_eq!(cids.len(), 1);
    assert_eq!(device.pull(&mut past, &alice), Vec::<Value>::new());
    assert_eq!(told(&mut past, None, &alice).0.len(), told(&mut device.past, None, &alice).0.len());
}

#[test]
fn without_need_the_order_is_that_of_arrival() {
    let alice = person(1);
    let (mut past, mut device) = (Past::of(&alice), Device::new(&alice));
    let first = write(&note(), b"1", 1, &alice);
    let second = write(&note(), b"2", 2, &alice);
    send(&mut past, &mut device, &first, b"1");
    send(&mut past, &mut device, &second, b"2");
    update(&mut past, &mut device, &first, b"3", 3, &alice);
    assert_eq!(past.code(protocols_configure(definition(1), &at(4), &alice), None), 202);
    let (cids, cursor) = told(&mut past, None, &alice);
    let arrival: Vec<_> = past.events(&[], None, None).expect("events").iter().map(|e| e.cid.to_string()).collect();
    assert_eq!(cids, arrival);
    assert_eq!(cursor.expect("a cursor")["messageCid"], *cids.last().expect("events"));
}

/// What happens next in a random story. Numbers choose among the records there are.
#[derive(Debug, Clone)]
enum Act {
    Configure,
    Topic,
    Note(usize),
    Inner(usize),
    Plain,
    Update(usize),
    DeleteLeaf(usize),
    Pull,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Configure),
        3 => Just(Act::Topic),
        4 => any::<usize>().prop_map(Act::Note),
        3 => any::<usize>().prop_map(Act::Inner),
        1 => Just(Act::Plain),
        5 => any::<usize>().prop_map(Act::Update),
        1 => any::<usize>().prop_map(Act::DeleteLeaf),
        1 => Just(Act::Pull),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whoever_replays_in_the_order_told_is_refused_nothing(acts in prop::collection::vec(act(), 1..40)) {
        let alice = person(1);
        let (mut past, mut device) = (Past::of(&alice), Device::new(&alice));
        prop_assert_eq!(past.code(protocols_configure(definition(0), &at(0), &alice), None), 202);
        // path, message, has children, deleted
        let mut records: Vec<(&str, Result<Value, Refusal>, bool, bool)> = vec![];
        for (n, act) in acts.iter().enumerate() {
            let (second, data) = (n as u32 + 1, format!("data {n}").into_bytes());
            let choose = |records: &[(&str, Result<Value, Refusal>, bool, bool)], path: Option<&str>, n: usize| {
                let fits: Vec<_> = (0..records.len())
                    .filter(|&i| path.is_none_or(|path| records[i].0 == path) && !records[i].3)
                    .collect();
                fits.get(n.checked_rem(fits.len()).unwrap_or_default()).copied()
            };
            let mut create = |records: &mut Vec<_>, path: &'static str, parent: Option<String>| {
                let of = if path.is_empty() { super::note() } else { in_protocol(path, parent.as_deref()) };
                let message = write(&of, &data, second, &alice);
                send(&mut past, &mut device, &message, &data);
                records.push((path, message, false, false));
            };
            match act {
                Act::Configure => {
                    let message = protocols_configure(definition(second), &at(second), &alice);
                    prop_assert_eq!(past.code(message, None), 202);
                }
                Act::Topic => create(&mut records, "topic", None),
                Act::Plain => create(&mut records, "", None),
                Act::Note(of) | Act::Inner(of) => {
                    let (parent, path) = match act {
                        Act::Note(_) => ("topic", "topic/note"),
                        _ => ("topic/note", "topic/note/note"),
                    };
                    if let Some(parent) = choose(&records, Some(parent), *of) {
                        records[parent].2 = true;
                        let parent = context(&records[parent].1);
                        create(&mut records, path, Some(parent));
                    }
                }
                Act::Update(of) => {
                    if let Some(of) = choose(&records, None, *of) {
                        update(&mut past, &mut device, &records[of].1, &data, second, &alice);
                    }
                }
                Act::DeleteLeaf(of) => {
                    if let Some(of) = choose(&records, None, *of).filter(|&of| !records[of].2) {
                        let message = records_delete(record_id(&records[of].1), false, &at(second), &alice);
                        prop_assert_eq!(past.code(message, None), 202);
                        records[of].3 = true;
                    }
                }
                Act::Pull => prop_assert_eq!(device.pull(&mut past, &alice), Vec::<Value>::new()),
            }
        }
        prop_assert_eq!(device.pull(&mut past, &alice), Vec::<Value>::new());
        let (ours, theirs) = (told(&mut past, None, &alice).0, told(&mut device.past, None, &alice).0);
        let sorted = |mut cids: Vec<String>| { cids.sort(); cids };
        prop_assert_eq!(sorted(ours), sorted(theirs));
    }
}
