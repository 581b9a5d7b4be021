//! Prints the lines of other processes on this program's own output, on a thread of its own: a terminal that stands still costs
//! lines, and nobody's time.
//!
//! Invariants:
//! - **LP-1 (never-waits):** whoever gives lines never waits for the terminal.
//! - **LP-2 (counted):** what finds no room is dropped, and how much it was is printed next.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use raytree_engine::logs::{Repeats, Settings};
use raytree_supervise::clock;
use raytree_types::{LogLines, Output, limits};

/// Where lines are printed.
type Sink = Box<dyn FnMut(Output, &str) + Send>;

/// See the [module documentation](self). Its thread begins with the first line and ends with it.
pub(super) struct Printer {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Mutex<Queue>,
    /// There is something to be done.
    comes: Condvar,
    /// All was done that was asked for by then.
    settled: Condvar,
    bytes_max: usize,
}

struct Queue {
    waiting: VecDeque<LogLines>,
    bytes: usize,
    /// Lines that found no room.
    dropped: u64,
    /// Taken by the thread.
    sink: Option<Sink>,
    /// How often it was asked to settle, and how often it has.
    asked: u64,
    done: u64,
    is_over: bool,
}

impl Printer {
    /// On this process's own.
    pub(super) fn to_own_output() -> Self {
        Self::to(Box::new(print), limits::LOG_PRINT_BYTES_MAX)
    }

    fn to(sink: Sink, bytes_max: usize) -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            sink: Some(sink),
            asked: 0,
            done: 0,
            is_over: false,
        };
        let queue = Mutex::new(queue);
        let (comes, settled) = Default::default();
        Self { inner: Arc::new(Inner { queue, comes, settled, bytes_max }) }
    }

    /// These are printed soon.
    pub(super) fn give(&self, lines: LogLines) {
        let mut queue = self.inner.queue.lock();
        let bytes = lines.bytes();
        if queue.bytes + bytes > self.inner.bytes_max {
            queue.dropped += lines.lines.len() as u64 + lines.dropped;
            return;
        }
        queue.bytes += bytes;
        queue.waiting.push_back(lines);
        if let Some(sink) = queue.sink.take() {
            let inner = Arc::clone(&self.inner);
            let thread = thread::Builder::new().name("raytree-printer".to_owned());
            if let Err(error) = thread.spawn(move || inner.run(sink)) {
                tracing::error!(%error, "no thread prints what other processes write");
                queue.is_over = true;
            }
        }
        self.inner.comes.notify_one();
    }

    /// Waits until all that was given is printed, and what was counted besides; at most so long.
    pub(super) fn settle(&self, within: Duration) {
        let mut queue = self.inner.queue.lock();
        if queue.sink.is_some() {
            // Nothing was ever printed.
            return;
        }
        queue.asked += 1;
        let asked = queue.asked;
        self.inner.comes.notify_one();
        let unsettled = |queue: &mut Queue| queue.done < asked && !queue.is_over;
        _ = self.inner.settled.wait_while_for(&mut queue, unsettled, within);
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.inner.queue.lock().is_over = true;
        self.inner.comes.notify_one();
    }
}

impl Inner {
    fn run(&self, mut sink: Sink) {
        let mut repeats = Repeats::new(Settings::default());
        loop {
            let (lines, dropped, asked, is_over) = self.wait(repeats.due());
            for lines in lines {
                say_all(lines, &mut repeats, &mut sink);
            }
            for print in repeats.pass(clock::now()) {
                sink(print.output, &print.to_string());
            }
            if dropped > 0 {
                let why = "this program did not take them in time; they are in the log files";
                sink(Output::Err, &format!("raytree: {dropped} lines were not printed: {why}"));
            }
            if is_over || asked.is_some() {
                for print in repeats.finish() {
                    sink(print.output, &print.to_string());
                }
            }
            if let Some(asked) = asked {
                self.queue.lock().done = asked;
                self.settled.notify_all();
            }
            if is_over {
                return;
            }
        }
    }

    /// What there is to be done: lines, how many were dropped, what to settle, and whether that is all.
    fn wait(&self, due: Option<Duration>) -> (VecDeque<LogLines>, u64, Option<u64>, bool) {
        let mut queue = self.queue.lock();
        loop {
            let is_due = due.is_some_and(|due| due <= clock::now());
            let asked = (queue.asked > queue.done).then_some(queue.asked);
            let has_some = !queue.waiting.is_empty() || queue.dropped > 0;
            if has_some || is_due || asked.is_some() || queue.is_over {
                queue.bytes = 0;
                let lines = mem::take(&mut queue.waiting);
                return (lines, mem::take(&mut queue.dropped), asked, queue.is_over);
            }
            match due {
                Some(due) => {
                    let left = due.saturating_sub(clock::now());
                    _ = self.comes.wait_for(&mut queue, left);
                }
                None => self.comes.wait(&mut queue),
            }
        }
    }
}

fn say_all(lines: LogLines, repeats: &mut Repeats, sink: &mut Sink) {
    let LogLines { source, lines, dropped } = lines;
    if dropped > 0 {
        let what = format!("({source}) [{dropped} lines dropped: they are in its log files]");
        sink(Output::Err, &what);
    }
    for line in lines {
        if let Some(print) = repeats.heard(&source, line.output, line.text, clock::now()) {
            sink(print.output, &print.to_string());
        }
    }
}

fn print(output: Output, line: &str) {
    // Whoever reads may be gone.
    _ = match output {
        Output::Out => writeln!(io::stdout().lock(), "{line}"),
        Output::Err => writeln!(io::stderr().lock(), "{line}"),
    };
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use raytree_types::{LogLine, LogSource};

    use super::*;

    const GENEROUS: Duration = Duration::from_secs(60);

    fn lines(pid: u32, texts: &[&str]) -> LogLines {
        let line = |text: &&str| LogLine { output: Output::Out, text: (*text).to_owned() };
        let source = LogSource { name: "n".to_owned(), pid, node: None };
        LogLines { source, lines: texts.iter().map(line).collect(), dropped: 0 }
    }

    /// One that is let through line by line.
    fn gated(bytes_max: usize) -> (Printer, SyncSender<()>, Receiver<String>) {
        let (lets, gate) = sync_channel(1000);
        let (tells, told) = sync_channel(1000);
        let sink: Sink = Box::new(move |_, line: &str| {
            _ = gate.recv();
            _ = tells.send(line.to_owned());
        });
        (Printer::to(sink, bytes_max), lets, told)
    }

    #[test]
    fn lp_1_lp_2_a_terminal_that_stands_still_costs_lines_and_they_are_counted() {
        let (printer, lets, told) = gated(1000);
        // However many, and nobody reads.
        for number in 0..1000 {
            printer.give(lines(1, &[&format!("line {number}")]));
        }
        drop(lets);
        printer.settle(GENEROUS);
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told[0], "(n pid=1) line 0");
        let word = |line: &String| line.strip_prefix("raytree: ").map(str::to_owned);
        let counts = told.iter().filter_map(word).map(|line| {
            line.split(' ').next().and_then(|count| count.parse::<usize>().ok()).expect("a number")
        });
        let dropped: usize = counts.collect::<Vec<_>>().iter().sum();
        let notes = told.iter().filter_map(word).count();
        assert!(dropped > 900, "{told:?}");
        assert_eq!(dropped + told.len() - notes, 1000);
    }

    #[test]
    fn what_several_wrote_alike_is_printed_once_and_the_rest_when_it_is_over() {
        let (printer, lets, told) = gated(1 << 20);
        drop(lets);
        for pid in 1..=1000 {
            printer.give(lines(pid, &["the shard is missing"]));
        }
        printer.settle(GENEROUS);
        let told: Vec<_> = told.try_iter().collect();
        let last = "(n pid=1000) the shard is missing [repeated 999x across cluster]";
        assert_eq!(told, ["(n pid=1) the shard is missing", last]);
        printer.settle(GENEROUS);
    }
}
