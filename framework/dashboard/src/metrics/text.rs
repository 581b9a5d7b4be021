//! Prometheus's own text format, for whoever does not ask for OpenMetrics: what reads it by hand, and older collectors. Pure.

use super::collect::Sample;
use super::table::{Kind, TABLE};

/// What is asked for as `Accept` where OpenMetrics is read.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// Whether who says this as `Accept` reads OpenMetrics.
pub(crate) fn reads_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(OPEN_METRICS));
        let is_refused = |part: &str| {
            let weight = part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        };
        is_it && !parts.any(is_refused)
    })
}

/// All samples, below the name, the help and the kind of their metric, which here has its whole name everywhere.
pub(crate) fn plain(samples: &[Sample]) -> String {
    let mut out = String::new();
    for (metric, _) in TABLE {
        let mut own =
            samples.iter().filter(|sample| std::ptr::eq(sample.metric, metric)).peekable();
        if own.peek().is_none() {
            continue;
        }
        let name = metric.exported();
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        out += &format!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        for sample in own {
            let labels: Vec<String> = metric
                .labels
                .iter()
                .zip(&sample.labels)
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = if labels.is_empty() {
                labels.concat()
            } else {
                format!("{{{}}}", labels.join(","))
            };
            out += &format!("{name}{labels} {}\n", sample.value);
        }
    }
    out
}

/// The value of a label, as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
