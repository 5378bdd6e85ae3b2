//! `toft conflict ls | show | keep | rm`: edits made here that another device's took the place of without knowing them.

use super::{
    context::Context,
    file::Target,
    output::{Output, bytes},
};
use crate::rpc::control::{
    Failure, Kind, NoParams,
    conflicts::{self, Both, Keeping, OneConflict, Told},
};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the edits that lost, the oldest first.
    Ls,
    /// Show both sides of one, and with -o save the data of what lost.
    Show {
        /// The CID of the message that lost, or how it begins.
        id: String,
        /// Whose record it is, if messages of several are alike.
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
        /// Where the data of what lost goes (`-`: to the standard output).
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace the file.
        #[arg(long)]
        force: bool,
    },
    /// Write what lost once more, as a new state of its record.
    Keep {
        /// The CID of the message that lost, or how it begins.
        id: String,
        /// Whose record it is, if messages of several are alike.
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
    },
    /// Let go of what lost: what won stays.
    Rm {
        /// The CID of the message that lost, or how it begins.
        id: String,
        /// Whose record it is, if messages of several are alike.
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    let client = context.client()?;
    match command {
        Command::Ls => {
            let all = client.call::<conflicts::List>(&NoParams {}).await?;
            let text = |all: &Vec<Told>| match all.is_empty() {
                true => "no edit of this device has lost to one that did not know it".to_owned(),
                false => {
                    let lines = all.iter().flat_map(lines);
                    let next = format!("→ Both sides: {}", context.next("conflict show ID"));
                    lines.chain([next]).collect::<Vec<_>>().join("\n")
                }
            };
            Output::of(&all, text).map(Some)
        }
        Command::Show { id, tenant, output, force } => {
            let target = output.as_ref().map(|path| Target::find(path, force)).transpose()?;
            let one = OneConflict { id, tenant, download: target.is_some() };
            let both = client.call::<conflicts::Show>(&one).await?;
            let Some(target) = target else { return Output::of(&both, |both| text(context, both)).map(Some) };
            let Some(download) = &both.download else {
                return Err(Failure::new(Kind::NotFound, "what lost had no data"));
            };
            let size = target.save(client.download(&download.path).await?).await?;
            let Some(name) = target.name() else { return Ok(None) };
            let text = format!("✓ {}   {}", name.display(), bytes(size));
            Ok(Some(Output::new(json!({"id": both.conflict.id, "size": size, "file": name}), text)))
        }
        Command::Keep { id, tenant } => {
            let written = client.call::<conflicts::Keep>(&Keeping { id, tenant, from: None }).await?;
            let text =
                format!("✓ record {} is as it was edited here, {}", written.record_id, written.message_timestamp);
            Output::told(&written, text).map(Some)
        }
        Command::Rm { id, tenant } => {
            let removed = client.call::<conflicts::Remove>(&OneConflict { id, tenant, download: false }).await?;
            let text = format!("✓ {} is kept no longer; what won stays", removed.removed);
            Output::told(&removed, text).map(Some)
        }
    }
}

/// How many there are, for who looks at devices; nothing if there are none.
pub fn hint(context: &Context, conflicts: u64) -> Option<String> {
    let what = match conflicts {
        0 => return None,
        1 => "1 edit made here".to_owned(),
        some => format!("{some} edits made here"),
    };
    Some(format!("{what} lost to edits of other devices that did not know of it: {}", context.next("conflict ls")))
}

fn lines(conflict: &Told) -> Vec<String> {
    let Told { id, tenant, record_id, protocol, lost, won, by, at, until, data_size, .. } = conflict;
    let of = protocol.as_ref().map(|protocol| format!(" of {protocol}")).unwrap_or_default();
    let data = data_size.map(|size| format!("   {}", bytes(size))).unwrap_or_default();
    let what = if conflict.deleted { "a delete" } else { "an edit" };
    let by = by.as_deref().unwrap_or("another device");
    vec![
        id.clone(),
        format!("  record {record_id}{of}, in {tenant}"),
        format!("  lost: {} by {}{data}", lost.message_timestamp, lost.author),
        format!("  to:   {} by {}, {what} that came from {by} at {at}", won.message_timestamp, won.author),
        format!("  kept until {until}"),
    ]
}

fn text(context: &Context, both: &Both) -> String {
    let mut text = lines(&both.conflict);
    for it in &both.differs {
        text.push(format!("  {}: {} lost to {}", it.property, it.lost, it.won));
    }
    let id = &both.conflict.id;
    if both.conflict.data_cid.is_some() {
        text.push(format!("→ Its data: {}", context.next(&format!("conflict show {id} -o FILE"))));
    }
    text.push(match both.conflict.deleted {
        true => "→ The record was deleted: what lost can be saved, and written as a new record".to_owned(),
        false => format!("→ To have it back: {}", context.next(&format!("conflict keep {id}"))),
    });
    text.push(format!("→ To let it go: {}", context.next(&format!("conflict rm {id}"))));
    text.join("\n")
}
