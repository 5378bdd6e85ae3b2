//! Data that travels apart from its message: left on the other device until it is read (`sync.data = "on-demand"`), and gone on with
//! where a kill broke it off.

use crate::{
    support::{
        eventually,
        toft::{Home, Toft, random_file},
        within,
    },
    sync::{in_step, peer, records},
};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

const LARGE: usize = 2_000_000;

/// A published record of a node's own.
struct Written {
    did: String,
    record: String,
    cid: String,
    data: Vec<u8>,
}

fn written(node: &Toft, dir: &Path, size: usize) -> Written {
    let (file, data) = random_file(dir, "file", size);
    let added = node.json(&["add", "--publish", file.to_str().expect("UTF-8")]);
    let text = |name: &str| added[name].as_str().expect("text").to_owned();
    Written { did: node.did().to_owned(), record: text("record"), cid: text("cid"), data }
}

fn get(node: &Toft, file: &Written) -> Result<Vec<u8>, String> {
    output(node, &["get", &file.cid, "--timeout", "5"])
}

/// What comes into a file that a command writes, or what is said instead.
fn output(node: &Toft, args: &[&str]) -> Result<Vec<u8>, String> {
    let dir = tempfile::tempdir().expect("a temp dir");
    let file = dir.path().join("data");
    let output = node.home().run(&[args, &["-o", file.to_str().expect("UTF-8")]].concat());
    match output.status.success() {
        true => Ok(fs::read(file).expect("is there")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn elsewhere(node: &Toft) -> (u64, u64) {
    let status = node.json(&["sync", "status"]);
    let device = &status[0];
    let number = |name: &str| device[name].as_u64().unwrap_or_else(|| panic!("{name} in {status}"));
    (number("elsewhere"), number("elsewhere_bytes"))
}

/// Bytes that lie below a directory.
fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let of = |entry: &fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.iter().map(of).sum()
}

fn pair(a: &Toft, b: &Toft) {
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
}

#[test]
fn data_on_demand_comes_when_it_is_read() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (a, b) = (Home::new().up(), Home::new().set("sync.data", "on-demand").up());
    let small = written(&a, dir.path(), 20_000);
    let [one, two, three] = [(); 3].map(|()| written(&a, dir.path(), LARGE));
    pair(&a, &b);
    in_step(&a, &b);
    assert_eq!(records(&b), 4);
    assert_eq!(elsewhere(&b), (3, 3 * LARGE as u64));
    assert_eq!(elsewhere(&a), (0, 0));
    assert!(bytes_in(&b.home().path().join("blocks")) < LARGE as u64, "nothing of the data is here");
    // What is small came with its message.
    assert!(get(&b, &small).expect("is here") == small.data);
    assert!(get(&b, &one).expect("comes") == one.data);
    let of_record = ["record", "read", &two.record, "--tenant", &two.did];
    assert!(output(&b, &of_record).expect("comes") == two.data);
    assert_eq!(elsewhere(&b), (1, LARGE as u64));
    in_step(&a, &b);

    // An edit on A that leaves the data alone: it is where it was.
    a.json(&["record", "write", "--record", &three.record, "--publish=false"]);
    a.json(&["record", "write", "--record", &three.record, "--publish"]);
    in_step(&a, &b);
    assert_eq!(elsewhere(&b), (1, LARGE as u64));

    // What came stays, also without the other device and after a restart; of the rest it is said where it is.
    let a = a.stop();
    let b = b.stop().up();
    assert!(get(&b, &one).expect("is here") == one.data);
    assert!(output(&b, &of_record).expect("is here") == two.data);
    for args in [&["get", &three.cid][..], &["record", "read", &three.record, "--tenant", &one.did]] {
        let said = output(&b, args).expect_err("it is not here");
        assert!(said.contains("on another device") && said.contains("cannot be reached"), "{said}");
    }
    // A stranger has nothing brought here, and hears so at once.
    let stranger = ureq::get(format!("{}/{}/read/records/{}", b.url(), one.did, three.record)).call();
    assert!(matches!(stranger, Err(ureq::Error::StatusCode(503))), "{stranger:?}");

    // Taken back, the setting has the rest come by itself.
    let b = b.stop().set("sync.data", "all").up();
    let a = a.up();
    pair(&a, &b);
    eventually("the rest", || (elsewhere(&b) == (0, 0)).then_some(()));
    drop(a);
    assert!(get(&b, &three).expect("is here") == three.data);
}

#[test]
fn an_edit_that_leaves_the_data_alone_brings_none() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (a, b) = (Home::new().up(), Home::new().up());
    let file = written(&a, dir.path(), LARGE);
    pair(&a, &b);
    in_step(&a, &b);
    let before = sent_bytes(&a);
    a.json(&["record", "write", "--record", &file.record, "--publish=false"]);
    a.json(&["record", "write", "--record", &file.record, "--publish"]);
    in_step(&a, &b);
    let sent = sent_bytes(&a) - before;
    assert!(sent < 20_000, "{sent} bytes went over for two edits of no data");
    drop(a);
    assert!(get(&b, &file).expect("is here") == file.data);
}

#[test]
fn who_wants_all_hears_that_a_device_has_not_the_data() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (a, b) = (Home::new().up(), Home::new().set("sync.data", "on-demand").up());
    let file = written(&a, dir.path(), LARGE);
    pair(&a, &b);
    in_step(&a, &b);
    // C keeps all, and knows B alone.
    let c = Home::new().up();
    c.json(&["peer", "add", b.did(), &b.address("/tcp/"), "--tenant", a.did()]);
    b.json(&["peer", "add", c.did(), &c.address("/tcp/"), "--tenant", a.did()]);
    let aside = eventually("the message to be put aside", || {
        let status = c.json(&["sync", "status"]);
        status[0]["put_aside"].as_array().expect("a list").first().cloned()
    });
    assert!(aside["why"].as_str().is_some_and(|why| why.contains("does not have its data")), "{aside}");
    assert_eq!(peer(&c, &b)["in_sync"], Value::Bool(false));
    // B reads it: from then on C gets it too.
    assert!(get(&b, &file).expect("comes") == file.data);
    within(Duration::from_secs(90), "C to be in step with B", || (peer(&c, &b)["in_sync"] == true).then_some(()));
    assert!(get(&c, &file).expect("is here") == file.data);
}

fn sent_bytes(node: &Toft) -> u64 {
    let metrics = ureq::get(format!("{}/metrics", node.url())).call().expect("answers").body_mut().read_to_string();
    let metrics = metrics.expect("text");
    let line = metrics.lines().find_map(|line| line.strip_prefix("toft_sync_sent_bytes_total ")).expect("is told");
    line.parse::<f64>().expect("a number") as u64
}

/// A node with a file, and the home of one that was killed when more than `most` of the file's bytes had come to it.
fn killed_while_data_comes(size: u64, most: u64) -> (Toft, Home, Written) {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (a, b) = (Home::new().up(), Home::new().set("net.download_limit", "3000000").up());
    let file = written(&a, dir.path(), usize::try_from(size).expect("fits"));
    pair(&a, &b);
    let begun = |home: &Home| bytes_in(&home.path().join("sync"));
    within(Duration::from_secs(60), "a part of it", || (begun(b.home()) > most).then_some(()));
    let home = b.kill();
    assert!((most..size).contains(&begun(&home)), "{} of it are here", begun(&home));
    (a, home, file)
}

#[test]
fn data_goes_on_after_a_kill_where_it_was() {
    const SIZE: u64 = 24_000_000;
    let (a, home, file) = killed_while_data_comes(SIZE, SIZE / 2);
    let b = home.set("net.download_limit", "0").up();
    pair(&a, &b);
    within(Duration::from_secs(60), "the record", || (records(&b) == 1).then_some(()));
    assert!(get(&b, &file).expect("is here") == file.data);
    in_step(&a, &b);
    let sent = sent_bytes(&a);
    assert!(sent < SIZE * 12 / 10, "{sent} bytes went over for {SIZE}");
    assert!(!b.log().contains("is put aside"), "{}", b.log());
}

#[test]
fn data_that_was_damaged_between_two_sessions_comes_anew() {
    const SIZE: u64 = 24_000_000;
    let (a, home, file) = killed_while_data_comes(SIZE, SIZE / 3);
    let part = fs::read_dir(home.path().join("sync")).expect("is read").flatten().next().expect("is there").path();
    let len = fs::metadata(&part).expect("is there").len();
    fs::write(&part, vec![7; len as usize]).expect("is changed");
    let b = home.set("net.download_limit", "0").up();
    pair(&a, &b);
    within(Duration::from_secs(90), "the record", || (records(&b) == 1).then_some(()));
    assert!(get(&b, &file).expect("is here") == file.data);
    in_step(&a, &b);
    let sent = sent_bytes(&a);
    assert!(sent < SIZE * 22 / 10, "{sent} bytes went over for {SIZE}: once in vain, once whole");
    assert_eq!(b.log().matches("is put aside").count(), 1, "{}", b.log());
}
