//! What `#[raytree::main]` and `#[raytree::test]` call: a body in a runtime that ends with it.

use std::future::Future;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::process::exit;

use raytree_types::{Error, Result};

use crate::outcome::sentence;
use crate::{Init, init};

/// The exit code of a program whose runtime cannot start.
const NOT_STARTED: i32 = 2;

/// Runs a program: starts a runtime with all defaults, runs `main` on its user threads, shuts down in order.
/// [`raytree::main`](macro@crate::main) is the usual way to say this.
///
/// # Errors
/// What `Init::start` says when the runtime cannot be started.
///
/// # Panics
/// With the panic of `main`, after the shutdown.
pub fn run<T, F>(main: F) -> Result<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    run_on(init(), main)
}

/// As [`run`], on a runtime of your own making. What tests use: a private runtime each.
///
/// # Errors
/// What `Init::start` says when the runtime cannot be started.
///
/// # Panics
/// With the panic of `main`, after the shutdown.
pub fn run_on<T, F>(init: Init, main: F) -> Result<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let runtime = init.start()?;
    let ended = runtime.block_on(runtime.tokio().spawn(main));
    runtime.shutdown();
    match ended {
        Ok(value) => Ok(value),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(Error::RuntimeGone { reason: "it ended before main did".to_owned() }),
    }
}

/// As [`run_on`], for a body that is not async: it runs on this thread.
fn run_here<T>(init: Init, main: impl FnOnce() -> T) -> Result<T> {
    let runtime = init.start()?;
    let ended = {
        let _entered = runtime.enter();
        // It is not looked at again after a panic: the panic goes on.
        catch_unwind(AssertUnwindSafe(main))
    };
    runtime.shutdown();
    ended.or_else(|panic| resume_unwind(panic))
}

/// `#[raytree::main] async fn`.
pub fn main_async<T, F>(init: Init, main: F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    run_on(init, main).unwrap_or_else(|error| give_up(&error))
}

/// `#[raytree::main] fn`.
pub fn main_sync<T>(init: Init, main: impl FnOnce() -> T) -> T {
    run_here(init, main).unwrap_or_else(|error| give_up(&error))
}

/// A program without a runtime has nothing to do.
#[expect(clippy::exit, reason = "nothing runs yet that could be ended in order")]
fn give_up(error: &Error) -> ! {
    // Where nobody listens, the exit code has to do.
    _ = std::io::stderr().write_all(sentence(error).as_bytes());
    exit(NOT_STARTED)
}

/// The runtime of the test at this path, where its attribute leaves things unsaid. A process of a task's own runs that
/// test and no other.
pub fn test_init(path: &str) -> Init {
    let own = path.split_once("::").map_or(path, |(_, own)| own);
    let again = ["--exact", own, "--nocapture", "--include-ignored"].map(Into::into);
    init().cpus(2.0).threads(2).strict(true).again(again.into())
}

/// `#[raytree::test] async fn`.
pub fn test_async<T, F>(init: Init, test: F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    run_on(init, test).unwrap_or_else(|error| fail(&error))
}

/// `#[raytree::test] fn`.
pub fn test_sync<T>(init: Init, test: impl FnOnce() -> T) -> T {
    run_here(init, test).unwrap_or_else(|error| fail(&error))
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn fail(error: &Error) -> ! {
    panic_any(error.to_string())
}
