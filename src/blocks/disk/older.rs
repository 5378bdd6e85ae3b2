//! Block files from where they lay before: `files/<xx>/<yy>/<name>`, in up to 65,536 directories.
//!
//! A file is renamed to where it lies today, so it is there, whole, under one name or the other. The new names are
//! durable before a directory of the old ones goes. `files` goes last: while it is there, the next open goes on. What
//! is no block file stays, and so do the directories that it lies in. Memory: the names in one directory.

use super::dir::list;
use super::files::{FILES, Files, Written, digest_of};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    store::sync_dir,
};
use anyhow::Context as _;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the files lay.
const OLDER: &str = "files";

impl Files {
    /// Moves what lies where files lay before; says how many that were.
    pub fn move_older(&self) -> Result<u64, Fault> {
        let older = self.dir.join(OLDER);
        if !older.try_exists().with_context(|| format!("looking at {}", older.display()))? {
            return Ok(0);
        }
        let (mut moved, mut written) = (0, Written::default());
        for first in 0..=u8::MAX {
            for dir in self.older_dirs(first)? {
                // Also where nothing is left to move: who has moved it may have ended before it was durable.
                self.make_shard(first, &mut written)?;
                for path in list(&dir)? {
                    if let Some(digest) = digest_of(&path).filter(|digest| digest[0] == first) {
                        self.move_file(&path, &digest)?;
                        moved += 1;
                    }
                }
            }
        }
        self.sync_dirs(&written)?;
        self.remove_older(&older)?;
        Ok(moved)
    }

    fn move_file(&self, from: &Path, digest: &Digest) -> Result<(), Fault> {
        let to = self.path(digest);
        // Both are there if an earlier toft has run on this home again. The one that is whole stays.
        if fs::read(&to).is_ok_and(|bytes| cid::digest(&bytes) == *digest) {
            sync_dir(&self.shard(digest[0]))?;
            sync_dir(&self.dir.join(FILES))?;
            self.changes.next()?;
            return fs::remove_file(from).with_context(|| format!("removing {}", from.display()));
        }
        self.changes.next()?;
        fs::rename(from, &to)
            .with_context(|| format!("moving {} to {}: both must lie on one file system", from.display(), to.display()))
    }

    /// Removes the directories, of which nothing needs to be durable: what comes back is empty.
    fn remove_older(&self, older: &Path) -> Result<(), Fault> {
        for first in 0..=u8::MAX {
            for dir in self.older_dirs(first)? {
                self.remove_empty(&dir)?;
            }
            self.remove_empty(&older.join(hex::encode([first])))?;
        }
        if !self.remove_empty(older)? {
            tracing::warn!("{} has something in it that is no block: it is left as it is", older.display());
        }
        Ok(())
    }

    /// Directories of files whose digest begins with `first`.
    fn older_dirs(&self, first: u8) -> Result<Vec<PathBuf>, Fault> {
        let above = self.dir.join(OLDER).join(hex::encode([first]));
        if !above.is_dir() {
            return Ok(Vec::new());
        }
        Ok(list(&above)?.into_iter().filter(|path| path.is_dir()).collect())
    }

    /// Removes a directory, if it is there; false: there is something in it.
    fn remove_empty(&self, dir: &Path) -> Result<bool, Fault> {
        if !dir.is_dir() {
            return Ok(true);
        }
        self.changes.next()?;
        match fs::remove_dir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            // A link, or a place where something is mounted. All has moved: nothing depends on its going.
            Err(error) => {
                tracing::warn!("cannot remove {}: {error}", dir.display());
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Disk;
    use super::*;
    use crate::store::Place;
    use ::cid::multibase::Base;

    /// Blocks of which some share their first byte, and some both: where they lie is what counts, not their size.
    fn contents() -> Vec<(Digest, Vec<u8>)> {
        let of = |n: u32| n.to_be_bytes().repeat(20);
        let mut blocks: Vec<_> = (0..8).map(|n| (cid::digest(&of(n)), of(n))).collect();
        let same = |bytes: usize| {
            let wanted = &blocks[0].0[..bytes];
            (8..).map(|n| (cid::digest(&of(n)), of(n))).find(|(digest, _)| digest.starts_with(wanted)).expect("one")
        };
        let more = [same(1), same(2)];
        blocks.extend(more);
        blocks
    }

    fn older_path(dir: &Path, digest: &Digest) -> PathBuf {
        let name = Base::Base32Lower.encode([&[0x12, 0x20], digest.as_slice()].concat());
        dir.join("files").join(hex::encode(&digest[..1])).join(hex::encode(&digest[1..2])).join(name)
    }

    fn put(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().expect("a directory")).expect("creates");
        fs::write(path, bytes).expect("writes");
    }

    /// Blocks as a toft of before has left them.
    fn older_home(blocks: &[(Digest, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(dir.path().join("files")).expect("creates");
        blocks.iter().for_each(|(digest, bytes)| put(&older_path(dir.path(), digest), bytes));
        dir
    }

    fn begin(dir: &Path, changes: Option<u64>) -> Disk {
        let disk = Disk::begin(dir, 1 << 20).expect("begins");
        disk.changes.crash_in(changes);
        disk
    }

    /// Each block is there once, whole.
    #[track_caller]
    fn nothing_is_lost(disk: &Disk, blocks: &[(Digest, Vec<u8>)]) {
        for (digest, bytes) in blocks {
            let found = [older_path(&disk.files.dir, digest), disk.files.path(digest)].map(|path| fs::read(path).ok());
            let found: Vec<_> = found.into_iter().flatten().collect();
            assert!(matches!(&found[..], [one] if one == bytes), "{}: {}", hex::encode(digest), found.len());
        }
    }

    /// All are where they lie today, and nothing is left of where they lay.
    #[track_caller]
    fn all_has_moved(disk: &Disk, blocks: &[(Digest, Vec<u8>)]) {
        for (digest, bytes) in blocks {
            let place = Place::File { len: bytes.len() as u32 };
            assert!(disk.read(digest, place).expect("reads") == *bytes);
            assert!(disk.names(digest[0]).expect("lists").contains(digest));
        }
        assert_eq!(disk.files().expect("counts").0, blocks.len() as u64);
        assert!(!disk.files.dir.join("files").exists());
    }

    #[test]
    fn whenever_moving_ends_nothing_is_lost_and_the_next_open_goes_on() {
        let blocks = contents();
        for changes in 0.. {
            let dir = older_home(&blocks);
            let disk = begin(dir.path(), Some(changes));
            let outcome = disk.files.move_older();
            nothing_is_lost(&disk, &blocks);
            all_has_moved(&Disk::open(dir.path(), 1 << 20).expect("opens"), &blocks);
            if let Ok(moved) = outcome {
                assert_eq!(moved, blocks.len() as u64);
                return;
            }
        }
    }

    #[test]
    fn a_home_that_crashes_after_every_change_gets_there() {
        let blocks = contents();
        let dir = older_home(&blocks);
        let done = |disk: &Disk| {
            let outcome = disk.files.move_older();
            nothing_is_lost(disk, &blocks);
            outcome.is_ok()
        };
        let runs = (0..100).take_while(|_| !done(&begin(dir.path(), Some(1)))).count();
        assert!(runs > blocks.len() && runs < 100, "{runs}");
        all_has_moved(&begin(dir.path(), Some(0)), &blocks);
    }

    #[test]
    fn of_two_files_the_whole_one_stays() {
        let blocks = contents();
        for damaged in [0, 1] {
            let dir = older_home(&blocks);
            let disk = begin(dir.path(), None);
            for (digest, bytes) in &blocks {
                let paths = [older_path(dir.path(), digest), disk.files.path(digest)];
                put(&paths[1], bytes);
                put(&paths[damaged], b"damage");
            }
            assert_eq!(disk.files.move_older().expect("moves"), blocks.len() as u64);
            all_has_moved(&disk, &blocks);
        }
    }

    #[test]
    fn what_is_no_block_stays_where_it_is() {
        let blocks = contents();
        let dir = older_home(&blocks);
        let beside = older_path(dir.path(), &blocks[0].0).with_file_name("notes");
        let strays = [dir.path().join("files/notes"), dir.path().join("files/00/notes"), beside];
        strays.iter().for_each(|path| put(path, b"mine"));
        for _ in 0..2 {
            let disk = Disk::open(dir.path(), 1 << 20).expect("opens");
            nothing_is_lost(&disk, &blocks);
            assert_eq!(disk.files().expect("counts").0, blocks.len() as u64);
            assert!(strays.iter().all(|path| fs::read(path).is_ok_and(|bytes| bytes == b"mine")));
        }
        strays.iter().for_each(|path| fs::remove_file(path).expect("removes"));
        all_has_moved(&Disk::open(dir.path(), 1 << 20).expect("opens"), &blocks);
    }
}
