//! A method that others may call: one of the handle's, and the body that runs it in the actor.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, ImplItemFn, Receiver, Result, Type, Visibility};

use super::role::{Kind, Role};
use super::{Subject, check_signature, info};
use crate::function::docs;
use crate::output::{Output, Shape};
use crate::params::{Context, Params, where_values};

/// A method of the handle.
pub(super) struct Method {
    /// It takes `&self`.
    pub(super) is_shared: bool,
    /// The method, with everything it needs inside.
    pub(super) call: TokenStream,
}

/// The method of the handle for a function of the block; none for what stays local.
pub(super) fn read(
    subject: &Subject<'_>,
    constructor: &Params,
    function: &ImplItemFn,
    role: &Role,
) -> Result<Option<Method>> {
    let signature = &function.sig;
    match role.kind {
        Kind::Skip | Kind::OnStop | Kind::OnChildExit => return Ok(None),
        Kind::Plain | Kind::Blocking => {}
    }
    let is_private = matches!(function.vis, Visibility::Inherited);
    let Some(receiver) = signature.receiver().filter(|_| !is_private) else {
        return match &role.word {
            Some(word) => {
                let what =
                    "only a method that others call needs this: one with `pub` and a receiver";
                Err(Error::new_spanned(word, what))
            }
            None => Ok(None),
        };
    };
    let is_shared = is_shared(receiver)?;
    check_signature(signature, "`#[remote(skip)]` keeps it local")?;
    let params = Params::read(&signature.inputs, Context::Actor, Some(subject.ty))?;
    let output = Output::read(signature, Some(subject.ty))?;
    let is_async = signature.asyncness.is_some() || output.shape == Shape::Stream;
    if let (Kind::Blocking, true, Some(word)) = (role.kind, is_async, &role.word) {
        let what = "an async method waits without blocking its thread: leave out `blocking`, or \
                    make the method synchronous";
        return Err(Error::new_spanned(word, what));
    }
    let one = One { subject, constructor, function, params, output, is_shared };
    Ok(Some(Method { is_shared, call: one.call(role.kind == Kind::Blocking) }))
}

/// Whether it is `&self`; an error unless it is `&mut self` then.
fn is_shared(receiver: &Receiver) -> Result<bool> {
    match &*receiver.ty {
        Type::Reference(reference) => Ok(reference.mutability.is_none()),
        _ => {
            let what = "a call borrows the actor: take `&mut self`, and it runs alone, or `&self`, \
                        and it may overlap with others; `#[remote(skip)]` keeps the method local";
            Err(Error::new_spanned(receiver, what))
        }
    }
}

/// One method while it is written.
struct One<'a> {
    subject: &'a Subject<'a>,
    /// The parameters of `new`: where they are no values there is no actor.
    constructor: &'a Params,
    function: &'a ImplItemFn,
    params: Params,
    output: Output,
    is_shared: bool,
}

impl One<'_> {
    fn call(&self, blocking: bool) -> TokenStream {
        let ImplItemFn { attrs, vis, sig, .. } = self.function;
        let (ty, name) = (self.subject.ty, &sig.ident);
        let (tuple, result) = (self.params.tuple(), &self.output.ty);
        let (signature, names) = (self.params.signature(), self.params.names());
        let reference = self.output.reference();
        let values = where_values(self.params.types().chain([result]));
        let all = self.constructor.types().chain(self.params.types()).chain([result]);
        let all_values = where_values(all);
        let (info, body) = (info(self.subject, Some(name), sig), self.body());
        let way = match self.output.shape {
            Shape::One => quote!(call),
            Shape::Iterator | Shape::Stream => quote!(stream),
        };
        let is_one = self.output.shape == Shape::One;
        let kept = attrs.iter().filter(|attribute| is_kept(attribute));
        let said = format!("Calls `{}::{name}`.", self.subject.name);
        let docs = match docs(attrs) {
            docs if docs.is_empty() => vec![quote!(#[doc = #said])],
            docs => docs,
        };
        quote! {
            #(#docs)*
            #(#kept)*
            #[track_caller]
            #vis fn #name(&self, #signature) -> #reference #values {
                #info
                enum __Method {}
                impl ::raytree::__macro::RemoteMethod for __Method #all_values {
                    type Actor = #ty;
                    type Params = #tuple;
                    type Out = #result;
                    const IS_ONE: bool = #is_one;
                    fn method() -> &'static ::raytree::__macro::Method<#ty, #tuple, #result> {
                        const {
                            &::raytree::__macro::Method::<#ty, #tuple, #result>::new(
                                &__INFO, #blocking, #body,
                            )
                        }
                    }
                }
                ::raytree::__macro::inventory::submit! {
                    ::raytree::__macro::Entry::new(
                        &__INFO,
                        ::raytree::__macro::Way::Method(|__actor, __parts, __terms| {
                            use ::raytree::__macro::{IsMethod as _, IsNothing as _};
                            (&&::raytree::__macro::Of::<__Method>::new())
                                .method(__actor, __parts, __terms)
                        }),
                    )
                }
                self.0.#way(
                    <__Method as ::raytree::__macro::RemoteMethod>::method(),
                    (#(::raytree::IntoArg::into_arg(#names),)*),
                )
            }
        }
    }

    fn body(&self) -> TokenStream {
        let (ty, sig) = (self.subject.ty, &self.function.sig);
        let (tuple, result, name) = (self.params.tuple(), &self.output.ty, &sig.ident);
        let pattern = self.params.pattern();
        let arguments = self.params.arguments(&quote!(__context));
        let is_async = sig.asyncness.is_some();
        let wait = is_async.then(|| quote!(.await));
        let finished = self.output.finish(&quote!(<#ty>::#name(__actor, #arguments)#wait));
        let pinned = quote!(::std::boxed::Box::pin(async move { #finished }));
        let (kind, sink, body) = match (self.output.shape, is_async) {
            (Shape::One, false) => ("", quote!(), finished),
            (Shape::One, true) => ("Async", quote!(), pinned),
            (Shape::Iterator, _) => ("Iterate", quote!(, __sink), finished),
            (Shape::Stream, _) => ("Stream", quote!(, __sink), pinned),
        };
        let access = if self.is_shared { "Shared" } else { "Exclusive" };
        let kind = quote::format_ident!("{access}{kind}");
        // The types are named so that the arguments' are known inside.
        quote! {
            ::raytree::__macro::MethodBody::<#ty, #tuple, #result>::#kind(
                |__actor, #pattern, __context #sink| #body
            )
        }
    }
}

/// What holds for the method of the handle as well.
fn is_kept(attribute: &Attribute) -> bool {
    ["cfg", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}
