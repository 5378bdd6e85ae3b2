//! `toft pair`, `toft join CODE`, `toft device ls | rename | rm | confirm`: a person's devices.

use super::{
    context::Context,
    output::{Output, aside},
    stop::interruptible,
};
use crate::{
    devices::{Joining, JoiningState, Listed, OfferStanding, OfferState, Offered},
    rpc::{
        client::Client,
        control::{
            Failure, Kind, NoParams,
            devices::{self, Awaited, Decision, Joins, NewName, NewOffer, OneDevice},
        },
    },
};
use std::io::{BufRead as _, IsTerminal as _};

/// Of one call that waits.
const WAIT: u64 = 30;

#[derive(Debug, clap::Args)]
pub struct PairArgs {
    /// Let both keep the records of this DID (may be repeated; default: this node's own and the other's).
    #[arg(long = "tenant", value_name = "DID")]
    tenants: Vec<String>,
    /// Print the code and end: toft device confirm lets the other device in.
    #[arg(long)]
    offer: bool,
}

#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// As toft pair, on the other device, prints it.
    code: String,
    /// Where the other device is, if not where the code says: a multiaddr such as /ip4/192.0.2.7/tcp/4001.
    #[arg(long, value_name = "ADDR")]
    at: Option<String>,
    /// Let the other device keep this one's own records too. Only if the code is from a device of yours.
    #[arg(long)]
    share: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the devices, this one first.
    Ls,
    /// Call a device something else.
    Rename {
        /// Its name or DID.
        device: String,
        name: String,
    },
    /// Let nothing more go to a device. What it has it keeps.
    Rm {
        /// Its name or DID.
        device: String,
    },
    /// Let in the device that waits and shows these six digits; without them, say who waits.
    Confirm {
        digits: Option<String>,
        /// Turn it away.
        #[arg(long, conflicts_with = "digits")]
        no: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Ls => {
            let all = client.call::<devices::List>(&NoParams {}).await?;
            Output::of(&all, |all| {
                let mut lines: Vec<_> = all.iter().map(line).collect();
                if all.len() == 1 {
                    lines.push(format!("→ Another device: {}", context.next("pair")));
                }
                lines.join("\n")
            })
        }
        Command::Rename { device, name } => {
            let renamed = client.call::<devices::Rename>(&NewName { device, name }).await?;
            Output::of(&renamed, |device| format!("✓ {} is called {}", device.did, device.name))
        }
        Command::Rm { device } => {
            let removed = client.call::<devices::Remove>(&OneDevice { device }).await?;
            Output::of(&removed, |device| {
                format!("✓ {} ({}) is no device any more. What it has it keeps", device.name, device.did)
            })
        }
        Command::Confirm { digits: None, no: false } => {
            let standing = client.call::<devices::Standing>(&Awaited { wait: 0, after: None }).await?;
            Output::of(&standing, |standing| told(context, standing))
        }
        Command::Confirm { digits, no: _ } => {
            let standing = client.call::<devices::Decide>(&Decision { digits }).await?;
            ended(context, &standing)
        }
    }
}

/// Makes an offer, and waits at the terminal for the device and its owner.
pub async fn pair(context: &Context, args: PairArgs) -> Result<Output, Failure> {
    let client = context.client()?;
    let offered = client.call::<devices::Offer>(&NewOffer { tenants: args.tenants }).await?;
    if args.offer || context.json {
        return Output::of(&offered, |offered| shown(context, offered));
    }
    aside(&shown(context, &offered));
    let mut after = OfferState::Open;
    loop {
        let standing = client.call::<devices::Standing>(&Awaited { wait: WAIT, after: Some(after) }).await?;
        match standing.state {
            OfferState::Asks if after != OfferState::Asks => {
                after = OfferState::Asks;
                aside(&told(context, &standing));
                if std::io::stdin().is_terminal() {
                    let digits = answered()?;
                    let decided = client.call::<devices::Decide>(&Decision { digits }).await?;
                    return ended(context, &decided);
                }
            }
            OfferState::Open | OfferState::Asks => {}
            OfferState::Paired | OfferState::Over | OfferState::None => return ended(context, &standing),
        }
    }
}

/// Goes to the device that made the offer, and waits for its owner.
pub async fn join(context: &Context, args: JoinArgs) -> Result<Output, Failure> {
    let client = context.client()?;
    let waits = client.call::<devices::Join>(&Joins { code: args.code, at: args.at, share: args.share }).await?;
    let name = waits.device.as_ref().map_or("the other device", |device| device.name.as_str());
    let digits = waits.digits.as_deref().map(spaced).unwrap_or_default();
    aside(&format!("… {name} is reached. There, let this device in if it shows the same digits:\n\n    {digits}\n"));
    let stop = interruptible()?;
    tokio::select! {
        joined = joined(&client) => joined,
        () = stop.cancelled() => {
            let left = client.call::<devices::Leave>(&NoParams {}).await?.left;
            if !left {
                return joined(&client).await; // it was decided just now
            }
            Err(Failure::new(Kind::Failed, "given up: this device does not wait to be let in any more, and the code is used up"))
        }
    }
}

async fn joined(client: &Client) -> Result<Output, Failure> {
    loop {
        let awaited = Awaited { wait: WAIT, after: Some(JoiningState::Waits) };
        let standing = client.call::<devices::JoiningNow>(&awaited).await?;
        match standing.state {
            JoiningState::Waits => {}
            JoiningState::Joined => {
                return Output::of(&standing, |standing| {
                    let name = standing.device.as_ref().map_or("the other device", |device| &device.name);
                    let whose = standing.tenants.join(", ");
                    format!("✓ This device and {name} keep the records of {whose}\n→ How they stand: toft device ls")
                });
            }
            JoiningState::Failed | JoiningState::None => {
                let Joining { why, .. } = standing;
                return Err(Failure::new(Kind::Denied, why.unwrap_or_else(|| "joining has ended".to_owned())));
            }
        }
    }
}

/// What the other device is to be given.
fn shown(context: &Context, offered: &Offered) -> String {
    let word = format!("toft join {}", offered.code);
    // Capital letters and digits alone make a smaller picture.
    let picture = qrcode::QrCode::new(offered.code.to_uppercase())
        .map(|code| code.render::<qrcode::render::unicode::Dense1x2>().build())
        .unwrap_or_default();
    let until = offered.expires.map_or_else(String::new, |at| format!(" until {at}"));
    let confirm = context.next("device confirm");
    format!("On the other device{until}, for one device:\n\n{word}\n\n{picture}\n→ When it has come: {confirm}")
}

fn told(context: &Context, standing: &OfferStanding) -> String {
    match (standing.state, &standing.device) {
        (OfferState::Asks, Some(device)) => format!(
            "A device asks to be let in. It would keep your records.\n  name  {}\n  DID   {}\n  at    {}\nIf it is yours, it shows six digits now.\n→ {}",
            device.name,
            device.did,
            device.address,
            context.next("device confirm <digits>   (or --no)"),
        ),
        (OfferState::Open, _) => "no device has come yet".to_owned(),
        (OfferState::Paired, Some(device)) => format!("✓ {} ({}) is let in", device.name, device.did),
        _ => standing.why.clone().unwrap_or_else(|| format!("there is no offer: {}", context.next("pair"))),
    }
}

/// How an offer has ended: with a device, or not.
fn ended(context: &Context, standing: &OfferStanding) -> Result<Output, Failure> {
    match standing.state {
        OfferState::Paired => Output::of(standing, |standing| {
            let why = standing.why.as_ref().map_or_else(String::new, |why| format!("\n{why}"));
            format!("{}{why}\n→ How it does: {}", told(context, standing), context.next("device ls"))
        }),
        _ => Err(Failure::new(Kind::Denied, told(context, standing))),
    }
}

/// The digits that the owner types from the other device; nothing: it is turned away.
fn answered() -> Result<Option<String>, Failure> {
    aside("Type the digits that it shows (nothing turns it away):");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(anyhow::Error::new)?;
    let digits = line.trim().to_owned();
    Ok((!digits.is_empty()).then_some(digits))
}

/// `042137` → `042 137`.
fn spaced(digits: &str) -> String {
    match digits.split_at_checked(3) {
        Some((one, two)) => format!("{one} {two}"),
        None => digits.to_owned(),
    }
}

fn line(device: &Listed) -> String {
    let state = match device {
        Listed { this: true, .. } => "this device",
        Listed { in_sync: true, .. } => "✓ in sync",
        Listed { connected: true, .. } => "… syncing",
        _ => "not connected: toft peer ls says why",
    };
    let since = device.added.map_or_else(String::new, |added| format!("   since {added}"));
    format!("{}   {}   {state}{since}", device.name, device.did)
}
