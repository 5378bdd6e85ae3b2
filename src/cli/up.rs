//! `toft up`: the node, in the foreground.

use super::{
    context::Context,
    init,
    output::{self, bytes},
    passphrase::Brought,
};
use crate::{
    config::{Config, LogFormat},
    daemon::{Daemon, Facts, Lock},
    log::{self, Kinds},
    rpc::control::{Failure, Kind},
    vault,
};
use anyhow::{Context as _, Error};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the DWN endpoint (dwn.listen).
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Whose records are kept: self, allow-list, registration or open (dwn.tenants).
    #[arg(long, value_name = "WHO")]
    tenants: Option<String>,
    /// Multiaddrs of the peer-to-peer side, comma-separated (net.listen).
    #[arg(long, value_name = "MULTIADDRS")]
    net_listen: Option<String>,
    /// Address of the gateway, empty for none (gateway.listen).
    #[arg(long, value_name = "HOST:PORT")]
    gateway_listen: Option<String>,
    #[command(flatten)]
    passphrase: Brought,
}

pub async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let given = [
        ("dwn.listen", &args.listen),
        ("dwn.tenants", &args.tenants),
        ("net.listen", &args.net_listen),
        ("gateway.listen", &args.gateway_listen),
    ];
    let flags: Vec<_> = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect();
    let config = context.config(&flags)?;
    let logged = log(&config)?;
    tokio::spawn(logged.clone().keep_telling());
    let outcome = serve(context, &config, &args.passphrase).await;
    logged.tell();
    outcome
}

async fn serve(context: &Context, config: &Config, brought: &Brought) -> Result<(), Failure> {
    vault::make_private_dir(&context.home)?;
    let lock = Lock::take(&context.home)?;
    let keys = config.identity.vault(&context.home)?;
    if !keys.exists() {
        let made = init::prepare(&context.home, config, init::New::default_of(config), brought.chosen()?.as_ref())?;
        say(context, &format!("✓ New home    {}   identity {}", context.home.display(), made.did));
        if let Some(words) = &made.words {
            say(context, &init::tell_words(words));
        }
    }
    let passphrase = brought.open(context, &keys)?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C").map_err(Failure::from)?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM").map_err(Failure::from)?;
    let daemon = tokio::select! {
        started = Daemon::start(&context.home, config, lock, passphrase) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    report(context, daemon.facts())?;
    let asked = tokio::select! {
        _ = interrupt.recv() => true,
        _ = terminate.recv() => true,
        () = daemon.failed() => false,
    };
    if asked {
        say(context, "… stopping");
    }
    let outcome = tokio::select! {
        outcome = daemon.stop() => outcome,
        // Asked twice: nothing acknowledged is lost by leaving at once.
        _ = interrupt.recv() => return Err(Failure::new(Kind::Failed, "left without waiting")),
    };
    if outcome.is_ok() && asked {
        say(context, "✓ Stopped");
    }
    outcome.map_err(|e| Failure::new(Kind::Failed, format!("{e:#}")))
}

fn report(context: &Context, facts: &Facts) -> Result<(), Error> {
    if context.json {
        output::say(&serde_json::to_string(facts).context("writing what runs")?);
        return Ok(());
    }
    let records = facts.store.records;
    say(
        context,
        &format!(
            "✓ Store       {records} records, {} messages, {} log, opened in {} ms",
            facts.store.messages,
            bytes(facts.log_bytes),
            facts.opened_in.as_millis()
        ),
    );
    for problem in &facts.degraded {
        say(context, &format!("! Store       {problem}"));
    }
    say(context, &format!("✓ Identity    {}", facts.did));
    say(context, &format!("✓ DWN         {}", facts.dwn));
    if facts.locked {
        let unlock = context.next("unlock");
        say(
            context,
            &format!("! Keys        locked: it signs nothing, reaches no peers and anchors nothing until {unlock}"),
        );
    }
    say(context, &format!("✓ P2P         {}", facts.peer.as_deref().unwrap_or("locked")));
    for address in &facts.addresses {
        say(context, &format!("              {address}"));
    }
    say(context, &format!("✓ Gateway     {}", facts.gateway.as_deref().unwrap_or("off")));
    let rpc = facts.rpc.as_deref().map(|url| format!(", {url}")).unwrap_or_default();
    say(context, &format!("✓ RPC         {}{rpc}", facts.socket.display()));
    say(context, &format!("✓ Anchoring   {}", facts.anchoring));
    let next = context.next("status");
    say(context, &format!("→ Runs in this terminal; Ctrl-C stops it. Next: {next}"));
    Ok(())
}

/// Lines for people; scripts that ask for JSON get one object when the node is ready.
fn say(context: &Context, line: &str) {
    if !context.json {
        // A closed pipe must not stop a node.
        output::say(line);
    }
}

fn log(config: &Config) -> Result<Kinds, Failure> {
    let filter = log::filter(&config.log.level).map_err(|e| Failure::new(Kind::Usage, e))?;
    let json = config.log.format == LogFormat::Json;
    log::start(filter, json, config.log.repeats).map_err(|e| Failure::new(Kind::Failed, e))
}
