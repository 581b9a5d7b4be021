//! Actors of types marked `#[remote]`: order, overlap, lives, ends, names, books. What hangs fails.

mod arguments;
mod books;
mod cancelling;
mod constructors;
mod crowds;
mod desk;
mod families;
mod faults;
mod handles;
mod lives;
mod names;
mod order;
mod overlap;
mod shutdowns;
mod stories;
mod streams;
mod subject;

use desk::{Counted, Desk, Key, within};
use subject::{Subject, SubjectHandle, Toy, ToyHandle};
