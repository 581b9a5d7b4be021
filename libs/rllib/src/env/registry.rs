//! The table of environments by id, filled at link time.

use super::Env;
use super::single::SingleEnv;
use super::vector::{VectorEnv, VectorOptions};
use crate::error::{Error, Result};

/// What a registration says about an environment besides how to build it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EnvSpec {
    /// Steps after which an episode is truncated; `None` for no limit.
    pub max_episode_steps: Option<u32>,
    /// The mean return at which the task counts as solved; `None` if there is no such number.
    pub reward_threshold: Option<f32>,
}

impl EnvSpec {
    /// No limit, no threshold.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_episode_steps: None, reward_threshold: None }
    }

    /// Sets [`max_episode_steps`](Self::max_episode_steps).
    #[must_use]
    pub const fn max_episode_steps(mut self, steps: u32) -> Self {
        self.max_episode_steps = Some(steps);
        self
    }

    /// Sets [`reward_threshold`](Self::reward_threshold).
    #[must_use]
    pub const fn reward_threshold(mut self, mean_return: f32) -> Self {
        self.reward_threshold = Some(mean_return);
        self
    }
}

/// One registered environment. Made by [`register_env!`](crate::register_env).
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// The id, `Name-vN`.
    pub id: &'static str,
    /// Step limit and threshold.
    pub spec: EnvSpec,
    /// `file:line` of the registration.
    pub place: &'static str,
    build: fn() -> Box<dyn Env>,
    build_vector: fn(VectorOptions) -> Box<dyn VectorEnv>,
}

impl Registration {
    /// For [`register_env!`](crate::register_env), which also checks the id.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static str,
        spec: EnvSpec,
        place: &'static str,
        build: fn() -> Box<dyn Env>,
        build_vector: fn(VectorOptions) -> Box<dyn VectorEnv>,
    ) -> Self {
        Self { id, spec, place, build, build_vector }
    }

    /// One bare environment, without its step limit.
    #[must_use]
    pub fn build(&self) -> Box<dyn Env> {
        (self.build)()
    }

    /// Many of them, stepped together. The registered step limit holds unless `options` has its own.
    #[must_use]
    pub fn build_vector(&self, mut options: VectorOptions) -> Box<dyn VectorEnv> {
        options.max_episode_steps = options.max_episode_steps.or(self.spec.max_episode_steps);
        (self.build_vector)(options)
    }
}

inventory::collect!(Registration);

/// Registers an environment under a Gymnasium-style id, for this program and every crate that links it.
///
/// ```
/// # use raytree_rllib::envs::CartPole;
/// use raytree_rllib::register_env;
///
/// register_env!("LongPole-v0", max_episode_steps = 5_000, reward_threshold = 4_900.0, || CartPole::new());
/// register_env!("EndlessPole-v0", || CartPole::new());
/// # raytree_rllib::make("EndlessPole-v0").unwrap();
/// ```
/// An id that is not of the form `Name-vN` does not compile:
/// ```compile_fail
/// # use raytree_rllib::envs::CartPole;
/// raytree_rllib::register_env!("LongPole", || CartPole::new());
/// ```
#[macro_export]
macro_rules! register_env {
    ($id:literal, $($field:ident = $value:expr,)* || $env:expr $(,)?) => {
        const _: () = {
            const _: () = ::core::assert!(
                $crate::env::is_valid_env_id($id),
                "an environment id is `Name-vN`, such as `CartPole-v1`"
            );

            fn env() -> impl $crate::env::Env {
                $env
            }

            fn build() -> ::std::boxed::Box<dyn $crate::env::Env> {
                ::std::boxed::Box::new(env())
            }

            fn build_vector(
                options: $crate::env::VectorOptions,
            ) -> ::std::boxed::Box<dyn $crate::env::VectorEnv> {
                ::std::boxed::Box::new($crate::env::Vectorized::new(env, options))
            }

            $crate::__private::inventory::submit! {
                $crate::env::Registration::new(
                    $id,
                    $crate::env::EnvSpec::new()$(.$field($value))*,
                    ::core::concat!(::core::file!(), ":", ::core::line!()),
                    build,
                    build_vector,
                )
            }
        };
    };
}

/// Whether an id has the form `Name-vN`: letters, digits, `_`, `.`, `:`, `/` or `-`, then `-v` and a number.
#[must_use]
pub const fn is_valid_env_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    let mut digits = 0;
    while digits < bytes.len() && bytes[bytes.len() - 1 - digits].is_ascii_digit() {
        digits += 1;
    }
    if digits == 0 || bytes.len() < digits + 3 {
        return false;
    }
    let name = bytes.len() - digits - 2;
    if bytes[name] != b'-' || bytes[name + 1] != b'v' {
        return false;
    }
    let mut index = 0;
    while index < name {
        let byte = bytes[index];
        if !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.' | b':' | b'/' | b'-') {
            return false;
        }
        index += 1;
    }
    true
}

/// Every registered environment, in the order of ids.
#[must_use]
pub fn registered() -> Vec<&'static Registration> {
    let mut all: Vec<_> = inventory::iter::<Registration>.into_iter().collect();
    all.sort_by_key(|registration| (registration.id, registration.place));
    all
}

/// The environment registered under `id`.
///
/// # Errors
/// [`Error::UnknownEnv`] with ids that look alike, or [`Error::DuplicateEnv`].
pub fn find(id: &str) -> Result<&'static Registration> {
    find_in(&registered(), id)
}

fn find_in(all: &[&'static Registration], id: &str) -> Result<&'static Registration> {
    let mut matches = all.iter().filter(|registration| registration.id == id);
    match (matches.next(), matches.next()) {
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => Err(Error::DuplicateEnv {
            id: id.to_owned(),
            first: first.place.to_owned(),
            second: second.place.to_owned(),
        }),
        (None, _) => Err(Error::UnknownEnv { id: id.to_owned(), near: near(all, id) }),
    }
}

/// At most three ids that look like `id`, nearest first. The version and the case weigh little.
fn near(all: &[&'static Registration], id: &str) -> Vec<String> {
    let bare = |id: &str| id.split("-v").next().unwrap_or(id).to_lowercase();
    let mut scored: Vec<(f64, &str)> = all
        .iter()
        .map(|registration| {
            (strsim::jaro_winkler(&bare(registration.id), &bare(id)), registration.id)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by_key(|(_, id)| *id);
    scored.into_iter().take(3).map(|(_, id)| id.to_owned()).collect()
}

/// One environment with its step limit, drawing from stream `Evaluation(0)` of seed 0 until told otherwise with
/// [`SingleEnv::stream`].
///
/// # Errors
/// See [`find`].
pub fn make(id: &str) -> Result<SingleEnv> {
    let registration = find(id)?;
    Ok(SingleEnv::new(registration.build()).max_episode_steps(registration.spec.max_episode_steps))
}

/// A range of an experiment's environments, stepped together.
///
/// # Errors
/// See [`find`].
pub fn make_vector(id: &str, options: VectorOptions) -> Result<Box<dyn VectorEnv>> {
    Ok(find(id)?.build_vector(options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::CartPole;

    fn registration(id: &'static str, place: &'static str) -> &'static Registration {
        fn build() -> Box<dyn Env> {
            Box::new(CartPole::new())
        }
        fn build_vector(options: VectorOptions) -> Box<dyn VectorEnv> {
            Box::new(super::super::Vectorized::new(CartPole::new, options))
        }
        Box::leak(Box::new(Registration::new(id, EnvSpec::new(), place, build, build_vector)))
    }

    #[test]
    fn ids() {
        for id in ["CartPole-v1", "ALE/Pong-v5", "a-v0", "FrozenLake8x8-slippery-v12"] {
            assert!(is_valid_env_id(id), "{id}");
        }
        for id in [
            "",
            "CartPole",
            "CartPole-v",
            "-v1",
            "CartPole-1",
            "Cart Pole-v1",
            "v1",
            "CartPole-v1a",
        ] {
            assert!(!is_valid_env_id(id), "{id}");
        }
    }

    #[test]
    fn a_duplicate_names_both_places() {
        let all = [registration("A-v0", "here.rs:1"), registration("A-v0", "there.rs:2")];
        let error = find_in(&all, "A-v0").unwrap_err();
        assert!(matches!(error, Error::DuplicateEnv { .. }));
        assert_eq!(
            error.to_string(),
            "environment `A-v0` is registered twice: at here.rs:1 and at there.rs:2"
        );
    }

    #[test]
    fn an_unknown_id_lists_near_ones() {
        let all = [
            registration("CartPole-v1", "x"),
            registration("CartPole-v2", "x"),
            registration("Pendulum-v1", "x"),
        ];
        let message = |id: &str| find_in(&all, id).unwrap_err().to_string();
        assert_eq!(
            message("CartPole-v0"),
            "unknown environment `CartPole-v0`: did you mean `CartPole-v1`, or `CartPole-v2`?"
        );
        assert_eq!(
            message("pendlum"),
            "unknown environment `pendlum`: did you mean `Pendulum-v1`?"
        );
        assert_eq!(message("Go-v0"), "unknown environment `Go-v0`");
    }

    #[test]
    fn cartpole_is_registered() {
        let found = find("CartPole-v1").unwrap();
        assert_eq!(found.spec, EnvSpec::new().max_episode_steps(500).reward_threshold(475.0));
        assert!(registered().iter().any(|registration| registration.id == "CartPole-v1"));
        assert!(found.place.contains("cartpole"), "{}", found.place);
    }
}
