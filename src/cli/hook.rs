//! `toft hook-exec` (hidden): what the node starts to run a hook. It takes limits upon itself and becomes the program.

use super::output::aside;
use crate::hook::{Limits, become_hook};
use std::{ffi::OsString, process::ExitCode};

/// What shells say where a program cannot be run.
const NOT_RUN: u8 = 127;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seconds of processor time.
    cpu: u64,
    /// Bytes of address space.
    memory: u64,
    /// Bytes of a file.
    file_size: u64,
    /// Processes and threads.
    processes: u64,
    /// Program and arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub fn run(args: &Args) -> ExitCode {
    let Args { cpu, memory, file_size, processes, command } = args;
    let limits = Limits { cpu: *cpu, memory: *memory, file_size: *file_size, processes: *processes };
    if let Some((program, arguments)) = command.split_first() {
        let error = become_hook(&limits, program, arguments);
        aside(&format!("{} cannot be run: {error}", program.display()));
    }
    ExitCode::from(NOT_RUN)
}
