//! The other side: this program, started anew, takes limits upon itself and becomes the hook.

use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::Command,
};

/// The hidden command of the `toft` program that does it.
pub const COMMAND: &str = "hook-exec";
/// Files that a hook may have open.
const FILES: u64 = 64;

/// How far a hook may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Seconds of processor time.
    pub cpu: u64,
    /// Bytes of address space.
    pub memory: u64,
    /// Bytes of a file.
    pub file_size: u64,
    /// Processes and threads.
    pub processes: u64,
}

impl Limits {
    /// As arguments of [`COMMAND`].
    pub fn arguments(&self) -> [String; 4] {
        [self.cpu, self.memory, self.file_size, self.processes].map(|limit| limit.to_string())
    }
}

/// Becomes the program, within limits. It returns only if that did not work.
pub fn become_hook(limits: &Limits, program: &OsString, arguments: &[OsString]) -> io::Error {
    let mut command = Command::new(program);
    command.args(arguments);
    match confine(limits) {
        Ok(()) => command.exec(),
        Err(error) => error,
    }
}

fn confine(limits: &Limits) -> io::Result<()> {
    // A node that is killed leaves no hook behind.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let set = |resource, soft, hard| setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) });
    set(Resource::Core, 0, 0)?;
    // The signal at the soft limit says why it ended.
    set(Resource::Cpu, limits.cpu, limits.cpu + 1)?;
    set(Resource::Fsize, limits.file_size, limits.file_size)?;
    set(Resource::Nofile, FILES, FILES)?;
    // The system counts all of the user's: what is there already does not count as the hook's. (It holds for nobody who is root: the
    // runner counts too.)
    let processes = others().saturating_add(limits.processes);
    set(Resource::Nproc, processes, processes)?;
    // The last: from here on, this program may get no memory any more.
    set(Resource::As, limits.memory, limits.memory)?;
    Ok(())
}

/// Processes and threads of this user, as far as they are told.
fn others() -> u64 {
    let Ok(own) = fs::metadata("/proc/self").map(|own| own.uid()) else { return 0 };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = all.filter(|entry| entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == own));
    own.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse::<u64>().ok()
    })
    .sum()
}
