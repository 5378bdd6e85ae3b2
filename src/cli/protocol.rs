//! `toft protocol install | ls | show | check | diff | policy`: the protocols of this node's identities.

use super::{context::Context, output::Output};
use crate::rpc::control::{
    Failure, Kind, NoParams,
    policies::{self, KeptPolicy, NewPolicy, OnePolicy, PolicySet, WhosePolicies},
    protocols::{self, NewProtocol, OneDefinition, OneProtocol, Protocol, Verdict, Whose},
    protocols_diff::{self, Differences},
    shipped,
};
use serde_json::{Map, Value};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

/// A definition is a message's greatest part.
const DEFINITION_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Install a protocol, or a newer definition of it.
    Install {
        #[command(flatten)]
        file: File,
        /// Which of the node's identities installs it; its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// List the protocols that are installed, or those that come with toft.
    Ls {
        /// Those that come with toft, and can be installed by name.
        #[arg(long, conflicts_with = "from")]
        shipped: bool,
        /// Those of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// Print the definition of a protocol.
    Show {
        /// URI of the protocol.
        protocol: String,
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// Say what stands against a definition, without installing it.
    Check(File),
    /// Say what a newer definition allows and forbids, and which records that are here it would refuse.
    Diff {
        #[command(flatten)]
        file: File,
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// What the node asks of the records of a protocol beyond what the protocol says.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// What of a policy is wanted.
#[derive(Debug, clap::Subcommand)]
pub enum PolicyCommand {
    /// Set the policy of a protocol: what the node asks of its records beyond what the protocol says (docs/dwn.md).
    Set {
        /// File with the policy as JSON; - reads standard input.
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

#[derive(Debug, clap::Args)]
pub struct File {
    /// File with the definition as JSON; - reads standard input. Or the name of one that comes with toft, as profile.
    #[arg(value_name = "FILE|NAME")]
    file: PathBuf,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Install { file: File { file }, from } => {
            let new = NewProtocol { definition: definition(&file)?, from };
            let installed = client.call::<protocols::Install>(&new).await?;
            Output::of(&installed, |installed| format!("✓ Installed {}", installed.protocol))
        }
        Command::Ls { shipped: true, .. } => {
            let all = client.call::<shipped::List>(&NoParams {}).await?;
            let line = |one: &shipped::Shipped| {
                let uri = one.definition.get("protocol").and_then(Value::as_str).unwrap_or_default();
                format!("{:<16} {uri}", one.name)
            };
            Output::of(&all, |all| all.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Command::Ls { from, .. } => {
            let all = client.call::<protocols::List>(&Whose { from }).await?;
            Output::of(&all, |all| match all.is_empty() {
                true => format!("no protocols; install one with: {}", context.next("protocol install <file>")),
                false => all.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Show { protocol, from } => {
            let shown = client.call::<protocols::Show>(&OneProtocol { protocol, from }).await?;
            Output::of(&shown, |shown| serde_json::to_string_pretty(&shown.definition).unwrap_or_default())
        }
        Command::Check(File { file }) => {
            let definition = OneDefinition { definition: definition(&file)? };
            let verdict = client.call::<protocols::Check>(&definition).await?;
            let failed = !verdict.problems.is_empty();
            Ok(Output::of(&verdict, describe)?.failed_if(failed))
        }
        Command::Diff { file: File { file }, from } => {
            let new = NewProtocol { definition: definition(&file)?, from };
            let differences = client.call::<protocols_diff::Compare>(&new).await?;
            Output::of(&differences, differ)
        }
        Command::Policy(command) => policy(context, command).await,
    }
}

async fn policy(context: &Context, command: PolicyCommand) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        PolicyCommand::Set { file, dry_run, from } => {
            let policy = object(&file, "a policy")?;
            let set = client.call::<policies::Set>(&NewPolicy { policy, dry_run, from }).await?;
            Output::of(&set, describe_policy)
        }
        PolicyCommand::Ls { from } => {
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
        PolicyCommand::Rm { protocol, from } => {
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

fn line(protocol: &Protocol) -> String {
    let seen = if protocol.published { "published" } else { "not published" };
    format!("{} {seen}, since {}: {}", protocol.protocol, protocol.date_configured, protocol.types.join(", "))
}

fn describe(verdict: &Verdict) -> String {
    let problems = verdict.problems.iter().map(|problem| format!("✗ {problem}"));
    let warnings = verdict.warnings.iter().map(|warning| format!("! {warning}"));
    let mut lines: Vec<_> = problems.chain(warnings).collect();
    if verdict.problems.is_empty() {
        lines.push("✓ It can be installed".to_owned());
    }
    lines.join("\n")
}

fn differ(differences: &Differences) -> String {
    let Differences { allows, forbids, records, refused, refused_records } = differences;
    let mut lines: Vec<String> = allows.iter().map(|what| format!("+ {what}")).collect();
    lines.extend(forbids.iter().map(|what| format!("- {what}")));
    if lines.is_empty() {
        lines.push("Nothing else is allowed or forbidden".to_owned());
    }
    lines.push(match refused {
        0 => format!("All {records} records that are here would be taken again"),
        _ => format!("{refused} of {records} records that are here would not be taken again:"),
    });
    lines.extend(refused_records.iter().map(|record| format!("  {}: {}", record.record_id, record.why)));
    lines.join("\n")
}

fn definition(file: &Path) -> Result<Map<String, Value>, Failure> {
    match file.to_str().filter(|_| !file.exists()).and_then(shipped::named) {
        Some(shipped) => Ok(shipped),
        None => object(file, "a protocol's definition"),
    }
}

/// `what` a file holds, or standard input.
fn object(file: &Path, what: &str) -> Result<Map<String, Value>, Failure> {
    let wrong = |why: String| Failure::new(Kind::Usage, format!("{}: {why}", file.display()));
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().take(DEFINITION_MAX).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|opened| opened.take(DEFINITION_MAX).read_to_string(&mut text)),
    };
    read.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => wrong(format!("{e}; and none of these comes with toft: {}", shipped::names())),
        _ => wrong(e.to_string()),
    })?;
    serde_json::from_str(&text).map_err(|e| wrong(format!("{what} is a JSON object: {e}")))
}
