//! A disk that is really full, in the middle of everything: the client is told, the node reads on and says so, nothing
//! that was acknowledged is lost, and when there is room again it goes on without a restart.
//!
use crate::support::{
    bitcoind::Bitcoind,
    disk::{Disk, MIB},
    eventually,
    proxy::{Lose, Proxy},
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::fs;

/// What is left of the disk when it is "full": the log's, a pack's, a block file's or the index's write is the first
/// that does not fit.
const LEFT: [u64; 5] = [0, 8 << 10, 100 << 10, 500 << 10, 2 * MIB];
/// Data of a record: inside the log, in a pack, in files.
const SIZES: [u64; 4] = [200, 20_000, 40_000, 600_000];

#[test]
fn a_full_disk_refuses_what_is_new_keeps_what_was_acknowledged_and_recovers() {
    let test = "full::a_full_disk_refuses_what_is_new_keeps_what_was_acknowledged_and_recovers";
    let Some(disk) = Disk::mount(test) else { return };
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let node = Home::within(&disk.path).set("dwn.tenants", "open").set("store.min_free", "0");
    // Others write here, and are to fill the disk to the last byte.
    let node = node.set("dwn.owner_reserve", "0").set("test_beyond_bounds", "1").up();
    let mut story = Story { url: node.url().to_owned(), sdk, alice, kept: Vec::new(), refused: 0 };
    for size in SIZES.into_iter().cycle().take(40) {
        assert_eq!(story.write(size), 202);
    }
    assert_eq!(health(&node)["writable"], true);

    let rounds = if std::env::var_os("TOFT_LONG").is_some() { 6 } else { 1 };
    for left in LEFT.into_iter().cycle().take(LEFT.len() * rounds) {
        let filler = disk.fill(left);
        let before = story.refused;
        // Until there is no room for the smallest.
        for n in 0.. {
            let refused = story.refused;
            story.write_all();
            if story.refused == refused + SIZES.len() || n > 400 {
                break;
            }
        }
        assert!(story.refused > before, "with {left} bytes left nothing was refused");
        let said = health(&node);
        assert!(said["writable"] == false && said["reason"].as_str().is_some_and(|why| why.contains("full")), "{said}");
        story.audit();
        // A backup onto the same disk fails with its reason, and leaves the node as it was.
        let backup = node.home().run(&["backup", "create", &disk.path.join("backup").display().to_string()]);
        let why = String::from_utf8_lossy(&backup.stderr).into_owned();
        assert!(!backup.status.success() && why.contains("No space left on device"), "{why}");

        fs::remove_file(filler).expect("removes");
        let _ = fs::remove_dir_all(disk.path.join("backup"));
        eventually("writes are taken again", || (story.write(300) == 202).then_some(()));
        for size in SIZES {
            assert_eq!(story.write(size), 202, "{}", health(&node));
        }
        assert_eq!(health(&node)["writable"], true, "with {left} bytes left");
        story.audit();
    }

    // Killed while the disk is full, started while it is full: what is there is read. (It gives back room it had taken
    // ahead, so a little may be written again.)
    let filler = disk.fill(0);
    story.write_all();
    let node = node.kill().up();
    story.url = node.url().to_owned();
    story.audit();
    let refused = story.refused;
    while story.refused == refused {
        story.write_all();
    }
    fs::remove_file(filler).expect("removes");
    eventually("writes are taken again", || (story.write(300) == 202).then_some(()));
    let node = node.kill().up();
    story.url = node.url().to_owned();
    story.audit();
    let scrubbed = node.json(&["storage", "scrub"]);
    assert_eq!(scrubbed["damaged"], 0, "{scrubbed}");
    assert_eq!(node.json(&["status"])["degraded"], json!([]));
    println!(
        "a full disk ({}), {} times: {} acknowledged, 0 lost; {} refused with 507",
        disk.kind,
        LEFT.len() * rounds + 1,
        story.kept.len(),
        story.refused
    );
}

/// The disk fills up after bitcoind's wallet has signed an anchor and before that is stored: nothing is sent that the node would not
/// know of after a crash, and when there is room it pays, once.
#[test]
fn an_anchor_that_cannot_be_stored_is_not_sent() {
    let Some(disk) = Disk::mount("full::an_anchor_that_cannot_be_stored_is_not_sent") else { return };
    let bitcoind = Bitcoind::start();
    bitcoind.funded_wallet();
    let proxy = Proxy::start(&bitcoind.url(), "finalizepsbt", Lose::Nothing);
    let node = Home::within(&disk.path).pays(&bitcoind).set("anchor.bitcoin.rpc", proxy.url());
    let node = node.set("store.min_free", "0").set("dwn.owner_reserve", "0").set("test_beyond_bounds", "1").up();
    let write = |home: &Home, size: usize| {
        let data = toft::crypto::encode(&vec![7; size]);
        let asked = json!({"data": data, "dataFormat": "application/octet-stream"}).to_string();
        home.run(&["call", "records.write", &asked]).status.success()
    };
    assert!(write(node.home(), 200));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| node.home().run(&["anchor", "now"]));
        proxy.lost();
        let filler = disk.fill(0);
        while [20_000, 200, 1].map(|size| write(node.home(), size)) != [false; 3] {}
        proxy.pass();
        let said = asked.join().expect("no panic");
        assert!(!said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        assert_eq!(bitcoind.rpc("getrawmempool", json!([])), json!([]), "nothing was sent");
        fs::remove_file(filler).expect("removes");
    });
    eventually("it to be sent", || (bitcoind.rpc("getrawmempool", json!([])).as_array()?.len() == 1).then_some(()));
    let node = node.kill().up();
    bitcoind.mine(3);
    eventually("it to be final", || {
        let status = node.json(&["anchor", "status"]);
        status["batches"]
            .as_array()?
            .iter()
            .any(|batch| batch["number"] == 1 && batch["state"] == "final")
            .then_some(())
    });
    assert_eq!(bitcoind.op_returns(b"toft").len(), 1);
}

fn health(node: &Toft) -> Value {
    let mut answer = ureq::get(format!("{}/health", node.url())).call().expect("health answers");
    answer.body_mut().read_json().expect("is JSON")
}

struct Story {
    url: String,
    sdk: Sdk,
    alice: String,
    /// What was acknowledged.
    kept: Vec<Value>,
    refused: usize,
}

impl Story {
    /// Writes a record; it is taken, or refused for want of room, and nothing else.
    #[track_caller]
    fn write(&mut self, size: u64) -> u64 {
        let fields = json!({"url": self.url, "as": "alice", "tenant": self.alice, "size": size});
        let reply = self.sdk.call("write", fields);
        match code(&reply) {
            202 => self.kept.push(json!({"id": reply["recordId"], "sha256": reply["sha256"]})),
            507 => {
                self.refused += 1;
                assert!(
                    reply["status"]["detail"].as_str().is_some_and(|d| d.contains("InsufficientStorage")),
                    "{reply}"
                );
            }
            other => panic!("{other}: {reply}"),
        }
        code(&reply)
    }

    /// One of each size, whatever is said.
    #[track_caller]
    fn write_all(&mut self) {
        for size in SIZES {
            self.write(size);
        }
    }

    #[track_caller]
    fn audit(&mut self) {
        let fields = json!({"url": self.url, "as": "alice", "tenant": self.alice, "writes": self.kept});
        let found = self.sdk.call("audit", fields);
        assert_eq!((&found["lost"], &found["torn"]), (&json!([]), &json!([])));
    }
}
