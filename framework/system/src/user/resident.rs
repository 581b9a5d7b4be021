//! Handles on residents: detached actors of a cluster, which outlive the program that has created them.

use std::panic::Location;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::cluster::About;
use raytree_supervise::short_type_name;
use raytree_types::{ActorIds, ActorOptions, Error, Result, RuntimeId};

use super::actor_ref::ActorRef;
use super::class::token_of;
use super::handle::ActorHandle;
use super::remote::Remote;
use crate::driver::Driver;
use crate::driver::residents::{self, Resident};
use crate::gcs::table::Place;
use crate::runtime::Runtime;
use crate::runtime::create::{Line, Making};
use crate::runtime::start::drawn_by_lot;
use crate::worker::launch::BodyOf;
use crate::worker::resident::{Followed, Wish};

type Here = (Line, Place);

/// A new one. The cluster is asked for it as soon as the arguments of its constructor are there, whether or not the handle is
/// still held.
pub(super) fn create<T: Remote>(
    runtime: &Runtime,
    driver: &Arc<Driver>,
    wish: Wish,
    here: Here,
) -> Result<ActorHandle<T>> {
    wish.options.check()?;
    if wish.options.isolation().is_some_and(|own| *own != raytree_types::Isolation::default()) {
        return Err(Error::BadOption {
            option: "detached".to_owned(),
            value: short_type_name::<T>().to_owned(),
            reason: "on a cluster its process is the cluster's: it takes no environment, folder or bound of memory".to_owned(),
        });
    }
    let about = About {
        class: T::info().name.to_owned(),
        signature: T::info().signature.to_owned(),
        label: wish.options.given_label().unwrap_or(short_type_name::<T>()).to_owned(),
        mailbox: wish.options.mailbox_bound(),
        retries: wish.options.retries_max(),
    };
    // Whoever else makes one draws another.
    let id = ActorIds::new(RuntimeId::given(drawn_by_lot())).next();
    let resident = Arc::new(driver.new_resident(id, about));
    let handle = stand_in::<T>(runtime, resident, Some(Arc::new(wish)), here)?;
    // Until the cluster was asked: what is detached is not taken back by who drops it.
    let own = handle.clone();
    runtime.shared().user.spawn(async move { _ = own.ready().await });
    Ok(handle)
}

/// The living one of this name.
pub(super) async fn find<T: Remote>(
    runtime: &Runtime,
    driver: &Arc<Driver>,
    namespace: &str,
    name: &str,
) -> Result<ActorRef<T>> {
    let found = driver.find_resident(namespace, name).await;
    let resident = found.map_err(|why| why.of_name(namespace, name))?;
    let about = residents::known(&resident)?;
    if about.class != T::info().name {
        let found = about.class.rsplit("::").next().unwrap_or(&about.class).to_owned();
        let expected = short_type_name::<T>().to_owned();
        return Err(Error::WrongActorType { name: name.to_owned(), expected, found });
    }
    follow(runtime, Arc::new(resident))
}

/// A handle on one that lives: the stand-in there is, or a new one.
pub(super) fn follow<T: Remote>(runtime: &Runtime, resident: Arc<Resident>) -> Result<ActorRef<T>> {
    /// One at a time, so that two do not make one each.
    static MAKING: Mutex<()> = Mutex::new(());
    let (life, table) = (runtime.shared().life, &runtime.shared().table);
    let _making = MAKING.lock();
    let known = resident.id().and_then(|id| table.stand_in(id));
    let token = known.and_then(|id| table.launch(id)?.token());
    if let Some(own) = token.as_ref().and_then(|token| token.typed.downcast_ref::<ActorRef<T>>())
        // Its last handle may just have gone.
        && resident.id().and_then(|id| table.stand_in(id)) == known
    {
        return Ok(own.clone());
    }
    let here = (Line::Here(Location::caller()), Place::Now);
    let handle = stand_in::<T>(runtime, resident, None, here)?;
    Ok(ActorRef::live_of(handle, life))
}

fn stand_in<T: Remote>(
    runtime: &Runtime,
    resident: Arc<Resident>,
    wish: Option<Arc<Wish>>,
    here: Here,
) -> Result<ActorHandle<T>> {
    let about = residents::known(&resident)?;
    let options = ActorOptions::new().cpus(0.0).label(&*about.label);
    let options = options.mailbox(about.mailbox).retries(about.retries);
    let making = Making {
        body: BodyOf::Resident(Followed { resident, wish }),
        owner: None,
        here,
        id: None,
        token: Some(token_of::<T>),
    };
    runtime.create::<T>(options, making).map(|born| born.handle)
}
