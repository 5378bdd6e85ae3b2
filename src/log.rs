//! The log: in what form it is written, and how much of one kind.
//!
//! It is the last wall before a terminal or a file: whatever a message brings, a value of it is escaped and cut
//! ([`foreign`]), an event is one line of bounded length, and of one kind no more than so many a minute are written, those
//! of dependencies too; then one line says how many more there were. What a stranger repeats leaves room for the rest.

use crate::foreign;
use serde_json::Value;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    collections::HashMap,
    fmt::{self, Write as _},
    io::{IsTerminal as _, stderr},
    panic,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Format, JsonFields, Writer},
    },
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt as _,
};

/// Characters of one value in an event.
const VALUE_MAX: usize = 2 << 10;
/// Bytes of one event.
const EVENT_MAX: usize = 8 << 10;
/// Kinds of events that are told apart; the code has a few hundred places that log.
const KINDS_MAX: usize = 4 << 10;
/// How often it is said what was left out.
const TELL: Duration = Duration::from_secs(60);
/// The one target that has no budget: it says what others lost of theirs.
const TARGET: &str = "toft::log";

/// What is logged: a level, or a filter by target.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    // libp2p tells every start of a node without peers as a warning; whoever wants its words names it.
    let quiet = if level.contains("libp2p") { "" } else { "libp2p_kad=error,libp2p_swarm=warn," };
    EnvFilter::try_new(format!("{quiet}{level}")).map_err(|e| format!("log.level = \"{level}\": {e}"))
}

/// The filter and the budgets of this process's log, for who changes them while it runs.
static SET_UP: OnceLock<(reload::Handle<EnvFilter, Registry>, Kinds)> = OnceLock::new();

/// From now on this is logged.
pub fn set_level(level: &str) -> Result<(), String> {
    let filter = filter(level)?;
    let (handle, _) = SET_UP.get().ok_or("this process has set no log up")?;
    handle.reload(filter).map_err(|e| format!("log.level = \"{level}\": {e}"))
}

/// From now on so many events of one kind are logged a minute.
pub fn set_repeats(repeats: u32) -> Result<(), String> {
    let (_, kinds) = SET_UP.get().ok_or("this process has set no log up")?;
    kinds.repeats.store(repeats, Ordering::Relaxed);
    Ok(())
}

/// Sets the log of this process up: what is logged, whether as JSON, and how many events of one kind a minute.
pub fn start(filter: EnvFilter, json: bool, repeats: u32) -> Result<Kinds, String> {
    let kinds = Kinds::new(repeats);
    let (filter, handle) = reload::Layer::new(filter);
    let layers = tracing_subscriber::registry().with(filter).with(kinds.clone());
    // Of what cannot be written it would say so with a macro that panics where it cannot: a full disk under the log must
    // not stop a node.
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr).log_internal_errors(false);
    let set = if json {
        layers.with(layer.fmt_fields(JsonFields::new()).event_format(as_json())).try_init()
    } else {
        let ansi = stderr().is_terminal();
        layers.with(layer.fmt_fields(Fields).event_format(as_text(ansi))).try_init()
    };
    set.map_err(|e| format!("the log could not be set up: {e}"))?;
    let _ = SET_UP.set((handle, kinds.clone())); // a process sets its log up once
    panic::set_hook(Box::new(|info| {
        // A panic's text may quote what a stranger sent.
        tracing::error!("{info}");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            trace.to_string().lines().for_each(|line| tracing::error!(target: TARGET, "{line}"));
        }
    }));
    Ok(kinds)
}

/// Fields of events and spans as text.
struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, to: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { to, first: true, outcome: Ok(()) };
        fields.record(&mut visitor);
        visitor.outcome
    }
}

struct Visitor<'w> {
    to: Writer<'w>,
    first: bool,
    outcome: fmt::Result,
}

impl Visitor<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.to.write_char(' ')?;
        }
        if field.name() != "message" {
            write!(self.to, "{}=", field.name())?;
        }
        foreign::write_plain(&mut self.to, value, VALUE_MAX)
    }

    fn record(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Where the `log` crate's records came from stands before the message already.
        if self.outcome.is_ok() && !field.name().starts_with("log.") {
            self.outcome = self.write(field, value);
        }
    }
}

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.record(field, format_args!("{value}")),
            _ => self.record(field, format_args!("{value:?}")),
        }
    }
}

/// Events as `format` writes them, one a line and no longer than `bound` makes them.
struct Bounded<F> {
    format: F,
    bound: fn(String) -> String,
}

impl<S, N, F> FormatEvent<S, N> for Bounded<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        to.write_str(&(self.bound)(line))
    }
}

/// Events as lines for people.
fn as_text(ansi: bool) -> Bounded<Format> {
    Bounded { format: format::format().with_ansi(ansi), bound: cut }
}

/// Events as objects, one a line.
fn as_json() -> Bounded<Format<format::Json>> {
    Bounded { format: format::format().json(), bound: |line| bounded(line.trim_end()) + "\n" }
}

/// A line of bounded length. Its values are escaped already, and what stands between them is ours.
fn cut(mut line: String) -> String {
    if line.len() <= EVENT_MAX {
        return line;
    }
    let whole = line.len();
    line.truncate(line.floor_char_boundary(EVENT_MAX));
    let _ = writeln!(line, "… ({whole} bytes)");
    line
}

/// An event in JSON, of bounded length, that means nothing to a terminal.
fn bounded(line: &str) -> String {
    let text = foreign::json(line);
    if text.len() <= EVENT_MAX {
        return text;
    }
    let Ok(mut event) = serde_json::from_str(line) else { return r#"{"level":"ERROR"}"#.into() };
    shorten(&mut event, VALUE_MAX);
    let text = foreign::json(&event.to_string());
    if text.len() <= EVENT_MAX {
        return text;
    }
    // Many or much-escaped values: what happened is told, and its particulars are not.
    shorten(&mut event, foreign::SHOWN_MAX);
    let kept = ["timestamp", "level", "target"].map(|key| (key.to_owned(), event[key].take()));
    let message = serde_json::json!({"message": event["fields"]["message"].take()});
    let event: Value = kept.into_iter().chain([("fields".to_owned(), message)]).collect();
    foreign::json(&event.to_string())
}

fn shorten(value: &mut Value, max: usize) {
    match value {
        Value::String(text) => {
            if let Some((at, _)) = text.char_indices().nth(max) {
                let whole = text.len();
                text.truncate(at);
                let _ = write!(text, "… ({whole} bytes)");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| shorten(value, max)),
        Value::Object(map) => map.values_mut().for_each(|value| shorten(value, max)),
        _ => {}
    }
}

/// How much of each kind has been logged. A kind is a place in the code; one place's flood takes nothing from another's,
/// and while it lasts, one of it gets through now and then, whatever it says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kinds {
    repeats: Arc<AtomicU32>,
    budgets: Arc<Mutex<HashMap<Kind, Budget>>>,
}

/// Level, target and line; targets of the `log` crate's records stand in the record.
type Kind = (Level, String, Option<u32>);

#[derive(Debug)]
struct Budget {
    /// How many more there may be now.
    left: f64,
    since: Instant,
    left_out: u64,
}

impl Kinds {
    fn new(repeats: u32) -> Self {
        Self { repeats: Arc::new(repeats.into()), budgets: Arc::default() }
    }

    /// Says every minute what was left out. It never ends.
    pub async fn keep_telling(self) {
        loop {
            tokio::time::sleep(TELL).await;
            self.tell();
        }
    }

    /// Says what was left out since it was said last.
    pub fn tell(&self) {
        let left_out: Vec<_> = self
            .lock()
            .iter_mut()
            .filter(|(_, budget)| budget.left_out > 0)
            .map(|(kind, budget)| (kind.clone(), std::mem::take(&mut budget.left_out)))
            .collect();
        for ((level, target, line), n) in left_out {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            tracing::warn!(target: TARGET, "{n} more like those of {level} {target}{line} were left out");
        }
    }

    /// May one more of this kind be written?
    fn admit(&self, kind: Kind, now: Instant) -> bool {
        let mut budgets = self.lock();
        // Never seen; then all further places share one.
        let kind = if budgets.len() < KINDS_MAX || budgets.contains_key(&kind) {
            kind
        } else {
            (Level::WARN, "other places".to_owned(), None)
        };
        let repeats = f64::from(self.repeats.load(Ordering::Relaxed));
        let budget = budgets.entry(kind).or_insert(Budget { left: repeats, since: now, left_out: 0 });
        let grown = now.saturating_duration_since(budget.since).as_secs_f64() * repeats / 60.0;
        (budget.left, budget.since) = ((budget.left + grown).min(repeats), now);
        let admitted = budget.left >= 1.0;
        if admitted {
            budget.left -= 1.0;
        } else {
            budget.left_out += 1;
        }
        admitted
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Kinds {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        /// Where a record of the `log` crate came from.
        #[derive(Default)]
        struct Origin(Option<String>);

        impl Visit for Origin {
            fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

            fn record_str(&mut self, field: &Field, value: &str) {
                if field.name() == "log.target" {
                    self.0 = Some(value.to_owned());
                }
            }
        }

        let what = event.metadata();
        // Whoever asks for more wants all of it.
        if *what.level() > Level::INFO || what.target() == TARGET {
            return true;
        }
        let mut origin = Origin::default();
        if what.target() == "log" {
            event.record(&mut origin);
        }
        let target = origin.0.unwrap_or_else(|| what.target().to_owned());
        self.admit((*what.level(), target, what.line()), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tracing::subscriber::with_default;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
        }
    }

    /// What is written when `work` logs.
    fn logged(json: bool, repeats: u32, work: impl FnOnce(&Kinds)) -> String {
        let (written, kinds) = (Written::default(), Kinds::new(repeats));
        let to = written.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
        let layers = tracing_subscriber::registry().with(kinds.clone());
        if json {
            let layer = layer.fmt_fields(JsonFields::new()).event_format(as_json());
            with_default(layers.with(layer), || work(&kinds));
        } else {
            let layer = layer.fmt_fields(Fields).event_format(as_text(false));
            with_default(layers.with(layer), || work(&kinds));
        }
        written.text()
    }

    /// Everything a stranger could say, through a message, a text, a shown and a debugged value and a span.
    fn hostile(_: &Kinds) {
        let long = "did:key:z".to_owned() + &"6".repeat(3_000_000);
        let evil = "a\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{9b}\u{202e}\r";
        let span = tracing::error_span!("peer", agent = evil, %long);
        let _in = span.enter();
        tracing::error!(evil, shown = %evil, debugged = ?evil, list = ?[evil, evil], "{evil}");
        tracing::warn!(%long, "{long}");
        tracing::warn!(a = %long, b = %long, c = ?long, d = %long, e = %evil.repeat(10_000), "{}", evil.repeat(10_000));
    }

    #[test]
    fn a_line_of_text_is_one_line_of_bounded_length() {
        let text = logged(false, 100, hostile);
        assert_eq!(text.lines().count(), 3, "{text}");
        for line in text.lines() {
            assert!(line.len() <= EVENT_MAX + 32, "{} bytes", line.len());
            assert!(line.chars().all(foreign::is_plain), "{line:?}");
        }
        assert!(text.contains(r"ERROR peer{agent="), "{text}");
        assert!(text.contains(r"toft::log::tests: a\u{a}2026-01-01T00:00:00Z ERROR forged\u{1b}[2J"), "{text}");
    }

    #[test]
    fn an_object_is_one_line_of_bounded_length() {
        let text = logged(true, 100, hostile);
        assert_eq!(text.lines().count(), 3, "{text}");
        for line in text.lines() {
            assert!(line.len() <= EVENT_MAX, "{} bytes", line.len());
            assert!(line.chars().all(foreign::is_plain), "{line:?}");
            let event: Value = serde_json::from_str(line).expect("JSON");
            assert!(event["fields"]["message"].is_string() && event["level"].is_string(), "{event}");
        }
    }

    #[test]
    fn a_flood_leaves_room_for_the_rest_and_is_counted() {
        let text = logged(false, 5, |kinds| {
            for n in 0..1000 {
                tracing::warn!("a stranger's {n}");
            }
            tracing::error!("the node's own");
            tracing::info!("and its news");
            kinds.tell();
            kinds.tell();
        });
        assert_eq!(text.matches("a stranger's").count(), 5, "{text}");
        assert!(text.contains("the node's own") && text.contains("and its news"), "{text}");
        assert_eq!(text.matches("995 more like those of WARN toft::log::tests").count(), 1, "{text}");
        assert_eq!(text.matches("left out").count(), 1, "{text}");
    }

    #[test]
    fn while_a_flood_lasts_one_gets_through_now_and_then() {
        let (kinds, begun) = (Kinds::new(60), Instant::now());
        let kind = || (Level::WARN, "somewhere".to_owned(), None);
        let admitted = |seconds: u64| {
            let at = begun + Duration::from_secs(seconds);
            (0..1000).filter(|_| kinds.admit(kind(), at)).count()
        };
        assert_eq!([admitted(0), admitted(0), admitted(1), admitted(4), admitted(1000)], [60, 0, 1, 3, 60]);
    }

    #[test]
    fn places_beyond_the_bound_share_one() {
        let (kinds, now) = (Kinds::new(1), Instant::now());
        let admitted = (0..3 * KINDS_MAX).filter(|n| kinds.admit((Level::WARN, n.to_string(), None), now)).count();
        assert_eq!(admitted, KINDS_MAX + 1);
        assert!(kinds.lock().len() <= KINDS_MAX + 1);
    }
}
