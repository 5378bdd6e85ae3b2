//! Output files: what `-o` names, for every command that has it.
//!
//! - A file gets its name when it is whole. However the command ends, no half file is left.
//! - An existing file is replaced only with `--force`.
//! - A device, a pipe and whatever else is no file is written to directly. `-` is the standard output.
//! - A link is followed.

use super::stop::told_to_stop;
use crate::rpc::control::{Failure, Kind};
use anyhow::Error;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use std::{
    fs::{self, File, Metadata},
    io::{self, Write as _},
    path::{Path, PathBuf},
    pin::pin,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// Where a command writes to.
#[derive(Debug)]
pub enum Target {
    /// The standard output.
    Terminal,
    /// A device or a pipe.
    Device(PathBuf),
    /// A file that is not there yet, or may be replaced.
    File { path: PathBuf, replaces: Option<Metadata> },
}

impl Target {
    /// What `-o` names; a failure if something stands there that is not to be replaced.
    pub fn find(path: &Path, force: bool) -> Result<Self, Failure> {
        if ["-", "/dev/stdout", "/dev/fd/1"].map(Path::new).contains(&path) {
            return Ok(Self::Terminal);
        }
        if path.file_name().is_none() && !path.is_dir() {
            return Err(Failure::new(Kind::Usage, format!("-o {}: this names no file", path.display())));
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(Failure::new(Kind::Usage, format!("-o {}: this is a directory: name a file in it", path.display())))
            }
            Ok(found) if !found.is_file() => Ok(Self::Device(path.to_owned())),
            Ok(_) if !force => Err(exists(path)),
            // The file at the end of a link is replaced, not the link.
            Ok(found) => Ok(Self::File { path: fs::canonicalize(path).map_err(writing(path))?, replaces: Some(found) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
                Err(_) => Ok(Self::File { path: path.to_owned(), replaces: None }),
                Ok(to) => {
                    let message = format!(
                        "{} is a link to {}, which is not there: name that, or remove the link",
                        path.display(),
                        to.display()
                    );
                    Err(Failure::new(Kind::Conflict, message))
                }
            },
            Err(error) => Err(writing(path)(error)),
        }
    }

    /// The name to tell the user; none if what is told would stand among what is written.
    pub fn name(&self) -> Option<&Path> {
        match self {
            Self::Terminal => None,
            Self::Device(path) | Self::File { path, .. } => Some(path),
        }
    }

    /// Writes what comes, all of it or nothing; says how many bytes.
    pub async fn save(&self, pieces: impl Stream<Item = Result<Bytes, Failure>>) -> Result<u64, Failure> {
        match self {
            Self::Terminal => pour(pieces, &mut tokio::io::stdout(), Path::new("the standard output")).await,
            Self::Device(path) => {
                let file = tokio::fs::OpenOptions::new().write(true).open(path).await.map_err(writing(path))?;
                pour(pieces, &mut { file }, path).await
            }
            Self::File { path, replaces } => {
                // Who is dropped at any of its steps leaves nothing.
                let part = Part::new(path, replaces.as_ref())?;
                tokio::select! {
                    saved = part.fill(pieces, replaces.is_some()) => saved,
                    () = told_to_stop() => Err(Failure::new(Kind::Failed, "stopped; nothing was written")),
                }
            }
        }
    }

    /// As [`Target::save`], of bytes that are here.
    pub async fn put(&self, bytes: &[u8]) -> Result<u64, Failure> {
        self.save(futures::stream::iter([Ok(Bytes::copy_from_slice(bytes))])).await
    }
}

/// Is there a file with exactly this content?
pub fn is_there(path: &Path, bytes: &[u8]) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file()) && fs::read(path).is_ok_and(|found| found == bytes)
}

fn exists(path: &Path) -> Failure {
    let message = format!("{} exists; it is not replaced without --force", path.display());
    Failure::new(Kind::Conflict, message)
}

fn writing(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Error::new(error).context(format!("writing {}", path.display())).into()
}

async fn pour(
    pieces: impl Stream<Item = Result<Bytes, Failure>>,
    out: &mut (impl AsyncWrite + Unpin),
    path: &Path,
) -> Result<u64, Failure> {
    let (mut pieces, mut size) = (pin!(pieces), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        out.write_all(&piece).await.map_err(writing(path))?;
    }
    out.flush().await.map_err(writing(path))?;
    Ok(size)
}

/// A file that is not whole yet. Dropping it removes it.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
}

impl Part {
    fn new(target: &Path, like: Option<&Metadata>) -> Result<Self, Failure> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = File::create_new(&path).map_err(writing(&path))?;
        let part = Self { path, target: target.to_owned(), file };
        if let Some(like) = like {
            part.file.set_permissions(like.permissions()).map_err(writing(&part.path))?;
        }
        Ok(part)
    }

    async fn fill(&self, pieces: impl Stream<Item = Result<Bytes, Failure>>, replaces: bool) -> Result<u64, Failure> {
        let (mut pieces, mut size) = (pin!(pieces), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            size += piece.len() as u64;
            // A piece is short, and it is the disk that takes it.
            (&self.file).write_all(&piece).map_err(writing(&self.path))?;
        }
        self.file.sync_all().map_err(writing(&self.path))?;
        self.name(replaces)?;
        Ok(size)
    }

    /// Gives the whole file its name; never one that something else has got meanwhile, unless that may be replaced.
    fn name(&self, replaces: bool) -> Result<(), Failure> {
        if replaces {
            return fs::rename(&self.path, &self.target).map_err(writing(&self.target));
        }
        match self.name_new() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&self.target)),
            done => done.map_err(writing(&self.target)),
        }
    }

    fn name_new(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            use rustix::{
                fs::{CWD, RenameFlags, renameat_with},
                io::Errno,
            };
            match renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE) {
                // Not every file system can.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                done => return Ok(done?),
            }
        }
        if fs::symlink_metadata(&self.target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.path, &self.target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // it has its name by now, or what went wrong before is the one to tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn put(path: &Path, bytes: &[u8], force: bool) -> Result<u64, Kind> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let done = Target::find(path, force).and_then(|target| runtime.block_on(target.put(bytes)));
        done.map_err(|failure| failure.kind)
    }

    fn names(dir: &Path) -> Vec<String> {
        let names =
            fs::read_dir(dir).expect("lists").map(|e| e.expect("lists").file_name().into_string().expect("UTF-8"));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_stays_unless_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, link, none) = (dir.path().join("file"), dir.path().join("link"), dir.path().join("none"));
        assert_eq!(put(&file, b"one", false), Ok(3));
        symlink("file", &link).expect("links");
        symlink("nowhere", &none).expect("links");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("sets");
        for path in [&file, &link] {
            assert_eq!(put(path, b"other", false), Err(Kind::Conflict));
        }
        for force in [false, true] {
            assert_eq!(put(&none, b"other", force), Err(Kind::Conflict));
            assert_eq!(put(dir.path(), b"other", force), Err(Kind::Usage));
            assert_eq!(put(&dir.path().join("no/such"), b"other", force), Err(Kind::Failed));
        }
        assert_eq!(fs::read(&file).expect("reads"), b"one");
        assert_eq!(put(&link, b"other", true), Ok(5));
        assert_eq!(fs::read(&file).expect("reads"), b"other");
        assert_eq!(fs::metadata(&file).expect("is there").permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(put(Path::new("/dev/null"), b"gone", false), Ok(4));
        assert!(!fs::metadata("/dev/null").expect("is there").is_file());
        assert_eq!(names(dir.path()), ["file", "link", "none"]);
    }

    #[test]
    fn what_comes_meanwhile_is_not_replaced_and_what_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let path = dir.path().join("file");
        let target = Target::find(&path, false).expect("is free");
        let broken = futures::stream::iter([Ok(Bytes::from("a")), Err(Failure::new(Kind::Network, "broke off"))]);
        assert!(runtime.block_on(target.save(broken)).is_err());
        assert_eq!(names(dir.path()), Vec::<String>::new());
        let other = futures::stream::once(async {
            fs::write(&path, "another's").expect("writes");
            Ok(Bytes::from("a"))
        });
        let failure = runtime.block_on(target.save(other)).expect_err("is taken");
        assert_eq!(failure.kind, Kind::Conflict);
        assert_eq!(
            (names(dir.path()), fs::read(&path).expect("reads")),
            (vec!["file".to_owned()], b"another's".into())
        );
        // Dropped, as at Ctrl-C.
        let other = dir.path().join("other");
        let target = Target::find(&other, false).expect("is free");
        let endless = futures::stream::iter([Ok(Bytes::from("a"))]).chain(futures::stream::pending());
        let stopped = runtime
            .block_on(async { tokio::time::timeout(std::time::Duration::from_millis(50), target.save(endless)).await });
        assert!(stopped.is_err());
        assert_eq!(names(dir.path()), ["file"]);
    }
}
