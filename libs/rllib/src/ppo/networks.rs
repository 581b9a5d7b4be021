//! The table of networks by id, filled at link time.

use super::network::NetworkSpec;
use crate::error::{Error, Result};
use raytree_nn::Model;

/// The network that the settings describe by themselves.
pub(super) const DEFAULT: &str = "mlp";

crate::register_network!("mlp", NetworkSpec::mlp);

/// One registered network. Made by [`register_network!`](crate::register_network).
#[derive(Clone, Copy, Debug)]
pub struct NetworkRegistration {
    id: &'static str,
    /// `file:line` of the registration.
    place: &'static str,
    build: fn(&NetworkSpec) -> Box<dyn Model>,
}

impl NetworkRegistration {
    /// For [`register_network!`](crate::register_network).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static str,
        place: &'static str,
        build: fn(&NetworkSpec) -> Box<dyn Model>,
    ) -> Self {
        Self { id, place, build }
    }

    pub(super) fn build(&self, spec: &NetworkSpec) -> Box<dyn Model> {
        (self.build)(spec)
    }
}

inventory::collect!(NetworkRegistration);

/// Registers a network under an id, for this program and every crate that links it. An id can travel, a closure cannot:
/// each env runner builds its own copy, wherever it runs, and so does whoever reads a checkpoint.
///
/// ```
/// use raytree_nn::{Linear, Net};
/// use raytree_rllib::{PpoConfig, register_network};
///
/// register_network!("linear", |spec| {
///     Box::new(Net::new(Linear::new(spec.inputs, spec.outputs()), &mut spec.rng()))
/// });
///
/// let config = PpoConfig::new("CartPole-v1").network("linear");
/// config.validate()?;
/// # Ok::<(), raytree_rllib::Error>(())
/// ```
#[macro_export]
macro_rules! register_network {
    ($id:literal, $build:expr $(,)?) => {
        $crate::__private::inventory::submit! {
            $crate::ppo::NetworkRegistration::new(
                $id,
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                $build,
            )
        }
    };
}

/// The network registered under `id`.
///
/// # Errors
/// [`Error::UnknownNetwork`] or [`Error::DuplicateNetwork`].
pub(super) fn find(id: &str) -> Result<&'static NetworkRegistration> {
    find_in(&inventory::iter::<NetworkRegistration>.into_iter().collect::<Vec<_>>(), id)
}

fn find_in(all: &[&'static NetworkRegistration], id: &str) -> Result<&'static NetworkRegistration> {
    let mut matches = all.iter().filter(|registration| registration.id == id);
    match (matches.next(), matches.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => {
            // The linker's order is nobody's choice.
            let mut places = [one.place.to_owned(), other.place.to_owned()];
            places.sort_unstable();
            let [first, second] = places;
            Err(Error::DuplicateNetwork { id: id.to_owned(), first, second })
        }
        (None, _) => {
            let mut known: Vec<_> = all.iter().map(|known| format!("`{}`", known.id)).collect();
            known.sort_unstable();
            Err(Error::UnknownNetwork { id: id.to_owned(), known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_means_one_network() {
        static ALL: [NetworkRegistration; 3] = [
            NetworkRegistration::new("a", "z.rs:1", NetworkSpec::mlp),
            NetworkRegistration::new("a", "here.rs:2", NetworkSpec::mlp),
            NetworkRegistration::new("b", "b.rs:3", NetworkSpec::mlp),
        ];
        let message = |id: &str| find_in(&ALL.each_ref(), id).unwrap_err().to_string();
        assert_eq!(message("a"), "network `a` is registered twice: at here.rs:2 and at z.rs:1");
        assert_eq!(message("c"), "unknown network `c`: there are `a`, `a`, `b`");
        assert_eq!(find_in(&ALL.each_ref(), "b").unwrap().place, "b.rs:3");
        assert!(find(DEFAULT).is_ok());
    }
}
