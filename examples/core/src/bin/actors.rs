//! What actors can do: names, lives, overlapping calls, streams: `cargo run --bin actors`.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use raytree::prelude::*;
use raytree::{Result, get_actor, get_all};
use tokio::sync::Barrier;

#[raytree::main]
async fn main() -> anyhow::Result<()> {
    names().await?;
    get_if_exists().await?;
    detached().await?;
    restarts().await?;
    retries().await?;
    overlap().await?;
    stream().await?;
    handle_as_argument().await?;
    Ok(())
}

/// A sum, and its steps.
#[derive(Debug)]
pub struct Counter {
    steps: Vec<u64>,
}

#[remote]
impl Counter {
    /// Begins with one step.
    pub fn new(first: u64) -> Self {
        Self { steps: vec![first] }
    }

    /// One more step; the sum.
    pub fn add(&mut self, step: u64) -> u64 {
        self.steps.push(step);
        self.sum()
    }

    /// The sum.
    pub fn sum(&self) -> u64 {
        self.steps.iter().sum()
    }

    /// The steps, each as soon as it is wanted.
    pub fn steps(&self) -> impl Iterator<Item = u64> {
        self.steps.iter().copied()
    }
}

async fn names() -> Result<()> {
    println!("named: found again by name and type");
    let scores = Counter::with(ActorOptions::new().name("scores")).remote(0);
    scores.add(3).await?;
    let found = get_actor::<Counter>("scores").await?;
    println!("  scores are {}", found.add(4).await?);
    Ok(())
}

async fn get_if_exists() -> Result<()> {
    println!("get_if_exists: the one that is there will do");
    let shared = ActorOptions::new().name("shared").get_if_exists();
    let one = Counter::with(shared.clone()).remote(1);
    let other = Counter::with(shared).remote(100);
    one.add(1).await?;
    println!(
        "  the other one counts {}, the same actor: {}",
        other.sum().await?,
        one.id() == other.id()
    );
    Ok(())
}

/// Has children: they end before it does.
#[derive(Debug, Default)]
pub struct Office;

#[remote]
impl Office {
    /// An office without children.
    pub fn new() -> Self {
        Self
    }

    /// Starts a child of this name.
    pub async fn hire(&mut self, options: ActorOptions) -> Result<CounterHandle> {
        let child = Counter::with(options).remote(1);
        child.ready().await?;
        Ok(child)
    }
}

async fn detached() -> Result<()> {
    println!("detached: outlives its parent");
    let office = Office::remote();
    let clerk = office.hire(ActorOptions::new().name("clerk")).await?;
    let ghost = office.hire(ActorOptions::new().name("ghost").detached()).await?;
    office.stop().await?;
    match clerk.add(1).await {
        Ok(sum) => println!("  the clerk counts {sum}"),
        Err(error) => println!("  the clerk: {} {}", error.code(), reason(&error)),
    }
    println!("  the ghost counts {}", ghost.add(1).await?);
    ghost.kill().await?;
    Ok(())
}

/// How an actor ended, without its id.
fn reason(error: &raytree::Error) -> String {
    match error {
        raytree::Error::ActorDied { kind, .. } => kind.to_string(),
        other => other.to_string(),
    }
}

/// Books by number. A number without a book is a bug of the caller, who pays for it.
#[derive(Debug)]
pub struct Shelf {
    books: Vec<String>,
}

#[remote(restarts = 2, tell_parent)]
impl Shelf {
    /// A shelf that is empty in the lives before `filled`.
    pub fn new(filled: u32, ctx: &ActorContext<Self>) -> Self {
        let is_filled = ctx.incarnation().restart >= filled;
        Self { books: is_filled.then(|| "Moby-Dick".to_owned()).into_iter().collect() }
    }

    /// The book of this number.
    pub fn book(&self, number: usize) -> String {
        self.books[number].clone()
    }
}

/// Owns a shelf, and hears of its ends.
#[derive(Debug, Default)]
pub struct Library {
    ends: Vec<Exit>,
}

#[remote]
impl Library {
    /// A library without a shelf.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shelf that is a child of this actor.
    pub fn shelf(&mut self) -> ShelfHandle {
        Shelf::remote(0)
    }

    /// The ends that it heard of.
    pub fn ends(&self) -> Vec<Exit> {
        self.ends.clone()
    }

    #[remote(on_child_exit)]
    fn heard(&mut self, exit: Exit) {
        self.ends.push(exit);
    }
}

async fn restarts() -> Result<()> {
    println!("restarts: the next life answers, and the parent is told of the last one");
    let library = Library::remote();
    let shelf = library.shelf().await?;
    if let Err(error) = shelf.book(7).await {
        println!("  the caller is told {}", error.code());
    }
    println!("  the next life finds {}", shelf.book(0).await?);
    for exit in library.ends().await? {
        let ExitKind::Panicked(cause) = &exit.kind else { continue };
        println!("  the parent heard: {}: {}", exit.name, cause.message);
        println!("  restarts so far {}, another follows: {}", exit.restarts, exit.will_restart);
    }
    Ok(())
}

async fn retries() -> Result<()> {
    println!("retries: a call that was lost with a life is made again on the next");
    let shelf = Shelf::with(ActorOptions::new().retries(2)).remote(2);
    println!("  the third life finds {}", shelf.book(0).await?);
    Ok(())
}

/// A place where all wait for all.
#[derive(Debug)]
pub struct Meeting {
    all_here: Barrier,
}

#[remote(max_concurrency = 3)]
impl Meeting {
    /// Of so many.
    pub fn new(guests: usize) -> Self {
        Self { all_here: Barrier::new(guests) }
    }

    /// Waits until all are there. Whether this one came last.
    pub async fn attend(&self) -> bool {
        self.all_here.wait().await.is_leader()
    }
}

async fn overlap() -> Result<()> {
    println!("max_concurrency: calls that take &self may overlap");
    let meeting = Meeting::remote(3);
    let came_last = get_all((0..3).map(|_| meeting.attend())).await?;
    let last = came_last.iter().filter(|last| **last).count();
    println!("  {} calls have met in one actor, {last} came last", came_last.len());
    Ok(())
}

async fn stream() -> Result<()> {
    println!("generator: a method that returns an iterator gives a stream");
    let counter = Counter::remote(1);
    for step in 2..=4 {
        counter.add(step * step);
    }
    let mut steps = counter.steps();
    while let Some(step) = steps.next().await {
        println!("  step {}", step?);
    }
    Ok(())
}

#[remote]
async fn add_all(counter: CounterHandle, steps: Vec<u64>) -> Result<u64> {
    for step in steps {
        counter.add(step);
    }
    counter.sum().await
}

async fn handle_as_argument() -> Result<()> {
    println!("a handle is a value: two tasks call one actor");
    let counter = Counter::remote(0);
    let one = add_all::remote(counter.clone(), vec![1, 2, 3]);
    let other = add_all::remote(counter.clone(), vec![10, 20, 30]);
    get_all([one, other]).await?;
    println!("  the sum is {}", counter.sum().await?);
    Ok(())
}
