//! `toft friend add | ls | rm`: other persons' nodes, which get what they may read.

use super::{context::Context, output::Output, peer::line};
use crate::rpc::control::{
    Failure, NoParams,
    friends::{self, NewFriend, OneFriend, Readable},
    grants::Grant,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Share with a friend's node (the friend does the same there with this node's DID and address: toft status shows them).
    Add {
        /// The friend's DID.
        did: String,
        /// Where their node is reached: a multiaddr that ends in `/p2p/<peer id>`.
        #[arg(long, value_name = "ADDR")]
        at: String,
        /// Let them read the records of this protocol, or of one path of it: `https://example.com/notes#note` (may be repeated). What
        /// other grants and protocol rules let them read goes to them anyway.
        #[arg(long = "grant", value_name = "PROTOCOL[#PATH]")]
        grants: Vec<String>,
        /// Until when, as 2027-11-21T00:00:00Z (default: a year).
        #[arg(long, value_name = "TIME", requires = "grants")]
        until: Option<String>,
        /// Which identity of this node they are a friend of (default: its own).
        #[arg(long = "tenant", value_name = "DID")]
        from: Option<String>,
        /// Keep no copy here of what this node may read there.
        #[arg(long)]
        give_only: bool,
    },
    /// List the friends.
    Ls,
    /// Share nothing with a friend any more and revoke their grants. What their node has it keeps.
    Rm {
        did: String,
        /// Leave the grants that they have.
        #[arg(long)]
        keep_grants: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Add { did, at, grants, until, from, give_only } => {
            let grants = grants.iter().map(|grant| readable(grant)).collect();
            let new = NewFriend { did, address: at, from, grants, date_expires: until, give_only };
            let added = client.call::<friends::Add>(&new).await?;
            Output::of(&added, |added| {
                let mut lines = vec![format!("✓ Friend {}", added.did)];
                lines.push(format!("  gets what they may read of {}", added.gives.join(", ")));
                lines.extend(about(&added.granted));
                if !added.takes.is_empty() {
                    lines.push(format!("  this node keeps what it may read of {}", added.takes.join(", ")));
                }
                lines.push(
                    "→ The friend: toft friend add <this DID> --at <this address>   (both in: toft status)".into(),
                );
                lines.join("\n")
            })
        }
        Command::Ls => {
            let all = client.call::<friends::List>(&NoParams {}).await?;
            Output::of(&all, |all| match all.is_empty() {
                true => format!("no friends; add one with: {}", context.next("friend add <did> --at <multiaddr>")),
                false => {
                    let told = all
                        .iter()
                        .flat_map(|friend| std::iter::once(line(&friend.status)).chain(about(&friend.grants)));
                    told.collect::<Vec<_>>().join("\n")
                }
            })
        }
        Command::Rm { did, keep_grants } => {
            let removed = client.call::<friends::Remove>(&OneFriend { did, keep_grants }).await?;
            Output::of(&removed, |removed| {
                let grants = removed.revoked.len();
                format!(
                    "✓ {did} is no friend any more; {grants} grant(s) revoked. What their node has it keeps. The copy here is not \
                     shown any more: toft tenant rm {did} deletes it",
                    did = removed.removed
                )
            })
        }
    }
}

fn readable(grant: &str) -> Readable {
    let (protocol, path) = grant.rsplit_once('#').map_or((grant, None), |(protocol, path)| (protocol, Some(path)));
    Readable { protocol: protocol.to_owned(), protocol_path: path.map(str::to_owned) }
}

/// What grants let them read, a line each.
fn about(grants: &[Grant]) -> Vec<String> {
    let reads = grants.iter().filter(|grant| grant.scope.method == "Read");
    let line = |grant: &Grant| {
        let scope = &grant.scope;
        let protocol = scope.protocol.as_deref().unwrap_or("records of no protocol");
        let place = [&scope.protocol_path, &scope.context_id].into_iter().flatten();
        let place: String = place.map(|place| format!("#{place}")).collect();
        format!("  may read {protocol}{place} until {}", grant.date_expires)
    };
    reads.map(line).collect()
}
