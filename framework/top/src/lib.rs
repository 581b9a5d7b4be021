//! The live view of a supervision tree: what `raytree top` shows.
//!
//! *Model → fold → view.* A [`Source`] is asked by a thread of its own; each [`Moment`] is folded into what was known before
//! (`fold`: rates, what is gone), [`Model`] says what is selected and open, and one file for each pane draws it. All of this is
//! pure: it is told the time, the keys and the answers. [`run`] is the loop around it, [`open`] the terminal around that.
//!
//! ```no_run
//! use raytree_top::{Demo, Options};
//!
//! # fn clock() -> std::time::Duration { std::time::Duration::ZERO }
//! raytree_top::open(Box::new(Demo::new(1)), &Options::new(clock))?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod ask;
mod demo;
mod fold;
mod keys;
mod list;
mod model;
mod options;
mod panes;
mod run;
mod screen;
mod source;
mod text;
mod view;

pub use ask::{Answer, Question};
pub use demo::Demo;
pub use list::Order;
pub use model::{Effect, Model};
pub use options::{Options, Theme};
pub use run::{Input, Keyboard, Screen, run};
pub use screen::open;
pub use source::{Moment, Nodes, Source, Store, Summary, Tasks, Usage};
