//! `toft record …`: the records of this node's own tenant, or of one that lets it act in its name.

use super::{
    add,
    context::Context,
    file::Target,
    output::{Output, aside, bytes},
};
use crate::{
    foreign,
    rpc::control::{
        Failure, Kind,
        records::{self, Counting, Explanation, Question},
        records_read::{self, Past, Wanted},
        records_write::{self, Ending, NewState, Outcome, Written},
    },
};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a record, or with --record a new state of one, which keeps what is not given.
    Write(Box<Write>),
    /// Print a record's data, or with --json the record.
    Read(Read),
    #[command(visible_alias = "ls")]
    /// Print records as lines of JSON: the newest state of each that meets all conditions.
    Query(Box<Query>),
    /// Count the records that meet all conditions.
    Count(Box<Filters>),
    /// List the states of a record that are still known, the newest first.
    History {
        /// recordId.
        record: String,
    },
    #[command(visible_alias = "rm")]
    /// End a record: its data goes.
    Delete {
        /// recordId.
        record: String,
        /// And all records below it.
        #[arg(long)]
        prune: bool,
        /// Whose record: this node's own if none is named.
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Write {
    /// The file with its data. A new state may go without.
    file: Option<PathBuf>,
    /// Media type of the data.
    #[arg(long, value_name = "TYPE")]
    format: Option<String>,
    /// URI of the protocol.
    #[arg(long, value_name = "URI")]
    protocol: Option<String>,
    /// Path within the protocol, e.g. thread/reply.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// contextId of the record that it stands below.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// URI of the schema.
    #[arg(long, value_name = "URI")]
    schema: Option<String>,
    /// To whom it is written.
    #[arg(long, value_name = "DID")]
    recipient: Option<String>,
    /// Let anyone read it, or with =false nobody else any more.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    publish: Option<bool>,
    /// A tag: a number, true, false, or text ("in quotes" it is text in any case). May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    tag: Vec<(String, Value)>,
    /// Keep the data as it is, also where the protocol has it encrypted.
    #[arg(long)]
    plain: bool,
    /// recordId of the record that gets a new state.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Whose records it is to be among, if not this node's: its author is who owns them, if they let this node act in their name.
    #[arg(long, value_name = "DID")]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Read {
    /// recordId.
    record: String,
    /// An earlier state, by the CID that `toft record history` shows, where a policy keeps those.
    #[arg(long, value_name = "CID")]
    state: Option<String>,
    /// Where to write the data (default, and -: the terminal). A file that exists is not replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
    /// Give encrypted data as it is.
    #[arg(long)]
    raw: bool,
    /// Whose records: this node's own if none is named.
    #[arg(long, value_name = "DID")]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Filters {
    /// URI of the protocol.
    #[arg(long, value_name = "URI")]
    protocol: Option<String>,
    /// Path within the protocol, e.g. thread/reply.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// URI of the schema.
    #[arg(long, value_name = "URI")]
    schema: Option<String>,
    /// Who wrote it (may be repeated: one of these).
    #[arg(long, value_name = "DID")]
    author: Vec<String>,
    /// To whom it was written (may be repeated: one of these).
    #[arg(long, value_name = "DID")]
    recipient: Vec<String>,
    /// contextId, or how it begins.
    #[arg(long, value_name = "ID")]
    context: Option<String>,
    /// recordId of the parent.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// recordId.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Published ones, or with =false the others.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    published: Option<bool>,
    /// A tag: a number, true, false, or text ("in quotes" it is text in any case). May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    tag: Vec<(String, Value)>,
    /// Created then or later: a date, or a time as 2026-11-21T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<String>,
    /// Created before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Query {
    #[command(flatten)]
    filters: Filters,
    /// Order of the records.
    #[arg(long, value_name = "ORDER", default_value = "createdAscending")]
    #[arg(value_parser = ["createdAscending", "createdDescending", "publishedAscending", "publishedDescending"])]
    sort: String,
    /// Records to print at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Go on behind a page: what was printed after it.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Value>,
    /// Say which indexes are considered, which chosen, and what was looked at, instead of printing records.
    #[arg(long)]
    explain: bool,
    /// Whose records: this node's own if none is named. Somebody else's are listed by protocol (--protocol).
    #[arg(long, value_name = "DID")]
    tenant: Option<String>,
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    match command {
        Command::Write(write) => self::write(context, *write).await.map(Some),
        Command::Read(args) => read(context, args).await,
        Command::Query(query) => self::query(context, &query).await.map(Some),
        Command::Count(filters) => {
            let counting = Counting { filter: filter(&filters), from: None };
            let counted = context.client()?.call::<records::Count>(&counting).await?;
            Output::told(&counted, counted.count.to_string()).map(Some)
        }
        Command::History { record } => history(context, record).await.map(Some),
        Command::Delete { record, prune, tenant } => {
            let ending = Ending { record_id: record, prune, tenant, ..Ending::default() };
            let deleted = context.client()?.call::<records_write::Delete>(&ending).await?;
            Output::told(&deleted, format!("✓ {} is deleted", deleted.record_id)).map(Some)
        }
    }
}

async fn write(context: &Context, args: Write) -> Result<Output, Failure> {
    let client = context.client()?;
    let data = match &args.file {
        Some(path) => Some(add::open(path).await?),
        None => None,
    };
    let state = NewState {
        data_size: data.as_ref().map(|(_, size)| *size),
        data_format: args.format,
        protocol: args.protocol,
        protocol_path: args.path,
        parent_context_id: args.parent,
        schema: args.schema,
        recipient: args.recipient,
        published: args.publish,
        tags: (!args.tag.is_empty()).then(|| args.tag.into_iter().collect()),
        encrypt: args.plain.then_some(false),
        record_id: args.record,
        tenant: args.tenant,
        ..NewState::default()
    };
    let written: Written = match (client.call::<records_write::Write>(&state).await?, data) {
        (Outcome::Written(written), _) => written,
        (Outcome::Later { upload }, Some((file, _))) => client.upload(&upload.path, add::pieces(file)).await?,
        (Outcome::Later { .. }, None) => {
            return Err(Failure::new(Kind::Failed, "the node waits for data, and there is none"));
        }
    };
    let encrypted = if written.encrypted { "   encrypted" } else { "" };
    let size = bytes(written.data_size);
    let text = format!("✓ record {}   {}   {size}{encrypted}", written.record_id, written.data_cid);
    Output::told(&written, text)
}

async fn read(context: &Context, args: Read) -> Result<Option<Output>, Failure> {
    let client = context.client()?;
    // Before anybody is asked.
    let target = args.output.as_ref().map_or(Ok(Target::Terminal), |path| Target::find(path, args.force))?;
    let download = !context.json || args.output.is_some();
    let wanted = Wanted {
        record_id: args.record,
        message_cid: args.state,
        download,
        raw: args.raw,
        tenant: args.tenant,
        ..Wanted::default()
    };
    let record = client.call::<records_read::Read>(&wanted).await?;
    if let Some(why) = record.sealed.as_ref().filter(|_| !args.raw) {
        // Beside the bytes, which nobody would make out.
        aside(&format!("! Given as it is: {why}"));
    }
    let Some(download) = &record.download else { return Output::told(&record, "").map(Some) };
    if context.json && args.output.is_none() {
        return Output::told(&record, "").map(Some);
    }
    let size = target.save(client.download(&download.path).await?).await?;
    let Some(name) = target.name() else { return Ok(None) };
    let text = format!("✓ {}   {}   {}", name.display(), bytes(size), record.data_cid);
    Ok(Some(Output::new(json!({"recordId": record.record_id, "size": size, "file": name}), text)))
}

async fn history(context: &Context, record: String) -> Result<Output, Failure> {
    let past = Past { record_id: record, from: None };
    let found = context.client()?.call::<records_read::History>(&past).await?;
    Output::of(&found, |found| {
        let lines = found.versions.iter().map(|version| {
            let kept = if version.kept { "" } else { "   superseded" };
            format!("{}   {:6}   {}{kept}", version.message_timestamp, version.method, version.message_cid)
        });
        lines.chain(found.more.then(|| "→ There are older ones".to_owned())).collect::<Vec<_>>().join("\n")
    })
}

async fn query(context: &Context, query: &Query) -> Result<Output, Failure> {
    let client = context.client()?;
    let question = question(query);
    if query.explain {
        let said = client.call::<records::Explain>(&question).await?;
        return Output::told(&said, explanation(&said));
    }
    let page = client.call::<records::Query>(&question).await?;
    let lines: Vec<_> = page.entries.iter().map(|entry| foreign::json(entry.get())).collect();
    if let (false, Some(more)) = (context.json, &page.cursor) {
        // Beside the lines, which a program may be reading.
        let part = |name: &str| more.get(name).and_then(Value::as_str).unwrap_or_default();
        aside(&format!("→ More: --cursor {}/{}", part("value"), part("messageCid")));
    }
    Output::told(&page, lines.join("\n"))
}

/// RecordsFilter.
fn filter(query: &Filters) -> Map<String, Value> {
    let texts = [
        ("protocol", &query.protocol),
        ("protocolPath", &query.path),
        ("schema", &query.schema),
        ("contextId", &query.context),
        ("parentId", &query.parent),
        ("recordId", &query.record),
    ];
    let mut filter: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))).collect();
    for (name, dids) in [("author", &query.author), ("recipient", &query.recipient)] {
        match dids.as_slice() {
            [] => {}
            [one] => drop(filter.insert(name.into(), one.clone().into())),
            several => drop(filter.insert(name.into(), several.into())),
        }
    }
    filter.extend(query.published.map(|published| ("published".to_owned(), published.into())));
    if !query.tag.is_empty() {
        filter.insert("tags".into(), query.tag.iter().cloned().collect::<Map<_, _>>().into());
    }
    let mut created = Map::new();
    created.extend(query.from.clone().map(|from| ("from".to_owned(), from.into())));
    created.extend(query.to.clone().map(|to| ("to".to_owned(), to.into())));
    if !created.is_empty() {
        filter.insert("dateCreated".into(), created.into());
    }
    filter
}

fn question(query: &Query) -> Question {
    let mut pagination = Map::from_iter([("limit".to_owned(), query.limit.into())]);
    pagination.extend(query.cursor.clone().map(|cursor| ("cursor".to_owned(), cursor)));
    let (date_sort, tenant) = (Some(query.sort.clone()), query.tenant.clone());
    Question { filter: filter(&query.filters), date_sort, pagination, tenant, ..Question::default() }
}

fn explanation(said: &Explanation) -> String {
    let it = &said.explained;
    let mut lines = vec![format!("Order     {}", it.order)];
    for filtered in &it.filters {
        let name = |at: &usize| filtered.considered.get(*at).map_or("", |it| it.index.as_str());
        let chosen: Vec<_> = filtered.chosen.iter().map(name).collect();
        let switched = filtered.switched.map(|at| format!(", then {}, gathered and sorted", name(&at)));
        lines.push(format!("Plan      {} {}{}", filtered.plan, chosen.join(" × "), switched.unwrap_or_default()));
        for (at, index) in filtered.considered.iter().enumerate() {
            let rows = match (index.whole, index.rows) {
                (true, rows) => format!("{rows} entries"),
                (false, 0) => "not counted".to_owned(),
                (false, rows) => format!("{rows} entries or more"),
            };
            let mark = if filtered.chosen.contains(&at) || filtered.switched == Some(at) { "✓" } else { " " };
            let order = match (index.ordered, index.order.as_str()) {
                (true, _) => "in order".to_owned(),
                (false, "") => "to be sorted".to_owned(),
                (false, order) => format!("by {order}, to be sorted"),
            };
            let ranges = if index.ranges == 1 { String::new() } else { format!(", {} ranges", index.ranges) };
            let covers = if index.covers { ", says all that is asked" } else { "" };
            lines.push(format!("        {mark} {}: {rows}, {order}{ranges}{covers}", index.index));
        }
    }
    let more = if it.more { ", and more follow" } else { "" };
    lines.push(format!("Scanned   {} entries for {} records{more}", it.scanned, it.returned));
    lines.push(format!("Unused    {} entries, read to choose", it.unused));
    lines.push(format!("Time      {:.1} ms", said.microseconds as f64 / 1000.0));
    lines.join("\n")
}

fn tag(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    let value = match serde_json::from_str(value) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => Value::from(value),
    };
    Ok((name.to_owned(), value))
}

/// A time as messages write it.
fn time(text: &str) -> Result<String, String> {
    let date =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
    let time = text.parse::<jiff::Timestamp>().ok().or_else(date);
    time.map(|at| format!("{at:.6}")).ok_or_else(|| "write it as 2026-11-21 or 2026-11-21T12:00:00Z".to_owned())
}

fn cursor(text: &str) -> Result<Value, String> {
    let (value, cid) = text.rsplit_once('/').ok_or("give it as it was printed")?;
    Ok(json!({"messageCid": cid, "value": value}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_numbers_flags_or_text() {
        assert_eq!(tag("n=1.5"), Ok(("n".into(), json!(1.5))));
        assert_eq!(tag("n=true"), Ok(("n".into(), json!(true))));
        assert_eq!(tag("n=\"1\""), Ok(("n".into(), json!("1"))));
        assert_eq!(tag("n=a=b"), Ok(("n".into(), json!("a=b"))));
        assert_eq!(tag("n=[1]"), Ok(("n".into(), json!("[1]"))));
        assert!(tag("n").is_err());
    }

    #[test]
    fn times_are_written_as_messages_write_them() {
        assert_eq!(time("2026-11-21"), Ok("2026-11-21T00:00:00.000000Z".into()));
        assert_eq!(time("2026-11-21T14:00:00+02:00"), Ok("2026-11-21T12:00:00.000000Z".into()));
        assert!(time("yesterday").is_err());
    }
}
