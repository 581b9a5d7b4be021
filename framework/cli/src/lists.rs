//! `raytree nodes`, `raytree jobs` and `raytree groups`: what a cluster has, as tables.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{JobStatus, NodeStatus};

use crate::Code;
use crate::args::ListArgs;
use crate::status::{ask_head, share};
use crate::table::{Cell, Column, Row, list};
use crate::tree::Style;

impl Row for NodeStatus {
    const COLUMNS: &'static [Column] = &[
        Column::text("node"),
        Column::text("state"),
        Column::number("life"),
        Column::number("cpus"),
        Column::number("free"),
        Column::text("resources"),
        Column::text("address"),
        Column::text("version"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let is_known = !self.total.is_none();
        let cpus = |amount| if is_known { Cell::Amount(amount) } else { Cell::None };
        vec![
            Cell::Text(self.name.clone()),
            Cell::Text(self.phase.to_string()),
            Cell::Number(self.life),
            cpus(self.total.thousandths("CPU")),
            cpus(self.free.thousandths("CPU")),
            if is_known { Cell::Text(share(&self.free, &self.total)) } else { Cell::None },
            Cell::Text(self.address.clone()),
            Cell::Text(self.version.clone()),
        ]
    }
}

impl Row for JobStatus {
    const COLUMNS: &'static [Column] = &[
        Column::text("job"),
        Column::text("program"),
        Column::number("workers"),
        Column::number("age"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.job.to_string()),
            Cell::Text(self.program.clone()),
            Cell::Number(self.workers as u64),
            Cell::Span(self.age),
        ]
    }
}

/// Prints the nodes of a cluster, as its head sees them.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn nodes(
    args: &ListArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    match ask_head(args.address.as_deref(), args.context.as_deref(), folder) {
        Ok(status) => list(&status.nodes, 0, &args.view, ("no nodes", style), out, err),
        Err(why) => unreachable(&why, err),
    }
}

/// Prints the jobs of a cluster, as its head sees them.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn jobs(
    args: &ListArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    match ask_head(args.address.as_deref(), args.context.as_deref(), folder) {
        Ok(status) => list(&status.jobs, 0, &args.view, ("no jobs", style), out, err),
        Err(why) => unreachable(&why, err),
    }
}

fn unreachable(why: &str, err: &mut impl Write) -> io::Result<Code> {
    writeln!(err, "raytree: {why}")?;
    Ok(Code::Nothing)
}

/// What Ray has, and this version has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotYet {
    /// Resources that are set aside together.
    #[error("there are no placement groups yet: actors and tasks ask for resources one by one")]
    PlacementGroups,
}

/// Says that there are no placement groups.
///
/// # Errors
/// `err` cannot be written.
pub fn groups(err: &mut impl Write) -> io::Result<Code> {
    unreachable(&NotYet::PlacementGroups.to_string(), err)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use raytree_types::inspect::NodePhase;
    use raytree_types::{JobId, Resources};

    use super::*;
    use crate::table::View;

    const PIPE: Style = Style { columns: 40, lines: false, colour: false };

    fn node(name: &str, phase: NodePhase, total: Resources) -> NodeStatus {
        NodeStatus {
            name: name.to_owned(),
            life: 1,
            phase,
            address: "10.0.0.7 pid 4711".to_owned(),
            free: Resources::none().custom("CPU", 1.5),
            total,
            version: "0.1.0".to_owned(),
            metrics: None,
        }
    }

    fn told<T: Row>(records: &[T], view: &View) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        list(records, 0, view, ("none", PIPE), &mut out, &mut err).expect("memory");
        assert!(err.is_empty());
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn tb_1_nodes_have_stable_columns() {
        let total = Resources::none().custom("CPU", 4.0).custom("disk", 2.0);
        let nodes = [
            node("node-10", NodePhase::Up, total.clone()),
            node("node-2", NodePhase::Suspect, total),
            node("new", NodePhase::Starting, Resources::none()),
        ];
        let view = View { sort: Some("node".to_owned()), ..View::default() };
        expect![[r#"
            NODE     STATE     LIFE  CPUS  FREE  RESOURCES                  ADDRESS            VERSION
            new      starting     1     -     -  -                          10.0.0.7 pid 4711  0.1.0
            node-2   suspect      1     4   1.5  1.5 of 4 CPU, 0 of 2 disk  10.0.0.7 pid 4711  0.1.0
            node-10  up           1     4   1.5  1.5 of 4 CPU, 0 of 2 disk  10.0.0.7 pid 4711  0.1.0
        "#]].assert_eq(&told(&nodes, &view));
        let view = View { json: true, conditions: vec!["state=suspect".to_owned()], ..view };
        expect![[r#"
            {
              "version": 1,
              "rows": [
                {
                  "name": "node-2",
                  "life": 1,
                  "phase": "suspect",
                  "address": "10.0.0.7 pid 4711",
                  "total": {
                    "amounts": {
                      "CPU": 4000,
                      "disk": 2000
                    }
                  },
                  "free": {
                    "amounts": {
                      "CPU": 1500
                    }
                  },
                  "version": "0.1.0"
                }
              ],
              "more": 0
            }
        "#]]
        .assert_eq(&told(&nodes, &view));
    }

    #[test]
    fn tb_1_jobs_have_stable_columns() {
        let job = |number, program: &str, seconds| JobStatus {
            job: JobId(number),
            program: program.to_owned(),
            age: Duration::from_secs(seconds),
            workers: 2,
        };
        let jobs = [job(1, "train", 86_400 * 2), job(12, "my program", 75)];
        let view = View { sort: Some("age".to_owned()), ..View::default() };
        expect![[r#"
            JOB     PROGRAM     WORKERS    AGE
            job-12  my program        2  1 min
            job-1   train             2    2 d
        "#]]
        .assert_eq(&told(&jobs, &view));
        let view = View { json: true, limit: 1, ..view };
        expect![[r#"
            {
              "version": 1,
              "rows": [
                {
                  "job": 12,
                  "program": "my program",
                  "age": {
                    "secs": 75,
                    "nanos": 0
                  },
                  "workers": 2
                }
              ],
              "more": 1
            }
        "#]]
        .assert_eq(&told(&jobs, &view));
    }

    #[test]
    fn what_does_not_exist_yet_says_so() {
        let mut err = Vec::new();
        assert_eq!(groups(&mut err).expect("memory"), Code::Nothing);
        let why = "raytree: there are no placement groups yet: actors and tasks ask for resources one by one\n";
        assert_eq!(String::from_utf8(err).expect("text"), why);
    }
}
