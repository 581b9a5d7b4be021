//! Where a piece of work belongs in a trace: a context that goes along with every task and every call that is made in it.
//!
//! The context is that of the W3C (`traceparent`): the number of the trace, and that of the span, which is the piece of work.
//! It goes into whatever is started there, in this process or in another one, and there each task and each call of an actor is
//! a `tracing` span with a number of its own, below that of whoever started it.
//!
//! There are contexts where there is a subscriber of `tracing` for spans of level `INFO`, or where one was given with
//! [`within`]. Where there is neither, a submission looks at one number of its thread and one of the process.
//!
//! Invariants:
//! - **TC-1 (inherited):** what is started within a context has its trace, wherever it runs, and names its span as the parent.
//! - **TC-2 (restored):** code that runs on a thread after another's has the context that was there before.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher as _, Hasher as _};
use std::pin::{Pin, pin};
use std::str::FromStr;

use raytree_types::ActorId;
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

/// A future of any kind.
type Boxed<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    /// The two halves of the number of the trace: not every format has numbers of 128 bits.
    trace: (u64, u64),
    span: u64,
}

impl TraceContext {
    /// The beginning of a new trace.
    #[must_use]
    pub fn new() -> Self {
        Self { trace: (number(), number()), span: number() }
    }

    /// The number of the trace, 128 bits, never 0.
    #[must_use]
    pub fn trace_id(self) -> u128 {
        u128::from(self.trace.0) << 64 | u128::from(self.trace.1)
    }

    /// The number of the span, never 0.
    #[must_use]
    pub fn span_id(self) -> u64 {
        self.span
    }

    /// Another span of the same trace.
    fn below(self) -> Self {
        Self { span: number(), ..self }
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

/// As in the header `traceparent`: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace_id(), self.span)
    }
}

/// It is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a trace context is `00-<32 hexadecimal digits>-<16 of them>-<2 of them>`, and no number in it is 0"
)]
pub struct BadTraceContext;

impl FromStr for TraceContext {
    type Err = BadTraceContext;

    fn from_str(text: &str) -> Result<Self, BadTraceContext> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let is_hex = |part: &&str| {
                part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            parts.next().filter(is_hex).ok_or(BadTraceContext)
        };
        let (version, trace, span, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        // Later versions may have more to say.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(BadTraceContext);
        }
        let number = |text| u64::from_str_radix(text, 16).map_err(|_| BadTraceContext);
        let trace = (number(&trace[..16])?, number(&trace[16..])?);
        let span = number(span)?;
        if trace == (0, 0) || span == 0 { Err(BadTraceContext) } else { Ok(Self { trace, span }) }
    }
}

/// Drawn at random, and not 0.
fn number() -> u64 {
    // The keys of hash maps are the operating system's random numbers.
    RandomState::new().build_hasher().finish().max(1)
}

thread_local! {
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// The context of the code that runs on this thread: in a task or in an actor, that of its span.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.get()
}

/// Runs `body` within a context, for example one that came with a request from elsewhere: what it starts belongs to that trace.
pub fn within<T>(context: TraceContext, body: impl FnOnce() -> T) -> T {
    let _entered = enter(Some(context));
    body()
}

/// The same for async code.
pub async fn within_async<T>(context: TraceContext, body: impl Future<Output = T>) -> T {
    let mut body = pin!(body);
    poll_fn(|cx| {
        let _entered = enter(Some(context));
        body.as_mut().poll(cx)
    })
    .await
}

/// Restores what was before (TC-2).
pub(crate) struct Entered(Option<TraceContext>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// This thread now runs code of this context.
pub(crate) fn enter(context: Option<TraceContext>) -> Entered {
    Entered(CURRENT.replace(context))
}

/// What goes along with something that is started here.
pub(crate) fn outgoing() -> Option<TraceContext> {
    let current = CURRENT.get();
    // Without a subscriber this is one load.
    if current.is_none() && LevelFilter::current() >= LevelFilter::INFO && is_wanted() {
        return Some(TraceContext::new());
    }
    current
}

#[cold]
fn is_wanted() -> bool {
    tracing::enabled!(target: "raytree::trace", Level::INFO)
}

/// A piece of work while it runs.
pub(crate) struct Traced {
    context: TraceContext,
    span: Span,
}

/// While it is there, this thread runs code of that work.
pub(crate) struct Inside<'a> {
    _context: Entered,
    _span: tracing::span::Entered<'a>,
}

impl Traced {
    /// The run of a task that was started within `parent`.
    pub(crate) fn task(parent: TraceContext, name: &str, id: impl fmt::Display) -> Self {
        let context = parent.below();
        let (trace, span) = (context.trace_id(), context.span);
        let span = tracing::info_span!(
            target: "raytree::trace",
            parent: None,
            "task",
            name,
            task = %id,
            trace_id = format_args!("{trace:032x}"),
            span_id = format_args!("{span:016x}"),
            parent_id = format_args!("{:016x}", parent.span),
        );
        Self { context, span }
    }

    /// A call of an actor that was made within `parent`.
    pub(crate) fn call(parent: TraceContext, method: &str, actor: (&str, ActorId)) -> Self {
        let context = parent.below();
        let (trace, span) = (context.trace_id(), context.span);
        let (label, id) = actor;
        let span = tracing::info_span!(
            target: "raytree::trace",
            parent: None,
            "call",
            name = method,
            actor = label,
            actor_id = %id,
            trace_id = format_args!("{trace:032x}"),
            span_id = format_args!("{span:016x}"),
            parent_id = format_args!("{:016x}", parent.span),
        );
        Self { context, span }
    }

    /// This thread runs it now.
    pub(crate) fn enter(&self) -> Inside<'_> {
        Inside { _context: enter(Some(self.context)), _span: self.span.enter() }
    }
}

/// An async body, each step of it within its span if it has one.
pub(crate) fn follow<'a, R: 'a>(traced: Option<Traced>, mut body: Boxed<'a, R>) -> Boxed<'a, R> {
    let Some(traced) = traced else { return body };
    Box::pin(poll_fn(move |cx| {
        let _inside = traced.enter();
        body.as_mut().poll(cx)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_written_and_read_as_the_header_is() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().expect("the example of the standard");
        assert_eq!(context.span_id(), 0x00f0_67aa_0ba9_02b7);
        assert_eq!(context.to_string(), text);
        let new = TraceContext::new();
        assert_eq!(new.to_string().parse(), Ok(new));
        assert_ne!(new.trace_id(), TraceContext::new().trace_id());
        let (zero, short) = (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), &text[..50]);
        for bad in ["", "00", &*zero, short, &format!("{text}-1"), &text.replace('4', "g")] {
            assert_eq!(bad.parse::<TraceContext>(), Err(BadTraceContext), "{bad}");
        }
        let later = text.replacen("00", "01", 1) + "-more";
        assert!(later.parse::<TraceContext>().is_ok(), "a later version has more to say");
    }

    #[test]
    fn tc_2_what_was_before_is_restored_also_after_a_panic() {
        let (one, two) = (TraceContext::new(), TraceContext::new());
        assert_eq!(current(), None);
        within(one, || {
            let broke = std::panic::catch_unwind(|| within(two, || panic!("{:?}", current())));
            assert!(broke.is_err());
            assert_eq!(current(), Some(one));
            let body = within_async(two, async { current() });
            assert_eq!(futures_util::FutureExt::now_or_never(body), Some(Some(two)));
            assert_eq!(current(), Some(one));
        });
        assert_eq!(current(), None);
    }
}
