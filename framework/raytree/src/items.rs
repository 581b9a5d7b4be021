//! What the attribute macros make of bodies that return more than one value: item after item into the sink.

use std::future::poll_fn;
use std::pin::pin;

use futures_util::Stream;
use raytree_system::Value;
use raytree_system::macros::{Failure, Sink};

/// `-> impl Iterator<Item = T>`.
///
/// # Errors
/// When nobody reads any more, or an item cannot travel.
pub fn iterate<T: Value>(
    items: impl IntoIterator<Item = T>,
    sink: &Sink<T>,
) -> Result<(), Failure> {
    items.into_iter().try_for_each(|item| sink.put_blocking(item))
}

/// `-> impl Iterator<Item = Result<T, E>>`.
///
/// # Errors
/// The first `Err`; else as [`iterate`].
pub fn iterate_results<T: Value, E>(
    items: impl IntoIterator<Item = Result<T, E>>,
    sink: &Sink<T>,
    failure: impl Fn(E) -> Failure,
) -> Result<(), Failure> {
    items.into_iter().try_for_each(|item| sink.put_blocking(item.map_err(&failure)?))
}

/// `-> impl Stream<Item = T>`.
///
/// # Errors
/// As [`iterate`].
pub async fn pour<T: Value>(items: impl Stream<Item = T>, sink: Sink<T>) -> Result<(), Failure> {
    let mut items = pin!(items);
    while let Some(item) = poll_fn(|cx| items.as_mut().poll_next(cx)).await {
        sink.put(item).await?;
    }
    Ok(())
}

/// `-> impl Stream<Item = Result<T, E>>`.
///
/// # Errors
/// The first `Err`; else as [`iterate`].
pub async fn pour_results<T: Value, E>(
    items: impl Stream<Item = Result<T, E>>,
    sink: Sink<T>,
    failure: impl Fn(E) -> Failure,
) -> Result<(), Failure> {
    let mut items = pin!(items);
    while let Some(item) = poll_fn(|cx| items.as_mut().poll_next(cx)).await {
        sink.put(item.map_err(&failure)?).await?;
    }
    Ok(())
}
