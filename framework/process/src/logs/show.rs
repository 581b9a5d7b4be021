//! What a process has written, for whoever looks from outside.

use std::fs;
use std::io;

use raytree_types::inspect::{LogMark, LogQuery, LogText, Refused};
use raytree_types::{LogLine, LogSource, Output, limits};

use super::{LogPlace, Session, after, tail};

/// What a process has written, for whoever asks it of one that keeps this session, or none.
///
/// # Errors
/// [`Refused::NoLog`].
pub fn answer(
    session: Option<&Session>,
    whose: Whose<'_>,
    query: &LogQuery,
) -> Result<LogText, Refused> {
    let who = match whose {
        Whose::Pid(pid) => format!("process {pid}"),
        Whose::Named(name) => name.to_owned(),
    };
    let none = |reason: String| Refused::NoLog { who: who.clone(), reason };
    let session = session.ok_or_else(|| none("nothing is kept here".to_owned()))?;
    let read = session.read(whose, query).map_err(|error| none(error.to_string()))?;
    read.ok_or_else(|| none("it has written nothing, or that is kept elsewhere".to_owned()))
}

/// Whose lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The process of this number; the last one, where several had it.
    Pid(u32),
    /// The newest process of this name.
    Named(&'a str),
}

impl Session {
    /// Reads what a process has written whose files are here; none when it has written nothing, or they are gone.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn read(&self, whose: Whose<'_>, query: &LogQuery) -> io::Result<Option<LogText>> {
        let Some(stem) = self.newest(whose)? else { return Ok(None) };
        let outputs =
            Output::BOTH.into_iter().filter(|own| query.output.is_none_or(|one| one == *own));
        let since = query.since.as_ref().map(|mark| {
            // Another process has its place: all that it has written is new.
            if mark.files == stem { mark.clone() } else { LogMark::default() }
        });
        let mut next = since.clone().unwrap_or_default();
        next.files.clone_from(&stem);
        let (mut lines, mut is_cut) = (Vec::new(), false);
        for output in outputs {
            let path = self.file(&stem, output);
            // Each output may take half of an answer.
            let bytes = limits::LOG_TAIL_BYTES_MAX / 2;
            let place = since.as_ref().map(|mark| mark_of(mark, output));
            let read = match place {
                Some((turn, offset)) => after(&path, LogPlace { turn, offset }, bytes)?,
                None => tail(&path, query.tail, bytes)?,
            };
            let place = (read.next.turn, read.next.offset);
            match output {
                Output::Out => next.out = place,
                Output::Err => next.err = place,
            }
            is_cut |= read.is_cut;
            lines.extend(read.lines.into_iter().map(|text| LogLine { output, text }));
        }
        let (name, pid) = stem.rsplit_once('-').unwrap_or((&stem, ""));
        let source = LogSource {
            name: name.to_owned(),
            pid: pid.parse().unwrap_or_default(),
            // A node's own name says it.
            node: self.node().filter(|node| *node != name).map(str::to_owned),
        };
        let folder = self.folder().display().to_string();
        Ok(Some(LogText { source, folder, lines, is_cut, next }))
    }

    /// How the files of the newest process are called that is meant.
    fn newest(&self, whose: Whose<'_>) -> io::Result<Option<String>> {
        let stems = match whose {
            Whose::Pid(pid) => self.stems(Some(pid))?,
            Whose::Named(name) => {
                let own = Self::stem(name, 0);
                let own = own.trim_end_matches('0');
                let is_it = |stem: &String| {
                    stem.strip_prefix(own).is_some_and(|pid| pid.parse::<u32>().is_ok())
                };
                self.stems(None)?.into_iter().filter(is_it).collect()
            }
        };
        let written = |stem: &String| {
            let times = Output::BOTH.map(|output| {
                fs::metadata(self.file(stem, output)).and_then(|is| is.modified()).ok()
            });
            times.into_iter().max()
        };
        Ok(stems.into_iter().max_by_key(written))
    }
}

fn mark_of(mark: &LogMark, output: Output) -> (u64, u64) {
    match output {
        Output::Out => mark.out,
        Output::Err => mark.err,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rotation;
    use super::*;

    #[test]
    fn what_a_process_wrote_is_found_by_its_number_and_by_its_name() {
        let below = tempfile::tempdir().expect("a folder");
        let rotation = Rotation { bytes: 1 << 20, files: 2 };
        let session = Session::begin(below.path(), rotation, true).expect("a session");
        let write = |stem: &str, output, text: &str| {
            fs::write(session.file(stem, output), text).expect("a file");
        };
        write("node-1-70", Output::Err, "of the life before\n");
        write("node-10-72", Output::Out, "another one\n");
        write("node-1-71", Output::Out, "one\ntwo\n");
        write("node-1-71", Output::Err, "three\n");
        let read = |whose, query: &LogQuery| session.read(whose, query).expect("readable");
        let text = read(Whose::Pid(71), &LogQuery::default()).expect("files");
        assert_eq!(text.source.to_string(), "node-1 pid=71");
        let lines = |text: &LogText| -> Vec<String> {
            text.lines.iter().map(|line| format!("{} {}", line.output, line.text)).collect()
        };
        assert_eq!(lines(&text), ["out one", "out two", "err three"]);
        assert_eq!(read(Whose::Named("node-1"), &LogQuery::default()), Some(text.clone()));
        assert_eq!(read(Whose::Pid(7), &LogQuery::default()), None);
        assert_eq!(read(Whose::Named("node"), &LogQuery::default()), None);

        let one = LogQuery { tail: 1, output: Some(Output::Out), ..LogQuery::default() };
        let last = read(Whose::Pid(71), &one).expect("files");
        assert_eq!((lines(&last), last.is_cut), (vec!["out two".to_owned()], true));

        write("node-1-71", Output::Out, "one\ntwo\nfour\nhalf");
        let on = LogQuery { since: Some(text.next), ..LogQuery::default() };
        let more = read(Whose::Named("node-1"), &on).expect("files");
        assert_eq!(lines(&more), ["out four"]);
        let elsewhere = LogMark { files: "node-1-70".to_owned(), ..more.next };
        let on = LogQuery { since: Some(elsewhere), ..LogQuery::default() };
        let all = read(Whose::Named("node-1"), &on).expect("files");
        assert_eq!(lines(&all), ["out one", "out two", "out four", "err three"]);
    }
}
