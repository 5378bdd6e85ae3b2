//! An OpenTimestamps calendar of the test's own, made of python-opentimestamps' parts; it anchors in the test's bitcoind.

use super::{bitcoind::Bitcoind, ots};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A running calendar. Killed when dropped.
pub struct Calendar {
    child: Child,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    pub port: u16,
}

impl Calendar {
    #[track_caller]
    pub fn start(bitcoind: &Bitcoind) -> Self {
        Self::start_at(bitcoind, 0)
    }

    /// At a port that it had before; 0: any.
    #[track_caller]
    pub fn start_at(bitcoind: &Bitcoind, port: u16) -> Self {
        let script = super::root().join("tests/it/support/ots_calendar.py");
        let mut child = Command::new(ots::python())
            .args(["-W", "ignore"])
            .arg(script)
            .arg(format!("{}/wallet/miner", bitcoind.url_with_credentials()))
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let (input, output) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).expect("it prints");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the calendar printed {line:?}"));
        Self { child, talk: Mutex::new((input, output)), port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How it behaves from now on: "good", or one of the ways in which calendars lie and break.
    pub fn mode(&self, mode: &str) {
        self.command(&format!("mode {mode}"));
    }

    /// Brings all that waits into a block; its height.
    pub fn anchor(&self) -> u64 {
        self.command("anchor").as_u64().expect("a height")
    }

    /// Every request so far: method, path, body in hex, `Accept`, `User-Agent`.
    pub fn seen(&self) -> Vec<[String; 5]> {
        serde_json::from_value(self.command("seen")).expect("requests")
    }

    fn command(&self, command: &str) -> Value {
        let mut talk = self.talk();
        let (input, output) = &mut *talk;
        writeln!(input, "{command}").expect("it reads");
        let mut line = String::new();
        output.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{command}: the calendar said {line:?}: {e}"))
    }

    fn talk(&self) -> MutexGuard<'_, (ChildStdin, BufReader<ChildStdout>)> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Calendar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
