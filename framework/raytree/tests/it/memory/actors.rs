//! Actors in processes of their own.

use raytree::ExitKind;

use super::*;

/// Has the file of its lives.
struct Hermit {
    place: PathBuf,
}

#[remote(isolated)]
impl Hermit {
    fn new(place: PathBuf) -> Self {
        begins(&place);
        Self { place }
    }

    pub(crate) async fn stays(&self) -> u32 {
        while !self.place.with_extension("go").exists() {
            tokio::task::yield_now().await;
        }
        std::process::id()
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

#[test]
fn an_actor_that_was_ended_for_memory_lives_again_and_its_callers_know_why() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    within(&cluster, async {
        let desk = Desk::new();
        let hermit = Hermit::with(ActorOptions::new().restarts(1)).remote(desk.place("h"));
        let lost = hermit.stays();
        let first = desk.run("h", 0).await;
        figures.is_full_with(first);
        let error = lost.await.unwrap_err();
        let Error::ActorDied { kind, will_restart: true, .. } = &error else { panic!("{error}") };
        assert!(matches!(**kind, ExitKind::HostDied(_)), "{kind}");
        let why = error.downcast::<Error>().expect("the error itself");
        assert_eq!(sizes(&why).1, [999, 1000, 900, 300]);
        let second = desk.run("h", 1).await;
        assert_eq!(hermit.process().await?, second);
        Ok(())
    })
}

#[test]
fn one_that_nobody_has_called_is_ended_before_one_that_is_at_work() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    within(&cluster, async {
        let desk = Desk::new();
        let idle = Hermit::remote(desk.place("idle"));
        let waits = idle.process().await?;
        let again = Hermit::with(ActorOptions::new().restarts(1)).remote(desk.place("busy"));
        let answer = again.stays();
        // The newest, and it may live again.
        let works = desk.run("busy", 0).await;
        again.ready().await?;
        figures.is_full_with(waits);
        // Who called it now would find it at work.
        until(|| !is_there(waits)).await;
        assert!(idle.process().await.is_err());
        desk.let_go("busy");
        assert_eq!(answer.await?, works);
        Ok(())
    })
}
