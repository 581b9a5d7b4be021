//! Reinforcement learning on supervised actors.
//!
//! Bottom up: a researcher fills in an [`Env`], registers it by a Gymnasium-style id ([`register_env!`]) and checks it
//! ([`check_env`]); a [`VectorEnv`] steps many copies in place; [`gae`] and [`loss`] turn what they saw into gradients;
//! [`Ppo`] does all that on supervised actors; a [`Policy`] uses what was learned.
//!
//! Everything random is drawn from a stream named by its purpose ([`rng`]), so one seed gives one learning curve,
//! whatever the number of env runners.
//!
//! ```
//! use raytree_rllib::prelude::*;
//!
//! #[derive(Clone)]
//! pub struct Corridor {
//!     position: u32,
//! }
//!
//! impl Env for Corridor {
//!     fn observation_space(&self) -> Space {
//!         Space::uniform_box(0.0, 10.0, &[1])
//!     }
//!     fn action_space(&self) -> Space {
//!         Space::discrete(2)
//!     }
//!     fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) {
//!         self.position = 0;
//!         obs[0] = 0.0;
//!     }
//!     fn step(&mut self, action: Action<'_>, _rng: &mut Rng, obs: &mut [f32]) -> Step {
//!         self.position =
//!             if action.discrete() == 1 { self.position + 1 } else { self.position.saturating_sub(1) };
//!         obs[0] = self.position as f32;
//!         let arrived = self.position == 10;
//!         Step { reward: if arrived { 1.0 } else { -0.1 }, terminated: arrived, truncated: false }
//!     }
//! }
//!
//! register_env!("Corridor-v0", max_episode_steps = 200, || Corridor { position: 0 });
//!
//! # fn main() -> Result<(), raytree_rllib::Error> {
//! check_env(|| Corridor { position: 0 })?;
//!
//! // Eight corridors, stepped in place.
//! let mut corridors = make_vector("Corridor-v0", VectorOptions::new(8).seed(1))?;
//! corridors.reset()?;
//! let step = corridors.step(Actions::Discrete(&[1; 8]))?;
//! assert_eq!(step.obs, [1.0; 8]);
//! # Ok(())
//! # }
//! ```

mod clock;
pub mod env;
pub mod envs;
mod error;
pub mod gae;
pub mod loss;
pub mod metrics;
pub mod ppo;
pub mod record;
pub mod rng;
pub mod run;
pub mod schedule;
pub mod space;
pub mod stats;
mod word;

pub use env::{
    ContractViolation, Env, Step, VectorEnv, VectorOptions, check_env, make, make_vector,
};
pub use error::{Error, Result};
pub use metrics::Report;
pub use ppo::{Evaluation, NetworkSpec, Policy, Ppo, PpoConfig};
pub use rng::{Rng, Stream};
pub use schedule::Schedule;
pub use space::{Action, ActionValue, Actions, Space};

/// What a program that defines or trains on environments needs. Has no `Result`, so that glob imports of several
/// libraries do not collide.
pub mod prelude {
    pub use crate::env::{Env, Step, VectorEnv, VectorOptions, check_env, make, make_vector};
    pub use crate::ppo::{Policy, Ppo, PpoConfig};
    pub use crate::register_env;
    pub use crate::register_network;
    pub use crate::rng::{Rng, Stream};
    pub use crate::schedule::Schedule;
    pub use crate::space::{Action, Actions, Space};
}

/// Used by the macros of this crate; not part of its interface.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
