//! The page of all metrics, `docs/metrics.md`, made of the table.

use super::table::{Kind, TABLE};

const ABOUT: &str = "\
# Metrics

Heads and nodes offer numbers for Prometheus at `/metrics`, in the format of OpenMetrics to who accepts that, as Prometheus does,
and in Prometheus's text format to everybody else. Each process has a port of its own:
`metrics.host` and `metrics.port` in the [settings](configuration.md), by default a free port of the loopback address. The head
lists all of them at `/api/prometheus/targets` on its dashboard, as Prometheus's HTTP service discovery wants it:

```yaml
scrape_configs:
  - job_name: raytree
    http_sd_configs:
      - url: http://127.0.0.1:8265/api/prometheus/targets
        authorization:
          type: Bearer
          credentials_file: /etc/prometheus/raytree-token   # what `raytree dashboard --token` prints
```

A node tells of its own process and its workers, the head of itself, of the programs that use the cluster, and of the cluster as
a whole. Nothing is measured between two scrapes. [grafana/raytree.json](grafana/raytree.json) is a dashboard for Grafana on
them.

`process` is what a process is to its cluster: `head`, a node's name, `job-1 on node-1`, or the name of a program. `kind` is
`user` or `system`. An actor counts where it lives; its restarts, and itself while it has no life, where its supervisor is.
Counters of actors are summed up as they are scraped: what an actor has counted after the last scrape before its end is lost.

| metric | kind | labels | from | means |
|---|---|---|---|---|
";

/// All of it.
#[must_use]
pub fn page() -> String {
    let rows = TABLE.iter().map(|(metric, is_everybodys)| {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let from = if *is_everybodys { "all" } else { "head" };
        let (name, labels, help) = (metric.exported(), labels.join(", "), metric.help);
        format!("| `{name}` | {kind} | {labels} | {from} | {help} |\n")
    });
    ABOUT.to_owned() + &rows.collect::<String>()
}
