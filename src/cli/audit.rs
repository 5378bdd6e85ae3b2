//! `toft audit ls | verify | export`: what was done to this node, and by whom.

use super::{
    context::Context,
    file::Target,
    output::{Output, bytes},
};
use crate::{
    audit::{self, Entry, Report},
    job::blocking,
    rpc::control::{
        Failure, Kind, NoParams,
        audit::{List, Verify, Wanted},
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the newest entries.
    Ls {
        /// From this moment on, such as 2026-11-21T09:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only what is called so: token.made, or all of token.
        #[arg(long)]
        what: Option<String>,
        /// So many at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Check that it is whole; while the node runs, also by the heads it has signed.
    Verify,
    /// Write all of it to a file: lines of JSON.
    Export {
        /// The file (- for the standard output).
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Replace the file if it is there.
        #[arg(long)]
        force: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    match command {
        Command::Ls { since, what, limit } => {
            let wanted = Wanted { since, what, limit: Some(limit) };
            let entries = context.client()?.call::<List>(&wanted).await?;
            Output::of(&entries, |entries| match entries.is_empty() {
                true => "no entries".to_owned(),
                false => entries.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
            .map(Some)
        }
        Command::Verify => verify(context).await.map(Some),
        Command::Export { output, force } => {
            let target = Target::find(&output, force)?;
            let files = audit::files(&context.home.join(audit::DIR))?;
            // A month of entries at a time.
            let pieces = stream::iter(files).then(async |path| {
                let failed = |e| Failure::new(Kind::Failed, format!("reading {}: {e}", path.display()));
                tokio::fs::read(&path).await.map(Bytes::from).map_err(failed)
            });
            let size = target.save(pieces).await?;
            Ok(target.name().map(|name| {
                let text =
                    format!("✓ {}, {} (check it: {})", name.display(), bytes(size), context.next("audit verify"));
                Output::new(json!({"file": name.display().to_string(), "size": size}), text)
            }))
        }
    }
}

/// By the node if it runs; else the files alone.
async fn verify(context: &Context) -> Result<Output, Failure> {
    let (report, by_heads) = match context.client()?.call::<Verify>(&NoParams {}).await {
        Ok(report) => (report, true),
        Err(failure) if failure.kind == Kind::Network => {
            let dir = context.home.join(audit::DIR);
            (blocking(move || audit::verify(&dir, &[])).await?, false)
        }
        Err(failure) => return Err(failure),
    };
    let failed = !report.problems.is_empty();
    Output::of(&report, |report| told(report, by_heads)).map(|output| output.failed_if(failed))
}

fn told(report: &Report, by_heads: bool) -> String {
    let heads = match by_heads {
        true => format!("{} signed heads looked at", report.heads),
        false => "without signed heads, which only the running node can look up: a tail that was cut off is not seen"
            .to_owned(),
    };
    if report.problems.is_empty() {
        return format!("✓ The audit log is whole: {} entries in {} files; {heads}", report.entries, report.files);
    }
    let problems: Vec<_> = report.problems.iter().map(|problem| format!("✗ {problem}")).collect();
    format!("{}\n{} entries in {} files; {heads}", problems.join("\n"), report.entries, report.files)
}

fn line(entry: &Entry) -> String {
    let about = serde_json::to_string(&entry.about).unwrap_or_default();
    format!("{} {} {} by {} {about}", entry.n, entry.at, entry.what, entry.who)
}
