//! Sessions over real connections. Two processes are two runtimes here, each with its own [`Sessions`](super::Sessions).

mod ends;
mod support;
mod talk;
