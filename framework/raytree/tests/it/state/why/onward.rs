//! Why a task waits for what others make: the way goes on to them, in whichever process they are.

use super::*;

async fn id_of(name: &'static str) -> Result<raytree::TaskId> {
    let list = state::tasks().is("name", name).await?;
    list.rows.first().and_then(|row| row.id).ok_or(Error::NoRuntime)
}

#[remote]
async fn gathers(others: Vec<ObjectRef<u32>>, gate: Gate) -> Result<usize> {
    let _inside = gate.enter();
    Ok(raytree::get_all(others).await?.len())
}

#[remote]
async fn awaits_call(keeper: KeeperHandle, gate: Gate) -> Result<()> {
    keeper.keep(gate).await
}

#[remote]
async fn starts_far() -> Result<()> {
    waits_forever::remote().await
}

#[remote]
async fn asks_why(others: Vec<ObjectRef<u32>>) -> Result<String> {
    Ok(state::why_object(&others[0]).await?.now)
}

#[raytree::test(cpus = 3)]
async fn why_a_task_that_runs_waits_names_what_it_waits_for() -> Result<()> {
    within(async {
        let (gate, begun) = (Gate::new(), Gate::new());
        let held = holds::remote(gate);
        gate.begun(1).await;
        let waits = waits_for::remote(held.clone(), begun);
        let gathers = gathers::remote(vec![held], begun);
        begun.begun(2).await;
        let (held, id) = (id_of("holds").await?, id_of("waits_for").await?);
        let says =
            |now: String| async move { state::why(id).await.is_ok_and(|story| story.now == now) };
        comes(|| says(format!("it runs, and waits for holds ({held})"))).await;
        let story = state::why(id).await?;
        assert_eq!(lines(&story)[0], format!("holds ({held}): runs"));
        // Of several at once it is not noted who waits for them.
        let id = id_of("gathers").await?;
        comes(|| async {
            state::why(id).await.is_ok_and(|story| story.now == "it runs, and waits for objects")
        })
        .await;
        gate.open();
        waits.await?;
        gathers.await?;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn why_a_task_waits_for_the_answer_of_an_actor_goes_on_to_the_actor() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let keeper = Keeper::with(ActorOptions::new().name("keeper")).remote();
        let kept = keeper.keep(gate);
        gate.begun(1).await;
        let behind = takes_nothing::remote(&kept);
        let next = awaits_call::remote(keeper.clone(), gate);
        let (actor, id) = (state::actors().await?.rows[0].id, id_of("takes_nothing").await?);
        let story = state::why(id).await?;
        assert_eq!(story.now, format!("it waits for its arguments: keep of {actor}"));
        let told = lines(&story);
        let [cause, own] = &told[..] else { panic!("{story:?}") };
        assert!(cause.contains("keeper#") && cause.contains(": has been handling keep"), "{cause}");
        assert!(own.starts_with("takes_nothing (task-"), "{own}");
        let id = id_of("awaits_call").await?;
        let waits = || async {
            let now = format!("it runs, and waits for keep of {actor}");
            state::why(id).await.is_ok_and(|story| story.now == now)
        };
        comes(waits).await;
        let story = state::why(id).await?;
        assert!(lines(&story)[0].contains(" 2 of "), "with the call that runs: {story:?}");
        gate.open();
        behind.await?;
        next.await?;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn why_a_task_failed_for_its_argument_is_the_failure_of_that() -> Result<()> {
    within(async {
        let failed = fails::remote();
        takes::remote(&failed).await.expect_err("its argument fails");
        let story = state::why(id_of("takes").await?).await?;
        assert!(story.now.starts_with("it has failed, and never ran"), "{}", story.now);
        let cause = &lines(&story)[0];
        assert!(cause.contains("fails") && cause.contains("not today"), "{cause}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2, cpus = 2)]
async fn why_a_task_that_was_sent_waits_is_told_by_the_node() -> Result<()> {
    within(async {
        let started = starts_far::remote();
        comes(|| async {
            let id = id_of("starts_far").await;
            let Ok(id) = id else { return false };
            let story = state::why(id).await;
            story.is_ok_and(|story| {
                story.now.contains(", where it runs, and waits for waits_forever (task-")
                    && lines(&story)
                        .first()
                        .is_some_and(|cause| cause.starts_with("waits_forever (task-"))
            })
        })
        .await;
        started.cancel();
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1, cpus = 2)]
async fn why_an_object_of_another_process_is_not_there() -> Result<()> {
    within(async {
        let to_come = never::remote();
        let said = asks_why::remote(vec![to_come.clone()]).await?;
        assert!(said.starts_with("it comes from another process, where "), "{said}");
        to_come.cancel();
        Ok(())
    })
    .await
}
