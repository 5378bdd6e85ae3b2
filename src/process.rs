//! What this process is allowed, and what others may see of it.

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, setrlimit, umask},
};

/// Keeps the memory of this process, where the keys are, from others: no core file is written of it, and no other process
/// of the same user may read it. Where the system does not know this, it is left.
pub fn hide_memory() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Files and folders that this process makes from now on are for this user alone: 0600 and 0700.
pub fn own_files() {
    umask(Mode::RWXG | Mode::RWXO);
}
