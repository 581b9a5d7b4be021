//! Names: unique in their namespace, found, freed.

use raytree::prelude::*;
use raytree::{Error, Result, get_actor, get_actor_in};

use super::{Desk, Subject, Toy, within};

fn named(name: &str) -> ActorOptions {
    ActorOptions::new().name(name)
}

#[raytree::test]
async fn a_name_is_unique_in_its_namespace_and_both_lines_are_told() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let line = line!() + 1;
        let first = Toy::with(named("scores")).remote(desk.key(), "first");
        let second = Toy::with(named("scores")).remote(desk.key(), "second");
        let told = second.name().await.unwrap_err();
        let Error::NameTaken { name, namespace, first: one, second: two } = &told else {
            panic!("{told}")
        };
        assert_eq!((name.as_str(), namespace.as_str()), ("scores", "default"));
        assert!(one.contains(&format!("{}:{line}:", file!())), "{one}");
        assert!(two.contains(&format!("{}:{}:", file!(), line + 1)), "{two}");
        assert_eq!(second.ready().await.unwrap_err(), told);
        assert_eq!(Handle::kill(&second).await.unwrap_err(), told);

        // Another namespace, the same name.
        let options = named("scores").namespace("elsewhere");
        let third = Toy::with(options.clone()).remote(desk.key(), "third");
        assert_eq!(third.name().await?, "third");
        assert!(matches!(
            Toy::with(options).remote(desk.key(), "x").name().await,
            Err(Error::NameTaken { .. })
        ));
        assert_eq!(get_actor::<Toy>("scores").await?.name().await?, "first");
        assert_eq!(get_actor_in::<Toy>("elsewhere", "scores").await?.name().await?, "third");
        let names = raytree::current()?.named_actors();
        let pair = |space: &str| (space.to_owned(), "scores".to_owned());
        assert_eq!(names, [pair("default"), pair("elsewhere")]);
        drop(first);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_name_that_nobody_has_or_that_is_of_another_type_is_told() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let missing = get_actor::<Toy>("nobody").await.unwrap_err();
        assert!(matches!(&missing, Error::ActorNotFound { name, namespace }
            if name == "nobody" && namespace == "default"));
        let toy = Toy::with(named("toy")).remote(desk.key(), "toy");
        let told = get_actor::<Subject>("toy").await.unwrap_err();
        let Error::WrongActorType { expected, found, .. } = &told else { panic!("{told}") };
        assert_eq!((expected.as_str(), found.as_str()), ("Subject", "Toy"));
        let other = Subject::with(named("toy").get_if_exists()).remote(desk.key());
        assert!(matches!(other.seen().await, Err(Error::WrongActorType { .. })));
        assert_eq!(toy.name().await?, "toy");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_name_is_free_again_when_whoever_waits_for_the_end_hears_of_it() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for round in 0..30 {
            let toy = Toy::with(named("again")).remote(desk.key(), format!("{round}"));
            match round % 3 {
                0 => _ = toy.kill().await?,
                1 => _ = toy.stop().await?,
                _ => assert!(toy.panic().await.is_err()),
            }
            assert!(matches!(get_actor::<Toy>("again").await, Err(Error::ActorNotFound { .. })));
        }
        // One that cannot be placed has not had it.
        let huge = Toy::with(named("again").cpus(99.0)).remote(desk.key(), "huge");
        assert!(matches!(huge.name().await, Err(Error::Infeasible { .. })));
        let toy = Toy::with(named("again")).remote(desk.key(), "last");
        assert_eq!(toy.name().await?, "last");
        Ok(())
    })
    .await
}

#[raytree::test]
fn a_hundred_racers_of_many_threads_get_one_instance() -> Result<()> {
    let desk = Desk::new();
    let runtime = raytree::current()?;
    for round in 0..10 {
        let racers: Vec<_> = (0..100)
            .map(|racer| {
                let (runtime, key) = (runtime.clone(), desk.key());
                std::thread::spawn(move || {
                    let _entered = runtime.enter();
                    let options = named(&format!("only {round}")).get_if_exists();
                    let toy = Toy::with(options).remote(key, format!("{round} {racer}"));
                    Handle::id(&toy).map(|id| (id, toy.name().get()))
                })
            })
            .collect();
        let mut answers: Vec<_> =
            racers.into_iter().map(|racer| racer.join().expect("no panic")).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(matches!(&answers[0], Some((_, Ok(_)))), "{answers:?}");
    }
    assert_eq!(desk.notes().len(), 10);
    assert_eq!(runtime.actor_count(), 10);
    Ok(())
}

#[raytree::test]
async fn a_named_actor_outlives_its_handles_until_it_is_ended() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let toy = Toy::with(named("kept")).remote(desk.key(), "kept");
        toy.ready().await?;
        drop(toy);
        for _ in 0..10 {
            assert_eq!(get_actor::<Toy>("kept").await?.name().await?, "kept");
        }
        let toy = get_actor::<Toy>("kept").await?;
        toy.stop().await?;
        desk.hears("kept stopped").await;
        assert_eq!(raytree::current()?.actor_count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_bad_option_points_at_the_line_that_gave_it() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let line = line!() + 1;
        let options = ActorOptions::new().max_concurrency(0);
        let toy = Toy::with(options).remote(desk.key(), "never");
        let told = toy.name().await.unwrap_err();
        let Error::BadOption { option, reason, .. } = &told else { panic!("{told}") };
        assert_eq!(option, "max_concurrency");
        assert!(reason.contains(&format!("names.rs:{line}")), "{reason}");
        assert_eq!(toy.ready().await.unwrap_err(), told);
        assert_eq!(toy.stop().await.unwrap_err(), told);
        assert_eq!(toy.exited().await.unwrap_err(), told);
        assert_eq!(toy.status().unwrap_err(), told);
        assert_eq!((toy.id(), toy.label().as_str()), (None, "Toy"));
        Ok(())
    })
    .await
}
