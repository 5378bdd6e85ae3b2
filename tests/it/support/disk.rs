//! A disk of the test's own, small enough to be really full.
//!
//! It is an ext4 image on a loop device, or where no loop devices may be had a tmpfs of the same size; without the right to mount,
//! the test runs itself again in a namespace of its own where it may. It says which it was. Where none of them is permitted it
//! fails: `min_free` alone would never meet the file system's own no.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

pub const MIB: u64 = 1 << 20;
/// Small enough to be filled in no time, large enough for a node with some thousand records.
const DISK: u64 = 96 * MIB;
/// Set in the namespace, so that it is tried once.
const INSIDE: &str = "TOFT_TEST_NAMESPACE";

/// A small file system, unmounted when dropped.
pub struct Disk {
    pub path: PathBuf,
    pub kind: &'static str,
    _dir: tempfile::TempDir,
}

impl Disk {
    /// `None`: `test` has run elsewhere, and passed there.
    pub fn mount(test: &str) -> Option<Self> {
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
        let mut again = Command::new("unshare");
        again.arg("-Urm").arg(this).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
        let status = again.status().expect("unshare runs (util-linux)");
        assert!(status.success(), "in a namespace of its own: {status}");
        None
    }

    /// Takes all room but `left` bytes.
    pub fn fill(&self, left: u64) -> PathBuf {
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
