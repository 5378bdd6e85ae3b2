//! The command line: one file per command. Prints for people, or with `--json` for scripts.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 denied, 5 conflict, 6 network or no running
//! node, 7 pending.

mod add;
mod anchor;
mod backup;
mod config;
mod file;
mod get;
mod id;
mod init;
mod peer;
mod pin;
mod record;
mod status;
mod storage;
mod tenant;
mod up;
mod verify;

use crate::{
    config::Config,
    foreign, process,
    rpc::{
        client::Client,
        control::{Failure, Kind},
    },
};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use std::{io::Write as _, path::PathBuf, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A personal data node: DWN records, content blocks, sync by DID, Bitcoin time proofs.
#[derive(Debug, Parser)]
#[command(name = "toft", version, arg_required_else_help = true)]
struct Cli {
    /// Folder of the node's keys, records and settings.
    #[arg(long, global = true, env = "TOFT_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Override a setting, e.g. --set dwn.listen=127.0.0.1:3001 (may be repeated).
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a home: identity, sealed keys, node.toml.
    Init,
    /// Run the node in this terminal (makes a home first if there is none).
    Up(up::Args),
    /// Show who this node is.
    Id,
    /// Show how the running node does.
    Status,
    /// Keep a file as a record of this node.
    Add(add::Args),
    /// Fetch a file by CID, from here or from the network.
    Get(get::Args),
    /// Devices this node keeps in step with.
    #[command(subcommand)]
    Peer(peer::Command),
    /// Whose records this node keeps.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Look for records.
    #[command(subcommand)]
    Record(record::Command),
    /// Data that stays even if no record holds it any more.
    #[command(subcommand)]
    Pin(pin::Command),
    /// What the node takes on disk, and its care.
    #[command(subcommand)]
    Storage(storage::Command),
    /// Copies of the home.
    #[command(subcommand)]
    Backup(backup::Command),
    /// Time proofs in Bitcoin.
    #[command(subcommand)]
    Anchor(anchor::Command),
    /// Check a time proof against the file it is about.
    Verify(verify::Args),
    /// Show or check the settings.
    #[command(subcommand)]
    Config(config::Command),
}

/// What a command did: for scripts and for people.
#[derive(Debug)]
struct Output {
    json: Value,
    text: String,
    /// It did what it was asked to, and what it found is no success.
    failed: bool,
}

impl Output {
    fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), failed: false }
    }

    /// What the node has answered, and for people what `describe` makes of it: it gets texts that are to be shown.
    fn of(json: Value, describe: impl FnOnce(&Value) -> String) -> Self {
        let text = describe(&foreign::value(&json));
        Self::new(json, text)
    }

    /// The same, with exit code 1 where `failed`.
    fn failed_if(self, failed: bool) -> Self {
        Self { failed, ..self }
    }
}

/// What commands share.
#[derive(Debug)]
struct Context {
    home: PathBuf,
    json: bool,
    flags: Vec<(String, String)>,
}

impl Context {
    /// Settings from file, environment and options (those of the command last).
    fn config(&self, more: &[(String, String)]) -> Result<Config, Failure> {
        let flags = [&self.flags, more].concat();
        // What is not text is no setting of ours.
        let vars = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Ok(Config::load(&self.home, vars, &flags)?)
    }

    /// The running node of this home.
    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.home, &self.config(&[])?.rpc.socket))
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(Some(output)) => {
            print(json, &output);
            if output.failed { ExitCode::from(code(Kind::Failed)) } else { ExitCode::SUCCESS }
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(failure) => {
            if json {
                let error = json!({"error": {"kind": failure.kind, "message": failure.message}});
                aside(&foreign::json(&error.to_string()));
            } else {
                aside(&format!("✗ {failure}"));
            }
            ExitCode::from(code(failure.kind))
        }
    }
}

fn run(cli: Cli) -> Result<Option<Output>, Failure> {
    process::hide_memory();
    // What is written for the user (`-o FILE`) gets the modes that he has set; all else is of the home or a copy of it.
    if !matches!(cli.command, Command::Get(_) | Command::Anchor(_)) {
        process::own_files();
    }
    let flags = cli.set.iter().map(|text| pair(text)).collect::<Result<_, _>>()?;
    let context = Context { home: home(cli.home)?, json: cli.json, flags };
    // Twice the cores: half of them may be judging messages (and reading the disk) while the others serve the network.
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Failed, format!("the runtime could not be started: {e}")))?;
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Init => init::run(&context).map(Some),
            Command::Up(args) => up::run(&context, &args).await.map(|()| None),
            Command::Id => id::run(&context).map(Some),
            Command::Status => status::run(&context).await.map(Some),
            Command::Add(args) => add::run(&context, &args).await.map(Some),
            Command::Get(args) => get::run(&context, &args).await,
            Command::Peer(command) => peer::run(&context, command).await.map(Some),
            Command::Tenant(command) => tenant::run(&context, command).await.map(Some),
            Command::Record(command) => record::run(&context, command).await.map(Some),
            Command::Pin(command) => pin::run(&context, command).await.map(Some),
            Command::Storage(command) => storage::run(&context, command).await.map(Some),
            Command::Backup(command) => backup::run(&context, command).await.map(Some),
            Command::Anchor(command) => anchor::run(&context, command).await,
            Command::Verify(args) => verify::run(&context, &args).await.map(Some),
            Command::Config(command) => config::run(&context, &command).map(Some),
        }
    });
    // A blocking read nobody waits for any more must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

/// Cancelled when the user asks to stop, with Ctrl-C or SIGTERM: the command cleans up and ends. Asked twice, it is left
/// as it is.
fn interruptible() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).map_err(|e| Failure::new(Kind::Failed, format!("listening for signals: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            asked.cancel();
            if again {
                std::process::exit(1);
            }
        }
    });
    Ok(stop)
}

/// A command to print as the next step: for the same home as this one, quoted for a shell.
fn next(context: &Context, command: &str) -> String {
    let is_default = home(None).is_ok_and(|default| default == context.home);
    let option =
        if is_default { String::new() } else { format!(" --home {}", quoted(&context.home.to_string_lossy())) };
    format!("toft {command}{option}")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn home(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let home = match given {
        Some(home) => home,
        None => std::env::home_dir()
            .ok_or_else(|| {
                Failure::new(Kind::Usage, "there is no home folder to put .toft into: give one with --home")
            })?
            .join(".toft"),
    };
    std::path::absolute(&home).map_err(|e| Failure::new(Kind::Usage, format!("--home {}: {e}", home.display())))
}

fn pair(text: &str) -> Result<(String, String), Failure> {
    let usage = || Failure::new(Kind::Usage, format!("--set {text}: write it as section.key=value"));
    let (path, value) = text.split_once('=').ok_or_else(usage)?;
    Ok((path.trim().to_owned(), value.to_owned()))
}

fn print(json: bool, output: &Output) {
    let text = if json { foreign::json(&output.json.to_string()) } else { output.text.trim_end().to_owned() };
    if !text.is_empty() {
        say(&text); // no lines are no line
    }
}

/// Lines on standard output. Whatever is in them, they mean nothing else to a terminal.
fn say(text: &str) {
    // A closed pipe (`toft … | head`) is the reader's choice, no failure of the command.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", foreign::lines(text)).and_then(|()| out.flush());
}

/// Lines beside the output: a program may be reading that.
fn aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", foreign::lines(text));
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotFound => 3,
        Kind::Denied => 4,
        Kind::Conflict => 5,
        Kind::Network => 6,
        Kind::Pending => 7,
    }
}

/// `1234567` → `1.2 MB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
