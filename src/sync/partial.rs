//! Data on its way here, on the disk: a session that breaks off is gone on with where it stopped. Nothing in it is trusted: the
//! door hashes all of it before the message is taken.

use crate::{cid::Digest, dwn::Fault, node::Body, planted, vault};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// What nobody went on with for so long is thrown away.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Begun data that nobody fetches at the moment: of older ones there are no more. (A session fetches that of four messages.)
const LEFT_MAX: usize = 64;
/// Read at once.
const CHUNK: usize = 256 << 10;

/// A directory of begun data, one file each. A session that fetches some has it to itself; dropped, it lets go.
#[derive(Debug)]
pub struct Partials {
    dir: PathBuf,
    /// What any session fetches.
    claimed: Arc<Mutex<BTreeSet<Digest>>>,
    /// What this one does.
    mine: Mutex<BTreeSet<Digest>>,
}

impl Drop for Partials {
    fn drop(&mut self) {
        let mine = std::mem::take(&mut *lock(&self.mine));
        lock(&self.claimed).retain(|digest| !mine.contains(digest));
    }
}

fn lock(set: &Mutex<BTreeSet<Digest>>) -> MutexGuard<'_, BTreeSet<Digest>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Partials {
    /// Makes the directory, and throws away what is old.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        vault::make_private_dir(dir).with_context(|| format!("making {}", dir.display()))?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let modified = entry.metadata()?.modified()?;
            if SystemTime::now().duration_since(modified).unwrap_or_default() > KEPT {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { dir: dir.to_owned(), claimed: Arc::default(), mine: Mutex::default() })
    }

    /// The same directory, for another session.
    pub fn session(&self) -> Self {
        Self { dir: self.dir.clone(), claimed: self.claimed.clone(), mine: Mutex::default() }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(hex::encode(digest))
    }

    /// Bytes of it that are here (blocking, as all of these), now that this session fetches it; `None`: another one does.
    pub fn begin(&self, digest: &Digest, size: u64) -> Result<Option<u64>, Fault> {
        if !lock(&self.mine).contains(digest) && !lock(&self.claimed).insert(*digest) {
            return Ok(None);
        }
        lock(&self.mine).insert(*digest);
        match fs::metadata(self.path(digest)) {
            Ok(found) if found.len() <= size => Ok(Some(found.len())),
            Ok(_) => {
                fs::remove_file(self.path(digest)).context("removing data that is longer than it may be")?;
                Ok(Some(0))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.thin_out()?;
                Ok(Some(0))
            }
            Err(error) => Err(error).context("looking for data that has begun to come"),
        }
    }

    /// Puts a piece where it belongs; bytes that are here with it.
    pub fn put(&self, digest: &Digest, from: u64, piece: &[u8]) -> Result<u64, Fault> {
        let file = File::options().create(true).truncate(false).write(true).open(self.path(digest))?;
        if file.metadata()?.len() != from {
            bail!("a piece of data that begins at byte {from} does not follow what is here");
        }
        file.write_all_at(piece, from).context("writing data that comes from a peer")?;
        Ok(from + piece.len() as u64)
    }

    /// Does this session fetch it?
    pub fn is_own(&self, digest: &Digest) -> bool {
        lock(&self.mine).contains(digest)
    }

    /// This session fetches it no more.
    pub fn release(&self, digest: &Digest) {
        if lock(&self.mine).remove(digest) && !planted::is("data that was fetched stays claimed") {
            lock(&self.claimed).remove(digest);
        }
    }

    pub fn discard(&self, digest: &Digest) -> Result<(), Fault> {
        self.release(digest);
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("removing data that came"),
            _ => Ok(()),
        }
    }

    /// Throws it away if this session fetches it.
    pub fn discard_own(&self, digest: &Digest) -> Result<(), Fault> {
        if self.is_own(digest) { self.discard(digest) } else { Ok(()) }
    }

    /// Of what was begun and is not fetched, only the newest stays.
    fn thin_out(&self) -> Result<(), Fault> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir).context("looking for data that has begun to come")? {
            let entry = entry?;
            let is_claimed = |name: &str| lock(&self.claimed).iter().any(|digest| hex::encode(digest) == name);
            if entry.file_name().to_str().is_none_or(|name| !is_claimed(name)) {
                left.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        left.sort_unstable_by(|one, other| other.cmp(one));
        for (_, path) in left.into_iter().skip(LEFT_MAX) {
            fs::remove_file(path).context("removing data that began to come long ago")?;
        }
        Ok(())
    }

    /// All of it.
    pub fn read(&self, digest: &Digest) -> Body {
        let path = self.path(digest);
        Box::pin(futures::stream::unfold((Some(path), None::<File>), |(path, file)| async move {
            let read = move || -> Result<Option<(Bytes, File)>, Fault> {
                let mut file = match (file, path) {
                    (Some(file), _) => file,
                    (None, Some(path)) => match File::open(path) {
                        // Of data without a byte no piece came.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                        opened => opened?,
                    },
                    (None, None) => return Ok(None),
                };
                let mut chunk = vec![0; CHUNK];
                let read = file.read(&mut chunk)?;
                chunk.truncate(read);
                Ok((read > 0).then(|| (chunk.into(), file)))
            };
            match tokio::task::spawn_blocking(read).await.map_err(Fault::from).flatten() {
                Ok(Some((chunk, file))) => Some((Ok(chunk), (None, Some(file)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), (None, None))),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_and_is_not_gone_on_with_is_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let partials = Partials::open(dir.path()).expect("opens");
        let held = partials.session();
        held.begin(&[255; 32], 10).expect("begins");
        held.put(&[255; 32], 0, &[1]).expect("is written");
        for n in 0..LEFT_MAX as u8 + 20 {
            let session = partials.session();
            assert_eq!(session.begin(&[n; 32], 10).expect("begins"), Some(0));
            assert!(session.is_own(&[n; 32]) && !session.is_own(&[255; 32]));
            session.put(&[n; 32], 0, &[1, 2]).expect("is written");
        }
        let count = fs::read_dir(dir.path()).expect("is read").count();
        assert!((LEFT_MAX..=LEFT_MAX + 2).contains(&count), "{count} files");
        // What somebody fetches stays, and so does the newest.
        assert_eq!(held.begin(&[255; 32], 10).expect("begins"), Some(1));
        assert_eq!(partials.session().begin(&[LEFT_MAX as u8 + 19; 32], 10).expect("begins"), Some(2));
        // Another session's is not thrown away by one that was refused it.
        partials.session().discard_own(&[255; 32]).expect("nothing");
        assert_eq!(held.begin(&[255; 32], 10).expect("begins"), Some(1));
    }
}
