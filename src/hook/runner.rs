//! Running a hook: started, fed, heard, and ended in any case.

use super::{
    config::Config,
    error::HookError,
    folder::Folder,
    group::Group,
    limits::{COMMAND, Limits},
};
use anyhow::Error;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde_json::{Map, Value};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    pin::Pin,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};

/// Bytes that a hook may say on either of its outputs.
pub const OUTPUT_MAX: usize = 64 << 10;
/// How often the processes of its group are counted.
const COUNT_EVERY: Duration = Duration::from_millis(50);
/// All that a hook finds in its environment.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What follows the first line on a hook's standard input.
pub type Input = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// Runs hooks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner {
    config: Arc<Config>,
    /// The `toft` program.
    own: Arc<PathBuf>,
    places: Arc<Semaphore>,
}

impl Runner {
    pub fn new(config: &Config) -> Self {
        // On Linux the program that runs, even if its file was replaced meanwhile.
        let own = match cfg!(target_os = "linux") {
            true => PathBuf::from("/proc/self/exe"),
            false => std::env::current_exe().unwrap_or_default(),
        };
        let places = Arc::new(Semaphore::new(config.at_once as usize));
        Self { config: Arc::new(config.clone()), own: Arc::new(own), places }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Asks the hook `command` (program and arguments): `head` as one line of JSON, then `body`; its answer.
    pub async fn ask(&self, command: &[String], head: &Value, body: Input) -> Result<Map<String, Value>, HookError> {
        let config = &*self.config;
        let _place = self.places.try_acquire().map_err(|_| HookError::Busy(config.at_once))?;
        let folder = Folder::new().map_err(HookError::NotStarted)?;
        let mut running = Running::start(self.command(command, &folder)).map_err(HookError::NotStarted)?;
        let (group, processes) = (running.group.clone(), config.processes);
        let said = tokio::select! {
            said = timeout(config.timeout.0, running.converse(head, body, config)) => {
                said.unwrap_or_else(|_| Err(HookError::TooLong(config.timeout.to_string())))
            }
            too_many = watch(&group, processes) => Err(too_many),
        };
        running.end().await;
        // It may be large.
        let _ = spawn_blocking(move || drop(folder)).await;
        answer(&said?)
    }

    fn command(&self, hook: &[String], folder: &Folder) -> Command {
        let config = &*self.config;
        let limits = Limits {
            cpu: config.cpu,
            memory: config.memory,
            file_size: config.file_size,
            processes: config.processes.into(),
        };
        let mut command = Command::new(&*self.own);
        command.arg(COMMAND).args(limits.arguments()).arg("--").args(hook);
        command.env_clear().env("PATH", PATH).current_dir(folder.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A hook that was started. Its group is killed when it is dropped.
struct Running {
    group: Arc<Group>,
    stdin: Option<pipe::Sender>,
    outputs: Option<(pipe::Receiver, pipe::Receiver)>,
    /// Waits for its end in a thread: there it is also waited for if nobody asks any more.
    status: JoinHandle<io::Result<ExitStatus>>,
}

impl Running {
    /// On the caller's thread, a worker of the runtime: a hook ends with the thread that started it.
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let group = Group::led_by(child.id()).ok_or_else(|| io::Error::other("it has no id"))?;
        let pipes = pipes(&mut child);
        let status = spawn_blocking(move || child.wait());
        let (stdin, outputs) = pipes?;
        Ok(Self { group: Arc::new(group), stdin: Some(stdin), outputs: Some(outputs), status })
    }

    /// Feeds a hook and hears it, until it has ended. Who of its group is left then is killed, so that nobody holds its outputs open.
    async fn converse(&mut self, head: &Value, body: Input, config: &Config) -> Result<Vec<u8>, HookError> {
        let (stdin, outputs) = (self.stdin.take(), self.outputs.take());
        let (out, err) = outputs.ok_or_else(|| HookError::NoAnswer("it was asked before".into()))?;
        let end = async {
            let status = (&mut self.status).await.map_err(io::Error::other).flatten();
            self.group.kill_rest();
            status.map_err(HookError::NotStarted)
        };
        let (status, said, errors, ()) = tokio::try_join!(end, hear(out), hear(err), feed(stdin, head, body))?;
        if !status.success() {
            return Err(HookError::ended(status, &errors, config));
        }
        Ok(said)
    }

    /// Kills what is left of it, and waits for its end.
    async fn end(mut self) {
        self.group.kill();
        if !self.status.is_finished() {
            let _ = (&mut self.status).await;
        }
        self.group.kill_rest();
    }
}

/// Its standard input and both of its outputs.
fn pipes(child: &mut Child) -> io::Result<(pipe::Sender, (pipe::Receiver, pipe::Receiver))> {
    let none = || io::Error::other("it has no pipe");
    let stdin = OwnedFd::from(child.stdin.take().ok_or_else(none)?);
    let out = OwnedFd::from(child.stdout.take().ok_or_else(none)?);
    let err = OwnedFd::from(child.stderr.take().ok_or_else(none)?);
    let outputs = (pipe::Receiver::from_owned_fd(out)?, pipe::Receiver::from_owned_fd(err)?);
    Ok((pipe::Sender::from_owned_fd(stdin)?, outputs))
}

/// A hook need not read all that it is given.
async fn feed(stdin: Option<pipe::Sender>, head: &Value, mut body: Input) -> Result<(), HookError> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    let line = format!("{head}\n");
    if stdin.write_all(line.as_bytes()).await.is_err() {
        return Ok(());
    }
    while let Some(piece) = body.next().await {
        if stdin.write_all(&piece.map_err(HookError::Input)?).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn hear(from: pipe::Receiver) -> Result<Vec<u8>, HookError> {
    let mut said = Vec::new();
    let read = from.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut said).await;
    read.map_err(|error| HookError::NoAnswer(error.to_string()))?;
    match said.len() > OUTPUT_MAX {
        true => Err(HookError::SaidTooMuch(OUTPUT_MAX)),
        false => Ok(said),
    }
}

/// Ends when there are too many processes.
async fn watch(group: &Arc<Group>, most: u32) -> HookError {
    loop {
        sleep(COUNT_EVERY).await;
        let counted = group.clone();
        if spawn_blocking(move || counted.count()).await.is_ok_and(|count| count > most as usize) {
            return HookError::TooManyProcesses(most);
        }
    }
}

fn answer(said: &[u8]) -> Result<Map<String, Value>, HookError> {
    if said.trim_ascii().is_empty() {
        return Err(HookError::NoAnswer("it said nothing".into()));
    }
    serde_json::from_slice(said).map_err(|error| HookError::NoAnswer(format!("it is not one JSON object: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_object() {
        assert_eq!(answer(b" {\"valid\": true}\n").expect("an answer").len(), 1);
        for (said, why) in
            [("", "nothing"), (" \n", "nothing"), ("[]", "not one"), ("{} {}", "not one"), ("yes", "not one")]
        {
            let error = answer(said.as_bytes()).expect_err("none").to_string();
            assert!(error.contains(why), "{said}: {error}");
        }
    }
}
