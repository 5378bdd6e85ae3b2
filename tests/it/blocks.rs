//! What is private stays here, whatever a stranger publishes that names it; and what is damaged is said, not sent in part.

use crate::support::toft::{Home, Toft, random_file};
use serde_json::{Value, json};
use std::{fs, path::Path};
use toft::{
    blocks::unixfs,
    cid::{self, Cid},
    crypto::Signer,
    dwn::create,
    node::now,
};

/// Somebody with a did:key.
fn person(seed: u8) -> Signer {
    let secret = [seed; 32];
    let did = toft::did::key::from_ed25519(&toft::crypto::ed25519_public(&secret));
    Signer::new(secret, toft::did::key::kid(&did))
}

/// An answer as it is: status, and bytes; `None` if it breaks off.
fn get(url: &str) -> (u16, Option<Vec<u8>>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(url).call().expect("answers");
    (answer.status().as_u16(), answer.body_mut().with_config().limit(1 << 30).read_to_vec().ok())
}

fn at_gateway(node: &Toft, cid: &Cid) -> (u16, Option<Vec<u8>>) {
    get(&format!("{}{cid}", node.facts["gateway"].as_str().expect("a gateway")))
}

/// Sends a message with its data; the reply.
fn send(node: &Toft, tenant: &str, message: &Value, data: Option<&[u8]>) -> Value {
    let params = json!({"target": tenant, "message": message});
    let call = json!({"jsonrpc": "2.0", "id": "1", "method": "dwn.processMessage", "params": params}).to_string();
    let request = ureq::post(node.url()).header("dwn-request", &call);
    let mut answer = match data {
        Some(data) => request.send(data),
        None => request.send_empty(),
    }
    .expect("answers");
    if let Some(header) = answer.headers().get("dwn-response") {
        let reply: Value = serde_json::from_slice(header.as_bytes()).expect("JSON");
        let data = answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("the data");
        return json!({"reply": reply["result"]["reply"], "size": data.len()});
    }
    let reply: Value = answer.body_mut().read_json().expect("JSON");
    json!({"reply": reply["result"]["reply"]})
}

fn write(node: &Toft, who: &Signer, data: &[u8], published: bool) -> (Value, Cid) {
    let root = root_of(data);
    let write = create::Write { data_format: "application/octet-stream", published, ..Default::default() };
    let message = create::records_write(&write, (&root, data.len() as u64), &now(), who).expect("made");
    let reply = send(node, who.did(), &message, Some(data));
    assert_eq!(reply["reply"]["status"]["code"], 202, "{reply}");
    (message, root)
}

fn root_of(data: &[u8]) -> Cid {
    let mut layout = unixfs::Layout::default();
    let mut emit = |_, _| Ok::<_, std::convert::Infallible>(());
    for chunk in data.chunks(unixfs::CHUNK) {
        let Ok(_) = layout.leaf(chunk, &mut emit);
    }
    let Ok(root) = layout.finish(&mut emit);
    root
}

/// A DAG-PB node of a file with one link, some fifty bytes of it: the attack as it was found.
fn node_over(cid: &Cid, size: u8) -> Vec<u8> {
    let name = cid.to_bytes();
    let link = [&[0x0a, name.len() as u8][..], &name, &[0x12, 0, 0x18, size]].concat();
    let file = [8, 2, 0x18, size, 0x20, size];
    [&[0x12, link.len() as u8][..], &link, &[0x0a, file.len() as u8], &file].concat()
}

fn delete(node: &Toft, who: &Signer, message: &Value) {
    let id = message["recordId"].as_str().expect("an id");
    let delete = create::records_delete(id, false, &now(), who).expect("made");
    assert_eq!(send(node, who.did(), &delete, None)["reply"]["status"]["code"], 202);
}

#[test]
fn a_published_node_does_not_give_out_what_it_links_to() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let (alice, mallory) = (person(1), person(2));
    let secret = |n: u8| [b"nobody but Alice may read this: ".as_slice(), &[n; 60]].concat();
    let (_, private) = write(&node, &alice, &secret(1), false);
    let (deleted, gone) = write(&node, &alice, &secret(2), true);
    delete(&node, &alice, &deleted);
    let (superseded, old) = write(&node, &alice, &secret(3), true);
    let new = secret(4);
    let changes = json!({"dataCid": root_of(&new).to_string(), "dataSize": new.len()});
    let update = create::records_update(&superseded, &changes, &now(), &alice).expect("made");
    assert_eq!(send(&node, alice.did(), &update, Some(&new))["reply"]["status"]["code"], 202);
    let never = cid::of(cid::RAW, b"never written anywhere");

    let mut answers = vec![];
    for target in [private, gone, old, never] {
        let bytes = node_over(&target, secret(0).len() as u8);
        let (_, published) = write(&node, &mallory, &bytes, true);
        assert_eq!(at_gateway(&node, &published), (200, Some(bytes.clone())), "the node itself, as data");
        let as_node = cid::of(cid::DAG_PB, &bytes);
        for asked in [as_node, Cid::new_v0(*as_node.hash()).expect("sha2-256"), target] {
            let (code, body) = at_gateway(&node, &asked);
            let text = String::from_utf8(body.expect("a body")).expect("text");
            answers.push((code, text.replace(&asked.to_string(), "CID")));
        }
    }
    answers.dedup();
    assert_eq!(answers, [(404, "no published record of this node holds CID\n".to_owned())], "one answer for all");
    assert_eq!(at_gateway(&node, &root_of(&new)).1, Some(new), "what is published is there");
}

#[test]
fn the_bytes_of_a_private_root_as_data_publish_nothing_below_it() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let (alice, mallory) = (person(1), person(2));
    let secret: Vec<u8> = (0..600_000_u32).map(|i| (i % 251) as u8 ^ (i >> 12) as u8).collect();
    let (_, root) = write(&node, &alice, &secret, false);
    let mut blocks = vec![];
    let mut layout = unixfs::Layout::default();
    let mut emit = |cid: Cid, bytes: Vec<u8>| {
        blocks.push((cid, bytes));
        Ok::<_, std::convert::Infallible>(())
    };
    let leaves: Vec<Cid> = secret
        .chunks(unixfs::CHUNK)
        .map(|chunk| {
            let Ok(leaf) = layout.leaf(chunk, &mut emit);
            leaf
        })
        .collect();
    let Ok(built) = layout.finish(&mut emit);
    assert_eq!(built, root);
    let bytes = blocks.pop().expect("a root").1;
    let (_, published) = write(&node, &mallory, &bytes, true);
    assert_eq!((published.hash(), at_gateway(&node, &published).0), (root.hash(), 200));
    for private in leaves.iter().chain([&root]) {
        assert_eq!(at_gateway(&node, private).0, 404, "{private}");
        assert_eq!(at_gateway(&node, &cid::from_digest(cid::RAW, &cid::digest(b"x"))).0, 404);
    }
    for leaf in leaves {
        let url = format!("{}{leaf}?format=raw", node.facts["gateway"].as_str().expect("a gateway"));
        assert_eq!(get(&url).0, 404);
    }
}

fn block_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let shards = fs::read_dir(dir).expect("lists").map(|entry| entry.expect("lists").path());
    shards.flat_map(|shard| fs::read_dir(shard).expect("lists")).map(|entry| entry.expect("lists").path()).collect()
}

#[test]
fn a_record_with_a_damaged_block_is_refused_as_a_whole_until_it_is_repaired() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, data) = random_file(dir.path(), "file", 3 << 20);
    let file = file.to_str().expect("UTF-8");
    let added = node.json(&["add", file, "--publish"]);
    let (root, record) = (added["cid"].as_str().expect("a CID"), added["record"].as_str().expect("an id"));
    let root = Cid::try_from(root).expect("a CID");
    let (by_id, health) =
        (format!("{}/{}/read/records/{record}", node.url(), node.did()), format!("{}/health", node.url()));
    let read = || {
        let message = create::records_read(json!({"recordId": record}), &now(), None).expect("made");
        send(&node, node.did(), &message, None)
    };
    let all_is_well = || {
        assert_eq!((get(&by_id), at_gateway(&node, &root)), ((200, Some(data.clone())), (200, Some(data.clone()))));
        assert_eq!(read()["size"], data.len());
        let health: Value = serde_json::from_slice(&get(&health).1.expect("a body")).expect("JSON");
        assert_eq!((&health["degraded"], &health["damaged"]), (&json!(false), &json!(0)), "{health}");
    };
    all_is_well();
    let files = block_files(&node.home().path().join("blocks/sha256"));
    assert_eq!(files.len(), 12);
    // Missing, too short, and the first of the file with a wrong bit.
    let first = files.iter().find(|path| fs::read(path).expect("reads") == data[..unixfs::CHUNK]).expect("the first");
    let other = files.iter().find(|path| *path != first).expect("another");
    for (path, left) in [(other, None), (other, Some(1000)), (first, Some(unixfs::CHUNK))] {
        let mut bytes = fs::read(path).expect("reads");
        let name = cid::of(cid::RAW, &bytes).to_string();
        match left {
            None => fs::remove_file(path).expect("removes"),
            Some(left) => {
                bytes[500] ^= 1;
                fs::write(path, &bytes[..left]).expect("writes");
            }
        }
        let reply = read();
        assert_eq!(reply["reply"]["status"]["code"], 500, "{reply}");
        let detail = reply["reply"]["status"]["detail"].as_str().expect("a text");
        assert!(detail.contains(&name) && !detail.contains(node.home().path().to_str().expect("UTF-8")), "{detail}");
        let (code, body) = get(&by_id);
        assert!(code == 500 && String::from_utf8_lossy(&body.expect("a whole body")).contains(&name));
        let (code, body) = at_gateway(&node, &root);
        assert!(code == 500 && String::from_utf8_lossy(&body.expect("a whole body")).contains("damaged"));
        let got = node.home().run(&["get", &root.to_string(), "--timeout", "1"]);
        assert!(!got.status.success() && got.stdout.is_empty());
        assert!(String::from_utf8_lossy(&got.stderr).contains(&name), "{}", String::from_utf8_lossy(&got.stderr));
        // And it is told, with its record, wherever one looks.
        let health: Value = serde_json::from_slice(&get(&health).1.expect("a body")).expect("JSON");
        assert_eq!((&health["damage"][0]["object"], &health["damaged"]), (&json!(format!("block {name}")), &json!(1)));
        let records = health["damage"][0]["records"].as_array().expect("a list");
        assert!(records.contains(&json!(record)), "{health}");
        let log = node.log();
        assert!(log.lines().any(|line| line.contains(&name) && line.contains(record)), "{log}");
        // The same data once more repairs it.
        let again = node.json(&["add", file]);
        assert_eq!(again["cid"], root.to_string());
        node.home().run(&["status"]);
        all_is_well();
    }
}
