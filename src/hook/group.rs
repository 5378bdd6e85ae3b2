//! The process group of a hook: counted, and ended as a whole.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

/// All of it is killed when it is dropped.
#[derive(Debug)]
pub struct Group {
    leader: Pid,
    /// It was killed when its leader was gone: from then on the number may be another's.
    is_over: AtomicBool,
}

impl Group {
    /// The group that this process leads.
    pub fn led_by(process: u32) -> Option<Self> {
        let leader = Pid::from_raw(i32::try_from(process).ok()?)?;
        Some(Self { leader, is_over: AtomicBool::new(false) })
    }

    /// Nobody of it starts another one meanwhile: a fork does not go through while a signal waits.
    pub fn kill(&self) {
        if !self.is_over.load(Ordering::SeqCst) {
            // It may be gone.
            let _ = kill_process_group(self.leader, Signal::KILL);
        }
    }

    /// Kills who is left when the leader has ended and was waited for.
    pub fn kill_rest(&self) {
        self.kill();
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// How many processes it has (blocking); 0 where the system does not tell.
    pub fn count(&self) -> usize {
        let own = self.leader.as_raw_nonzero().get();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = all.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        stats.filter(|stat| of(stat) == Some(own)).count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The group that a line of `/proc/…/stat` names. What stands in brackets is the program's to choose.
fn of(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_with_brackets_and_spaces_deceives_nobody() {
        assert_eq!(super::of("12 (a) 9 (b) S 1 77 77 0 -1"), Some(77));
        assert_eq!(super::of("nothing"), None);
    }
}
