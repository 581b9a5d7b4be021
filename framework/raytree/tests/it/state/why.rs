//! Why tasks and objects are as they are.

mod actors;
mod coming;
mod onward;

use super::*;

fn lines(story: &state::Story) -> Vec<String> {
    story.steps.iter().map(|step| format!("{}: {}", step.who, step.what)).collect()
}

#[raytree::test(cpus = 2)]
async fn why_a_task_waits_for_an_argument_leads_to_what_that_waits_for() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let held = holds::remote(gate);
        gate.begun(1).await;
        let wide = wide_number::remote();
        let behind = takes::remote(wide);
        let last = takes_nothing::remote(&behind);
        let id = |name: &'static str| async move {
            let list = state::tasks().is("name", name).await?;
            list.rows[0].id.ok_or(Error::NoRuntime)
        };
        let (holds, wide, takes) =
            (id("holds").await?, id("wide_number").await?, id("takes").await?);
        let last_id = id("takes_nothing").await?;
        let story = state::why(last_id).await?;
        assert_eq!(story.now, format!("it waits for its arguments: takes ({takes})"));
        assert_eq!(
            lines(&story),
            [
                "resources: free are 1 CPU of 2 CPU".to_owned(),
                format!("held by: holds ({holds}, 1 CPU)"),
                format!("wide_number ({wide}): waits for 2 CPU"),
                format!("takes ({takes}): waits for its arguments: wide_number ({wide})"),
                format!("takes_nothing ({last_id}): waits for its arguments: takes ({takes})"),
            ]
        );
        gate.open();
        held.await?;
        last.await?;
        let story = state::why(last_id).await?;
        assert!(
            story.now.starts_with("it has returned after") && story.steps.is_empty(),
            "{story:?}"
        );
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn why_an_object_is_not_there_is_why_its_maker_is_as_it_is() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let held = holds::remote(gate);
        gate.begun(1).await;
        assert_eq!(state::why_object(&held).await?.now, "it runs");
        let queued = takes::remote(1);
        let story = state::why_object(&queued).await?;
        assert_eq!(story.now, "it waits for 1 CPU");
        assert!(lines(&story)[1].starts_with("held by: holds ("), "{story:?}");
        gate.open();
        held.await?;
        (&queued).await?;
        assert_eq!(state::why_object(&queued).await?.now, "it is there");
        let failed = fails::remote();
        (&failed).await.expect_err("it fails");
        let story = state::why_object(&failed).await?;
        assert_eq!(story.now, "it has failed");
        assert!(lines(&story)[0].contains("not today"), "{story:?}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn why_a_task_failed_or_was_cancelled_is_remembered() -> Result<()> {
    within(async {
        fails::remote().await.expect_err("it fails");
        let failed = state::tasks().is("state", "failed").await?.rows.remove(0);
        let id = failed.id.ok_or(Error::NoRuntime)?;
        let story = state::why(id).await?;
        assert!(story.now.starts_with("it has failed after"), "{}", story.now);
        assert!(lines(&story)[0].contains("not today"), "{story:?}");
        let gate = Gate::new();
        let held = holds::remote(gate);
        gate.begun(1).await;
        let queued = takes::remote(1);
        let id = state::tasks().is("state", "queued").await?.rows[0].id.ok_or(Error::NoRuntime)?;
        let story = state::why(id).await?;
        assert_eq!(story.now, "it waits for 1 CPU");
        queued.cancel();
        assert_eq!(state::why(id).await?.now, "it was cancelled, and never ran");
        gate.open();
        held.await?;
        let unknown = state::why("task-1-ffff").await.expect_err("there is no such task");
        assert!(
            matches!(&unknown, Error::UnknownName { kind, which, .. } if kind == "task" && which == "task-1-ffff"),
            "{unknown}"
        );
        assert_eq!(unknown.code(), "RT0008");
        let keeper = Keeper::with(ActorOptions::new().name("keeper")).remote();
        keeper.ready().await?;
        let unknown = state::why("keeepr").await.expect_err("there is no such actor");
        let near = vec!["keeper".to_owned()];
        let (kind, which) = ("actor".to_owned(), "keeepr".to_owned());
        assert_eq!(unknown, Error::UnknownName { kind, which, near });
        assert_eq!(unknown.to_string(), "there is no actor `keeepr`; is `keeper` meant?");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn why_a_task_that_was_sent_names_the_process() -> Result<()> {
    within(async {
        let held = waits_forever::remote();
        comes(|| async { held_up().await.is_ok_and(|all| all.rows[0].state == TaskState::Sent) })
            .await;
        let id = held_up().await?.rows[0].id.ok_or(Error::NoRuntime)?;
        // The node may be looked at a moment after it has the task.
        let says = |now: &'static str| async move {
            state::why(id).await.is_ok_and(|story| story.now == now)
        };
        comes(|| says("it was sent to node-1, where it runs")).await;
        held.cancel();
        Ok(())
    })
    .await
}

#[remote(cpus = 2)]
fn wide_number() -> u32 {
    2
}

#[remote]
fn takes_nothing(_nothing: ()) {}
