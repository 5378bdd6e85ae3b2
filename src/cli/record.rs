//! `toft record query`: the records of this node's own tenant, and how they are found.

use super::{
    context::Context,
    output::{Output, aside},
};
use crate::{
    foreign,
    rpc::control::{
        Failure,
        records::{self, Explanation, Question},
    },
};
use serde_json::{Map, Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print records as lines of JSON: the newest state of each that meets all conditions.
    Query(Box<Query>),
}

#[derive(Debug, clap::Args)]
pub struct Query {
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
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    let Command::Query(query) = command;
    let question = question(&query);
    if query.explain {
        let said = client.call::<records::Explain>(&question).await?;
        return Output::told(&said, explanation(&said));
    }
    let page = client.call::<records::Query>(&question).await?;
    let lines: Vec<_> = page.entries.iter().map(|entry| foreign::json(&entry.to_string())).collect();
    if let (false, Some(more)) = (context.json, &page.cursor) {
        // Beside the lines, which a program may be reading.
        let part = |name: &str| more.get(name).and_then(Value::as_str).unwrap_or_default();
        aside(&format!("→ More: --cursor {}/{}", part("value"), part("messageCid")));
    }
    Output::told(&page, lines.join("\n"))
}

fn question(query: &Query) -> Question {
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
    let mut pagination = Map::from_iter([("limit".to_owned(), query.limit.into())]);
    pagination.extend(query.cursor.clone().map(|cursor| ("cursor".to_owned(), cursor)));
    Question { filter, date_sort: Some(query.sort.clone()), pagination, ..Question::default() }
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
