//! A disk that is really full, in the middle of everything: the client is told, the node reads on and says so, nothing
//! that was acknowledged is lost, and when there is room again it goes on without a restart.
//!
//! The disk is an ext4 image on a loop device, or where no loop devices may be had a tmpfs of the same size; without the
//! right to mount, the test runs itself again in a namespace of its own where it may. It says which it was. Where none of
//! them is permitted it fails: `min_free` alone would never meet the file system's own no.

use crate::support::{
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

const MIB: u64 = 1 << 20;
/// Small enough to be filled in no time, large enough for a node with some thousand records.
const DISK: u64 = 96 * MIB;
/// Set in the namespace, so that it is tried once.
const INSIDE: &str = "TOFT_TEST_NAMESPACE";
/// What is left of the disk when it is "full": the log's, a pack's, a block file's or the index's write is the first
/// that does not fit.
const LEFT: [u64; 5] = [0, 8 << 10, 100 << 10, 500 << 10, 2 * MIB];
/// Data of a record: inside the log, in a pack, in files.
const SIZES: [u64; 4] = [200, 20_000, 40_000, 600_000];

#[test]
fn a_full_disk_refuses_what_is_new_keeps_what_was_acknowledged_and_recovers() {
    let Some(disk) = Disk::mount() else { return };
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

/// A small file system, unmounted when dropped.
struct Disk {
    path: PathBuf,
    kind: &'static str,
    _dir: tempfile::TempDir,
}

impl Disk {
    /// `None`: the test has run elsewhere, and passed there.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("disk");
        fs::create_dir(&path).expect("creates");
        let image = dir.path().join("image");
        File::create(&image).and_then(|file| file.set_len(DISK)).expect("an image");
        let size = format!("size={DISK}");
        let (image, at) = (image.to_string_lossy().into_owned(), path.to_string_lossy().into_owned());
        // All room for everyone: what root alone may use would not be full for it.
        let made = run("mkfs.ext4", &["-q", "-m", "0", &image]);
        let ways = [
            ("ext4 on a loop device", vec!["-o", "loop", &image, &at]),
            ("tmpfs", vec!["-t", "tmpfs", "-o", &size, "tmpfs", &at]),
        ];
        let mut why = Vec::new();
        for (kind, args) in ways {
            let made = if kind == "tmpfs" { Ok(()) } else { made.clone() };
            match made.and_then(|()| run("mount", &args)) {
                Ok(()) => {
                    println!("the disk is {kind}");
                    return Some(Self { path, kind, _dir: dir });
                }
                Err(error) => why.push(format!("{kind}: {error}")),
            }
        }
        assert!(std::env::var_os(INSIDE).is_none(), "no small disk can be mounted here: {}", why.join("; "));
        println!("no small disk can be mounted here ({}): once more in a namespace", why.join("; "));
        let this = std::env::current_exe().expect("a path");
        let test = "full::a_full_disk_refuses_what_is_new_keeps_what_was_acknowledged_and_recovers";
        let mut again = Command::new("unshare");
        again.arg("-Urm").arg(this).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
        let status = again.status().expect("unshare runs (util-linux)");
        assert!(status.success(), "in a namespace of its own: {status}");
        None
    }

    /// Takes all room but `left` bytes.
    fn fill(&self, left: u64) -> PathBuf {
        let path = self.path.join("filler");
        let file = File::create(&path).expect("creates");
        let (mut length, mut step) = (0, 16 * MIB);
        while step >= 1024 {
            match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), length, step) {
                Ok(()) => length += step,
                Err(_) => step /= 2,
            }
        }
        file.set_len(length.saturating_sub(left)).expect("gives some back");
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a node that a failing test leaves behind may still have files open.
        if let Err(error) = run("umount", &["-l", &self.path.to_string_lossy()]) {
            eprintln!("{error}");
        }
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
