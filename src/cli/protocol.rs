//! `toft protocol install | ls | show | check | diff | rm | policy | new | gen`: the protocols of this node's identities, and code for their records.

use super::{
    context::Context,
    output::Output,
    protocol_file::{File, definition, shipped_name},
    protocol_gen, protocol_new, protocol_policy,
};
use crate::rpc::control::{
    Failure, NoParams,
    protocols::{self, NewProtocol, OneDefinition, OneProtocol, Protocol, Verdict, Whose},
    protocols_diff::{self, Differences, Newer},
    protocols_remove::{self, OldProtocol},
    shipped,
};
use serde_json::Value;
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Install a protocol, or a newer definition of it.
    Install {
        #[command(flatten)]
        file: File,
        /// A type whose data is private: it is encrypted from now on. May be repeated. Protocols that come with toft know theirs.
        #[arg(long, value_name = "TYPE")]
        private: Vec<String>,
        /// Encrypt nothing, whatever the protocol that comes with toft takes for private.
        #[arg(long, conflicts_with = "private")]
        plain: bool,
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
    /// Make a definition of a few words, a JSON Schema, or answers to questions. It needs no running node.
    New(protocol_new::Args),
    /// Take a protocol out of use: nothing is written under it any more, and nobody else reads what is there.
    Rm {
        /// URI of the protocol.
        protocol: String,
        /// Delete its records too.
        #[arg(long)]
        records: bool,
        /// Of this identity of the node; of its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// What the node asks of the records of a protocol beyond what the protocol says.
    #[command(subcommand)]
    Policy(protocol_policy::Command),
    /// Make typed code for the records of a protocol: a module in Rust, TypeScript or Python. It needs no running node.
    Gen(protocol_gen::Args),
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    if let Command::Gen(args) = command {
        return protocol_gen::run(&args).await;
    }
    if let Command::New(args) = command {
        return protocol_new::run(context, args).await;
    }
    let client = context.client()?;
    let output = match command {
        Command::Gen(_) | Command::New(_) => return Ok(None),
        Command::Install { file: File { file }, private, plain, from } => {
            let private = private_types(&file, private, plain);
            let new = NewProtocol { definition: definition(&file)?, private: private.clone(), from };
            let installed = client.call::<protocols::Install>(&new).await?;
            Output::of(&installed, |installed| {
                let private = private.unwrap_or_default();
                match private.is_empty() {
                    true => format!("✓ Installed {}", installed.protocol),
                    false => {
                        format!("✓ Installed {}, with encrypted data of: {}", installed.protocol, private.join(", "))
                    }
                }
            })
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
            let new = Newer { definition: definition(&file)?, from };
            let differences = client.call::<protocols_diff::Compare>(&new).await?;
            Output::of(&differences, differ)
        }
        Command::Rm { protocol, records, from } => {
            let removed = client.call::<protocols_remove::Remove>(&OldProtocol { protocol, records, from }).await?;
            Output::of(&removed, |removed| match removed.records {
                0 => format!("✓ {} is out of use: nothing is written under it any more", removed.protocol),
                n if removed.deleted == n => {
                    format!("✓ {} is out of use, and its {n} records are deleted", removed.protocol)
                }
                n => format!(
                    "✓ {} is out of use; its {n} records are still there, for you alone (--records deletes them)",
                    removed.protocol
                ),
            })
        }
        Command::Policy(command) => protocol_policy::run(context, command).await,
    };
    output.map(Some)
}

/// The types that are to be encrypted: those that are named, and those of one that comes with toft. Nothing: the definition says itself what
/// it is.
fn private_types(file: &Path, mut named: Vec<String>, plain: bool) -> Option<Vec<String>> {
    let shipped = shipped_name(file).map(shipped::private);
    let is_asked = plain || !named.is_empty() || shipped.as_ref().is_some_and(|types| !types.is_empty());
    let known = shipped.unwrap_or_default().into_iter().filter(|name| !named.contains(name)).collect::<Vec<_>>();
    named.extend(known);
    is_asked.then(|| if plain { Vec::new() } else { named })
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
