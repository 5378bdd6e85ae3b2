//! The stock OpenTimestamps client: the judge of our proofs.

use super::bitcoind::Bitcoind;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

static OTS: OnceLock<PathBuf> = OnceLock::new();

/// What `ots verify` said.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub text: String,
}

impl Answer {
    /// Exit code 0 and the word; one without the other would be a reason to look closer.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.text.contains("Success!")
    }
}

/// Runs stock `ots verify` on `data` and `proof` against this bitcoind.
#[track_caller]
pub fn verify(node: &Bitcoind, data: &[u8], proof: &[u8]) -> Answer {
    let dir = TempDir::new().expect("a temporary directory");
    let (file, ots) = (dir.path().join("data"), dir.path().join("proof.ots"));
    std::fs::write(&file, data).expect("writes");
    std::fs::write(&ots, proof).expect("writes");
    let output = Command::new(super::fetched("fetch-ots", &OTS))
        .env("HOME", dir.path())
        .args(["--no-cache", "--btc-regtest", "--bitcoin-node", &node.url_with_credentials(), "verify", "-f"])
        .args([&file, &ots])
        .output()
        .expect("ots starts");
    let text = [output.stdout, output.stderr].concat();
    Answer { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// The python that has the reference implementation.
#[track_caller]
pub fn python() -> PathBuf {
    super::fetched("fetch-ots", &OTS).with_file_name("python")
}

/// Stock `ots` with these arguments, in a folder; `--no-cache` and regtest are given.
#[track_caller]
pub fn run(dir: &Path, args: &[&str]) -> Answer {
    let output = Command::new(super::fetched("fetch-ots", &OTS))
        .env("HOME", dir)
        .current_dir(dir)
        .args(["--no-cache", "--btc-regtest"])
        .args(args)
        .output()
        .expect("ots starts");
    let text = [output.stdout, output.stderr].concat();
    Answer { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// [`verify`], and it must succeed.
#[track_caller]
pub fn accepts(node: &Bitcoind, data: &[u8], proof: &[u8]) {
    let answer = verify(node, data, proof);
    assert!(answer.is_success(), "stock ots does not accept the proof: {answer:?}");
}

/// [`verify`], and it must fail.
#[track_caller]
pub fn refuses(node: &Bitcoind, data: &[u8], proof: &[u8]) {
    let answer = verify(node, data, proof);
    assert!(answer.code.is_some_and(|c| c != 0) && !answer.text.contains("Success!"), "stock ots accepts: {answer:?}");
}

/// Reads a file per line of hex, says of each whether it is one: what it attests, and how the reference writes it again.
const READER: &str = r#"
import sys
from opentimestamps.core.serialize import BytesDeserializationContext, BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
def said(attestation):
    ctx = BytesSerializationContext()
    attestation.serialize(ctx)
    return ctx.getbytes().hex()
for line in sys.stdin:
    try:
        file = DetachedTimestampFile.deserialize(BytesDeserializationContext(bytes.fromhex(line)))
    except Exception:
        print(None)
        continue
    ctx = BytesSerializationContext()
    file.serialize(ctx)
    print(ctx.getbytes().hex(), *sorted({msg.hex() + ":" + said(a) for msg, a in file.timestamp.all_attestations()}))
"#;

/// What the reference implementation reads in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// As it writes the file again: sorted, without what is there twice.
    pub written: Vec<u8>,
    /// "message:attestation" in hex, sorted.
    pub attested: Vec<String>,
}

/// What the reference implementation reads in each file, or that it is no `.ots` file.
#[track_caller]
pub fn read_all(files: &[Vec<u8>]) -> Vec<Option<Read>> {
    let mut child = Command::new(python())
        .args(["-W", "ignore", "-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let lines: String = files.iter().map(|f| hex::encode(f) + "\n").collect();
    let mut input = child.stdin.take().expect("it is piped");
    let feeder = std::thread::spawn(move || input.write_all(lines.as_bytes()).expect("python reads"));
    let output = child.wait_with_output().expect("python ends");
    feeder.join().expect("no panic");
    let text = String::from_utf8(output.stdout).expect("text");
    let read = |line: &str| {
        let mut words = line.split(' ');
        let written = hex::decode(words.next()?).ok()?;
        Some(Read { written, attested: words.map(str::to_owned).collect() })
    };
    text.lines().map(|line| (line != "None").then(|| read(line).expect("a line of ours"))).collect()
}
