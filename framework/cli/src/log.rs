//! What daemons have to say, on standard error: as text for people, or as one JSON object a line.

use std::fmt;
use std::io::{self, IsTerminal as _};

use raytree_config::LogFormat;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::time::{moment, now};

/// From now on it is said; `filter` says how much of it, as `RAYTREE_LOG` does.
pub fn log(filter: &str, format: LogFormat) {
    let filter = if filter.is_empty() { "info,ractor_cluster=warn,ractor=warn" } else { filter };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let plain = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // There is none before.
    _ = match format {
        LogFormat::Json => plain.fmt_fields(Fields).event_format(Json).try_init(),
        _ => plain.with_ansi(io::stderr().is_terminal()).try_init(),
    };
}

/// One record: `time`, `level`, `target`, `message`, what else is said, and what the spans say that it happened in, the
/// innermost first: `trace_id`, `span_id`, `task`, `actor`.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut record = Map::new();
        let said = event.metadata();
        record.insert("time".to_owned(), moment(now()).into());
        record.insert("level".to_owned(), said.level().as_str().into());
        record.insert("target".to_owned(), said.target().into());
        event.record(&mut Record(&mut record));
        for span in ctx.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|own| &*own.fields);
            let fields = fields.and_then(|text| serde_json::from_str::<Map<_, _>>(text).ok());
            for (name, value) in fields.into_iter().flatten() {
                record.entry(name).or_insert(value);
            }
        }
        writeln!(writer, "{}", Value::Object(record))
    }
}

/// The fields of a span, as one JSON object.
struct Fields;

impl<'a> FormatFields<'a> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut record = Map::new();
        fields.record(&mut Record(&mut record));
        write!(writer, "{}", Value::Object(record))
    }
}

/// Takes fields as they are said.
struct Record<'a>(&'a mut Map<String, Value>);

impl Record<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Record<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_has_what_was_said_and_the_ids_of_where() {
        let written = Written::default();
        let own = written.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || own.clone());
        let subscriber = subscriber.fmt_fields(Fields).event_format(Json).finish();
        tracing::subscriber::with_default(subscriber, || {
            let _call = tracing::info_span!("call", actor = "ppo#1", trace_id = "4b").entered();
            let _task = tracing::info_span!("task", task = %"task-1-7", trace_id = "4b").entered();
            tracing::warn!(lives = 3, is_last = false, "the \"shard\" is {}", "missing");
        });
        let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).expect("text");
        let mut record: Map<String, Value> = serde_json::from_str(&text).expect("one object");
        let time = record.remove("time").expect("a time");
        assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
        let expected = serde_json::json!({
            "level": "WARN", "target": "raytree_cli::log::tests", "message": "the \"shard\" is missing",
            "lives": 3, "is_last": false, "actor": "ppo#1", "task": "task-1-7", "trace_id": "4b",
        });
        assert_eq!(Value::Object(record), expected);
        assert!(text.ends_with("}\n"));
    }
}
