//! How what is written into the program is called with arguments that have come as bytes: functions, constructors, methods.
//!
//! Generated code calls `(&&Of::<F>::new()).function(..)`: of the two traits that have the method the one whose bounds hold is
//! found, the one that serves first. A type that is no value is told so elsewhere; here nothing more is said.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use raytree_types::{ActorId, ActorOptions, Error, Incarnation, Result};

use super::args::Args;
use crate::driver::residents::Resident;
use crate::link::Token;
use crate::link::{CallTerms, Served, Terms};
use crate::object::Value;
use crate::object::part::Part;
use crate::user::actor::Actor;
use crate::user::actor_ref::ActorRef;
use crate::user::class::{self, Given};
use crate::user::method::Method;
use crate::user::remote::Remote;

/// Runs a function.
pub(crate) type Run = fn(Vec<Part>, Terms) -> Result<Served>;
/// Begins the life of an actor.
pub(crate) type Create = fn(Vec<Part>, Birth) -> Result<Born>;
/// Calls a method of an actor, which is an `ActorRef` of its type.
pub(crate) type Invoke = fn(&(dyn Any + Send + Sync), Vec<Part>, CallTerms) -> Result<Served>;

/// How an entry of the registry is called with bytes.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It is a function.
    Function(Run),
    /// It is an actor type.
    Class(Create),
    /// It is a method.
    Method(Invoke),
}

/// Who an actor is that another process wants. Opaque to those who write generated code.
#[derive(Debug)]
pub struct Birth(pub(crate) Kin);

#[derive(Debug)]
pub(crate) enum Kin {
    /// One life of an actor of that process's own.
    Life { id: ActorId, life: Incarnation, options: ActorOptions },
    /// An actor of this process's own, which this line there has asked for.
    Own { options: ActorOptions, place: String },
    /// It lives already, and is the cluster's.
    Resident(Arc<Resident>),
}

/// An actor of another process's wish.
#[derive(Debug)]
pub struct Born(pub(crate) Arc<Token>);

/// A remote function; written by the attribute macro.
pub trait Function {
    /// Runs it.
    fn serve(parts: Vec<Part>, terms: Terms) -> Result<Served>;
}

/// A method of an actor; written by the attribute macro.
pub trait RemoteMethod {
    /// Whose it is.
    type Actor: Remote;
    /// Its parameters.
    type Params: Args;
    /// Its result, or item.
    type Out: Value;
    /// It gives one value, not many.
    const IS_ONE: bool;
    /// The method.
    fn method() -> &'static Method<Self::Actor, Self::Params, Self::Out>;
}

/// A type that may be a [`Function`], an actor or a [`RemoteMethod`].
pub struct Of<F>(PhantomData<fn() -> F>);

impl<F> Of<F> {
    /// Of this type.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<F> Default for Of<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> fmt::Debug for Of<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Of")
    }
}

/// For functions.
pub trait IsFunction {
    /// Runs it.
    fn function(&self, parts: Vec<Part>, terms: Terms) -> Result<Served>;
}

/// For actor types.
pub trait IsClass {
    /// Begins a life.
    fn class(&self, parts: Vec<Part>, birth: Birth) -> Result<Born>;
}

/// For methods.
pub trait IsMethod {
    /// Calls it.
    fn method(
        &self,
        actor: &(dyn Any + Send + Sync),
        parts: Vec<Part>,
        terms: CallTerms,
    ) -> Result<Served>;
}

/// For what the compiler has refused.
pub trait IsNothing {
    /// Never called.
    fn function(&self, _parts: Vec<Part>, _terms: Terms) -> Result<Served> {
        refused()
    }

    /// Never called.
    fn class(&self, _parts: Vec<Part>, _birth: Birth) -> Result<Born> {
        refused()
    }

    /// Never called.
    fn method(
        &self,
        _actor: &(dyn Any + Send + Sync),
        _parts: Vec<Part>,
        _terms: CallTerms,
    ) -> Result<Served> {
        refused()
    }
}

impl<F> IsNothing for Of<F> {}

impl<F: Function> IsFunction for &Of<F> {
    fn function(&self, parts: Vec<Part>, terms: Terms) -> Result<Served> {
        F::serve(parts, terms)
    }
}

impl<T, A> IsClass for &Of<T>
where
    T: Remote<Params = A> + Actor<Args = Given<A>>,
    A: Args,
{
    fn class(&self, parts: Vec<Part>, birth: Birth) -> Result<Born> {
        class::begin::<T, A>(parts, birth).map(Born)
    }
}

impl<M: RemoteMethod> IsMethod for &Of<M> {
    fn method(
        &self,
        actor: &(dyn Any + Send + Sync),
        parts: Vec<Part>,
        CallTerms { window, retries, .. }: CallTerms,
    ) -> Result<Served> {
        let Some(actor) = actor.downcast_ref::<ActorRef<M::Actor>>() else { return refused() };
        let method = M::method();
        let codec = method.info.codec;
        let args = M::Params::read(parts, codec)?;
        Ok(if M::IS_ONE {
            // Its line is in the process that has asked for it.
            Served::one(actor.call_for(method.label().into(), method, args, retries), codec)
        } else {
            let window = window.unwrap_or(1).max(1);
            Served::many(actor.stream_of(method.label().into(), method, args), codec, window)
        })
    }
}

fn refused<T>() -> Result<T> {
    let (option, value) = ("body".to_owned(), "no such thing".to_owned());
    Err(Error::BadOption { option, value, reason: "its types are no values".to_owned() })
}
