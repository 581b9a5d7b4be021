use super::*;
use crate::fakes::{nobody, seam, shut, silent};

const SOON: Duration = Duration::from_secs(1);

fn told(now: &str) -> Answer {
    let about = "load (task-1-7)".to_owned();
    Answer::Why(Story { about, now: now.to_owned(), ..Story::default() })
}

fn asked() -> Request {
    Request::Why { which: "task-1-7".to_owned() }
}

#[test]
fn of_tasks_of_two_programs_that_are_called_alike_none_is_guessed() {
    let seams = ["one", "two"].map(|name| {
        seam(&format!("raytree/drivers/{name}"), move |_| Ok(told(&format!("it runs in {name}"))))
    });
    let Err(Refused::Ambiguous { which, paths }) = below(&seams, &asked(), SOON) else {
        panic!("it may be either")
    };
    assert_eq!(which, "task-1-7");
    assert_eq!(paths, ["raytree/drivers/one/task-1-7", "raytree/drivers/two/task-1-7"]);
    // One of them below another process.
    let node = seam("raytree/node_pool/a", |_| {
        let paths = ["b", "c"].map(|job| format!("a/workers/{job}/task-1-7")).into();
        Ok(Answer::Refused(Refused::Ambiguous { which: "task-1-7".to_owned(), paths }))
    });
    let Err(Refused::Ambiguous { paths, .. }) = below(&[node], &asked(), SOON) else {
        panic!("it may be either")
    };
    assert_eq!(paths[0], "raytree/node_pool/a/workers/b/task-1-7");
}

#[test]
fn a_story_says_who_was_not_heard() {
    let knows = seam("raytree/drivers/one", |_| Ok(told("it runs")));
    let frozen = seam("raytree/node_pool/a", |_| Err(silent()));
    let begins = seam("raytree/node_pool/b", |_| Err(shut()));
    let other = seam("raytree/node_pool/c", |_| Ok(nobody(&[])));
    let story = below(&[knows, frozen, begins, other], &asked(), SOON);
    let story = story.expect("one knows it").expect("one knows it");
    let missing: Vec<_> = story.missing.iter().map(|one| &*one.path).collect();
    assert_eq!((&*story.now, missing), ("it runs", vec!["raytree/node_pool/a"]));
}
