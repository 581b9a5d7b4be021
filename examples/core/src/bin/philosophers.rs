//! Dining philosophers as actors: `cargo run --bin philosophers`, and `raytree tree` to watch them.
//!
//! Forks are actors, so are philosophers, and the table is their parent. Now and then one chokes, with both forks in
//! hand: the table hears of it and lays the forks back, and the philosopher begins a new life and dines on.
//!
//! `--left-first` is the dinner of the textbook: everybody takes the fork on the left, keeps it, and reaches for the one on the
//! right. A few seconds later one of these waits fails with the error `Deadlock`, which names the circle. With
//! `RAYTREE_CALLS__FAIL_DEADLOCKS=false` nobody ever eats, and `raytree why fork-1` (or `w` in `raytree top`) names it.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use std::process;
use std::time::Duration;

use clap::Parser;
use raytree::prelude::*;
use raytree::{Backoff, Result, get_all};
use tokio::sync::watch;
use tokio::time::sleep;

/// Who may come, and what they are called in the tree.
const NAMES: [&str; 9] = [
    "Aristotle",
    "Confucius",
    "Descartes",
    "Diotima",
    "Hypatia",
    "Kant",
    "Laozi",
    "Plato",
    "Sappho",
];
/// How long they think, and how long they eat.
const PAUSE: Duration = Duration::from_millis(20);
/// Every serving whose number is a multiple of this has a bone in it.
const BONE: u64 = 23;
/// How long a new life waits after one that came soon before.
const RECOVERY: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(1) };

/// Philosophers dine, choke now and then, and are restarted.
#[derive(Debug, Parser)]
struct Flags {
    /// Seconds until the kitchen closes
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,
    /// Meals each of them gets, instead of a time
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    meals: Option<u64>,
    /// How many they are, 2 to 9
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u8).range(2..=9))]
    guests: u8,
    /// Everybody takes the fork on the left first, and keeps it: a deadlock, which ends with an error after a few seconds
    #[arg(long, conflicts_with_all = ["seconds", "meals", "tree"])]
    left_first: bool,
    /// Show the supervision tree at the end
    #[arg(long)]
    tree: bool,
}

/// A fork: in nobody's hands, or in those of one seat.
#[derive(Debug, Default)]
pub struct Fork {
    holder: watch::Sender<Option<usize>>,
}

// Its two neighbours may wait for it while it is laid back.
#[remote(max_concurrency = 4)]
impl Fork {
    /// A fork on the table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until it is free, and takes it.
    pub async fn take(&self, seat: usize) {
        let is_taken = || {
            self.holder.send_if_modified(|holder| match holder {
                None => holder.replace(seat).is_none(),
                Some(_) => false,
            })
        };
        let mut changes = self.holder.subscribe();
        while !is_taken() {
            // It cannot be closed: the sender is ours.
            _ = changes.wait_for(Option::is_none).await;
        }
    }

    /// Lays it back, if it is in the hands of this seat.
    pub fn lay_back(&self, seat: usize) {
        self.holder.send_if_modified(|holder| holder.take_if(|held_by| *held_by == seat).is_some());
    }
}

/// A fork that is in one hand for as long as a meal takes, and that nobody else can even ask meanwhile.
#[derive(Debug, Default)]
pub struct StubbornFork {
    meals: u64,
}

#[remote]
impl StubbornFork {
    /// A fork on the table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Is taken, and used for a meal once the other fork is there, too. How many meals it has been used for.
    pub async fn dine_with(&mut self, other: Option<StubbornForkHandle>) -> Result<u64> {
        // Time for everybody to take one.
        sleep(PAUSE).await;
        if let Some(other) = other {
            other.dine_with(None).await?;
        }
        self.meals += 1;
        Ok(self.meals)
    }
}

/// Hands out servings and keeps the books, which survive the guests.
#[derive(Debug)]
pub struct Kitchen {
    servings: u64,
    eaten: Vec<u64>,
    /// Meals each guest gets.
    meals: Option<u64>,
    is_closed: bool,
}

#[remote]
impl Kitchen {
    /// A kitchen that is open.
    pub fn new(guests: usize, meals: Option<u64>) -> Self {
        Self { servings: 0, eaten: vec![0; guests], meals, is_closed: false }
    }

    /// The number of the next serving; none when there is nothing more for this seat.
    pub fn serve(&mut self, seat: usize) -> Option<u64> {
        if self.is_closed || self.meals.is_some_and(|meals| self.eaten[seat] >= meals) {
            return None;
        }
        self.servings += 1;
        Some(self.servings)
    }

    /// A serving was eaten up.
    pub fn note(&mut self, seat: usize) {
        self.eaten[seat] += 1;
    }

    /// No more servings.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Meals by seat.
    pub fn eaten(&self) -> Vec<u64> {
        self.eaten.clone()
    }
}

/// One guest.
#[derive(Debug)]
pub struct Philosopher {
    seat: usize,
    /// The fork with the lower number comes first: that way nobody waits in a circle.
    forks: [ForkHandle; 2],
    kitchen: KitchenHandle,
}

#[remote(restarts = 1_000_000, retries = 1_000_000, tell_parent)]
impl Philosopher {
    /// Sits down.
    pub fn new(seat: usize, forks: [ForkHandle; 2], kitchen: KitchenHandle) -> Self {
        Self { seat, forks, kitchen }
    }

    /// Thinks and eats as long as there is something to eat. A life that chokes loses this call; as `retries` says, it
    /// is made again on the next.
    pub async fn dine(&mut self) -> Result<()> {
        loop {
            sleep(PAUSE).await;
            for fork in &self.forks {
                fork.take(self.seat).await?;
            }
            let serving = self.kitchen.serve(self.seat).await?;
            if let Some(number) = serving {
                sleep(PAUSE).await;
                assert!(!number.is_multiple_of(BONE), "choked on serving {number}");
                self.kitchen.note(self.seat).await?;
            }
            for fork in &self.forks {
                fork.lay_back(self.seat).await?;
            }
            if serving.is_none() {
                return Ok(());
            }
        }
    }
}

/// The parent of all forks and guests.
#[derive(Debug, Default)]
pub struct Table {
    forks: Vec<ForkHandle>,
}

#[remote]
impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays the forks and seats the guests.
    pub fn seat(&mut self, guests: usize, kitchen: KitchenHandle) -> Vec<PhilosopherHandle> {
        let label = |name: String| ActorOptions::new().label(name);
        self.forks = (1..=guests)
            .map(|number| Fork::with(label(format!("fork-{number}"))).remote())
            .collect();
        let seats = NAMES.iter().enumerate().take(guests);
        seats
            .map(|(seat, name)| {
                let forks = self.forks_of(seat).map(Clone::clone);
                let options = label((*name).to_owned()).backoff(RECOVERY);
                Philosopher::with(options).remote(seat, forks, kitchen.clone())
            })
            .collect()
    }

    /// Nobody else would let go of what a dead hand holds.
    #[remote(on_child_exit)]
    async fn clear(&mut self, exit: Exit) {
        if let Some(seat) = NAMES.iter().position(|name| *name == exit.name) {
            for fork in self.forks_of(seat) {
                // The forks live as long as this table.
                _ = fork.lay_back(seat).await;
            }
        }
    }

    fn forks_of(&self, seat: usize) -> [&ForkHandle; 2] {
        let next = (seat + 1) % self.forks.len();
        [&self.forks[seat.min(next)], &self.forks[seat.max(next)]]
    }
}

/// Everybody reaches for the fork on the left and then for the one on the right.
async fn dine_left_first(guests: usize) -> anyhow::Result<()> {
    let label = |number| ActorOptions::new().label(format!("fork-{number}"));
    let forks: Vec<StubbornForkHandle> =
        (1..=guests).map(|number| StubbornFork::with(label(number)).remote()).collect();
    println!(
        "everybody takes the fork on the left first, which ends with an error; to keep it as it is and ask `raytree why fork-1`: \
         RAYTREE_CALLS__FAIL_DEADLOCKS=false"
    );
    let right_of = |seat: usize| Some(forks[(seat + 1) % guests].clone());
    let meals: Vec<_> = (0..guests).map(|seat| forks[seat].dine_with(right_of(seat))).collect();
    get_all(meals).await?;
    println!("somebody was lucky: everybody has eaten");
    Ok(())
}

#[raytree::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let guests = usize::from(flags.guests);
    if flags.left_first {
        return dine_left_first(guests).await;
    }
    println!("{guests} philosophers dine; to watch them: raytree tree --pid {}", process::id());

    let kitchen = Kitchen::remote(guests, flags.meals);
    let table = Table::remote();
    let philosophers = table.seat(guests, kitchen.clone()).await?;
    let dinners: Vec<_> = philosophers.iter().map(PhilosopherHandle::dine).collect();
    if flags.meals.is_none() {
        sleep(Duration::from_secs(flags.seconds)).await;
        kitchen.close().await?;
    }
    get_all(dinners).await?;

    println!("{:<10}  {:>5}  {:>8}  last cause", "name", "meals", "restarts");
    let (eaten, mut restarts) = (kitchen.eaten().await?, 0);
    for (philosopher, meals) in philosophers.iter().zip(&eaten) {
        let status = philosopher.status()?;
        restarts += status.exits;
        let cause = status.last_exit.as_ref().and_then(|exit| exit.kind.cause());
        let cause = cause.map_or("-", |cause| &cause.message);
        println!("{:<10}  {meals:>5}  {:>8}  {cause}", philosopher.label(), status.exits);
    }
    println!("{} meals, {restarts} restarts", eaten.iter().sum::<u64>());
    if flags.tree {
        print!("{}", raytree::current()?.tree().root.to_text());
    }
    Ok(())
}
