//! What must be measured in a process of its own: this program again, in a role.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;

/// A role of a child process; it prints one number.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// A runtime that does nothing; prints its resident memory.
    Idle,
    /// No runtime; prints its resident memory.
    Bare,
}

impl Role {
    /// The child's side.
    pub(crate) fn run(self, _seed: u64) -> Result<()> {
        match self {
            Self::Idle => {
                let runtime = raytree::init().start()?;
                runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
                println!("{}", resident_mib()?);
                runtime.shutdown();
            }
            Self::Bare => println!("{}", resident_mib()?),
        }
        Ok(())
    }

    /// The parent's side: runs a child and reads its number. One that takes longer than `limit` is killed.
    pub(crate) fn measure(self, seed: u64, limit: Duration) -> Result<f64> {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned());
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--child")
            .arg(name.ok_or_else(|| anyhow!("a role without a name"))?)
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

/// Resident memory of this process, in MiB.
fn resident_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kib: f64 = kib.context("no VmRSS in /proc/self/status")?.trim().parse()?;
    Ok(kib / 1024.0)
}
