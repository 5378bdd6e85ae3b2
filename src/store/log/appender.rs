//! Writing the log: one owner, at its end.

use super::reader::Log;
use crate::{
    dwn::Fault,
    scarce,
    store::{files::sync_dir, place::Position},
};
use anyhow::Context as _;
use std::{fs::File, os::unix::fs::FileExt as _, sync::PoisonError};

/// Writes the log: one, owned by the writer thread.
#[derive(Debug)]
pub struct Appender {
    log: Log,
    segment_size: u64,
    start: Position,
    end: Position,
    file: Option<File>,
    /// A write failed, and what it left behind the end could not be cut away.
    uncut: bool,
    /// The file is not written to any more.
    left: bool,
}

impl Appender {
    /// Continues the log at `end`; what stands after it in its segment is cut away.
    pub fn open(log: Log, end: Position, segment_size: u64) -> Result<Self, Fault> {
        let holder = {
            let segments = log.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            segments.range(..=end).next_back().map(|(start, _)| *start)
        };
        let mut appender = Self { segment_size, start: end, end, file: None, uncut: false, left: false, log };
        // A compacted segment is never written on: behind it a new one begins.
        if let Some(start) = holder
            && !appender.log.open_at(start)?.is_compacted()
        {
            let path = appender.log.path(start);
            let file =
                File::options().write(true).open(&path).with_context(|| format!("opening {}", path.display()))?;
            if file.metadata()?.len() > end - start {
                file.set_len(end - start).with_context(|| format!("cutting {} back", path.display()))?;
                file.sync_all()?;
            }
            if file.metadata()?.len() == end - start {
                (appender.start, appender.file) = (start, Some(file));
            }
        }
        Ok(appender)
    }

    /// Where the next group will begin; begins a new segment if the last is full.
    pub fn begin(&mut self) -> Result<Position, Fault> {
        if self.uncut {
            self.cut()?;
        }
        if self.left {
            if let Some(file) = &self.file {
                file.sync_all().with_context(|| format!("leaving {}", self.log.path(self.start).display()))?;
            }
            (self.file, self.left) = (None, false);
        }
        if self.file.is_none() || self.end - self.start >= self.segment_size {
            let path = self.log.path(self.end);
            let file = scarce::patiently(|| File::options().write(true).create(true).truncate(true).open(&path));
            let file = file.with_context(|| format!("creating {}", path.display()))?;
            // The directory entry must be as durable as the frames that go into the file.
            sync_dir(&self.log.0.dir)?;
            self.log.0.segments.lock().unwrap_or_else(PoisonError::into_inner).insert(self.end, None);
            (self.start, self.file) = (self.end, Some(file));
        }
        Ok(self.end)
    }

    /// The group just written did not become durable, and never will: it is cut away, and its segment left.
    pub fn leave(&mut self) {
        (self.uncut, self.left) = (true, true);
    }

    /// Leaves a gap: the next group begins, in a new segment, at `end`.
    pub fn skip_to(&mut self, end: Position) {
        (self.start, self.end, self.file) = (end, end, None);
    }

    /// Writes a group's bytes without making them durable. On failure nothing of them stays.
    pub fn write(&mut self, group: &[u8]) -> Result<(), Fault> {
        let offset = self.end - self.start;
        let path = self.log.path(self.start);
        let file = self.file.as_ref().context("a group is written before its segment was begun")?;
        if let Err(error) = file.write_all_at(group, offset) {
            if let Err(error) = self.cut() {
                tracing::error!("{error:#}; nothing is written before it can be");
            }
            return Err(error).with_context(|| format!("writing {}", path.display()));
        }
        Ok(())
    }

    /// Takes away what a failed write has left behind the end: a shorter group upon it would be followed by its rest.
    fn cut(&mut self) -> Result<(), Fault> {
        self.uncut = true;
        let Some(file) = &self.file else { return Ok(()) };
        let offset = self.end - self.start;
        let cut = file.metadata().and_then(|found| if found.len() > offset { file.set_len(offset) } else { Ok(()) });
        cut.with_context(|| format!("cutting {} back after a failed write", self.log.path(self.start).display()))?;
        self.uncut = false;
        Ok(())
    }

    /// Makes the group just written durable. After a failure the state of the file is unknown: stop writing.
    pub fn sync(&mut self, group: &[u8]) -> Result<Position, Fault> {
        let file = self.file.as_ref().context("a group is synced before its segment was begun")?;
        #[cfg(test)]
        self.log.sync_fails().with_context(|| "a test's failure")?;
        file.sync_data().with_context(|| format!("making {} durable", self.log.path(self.start).display()))?;
        self.end += group.len() as u64;
        Ok(self.end)
    }
}
