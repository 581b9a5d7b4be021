//! What must be measured in a process of its own: this program again, in a role.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use raytree_rllib::PpoConfig;

use crate::core::pending;
use crate::{live, recovery, transfer};

/// A role of a child process; it prints one number.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// A runtime that does nothing; prints its resident memory.
    Idle,
    /// No runtime; prints its resident memory.
    Bare,
    /// Tasks that wait in line; prints the bytes of each.
    PendingInLine,
    /// Tasks that wait for an argument; prints the bytes of each.
    PendingArgument,
    /// Tokio tasks that wait; prints the bytes of each.
    PendingBare,
    /// A node of a benchmark's runtime; it never gets back here.
    Node,
    /// The head of a cluster, until it is killed.
    Head,
    /// A node of a cluster, until it is killed.
    Join,
    /// A program that holds all of a cluster until it is killed; prints the processes of its workers.
    Driver,
    /// Sends back what it gets on standard input, a stream.
    Echo,
    /// Reads so many bytes as eight bytes say, and answers with one.
    Sink,
    /// Looks at an object of the store of its node.
    Reader,
    /// A program of many actors that is looked at, until its input ends.
    Looked,
    /// PPO on CartPole until an evaluation reaches 475; prints the environment steps that took, or the budget + 1.
    Solve,
}

impl Role {
    /// The child's side.
    pub(crate) fn run(self, seed: u64) -> Result<()> {
        match self {
            Self::Idle => {
                let runtime = raytree::init().start()?;
                runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
                println!("{}", resident_mib()?);
                runtime.shutdown();
            }
            Self::Bare => println!("{}", resident_mib()?),
            Self::Head => recovery::cluster::head()?,
            Self::Join => recovery::cluster::node()?,
            Self::Driver => recovery::cluster::driver()?,
            Self::Node => raytree::init().start()?.shutdown(),
            Self::Echo => echo()?,
            Self::Sink => sink()?,
            Self::Reader => transfer::reader()?,
            Self::Looked => live::looked_at()?,
            Self::PendingInLine => println!("{}", pending::ours(false)?),
            Self::PendingArgument => println!("{}", pending::ours(true)?),
            Self::PendingBare => println!("{}", pending::bare()?),
            Self::Solve => println!("{}", solve(seed)?),
        }
        Ok(())
    }

    /// This program in this role.
    pub(crate) fn command(self) -> Result<Command> {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned());
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").arg(name.ok_or_else(|| anyhow!("a role without a name"))?);
        Ok(command)
    }

    /// The parent's side: runs a child and reads its number. One that takes longer than `limit` is killed.
    pub(crate) fn measure(self, seed: u64, limit: Duration) -> Result<f64> {
        let mut child = self
            .command()?
            .args(["--seed", &seed.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("a child without output")?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            // Nobody listens any more after the limit.
            _ = sender.send(read.map(|_| line));
        });
        let Ok(line) = receiver.recv_timeout(limit) else {
            child.kill()?;
            child.wait()?;
            bail!("a child process gave no number within {limit:?}");
        };
        child.wait()?;
        let line = line?;
        line.trim().parse().with_context(|| format!("a child process printed {line:?}"))
    }
}

/// The training of the row `ppo_cartpole_time_to_475`, at the preset's settings.
fn solve(seed: u64) -> Result<u64> {
    let outcome = raytree::run(async move {
        let config = PpoConfig::tuned("CartPole-v1")?.seed(seed).without_run_folder();
        let budget = config.total_env_steps;
        let mut ppo = config.build().await?;
        let outcome = ppo.train(|_| {}).await?;
        ppo.shutdown().await?;
        let solved = outcome.evaluation.is_some_and(|evaluation| evaluation.mean() >= 475.0);
        Ok::<_, raytree_rllib::Error>(if solved { outcome.env_steps } else { budget + 1 })
    })??;
    Ok(outcome)
}

/// The stream that stands for standard input.
fn stream() -> Result<UnixStream> {
    Ok(UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

fn echo() -> Result<()> {
    let mut stream = stream()?;
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&bytes[..count])?;
    }
}

fn sink() -> Result<()> {
    let mut stream = stream()?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        let mut length = [0; 8];
        if stream.read_exact(&mut length).is_err() {
            return Ok(());
        }
        let mut left = u64::from_le_bytes(length);
        while left > 0 {
            let most = bytes.len().min(usize::try_from(left)?);
            let count = stream.read(&mut bytes[..most])?;
            anyhow::ensure!(count > 0, "bytes are missing");
            left -= count as u64;
        }
        stream.write_all(&[1])?;
    }
}

/// Resident memory of this process, in MiB.
fn resident_mib() -> Result<f64> {
    Ok(resident_kib()? / 1024.0)
}

/// Resident memory of this process, in KiB.
pub(crate) fn resident_kib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib.context("no VmRSS in /proc/self/status")?.trim().parse()?)
}
