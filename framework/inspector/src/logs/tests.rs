use raytree_types::inspect::LogMark;
use raytree_types::logs::LogSource;

use super::*;
use crate::fakes::{nobody, seam};

const SOON: Duration = Duration::from_secs(1);

fn text(pid: u32, node: &str) -> LogText {
    LogText {
        source: LogSource { name: "job-1".to_owned(), pid, node: Some(node.to_owned()) },
        folder: "/logs".to_owned(),
        lines: Vec::new(),
        is_cut: false,
        next: LogMark::default(),
    }
}

fn writes(path: &str, pid: u32, node: &'static str) -> Seam {
    seam(path, move |_| Ok(Answer::Logs(Box::new(text(pid, node)))))
}

fn several(seams: &[Seam]) -> Vec<String> {
    match everywhere(seams, &LogQuery::of("task-1-7"), SOON).said {
        Some(Err(Refused::Ambiguous { paths, .. })) => paths,
        other => panic!("it may be either: {other:?}"),
    }
}

#[test]
fn of_texts_of_two_processes_none_is_guessed() {
    let seams = [writes("raytree/node_pool/a", 7, "a"), writes("raytree/node_pool/b", 7, "b")];
    assert_eq!(several(&seams), ["raytree/node_pool/a/task-1-7", "raytree/node_pool/b/task-1-7"]);
    let once = [writes("raytree/node_pool/a", 7, "a"), writes("raytree/drivers/one", 7, "a")];
    let said = everywhere(&once, &LogQuery::of("task-1-7"), SOON).said;
    assert_eq!(said, Some(Ok(text(7, "a"))), "two who tell of one process");
}

#[test]
fn of_two_programs_with_a_task_of_one_id_none_is_guessed() {
    let says = |path: &str, host: &'static str| {
        seam(path, move |_| {
            let (which, host) = (format!("node_pool/{host}/workers/job-1"), host.to_owned());
            Ok(Answer::Refused(Refused::LivesElsewhere { which, host }))
        })
    };
    let two = [says("raytree/drivers/one", "a"), says("raytree/drivers/two", "b")];
    assert_eq!(several(&two), ["raytree/drivers/one/task-1-7", "raytree/drivers/two/task-1-7"]);
    let same = [says("raytree/drivers/one", "a"), says("raytree/drivers/two", "a")];
    let said = everywhere(&same, &LogQuery::of("task-1-7"), SOON).said;
    assert!(matches!(said, Some(Err(Refused::LivesElsewhere { .. }))), "{said:?}");
}

#[test]
fn names_that_others_know_are_offered() {
    let seams = [seam("raytree/node_pool/a", |_| Ok(nobody(&["scores"])))];
    let Heard { said, near } = everywhere(&seams, &LogQuery::of("scroes"), SOON);
    assert_eq!((said, near), (None, vec!["scores".to_owned()]));
}
