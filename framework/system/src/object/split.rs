//! Several results of one task, each with a reference of its own.

use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::{Error, Result};

use super::Value;
use super::cell::{ObjectCell, Standing};
use super::lineage::unless_again;
use super::reference::ObjectRef;
use super::waiter::{Dependent, Needs, Waiter};

impl<T: Value> ObjectRef<Vec<T>> {
    /// One reference for each of the `count` elements of the result. The elements are moved, not cloned, if this is the
    /// last reference of the whole.
    ///
    /// If the result has another number of elements, each reference resolves to an error that says so.
    ///
    /// ```
    /// # use raytree_system::{put, Init};
    /// let runtime = Init::new().start()?;
    /// let _here = runtime.enter();
    /// let [a, b] = put(vec![1, 2]).get()?.elements(2).try_into().expect("two");
    /// assert_eq!((a.get()?, b.get()?), (1, 2));
    /// # Ok::<(), raytree_types::Error>(())
    /// ```
    #[must_use = "elements are freed with their references"]
    pub fn elements(self, count: usize) -> Vec<ObjectRef<T>> {
        let (source, life) = (self.cell.source(), self.cell.life);
        let cells: Vec<_> = (0..count).map(|_| ObjectCell::pending(source, life)).collect();
        let refs = cells.iter().map(|cell| ObjectRef::first(Arc::clone(cell))).collect();
        when_settled(self, move |whole| match whole {
            Ok(values) if values.len() == cells.len() => {
                cells.iter().zip(values).for_each(|(cell, value)| cell.settle(Ok(value)));
            }
            Ok(values) => {
                let (found, asked) = (values.len(), cells.len());
                let reason = format!("it has {found} elements, and {asked} were asked for");
                fail(
                    &cells,
                    &Error::BadOption {
                        option: "elements".to_owned(),
                        value: asked.to_string(),
                        reason,
                    },
                );
            }
            Err(error) => fail(&cells, &error),
        });
        refs
    }
}

fn fail<T: Value>(cells: &[Arc<ObjectCell<T>>], error: &Error) {
    cells.iter().for_each(|cell| cell.settle(Err(error.clone())));
}

macro_rules! tuple {
    ($($type:ident $cell:ident $index:tt),*) => {
        impl<$($type: Value),*> ObjectRef<($($type,)*)> {
            /// One reference for each part of the result: Ray's several return values.
            #[must_use = "parts are freed with their references"]
            pub fn split(self) -> ($(ObjectRef<$type>,)*) {
                let (source, life) = (self.cell.source(), self.cell.life);
                $(let $cell = ObjectCell::pending(source, life);)*
                let refs = ($(ObjectRef::first(Arc::clone(&$cell)),)*);
                when_settled(self, move |whole| match whole {
                    Ok(values) => { $($cell.settle(Ok(values.$index));)* }
                    Err(error) => { $($cell.settle(Err(error.clone()));)* }
                });
                refs
            }
        }
    };
}

tuple!(A a 0, B b 1);
tuple!(A a 0, B b 1, C c 2);
tuple!(A a 0, B b 1, C c 2, D d 3);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);

/// What is to be done with a result, on the thread that makes it.
type Then<T> = Box<dyn FnOnce(Result<T>) + Send + Sync>;

struct Split<T>(parking_lot::Mutex<Option<(ObjectRef<T>, Then<T>)>>);

impl<T: Value> Dependent for Split<T> {
    fn argument(self: Arc<Self>, _ok: bool) {
        let waiting = self.0.lock().take();
        if let Some((whole, then)) = waiting {
            // Pinned, what lies in a store is read without fail; what is lost may be made again, and is waited for.
            let pinned = whole.cell.pins().map(|lies| unless_again(lies.pin()));
            if let Some(None) = pinned {
                return when_settled_boxed(whole, then);
            }
            // Cloning it is the user's code, and so is dropping what is left over.
            let taken = panics::catch(|| whole.cell.take()).unwrap_or_else(|cause| {
                let (task, cause) = (whole.cell.label.to_owned(), Box::new(cause));
                Err(Error::TaskFailed { task, cause })
            });
            if let Err(cause) = panics::catch(|| then(taken)) {
                tracing::error!(object = whole.cell.label, "dropping a part panicked: {cause}");
            }
        }
    }
}

fn when_settled<T: Value>(
    whole: ObjectRef<T>,
    then: impl FnOnce(Result<T>) + Send + Sync + 'static,
) {
    when_settled_boxed(whole, Box::new(then));
}

fn when_settled_boxed<T: Value>(whole: ObjectRef<T>, then: Then<T>) {
    let cell = Arc::clone(&whole.cell);
    let split = Arc::new(Split(parking_lot::Mutex::new(Some((whole, then)))));
    let waiter = Arc::clone(&split) as Arc<dyn Dependent>;
    let waiter = |needs| Waiter::Dependent(waiter, needs);
    if cell.subscribe(Needs::Memory, waiter) != Standing::Pending {
        split.argument(true);
    }
}
