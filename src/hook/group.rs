//! The process group of a hook: counted, and ended as a whole.

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;

/// All of it is killed when it is dropped.
#[derive(Debug)]
pub struct Group(Pid);

impl Group {
    /// The group that this process leads.
    pub fn led_by(process: u32) -> Option<Self> {
        Some(Self(Pid::from_raw(i32::try_from(process).ok()?)?))
    }

    /// Nobody of it starts another one meanwhile: a fork does not go through while a signal waits.
    pub fn kill(&self) {
        // It may be gone.
        let _ = kill_process_group(self.0, Signal::KILL);
    }

    /// How many processes it has (blocking); 0 where the system does not tell.
    pub fn count(&self) -> usize {
        let own = self.0.as_raw_nonzero().get();
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
