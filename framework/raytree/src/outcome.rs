//! How a program ends: what its main function returned, as an exit code, and an error as a sentence.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::io::Write;
use std::process::{ExitCode, Termination};

use raytree_system::BoxError;
use raytree_types::Error;

/// What a main function returned. Generated code calls `Outcome::of(returned).exit()`: of the traits below the one
/// whose bounds hold is found, the one for errors first.
pub struct Outcome<T>(Cell<Option<T>>);

impl<T> Outcome<T> {
    /// A returned value.
    pub fn of(returned: T) -> Self {
        Self(Cell::new(Some(returned)))
    }
}

impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outcome")
    }
}

/// For a `Result` whose error can be told.
pub trait EndsWithSentence {
    /// The exit code, after the error was told.
    fn exit(self) -> ExitCode;
}

/// As [`EndsWithSentence`], for an error that may not leave its thread.
pub trait EndsWithLocalSentence {
    /// The exit code, after the error was told.
    fn exit(self) -> ExitCode;
}

/// For everything else that the standard library knows how to end with.
pub trait EndsByItself {
    /// The exit code.
    fn exit(&self) -> ExitCode;
}

impl<T: Termination, E: Into<BoxError>> EndsWithSentence for Outcome<Result<T, E>> {
    fn exit(self) -> ExitCode {
        match self.0.into_inner() {
            Some(Err(error)) => told(error.into().as_ref()),
            Some(Ok(value)) => value.report(),
            None => ExitCode::SUCCESS,
        }
    }
}

impl<T: Termination> EndsWithLocalSentence for Outcome<Result<T, Box<dyn StdError>>> {
    fn exit(self) -> ExitCode {
        match self.0.into_inner() {
            Some(Err(error)) => told(error.as_ref()),
            Some(Ok(value)) => value.report(),
            None => ExitCode::SUCCESS,
        }
    }
}

/// Tells the error.
fn told(error: &(dyn StdError + 'static)) -> ExitCode {
    // Where nobody listens, the exit code has to do.
    _ = std::io::stderr().write_all(sentence(error).as_bytes());
    ExitCode::FAILURE
}

impl<T: Termination> EndsByItself for Outcome<T> {
    fn exit(&self) -> ExitCode {
        self.0.take().map_or(ExitCode::SUCCESS, T::report)
    }
}

/// What the error says, what lies below it, and where the system's own are explained.
pub(crate) fn sentence(error: &(dyn StdError + 'static)) -> String {
    let mut lines = format!("error: {error}\n");
    let mut below = error.source();
    while let Some(source) = below {
        lines.push_str(&format!("  because: {source}\n"));
        below = source.source();
    }
    if let Some(code) = code(error) {
        lines.push_str(&format!("  {code}: `raytree explain {code}` says what to do\n"));
    }
    lines
}

/// The code of the first error of the system, from the outside in.
fn code(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let own = error.downcast_ref::<Error>().map(Error::code);
    own.or_else(|| code(error.source()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Unreadable(#[source] std::fmt::Error);

    fn code(exit: ExitCode) -> String {
        format!("{exit:?}")
    }

    #[test]
    fn what_is_returned_decides_the_exit_code() {
        assert_eq!(code(Outcome::of(()).exit()), code(ExitCode::SUCCESS));
        assert_eq!(code(Outcome::of(ExitCode::from(7)).exit()), code(ExitCode::from(7)));
        assert_eq!(
            code(Outcome::of(Ok::<_, Error>(ExitCode::from(7))).exit()),
            code(ExitCode::from(7))
        );
        assert_eq!(code(Outcome::of(Ok::<(), BoxError>(())).exit()), code(ExitCode::SUCCESS));
        assert_eq!(
            code(Outcome::of(Err::<(), _>(Error::NoRuntime)).exit()),
            code(ExitCode::FAILURE)
        );
        assert_eq!(
            code(Outcome::of(Err::<(), _>("no".to_owned())).exit()),
            code(ExitCode::FAILURE)
        );
        // Its error is none that can be told: the standard library prints it.
        assert_eq!(code(Outcome::of(Err::<(), _>([1])).exit()), code(ExitCode::FAILURE));
    }

    #[test]
    fn an_error_is_told_with_what_lies_below_it_and_its_code() {
        let text = sentence(&Unreadable(std::fmt::Error));
        assert!(
            text.starts_with("error: the file cannot be read\n  because: an error occurred"),
            "{text}"
        );
        let text = sentence(&Error::NoRuntime);
        assert!(text.starts_with("error: no raytree runtime is running here"), "{text}");
        assert!(text.ends_with("RT0001: `raytree explain RT0001` says what to do\n"), "{text}");
    }
}
