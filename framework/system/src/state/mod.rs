//! What there is and what has been, for programs: tasks, actors, objects, nodes, jobs, and the timeline.
//!
//! ```
//! use raytree_system::state;
//! # use raytree_system::{Init, Runtime};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime: Runtime = Init::new().cpus(1.0).start()?;
//! # let _entered = runtime.enter();
//! let running = state::tasks().is("state", "running").limit(10).get()?;
//! assert_eq!((running.rows.len(), running.more()), (0, 0));
//! # Ok(())
//! # }
//! ```
//!
//! In a program that uses a cluster all of this is the whole cluster's, and its head is asked; in a worker of a cluster it is what
//! that worker itself knows. Nothing is gathered before somebody asks; the histories have bounds, and say what they have dropped.

mod list;
pub(crate) mod look;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use raytree_types::inspect::{ClusterStatus, JobStatus, NodeStatus, Story, StoryStep};
use raytree_types::state::{ActorRecord, ObjectRecord, TaskRecord, Trace, TraceQuery};
use raytree_types::{Result, TaskId};

pub use list::{Get, Kind, List};
pub use raytree_objects::Traffic as StoreTraffic;

use crate::inspector::objects::one;
use crate::link::{Home, Object};
use crate::object::Value;
use crate::object::cell::Maker;
use crate::object::reference::ObjectRef;
use crate::runtime::ambient::current;
use crate::task::args::{Awaited, Settled as _};

/// Tasks, and calls of actors that have no answer yet.
pub fn tasks() -> List<TaskRecord> {
    List::new()
}

/// Actors of users.
pub fn actors() -> List<ActorRecord> {
    List::new()
}

/// Objects that are still to come, that lie in the store of a node, or that other processes hold: how large they are, where, whose, since
/// when, who holds and uses them, and which line has made them; see [`ObjectRecord`]. A value on the heap that one process alone has is
/// not listed.
pub fn objects() -> List<ObjectRecord> {
    List::new()
}

/// All that this process knows of one object: where its value is, how large it is there, who else holds it, what uses it, which line has
/// made it. Of one whose value is [elsewhere](raytree_types::state::ObjectPlace::Elsewhere) little more than whose it is. Asks nobody, and
/// fetches nothing; but looks through all tasks, calls and references that are under way here: for a look, and not for a loop.
///
/// ```
/// # use raytree_system::{put, state, Init};
/// use raytree_types::state::ObjectPlace;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Init::new().cpus(1.0).start()?;
/// # let _entered = runtime.enter();
/// let object = put(vec![1, 2, 3]).get()?;
/// let known = state::object(&object)?;
/// assert_eq!((known.place, known.references), (Some(ObjectPlace::Heap), 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NoRuntime`](raytree_types::Error::NoRuntime).
pub fn object<T: Value>(object: &ObjectRef<T>) -> Result<ObjectRecord> {
    let runtime = current()?;
    let home = match Object::home(object) {
        Some(Home::Object(imported)) => Some(Arc::clone(&imported.link().peer)),
        _ => None,
    };
    Ok(one(runtime.shared(), &object.cell.seen(), home.as_deref()))
}

/// The nodes of the cluster, by name; outside of one this program itself, and the nodes it has started.
///
/// # Errors
/// [`Error::NoRuntime`](raytree_types::Error::NoRuntime), [`Error::CannotLook`](raytree_types::Error::CannotLook).
pub async fn nodes() -> Result<Vec<NodeStatus>> {
    Ok(status().await?.nodes)
}

/// The jobs of the cluster, the oldest first; outside of one there are none.
///
/// # Errors
/// As for [`nodes`].
pub async fn jobs() -> Result<Vec<JobStatus>> {
    Ok(status().await?.jobs)
}

/// What this process has laid into the object stores of its machine, and taken out of them, since it began: large values of arguments,
/// results and objects that went to other processes without going through a socket. Nothing where there are no other processes.
///
/// # Errors
/// [`Error::NoRuntime`](raytree_types::Error::NoRuntime).
pub fn store_traffic() -> Result<StoreTraffic> {
    Ok(current()?.shared().stores.traffic())
}

async fn status() -> Result<ClusterStatus> {
    let runtime = current()?;
    look::apart(runtime.shared(), look::status).await
}

/// What has run when, over all processes, by one clock: the bodies of tasks; the messages of actors, their constructors (`new`) among
/// them; and what the object store of a node has written to disk (`spill`), read back (`restore`) and fetched from another node (`pull`).
/// All but tasks are there if they took [`SPAN_MIN`](raytree_types::limits::SPAN_MIN) or more.
///
/// # Errors
/// As for [`nodes`].
pub async fn timeline() -> Result<Trace> {
    let runtime = current()?;
    look::apart(runtime.shared(), |runtime| look::timeline(runtime, &TraceQuery::default())).await
}

/// Why something is as it is: an actor, by its path in the tree, its name or its id, or a task, by its id. The root cause first.
///
/// # Errors
/// [`Error::UnknownName`](raytree_types::Error::UnknownName) where nobody knows of such a thing;
/// [`Error::CannotLook`](raytree_types::Error::CannotLook), [`Error::NoRuntime`](raytree_types::Error::NoRuntime).
pub async fn why(which: impl ToString) -> Result<Story> {
    let (runtime, which) = (current()?, which.to_string());
    look::apart(runtime.shared(), move |runtime| look::why(runtime, which)).await
}

/// Why an object is not there: of one that a task or a call of an actor is to make, why that is as it is.
///
/// # Errors
/// As for [`why`].
pub async fn why_object<T: Value>(object: &ObjectRef<T>) -> Result<Story> {
    let runtime = current()?;
    let about = |now: String| Story { about: "the object".to_owned(), now, ..Story::default() };
    let Some(Awaited(label, maker)) = object.awaits() else {
        if let Some((_, from)) = object.comes() {
            return Ok(about(format!("it {from}")));
        }
        let Some(error) = object.error() else { return Ok(about("it is there".to_owned())) };
        let step = StoryStep {
            who: "the object".to_owned(),
            what: error.to_string(),
            age: None,
            goes_on: false,
            place: None,
        };
        return Ok(Story { steps: vec![step], ..about("it has failed".to_owned()) });
    };
    match maker {
        Some(Maker::Task(number)) => why(TaskId::new(runtime.shared().id, number)).await,
        Some(Maker::Call(actor)) => {
            let story = why(actor).await?;
            let own = StoryStep {
                who: "the object".to_owned(),
                what: format!("is the answer of {label}, which waits for {}", story.about),
                age: None,
                goes_on: true,
                place: None,
            };
            let now = format!("it is the answer of {label} by {}: {}", story.about, story.now);
            let steps = story.steps.into_iter().chain([own]).collect();
            Ok(Story { about: "the object".to_owned(), now, steps, ..story })
        }
        None => Ok(about(format!("it comes from another process, where {label} makes it"))),
    }
}

/// Writes a timeline into a file that Perfetto and Chrome's own viewer open.
///
/// # Errors
/// The file cannot be written.
pub fn write_timeline(trace: &Trace, path: impl AsRef<Path>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    raytree_inspector::chrome::write(trace, &mut file)?;
    file.into_inner()?.sync_all()
}
