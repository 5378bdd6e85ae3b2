//! Calendars, from both sides: those that toft asks, made of python-opentimestamps' parts and anchoring in a real bitcoind;
//! and the one it is, for the stock client.

use crate::support::{
    bitcoind::Bitcoind,
    calendar::Calendar,
    eventually, ots,
    toft::{Home, Toft, random_file},
    within,
};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, path::Path, time::Duration};
use tempfile::TempDir;

/// A node whose anchor asks these calendars and believes this bitcoind.
fn asking(bitcoind: &Bitcoind, urls: &[String], min: usize) -> Home {
    Home::new()
        .asks(bitcoind)
        .set("anchor.mode", "calendar")
        .set("anchor.calendar.urls", &urls.join(","))
        .set("anchor.calendar.min", &min.to_string())
}

/// A port where nobody listens.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

fn add(toft: &Toft, dir: &Path, name: &str) -> (String, Vec<u8>) {
    let (path, bytes) = random_file(dir, name, 5000);
    let added = toft.json(&["add", path.to_str().expect("UTF-8")]);
    (added["cid"].as_str().expect("a CID").to_owned(), bytes)
}

fn note(toft: &Toft) -> String {
    toft.json(&["anchor", "status"])["batches"][0]["note"].as_str().unwrap_or_default().to_owned()
}

/// The proof of a CID, as soon as there is one.
#[track_caller]
fn proof(toft: &Toft, dir: &Path, cid: &str) -> Vec<u8> {
    let file = dir.join(format!("{cid}.ots"));
    let args = ["anchor", "proof", cid, "--force", "-o", file.to_str().expect("UTF-8")];
    // pauses between questions are as long as what came before them
    within(Duration::from_secs(180), "a proof", || toft.home().run(&args).status.success().then_some(()));
    fs::read(file).expect("a proof")
}

#[test]
fn a_root_goes_to_calendars_and_comes_back_as_proofs_whoever_of_them_lies_or_is_away() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let [one, two, bad] = [(); 3].map(|()| Calendar::start(&bitcoind));
    bad.mode("nonsense");
    let away = format!("http://127.0.0.1:{}", free_port());
    let urls = [one.url(), two.url(), bad.url(), away.clone()];
    let toft = asking(&bitcoind, &urls, 2).up();
    let (cid, bytes) = add(&toft, dir.path(), "file");
    let now = toft.json(&["anchor", "now"]);
    assert_eq!(now["batch"], 1, "{now}");

    let seen = eventually("a root", || one.seen().into_iter().next());
    let root = toft.json(&["anchor", "status"])["batches"][0]["root"].as_str().expect("a root").to_owned();
    let [method, path, body, accept, agent] = seen;
    assert_eq!((method.as_str(), path.as_str(), body.len()), ("POST", "/digest", 64));
    assert_eq!(accept, "application/vnd.opentimestamps.v1");
    assert!(agent.starts_with("toft/"), "{agent}");
    assert_ne!(body, root, "not even the root is told");
    assert_eq!(two.seen()[0][2], body, "the same to all, and nothing else");
    let said =
        eventually("what stands in the way", || Some(note(&toft)).filter(|note| note.matches("; ").count() >= 2));
    assert!(said.contains("2 of 4 calendars have taken it"), "{said}");
    assert!(said.contains(&format!("{} is not believed: its answer is no OpenTimestamps proof", bad.url())), "{said}");
    assert!(said.contains(&format!("{away} gives no answer")), "{said}");

    let home = toft.kill();
    one.anchor();
    let toft = home.up();
    let data = proof(&toft, dir.path(), &cid);
    // the first of two that came back: the other one's promise stays in the proof
    ots::accepts(&bitcoind, &bytes, &data);
    two.anchor();
    eventually("both", || note(&toft).contains("2 of 4 calendars have brought it into Bitcoin").then_some(()));
    let both = proof(&toft, dir.path(), &cid);
    assert!(both.len() > data.len());
    ots::accepts(&bitcoind, &bytes, &both);
    let mut other = bytes.clone();
    other[0] ^= 1;
    ots::refuses(&bitcoind, &other, &both);
    let posts = |calendar: &Calendar| calendar.seen().iter().filter(|request| request[0] == "POST").count();
    assert_eq!((posts(&one), posts(&two)), (1, 1), "what they have taken they are not told again");
}

#[test]
fn what_nobody_takes_waits_and_goes_out_when_a_calendar_comes_back() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let port = free_port();
    let toft = asking(&bitcoind, &[format!("http://127.0.0.1:{port}")], 1).up();
    let (first, bytes) = add(&toft, dir.path(), "first");
    toft.json(&["anchor", "now"]);
    add(&toft, dir.path(), "second");
    assert_eq!(toft.json(&["anchor", "now"])["batch"], 2, "one that waits holds up no other");
    let said = note(&toft);
    assert!(said.contains("none of 1 calendars has taken it yet") && said.contains("gives no answer"), "{said}");
    let home = toft.kill();

    let toft = home.up();
    let calendar = Calendar::start_at(&bitcoind, port);
    eventually("both batches are handed in", || {
        (calendar.seen().iter().filter(|request| request[0] == "POST").count() >= 2).then_some(())
    });
    calendar.anchor();
    ots::accepts(&bitcoind, &bytes, &proof(&toft, dir.path(), &first));
}

#[test]
fn a_block_that_the_chain_does_not_have_is_not_believed() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let calendar = Calendar::start(&bitcoind);
    let toft = asking(&bitcoind, &[calendar.url()], 1).up();
    let (cid, bytes) = add(&toft, dir.path(), "file");
    calendar.mode("foreign");
    toft.json(&["anchor", "now"]);
    let said = |what: &str| eventually(what, || note(&toft).contains(what).then_some(()));
    said("it points to another calendar, https://evil.example");
    calendar.mode("redirect");
    said("which is not followed");
    calendar.mode("endless");
    said("its answer is longer than 10000 bytes");
    calendar.mode("broken");
    said("gives no answer (HTTP status 500)");
    calendar.mode("good");
    said("1 of 1 calendars have taken it");
    calendar.mode("liar");
    said("it says that block 1 holds the batch");
    let refused = toft.home().run(&["anchor", "proof", &cid, "-o", "-"]);
    assert_eq!(refused.status.code(), Some(7), "a lie is no proof");
    calendar.mode("prophet");
    said("it says that block 900000 holds the batch");
    let refused = toft.home().run(&["anchor", "proof", &cid, "-o", "-"]);
    assert_eq!(refused.status.code(), Some(7), "nor is one about the future");
    calendar.mode("good");
    calendar.anchor();
    ots::accepts(&bitcoind, &bytes, &proof(&toft, dir.path(), &cid));
    assert!(calendar.seen().iter().all(|request| !request[1].contains("elsewhere")));
}

#[test]
fn a_block_that_is_reorganised_away_takes_the_batch_back_until_another_has_it() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let [one, two] = [(); 2].map(|()| Calendar::start(&bitcoind));
    let toft = asking(&bitcoind, &[one.url(), two.url()], 1).up();
    let (cid, bytes) = add(&toft, dir.path(), "file");
    toft.json(&["anchor", "now"]);
    let batch = || toft.json(&["anchor", "status"])["batches"][0].clone();
    let now = |what: &str, is: &dyn Fn(&Value) -> bool| {
        within(Duration::from_secs(180), what, || {
            toft.json(&["anchor", "now"]); // nothing is waited for
            Some(batch()).filter(|batch| is(batch))
        })
    };
    let height = one.anchor();
    let found = now("a block", &|batch| batch["state"] == "final");
    assert_eq!((&found["height"], &found["confirmations"]), (&json!(height), &json!(1)), "{found}");
    bitcoind.mine(2);
    now("more confirmations", &|batch| batch["confirmations"] == 3);

    let block = bitcoind.rpc("getblockhash", json!([height]));
    bitcoind.rpc("invalidateblock", json!([block]));
    (0..4).for_each(|_| bitcoind.mine_only(&[]));
    let back = now("it is taken back", &|batch| batch["state"] == "submitted");
    assert!(back["height"].is_null(), "{back}");
    assert_eq!(toft.home().run(&["anchor", "proof", &cid, "-o", "-"]).status.code(), Some(7));
    let home = toft.kill();
    let toft = home.up();
    assert_eq!(toft.json(&["anchor", "status"])["batches"][0]["height"], Value::Null, "it is kept");
    two.anchor();
    ots::accepts(&bitcoind, &bytes, &proof(&toft, dir.path(), &cid));
}

#[test]
fn without_any_bitcoind_calendars_are_asked_and_nothing_is_amiss() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let calendar = Calendar::start(&bitcoind);
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let toft = asking(&bitcoind, &[calendar.url()], 1).set("anchor.bitcoin.rpc", &nowhere).up();
    let (cid, bytes) = add(&toft, dir.path(), "file");
    toft.json(&["anchor", "now"]);
    let status = toft.json(&["anchor", "status"]);
    assert_eq!((&status["problem"], &status["batches"][0]["state"]), (&Value::Null, &json!("submitted")), "{status}");
    calendar.anchor();
    ots::accepts(&bitcoind, &bytes, &proof(&toft, dir.path(), &cid));
    let status = toft.json(&["anchor", "status"]);
    assert_eq!((&status["problem"], &status["batches"][0]["confirmations"]), (&Value::Null, &json!(1)), "{status}");
}

/// A node that pays for anchors and is a calendar.
fn serving(bitcoind: &Bitcoind) -> Home {
    bitcoind.funded_wallet();
    let address = format!("127.0.0.1:{}", free_port());
    Home::new()
        .pays(bitcoind)
        .set("anchor.calendar.serve", "true")
        .set("dwn.listen", &address)
        .set("dwn.url", &format!("http://{address}"))
}

#[test]
fn the_stock_client_stamps_upgrades_and_verifies_with_this_node() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let toft = serving(&bitcoind).up();
    let url = toft.url().to_owned();
    let (_, bytes) = random_file(dir.path(), "file", 3000);
    let stamped = ots::run(dir.path(), &["stamp", "-c", &url, "-m", "1", "file"]);
    assert_eq!(stamped.code, Some(0), "{stamped:?}");
    // right after the answer
    let toft = toft.kill().up();
    let upgrade = || ots::run(dir.path(), &["-l", &url, "upgrade", "file.ots"]);
    let pending = upgrade();
    assert!(pending.text.contains("Pending confirmation in Bitcoin blockchain"), "{pending:?}");
    assert!(toft.json(&["anchor", "status"])["queued"].as_u64().expect("a number") > 0);
    toft.json(&["anchor", "now"]);
    assert!(upgrade().text.contains("Pending confirmation"), "in no block yet");
    bitcoind.mine(1);
    eventually("mined", || (toft.json(&["anchor", "status"])["batches"][0]["state"] == "mined").then_some(()));
    assert!(upgrade().text.contains("Pending confirmation"), "the block may go");
    bitcoind.mine(1);
    eventually("final", || (toft.json(&["anchor", "status"])["batches"][0]["state"] == "final").then_some(()));
    let done = upgrade();
    assert!(done.code == Some(0) && done.text.contains("Success! Timestamp complete"), "{done:?}");
    ots::accepts(&bitcoind, &bytes, &fs::read(dir.path().join("file.ots")).expect("a proof"));

    let get = |path: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.get(format!("{url}{path}")).header("host", "evil.example").call().expect("answers");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    assert_eq!(get(&format!("/timestamp/{}", "ab".repeat(32))), (404, "Commitment not found".into()));
    assert_eq!(get("/timestamp/nothex").0, 400);
    let post = |body: &[u8]| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer =
            agent.post(format!("{url}/digest")).header("host", "evil.example").send(body).expect("answers");
        (answer.status().as_u16(), answer.body_mut().read_to_vec().expect("bytes"))
    };
    assert_eq!(post(b"").0, 400);
    assert_eq!(post(&[7; 65]).0, 413);
    let (status, promise) = post(&[7; 20]);
    assert_eq!(status, 200);
    let named = |name: &str| promise.windows(name.len()).any(|part| part == name.as_bytes());
    assert!(named(&url) && !named("evil"), "a promise names this node as its settings do");
    let shares = (0..70).map(|n| post(&[n; 32]).0).filter(|status| *status == 429).count();
    assert!(shares > 0, "one address does not hand in without end");
}

#[test]
fn a_file_that_is_not_kept_is_stamped_and_no_stranger_learns_of_it() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let toft = serving(&bitcoind).up();
    let (path, bytes) = random_file(dir.path(), "contract.pdf", 100_000);
    let path = path.to_str().expect("UTF-8");
    let stamp = |toft: &Toft| toft.home().run(&["stamp", path, "--json"]);
    let first = stamp(&toft);
    assert_eq!(first.status.code(), Some(7), "{}", String::from_utf8_lossy(&first.stderr));
    let said: Value = serde_json::from_slice(&first.stdout).expect("JSON");
    assert!(said["pending"].as_str().expect("a sentence").contains("queued"), "{said}");
    let queued = |toft: &Toft| toft.json(&["anchor", "status"])["queued"].as_u64().expect("a number");
    let before = eventually("it waits", || Some(queued(&toft)).filter(|n| *n > 0));
    let toft = toft.kill().up();
    assert_eq!(stamp(&toft).status.code(), Some(7));
    eventually("twice is once", || (queued(&toft) == before).then_some(()));
    toft.json(&["anchor", "now"]);
    assert_eq!(stamp(&toft).status.code(), Some(7));
    bitcoind.mine(2);
    eventually("a proof", || stamp(&toft).status.success().then_some(()));
    assert!(stamp(&toft).status.success(), "once more changes nothing");
    let ots = fs::read(dir.path().join("contract.pdf.ots")).expect("a proof");
    ots::accepts(&bitcoind, &bytes, &ots);
    assert_eq!(toft.json(&["anchor", "now"])["outcome"], "nothing");

    let url = format!("{}/timestamp/{}", toft.url(), hex::encode(toft::cid::digest(&bytes)));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(url).call().expect("answers");
    assert_eq!(answer.body_mut().read_to_string().expect("text"), "Commitment not found");
}

#[test]
fn who_stamps_and_has_nobody_bring_it_into_bitcoin_is_told_what_to_change() {
    let dir = TempDir::new().expect("a directory");
    let (path, _) = random_file(dir.path(), "file", 10);
    let path = path.to_str().expect("UTF-8");
    for (mode, next) in [
        ("off", "config set anchor.mode auto"),
        ("wallet", "config set anchor.bitcoin.spend true"),
        ("auto", "config set anchor.calendar.consent true"),
    ] {
        let toft = Home::new().set("anchor.mode", mode).up();
        let told = toft.home().run(&["stamp", path]);
        let text = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.code() == Some(7) && text.contains(next), "{mode}: {text}");
    }
}

#[test]
fn nobody_is_asked_without_a_yes_and_a_calendar_has_a_name() {
    let settings = |home: &Home| fs::read_to_string(home.path().join("node.toml")).expect("settings");
    let said = |home: &Home, args: &[&str]| {
        let output = home.run(args);
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let home = Home::new();
    let (code, text) = said(&home, &["init"]);
    assert!(code == Some(0) && text.contains("Anchoring  off until you say so"), "{text}");
    assert!(settings(&home).contains("consent = false") && settings(&home).contains("mode = \"auto\""));
    let home = Home::new();
    let (_, text) = said(&home, &["init", "--anchor", "calendar"]);
    assert!(text.contains("Anchoring  by OpenTimestamps calendars"), "{text}");
    assert!(settings(&home).contains("consent = true"));
    assert_eq!(home.json(&["config", "show"])["anchor"]["calendar"]["consent"], json!(true));
    let home = Home::new();
    let (_, text) = said(&home, &["init", "--anchor", "off"]);
    assert!(text.contains("Anchoring  off: no time proofs"), "{text}");
    assert!(settings(&home).contains("mode = \"off\""));

    // The environment counts more, and settings that are there already stay.
    let home = Home::new().set("anchor.mode", "off");
    let (_, text) = said(&home, &["init", "--anchor", "calendar"]);
    assert!(text.contains("Anchoring  off: no time proofs"), "{text}");
    let home = Home::new();
    fs::create_dir(home.path()).expect("a directory");
    fs::write(home.path().join("node.toml"), "[anchor]\nmode = \"off\"\n").expect("writes");
    for other in [&["init", "--anchor", "calendar"][..], &["init", "--publish"]] {
        let (code, text) = said(&home, other);
        assert!(code == Some(5) && text.contains("nothing was made"), "{text}");
    }
    let (code, text) = said(&home, &["init", "--anchor", "off", "--json"]);
    assert!(code == Some(0) && text.contains("\"calendars\":false"), "{text}");

    let home = Home::new().set("anchor.calendar.serve", "true");
    let (code, text) = said(&home, &["config", "check"]);
    assert!(code != Some(0) && text.contains("dwn.url must say"), "{text}");
    assert!(home.try_up().expect_err("refused").contains("dwn.url must say"));

    let address = format!("127.0.0.1:{}", free_port());
    let home = Home::new().set("anchor.calendar.serve", "true").set("dwn.listen", &address);
    let toft = home.set("dwn.url", &format!("http://{address}")).up();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(format!("{}/digest", toft.url())).send(&[7; 32][..]).expect("answers");
    assert_eq!(answer.status(), 503);
    assert!(answer.body_mut().read_to_string().expect("text").contains("anchors nothing"));
}
