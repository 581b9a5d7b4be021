//! The environments that come with the library, each registered under its Gymnasium id.
//!
//! | id | observation | action | reward | steps | solved at |
//! |---|---|---|---|---|---|
//! | `CartPole-v1` | 4 reals | 2 choices | 1 per step | 500 | 475 |

mod cartpole;
mod trig;

pub use cartpole::CartPole;
