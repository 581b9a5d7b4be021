//! The constructor, `new`: what a life begins with, and how others create the actor.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ImplItemFn, Result, ReturnType, Signature, Type, Visibility};

use super::{Subject, check_signature};
use crate::output::failure;
use crate::params::{Context, Params, bare, inside, names, where_values};

/// The function `new` of the block.
pub(super) struct Constructor<'a> {
    pub(super) signature: &'a Signature,
    pub(super) vis: &'a Visibility,
    pub(super) params: Params,
    fallible: bool,
}

impl<'a> Constructor<'a> {
    /// Finds it, and whatever would be in its way.
    pub(super) fn find(
        subject: &Subject<'_>,
        functions: impl Iterator<Item = &'a ImplItemFn>,
    ) -> Result<Self> {
        let mut new = None;
        for function in functions {
            let name = &function.sig.ident;
            if name == "remote" || name == "with" {
                let what = format!(
                    "`{}::{name}` is what creates the actor: this needs another name",
                    subject.name
                );
                return Err(Error::new_spanned(name, what));
            }
            if name == "new" {
                new = Some(function);
            }
        }
        let Some(ImplItemFn { sig: signature, vis, .. }) = new else {
            let what = "an actor has a constructor in this block: `pub fn new(..) -> Self`, which may \
                        be async, and may return a `Result<Self, E>`";
            return Err(Error::new_spanned(subject.ty, what));
        };
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(
                receiver,
                "`new` is the constructor: nothing is there yet",
            ));
        }
        check_signature(signature, "let `new` take what an actor needs, as values")?;
        let params = Params::read(&signature.inputs, Context::Actor, Some(subject.ty))?;
        let fallible = is_fallible(subject, signature)?;
        Ok(Self { signature, vis, params, fallible })
    }

    /// `async fn start` of the actor trait.
    pub(super) fn start(&self) -> TokenStream {
        let (pattern, arguments) =
            (self.params.pattern(), self.params.arguments(&quote!(__context)));
        let new = match self.signature.asyncness {
            Some(_) => quote!(Self::new(#arguments).await),
            None => quote!(::raytree::__macro::synchronous(__context, || Self::new(#arguments))),
        };
        let made = if self.fallible {
            let failure = failure(self.signature.output.span());
            quote! {
                match #new {
                    ::core::result::Result::Ok(__actor) => ::core::result::Result::Ok(__actor),
                    ::core::result::Result::Err(__error) => {
                        ::core::result::Result::Err(::raytree::__macro::unmade(#failure))
                    }
                }
            }
        } else {
            quote!(::core::result::Result::Ok(#new))
        };
        quote! {
            async fn start(
                __given: Self::Args,
                __context: &::raytree::ActorContext<Self>,
            ) -> ::core::result::Result<Self, ::raytree::BoxError> {
                let #pattern = __given.lend()?;
                #made
            }
        }
    }

    /// `Counter::remote` and `Counter::with`.
    pub(super) fn create(&self, subject: &Subject<'_>) -> TokenStream {
        let Subject { ty, handle, .. } = subject;
        let (vis, tuple, signature) = (self.vis, self.params.tuple(), self.params.signature());
        let (names, values) = (self.params.names(), where_values(self.params.types()));
        quote! {
            #[allow(dead_code, clippy::too_many_arguments,
                reason = "it offers what its program may not need")]
            impl #ty #values {
                /// Creates an actor of this type, and returns at once: its calls wait until its constructor has
                /// returned, and tell if it never will. Each argument is a value, or a reference to one.
                #[track_caller]
                #vis fn remote(#signature) -> #handle {
                    Self::with(::raytree::ActorOptions::new()).remote(#(#names),*)
                }

                /// This type with other options: what they leave unsaid stays as its attribute has it.
                #vis fn with(options: ::raytree::ActorOptions) -> ::raytree::__macro::Class<#ty, #tuple> {
                    ::raytree::__macro::Class::new(options)
                }
            }
        }
    }
}

/// `-> Self` or `-> Result<Self, E>`.
fn is_fallible(subject: &Subject<'_>, signature: &Signature) -> Result<bool> {
    let what = "`new` returns `Self` or a `Result<Self, E>`";
    let ReturnType::Type(_, written) = &signature.output else {
        return Err(Error::new_spanned(&signature.ident, what));
    };
    let is_own = |ty: &Type| {
        let name = subject.name.to_string();
        names(bare(ty), "Self") || names(bare(ty), &name)
    };
    match bare(written) {
        ty if is_own(ty) => Ok(false),
        ty if inside(ty, "Result").is_some_and(is_own) => Ok(true),
        other => Err(Error::new_spanned(other, what)),
    }
}
