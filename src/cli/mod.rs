//! The command line: one file per command. Prints for people, or with `--json` for scripts.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 denied, 5 conflict, 6 network or no running
//! node, 7 pending.

mod output;
mod stop;
mod context;
mod file;
mod passphrase;
mod init;
mod up;
mod id;
mod lock;
mod unlock;
mod config;
mod call;
mod conflict;
mod peer;
mod status;
mod add;
mod get;
mod sync;
mod device;
mod friend;
mod tenant;
mod record;
mod protocol_file;
mod protocol_gen;
mod protocol_new;
mod protocol_policy;
mod protocol;
mod grant;
mod pin;
mod storage;
mod backup;
mod psbt;
mod headers;
mod anchor;
mod stamp;
mod verify;
mod token;
mod wallet;
mod audit;
mod hook;

use crate::{
    foreign, process,
    rpc::control::{Failure, Kind},
};
use clap::{Parser, Subcommand};
use context::{Context, home, pair};
use output::{Output, aside, code, print};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

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
    Init(init::Args),
    /// Run the node in this terminal (makes a home first if there is none).
    Up(up::Args),
    /// Show who this node is, and care for its identities.
    Id {
        #[command(subcommand)]
        command: Option<id::Command>,
    },
    /// Wipe the keys from the running node's memory: it signs nothing until it is unlocked.
    Lock,
    /// Let the running node sign again.
    Unlock(unlock::Args),
    /// Show how the running node does.
    Status,
    /// Keep a file as a record of this node.
    Add(add::Args),
    /// Fetch a file by CID, from here or from the network.
    Get(get::Args),
    /// Devices this node keeps in step with.
    #[command(subcommand)]
    Peer(peer::Command),
    /// Offer another device of yours to come in: prints what to type there.
    Pair(device::PairArgs),
    /// Bring this device in, with what toft pair printed on another one of yours.
    Join(device::JoinArgs),
    /// Your devices.
    #[command(subcommand)]
    Device(device::Command),
    /// Friends: other persons' nodes, which get what you let them read.
    #[command(subcommand)]
    Friend(friend::Command),
    /// How devices stand with this node.
    #[command(subcommand)]
    Sync(sync::Command),
    /// Whose records this node keeps.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Edits made here that another device's took the place of without knowing them.
    #[command(subcommand)]
    Conflict(conflict::Command),
    /// Write, read and look for records.
    #[command(subcommand)]
    Record(record::Command),
    /// What records mean to apps, and who may do what with them.
    #[command(subcommand)]
    Protocol(protocol::Command),
    /// What others may do with this node's records.
    #[command(subcommand)]
    Grant(grant::Command),
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
    /// Let a file that is not kept have a time proof; run again later, it writes FILE.ots.
    Stamp(stamp::Args),
    /// Check a time proof against the file it is about.
    Verify(verify::Args),
    /// Who may call this node, and what: tokens with scopes.
    #[command(subcommand)]
    Token(token::Command),
    /// Wallets that ask to be let in.
    #[command(subcommand)]
    Wallet(wallet::Command),
    /// Call a method of the RPC by its name: what has no command of its own, and for scripts.
    Call(call::Args),
    /// What was done to this node, and by whom.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Show, check or change the settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Started by the node: becomes a hook, within limits.
    #[command(hide = true, name = crate::hook::COMMAND)]
    HookExec(hook::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::HookExec(args) = &cli.command {
        return hook::run(args);
    }
    let json = cli.json;
    match run(cli) {
        Ok(Some(output)) => {
            print(json, &output);
            output.failed.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(code(kind)))
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
    if !matches!(
        cli.command,
        Command::Get(_)
            | Command::Conflict(_)
            | Command::Record(_)
            | Command::Protocol(_)
            | Command::Anchor(_)
            | Command::Stamp(_)
    ) {
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
            Command::Init(args) => init::run(&context, &args).map(Some),
            Command::Up(args) => up::run(&context, &args).await.map(|()| None),
            Command::Id { command } => id::run(&context, command).await.map(Some),
            Command::Lock => lock::run(&context).await.map(Some),
            Command::Unlock(args) => unlock::run(&context, &args).await.map(Some),
            Command::Status => status::run(&context).await.map(Some),
            Command::Add(args) => add::run(&context, &args).await.map(Some),
            Command::Get(args) => get::run(&context, &args).await,
            Command::Peer(command) => peer::run(&context, command).await.map(Some),
            Command::Pair(args) => device::pair(&context, args).await.map(Some),
            Command::Join(args) => device::join(&context, args).await.map(Some),
            Command::Device(command) => device::run(&context, command).await.map(Some),
            Command::Friend(command) => friend::run(&context, command).await.map(Some),
            Command::Sync(command) => sync::run(&context, command).await.map(Some),
            Command::Tenant(command) => tenant::run(&context, command).await.map(Some),
            Command::Conflict(command) => conflict::run(&context, command).await,
            Command::Record(command) => record::run(&context, command).await,
            Command::Protocol(command) => protocol::run(&context, command).await,
            Command::Grant(command) => grant::run(&context, command).await.map(Some),
            Command::Pin(command) => pin::run(&context, command).await.map(Some),
            Command::Storage(command) => storage::run(&context, command).await.map(Some),
            Command::Backup(command) => backup::run(&context, command).await.map(Some),
            Command::Anchor(command) => anchor::run(&context, command).await,
            Command::Stamp(args) => stamp::run(&context, &args).await.map(Some),
            Command::Verify(args) => verify::run(&context, &args).await.map(Some),
            Command::Token(command) => token::run(&context, command).await.map(Some),
            Command::Wallet(command) => wallet::run(&context, command).await.map(Some),
            Command::Call(args) => call::run(&context, &args).await.map(Some),
            Command::Audit(command) => audit::run(&context, command).await,
            Command::Config(command) => config::run(&context, &command).await.map(Some),
            Command::HookExec(_) => Ok(None), // it never comes here
        }
    });
    // A blocking read nobody waits for any more must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
