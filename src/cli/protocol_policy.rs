//! `toft protocol policy set | ls | rm`: what the node asks of the records of a protocol beyond what the protocol says.

use super::{context::Context, output::Output, protocol_file::object};
use crate::rpc::control::{
    Failure,
    policies::{self, KeptPolicy, NewPolicy, OnePolicy, PolicySet, WhosePolicies},
    shipped,
};
use std::path::PathBuf;

/// What of a policy is wanted.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set the policy of a protocol: what the node asks of its records beyond what the protocol says (docs/dwn.md).
    Set {
        /// File with the policy as JSON; - reads standard input. Or the name of a protocol that comes with toft, as market.
        #[arg(value_name = "FILE|NAME")]
        file: PathBuf,
        /// Only say which records that are here it would not take.
        #[arg(long)]
        dry_run: bool,
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// List the policies that are followed.
    Ls {
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// Ask no more of the records of a protocol than the protocol does.
    Rm {
        /// URI of the protocol.
        protocol: String,
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Set { file, dry_run, from } => {
            let shipped = file.to_str().filter(|_| !file.exists()).and_then(shipped::policy);
            let policy = shipped.map_or_else(|| object(&file, "a policy"), Ok)?;
            let set = client.call::<policies::Set>(&NewPolicy { policy, dry_run, from }).await?;
            Output::of(&set, describe_policy)
        }
        Command::Ls { from } => {
            let all = client.call::<policies::List>(&WhosePolicies { from }).await?;
            let line = |one: &KeptPolicy| match &one.problem {
                None => format!("{} (record {})", one.protocol, one.record_id),
                Some(why) => format!("{} (record {}): ✗ it cannot be followed: {why}", one.protocol, one.record_id),
            };
            Output::of(&all, |all| match all.is_empty() {
                true => format!("no policies; set one with: {}", context.next("protocol policy set <file>")),
                false => all.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Rm { protocol, from } => {
            let removed = client.call::<policies::Remove>(&OnePolicy { protocol: protocol.clone(), from }).await?;
            Output::of(&removed, |_| format!("✓ {protocol} has no policy any more"))
        }
    }
}

fn describe_policy(set: &PolicySet) -> String {
    let PolicySet { protocol, record_id, records, unfit, unfit_records, .. } = set;
    let mut lines = vec![match (record_id, unfit) {
        (Some(_), _) => format!("✓ This node follows the policy of {protocol} from now on"),
        (None, _) => format!("Nothing was set: the policy of {protocol} can be followed"),
    }];
    lines.push(match unfit {
        0 => format!("It would take all {records} records that are here"),
        _ => format!("{unfit} of {records} records that are here it would not take; they stay as they are:"),
    });
    lines.extend(unfit_records.iter().map(|one| format!("  {}: {}", one.record_id, one.why)));
    lines.join("\n")
}
