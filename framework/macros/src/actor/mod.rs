//! An actor: `#[remote] impl Counter { .. }`.
//!
//! The block stays as it is. Beside it comes a handle with one method for each method that others may call, and what
//! the system needs to know to begin a life and to run a method in it.

mod constructor;
mod hook;
mod method;
mod role;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, GenericParam, Ident, ImplItem, ImplItemFn, ItemImpl, Result, Signature, Type};

use crate::function::written;
use crate::options::{self, Options, Settings};
use crate::params::{bare, where_values};
use constructor::Constructor;
use hook::Hooks;

/// The type that becomes an actor, and the names of what is made for it.
struct Subject<'a> {
    ty: &'a Type,
    name: &'a Ident,
    handle: Ident,
    options: &'a Options,
}

/// What stands beside the block. The block itself loses the attributes of its methods that were meant for this macro.
pub(crate) fn expand(settings: Result<Settings>, block: &mut ItemImpl) -> Result<TokenStream> {
    // First of all: what is left of the block is part of the program also if nothing else can be made of it.
    let roles = role::take(block);
    let (settings, roles) = (settings?, roles?);
    let options = settings.read(&options::ACTOR)?;
    let (ty, name) = subject(block)?;
    let handle = format_ident!("{name}Handle", span = name.span());
    let subject = Subject { ty, name, handle, options: &options };

    let functions = || block.items.iter().filter_map(function).zip(&roles);
    let constructor = Constructor::find(&subject, functions().map(|(function, _)| function))?;
    let hooks = Hooks::find(functions())?;
    let mut methods = Vec::new();
    let mut errors = None;
    for (function, role) in functions() {
        match method::read(&subject, &constructor.params, function, role) {
            Ok(method) => methods.extend(method),
            Err(error) => combine(&mut errors, error),
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    check_overlap(&settings, &methods)?;

    let calls = methods.iter().map(|method| &method.call);
    let everything = quote_all(&subject, &constructor, &hooks, &quote!(#(#calls)*));
    allow_no_default(block);
    Ok(everything)
}

/// `new` without parameters begins a life: nobody makes an actor by `default()`.
fn allow_no_default(block: &mut ItemImpl) {
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && function.sig.ident == "new"
        {
            function.attrs.push(syn::parse_quote!(#[allow(clippy::new_without_default)]));
        }
    }
}

/// The type of the block, with its name.
fn subject(block: &ItemImpl) -> Result<(&Type, &Ident)> {
    if let Some((_, name, _)) = &block.trait_ {
        let what = "an actor is made of an inherent block: put `#[remote]` on the `impl` with its \
                    `new`, without a trait";
        return Err(Error::new_spanned(name, what));
    }
    if !block.generics.params.is_empty() {
        let what = "an actor is found by its type's name, so it cannot be generic: write one type \
                    for each use, which may hold a generic one";
        return Err(Error::new_spanned(&block.generics, what));
    }
    let ty = bare(&block.self_ty);
    let last = match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    match last {
        Some(last) if last.arguments.is_none() => Ok((ty, &last.ident)),
        _ => Err(Error::new_spanned(ty, "an actor is a type with a name, without parameters")),
    }
}

fn function(item: &ImplItem) -> Option<&ImplItemFn> {
    match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    }
}

/// Overlapping is for methods that share.
fn check_overlap(settings: &Settings, methods: &[method::Method]) -> Result<()> {
    match settings.key("max_concurrency") {
        Some(key) if !methods.iter().any(|method| method.is_shared) => {
            let what = "`max_concurrency` is how many `&self` methods may overlap, and there is none \
                        that can be called: take `&self` instead of `&mut self` where calls may overlap";
            Err(Error::new_spanned(key, what))
        }
        _ => Ok(()),
    }
}

/// What neither a method nor a constructor can be; `instead` is what can be done about it.
fn check_signature(signature: &Signature, instead: &str) -> Result<()> {
    let generic = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
    if let Some(param) = signature.generics.params.iter().find(generic) {
        let what =
            format!("what is called from elsewhere has one type and cannot be generic: {instead}");
        return Err(Error::new_spanned(param, what));
    }
    match &signature.unsafety {
        Some(unsafety) => {
            let what =
                format!("the system cannot keep a promise that is made to the compiler: {instead}");
            Err(Error::new_spanned(unsafety, what))
        }
        None => Ok(()),
    }
}

fn combine(all: &mut Option<Error>, error: Error) {
    match all {
        Some(all) => all.combine(error),
        None => *all = Some(error),
    }
}

/// A static `Info`, called `__INFO`.
fn info(subject: &Subject<'_>, member: Option<&Ident>, signature: &Signature) -> TokenStream {
    let codec = &subject.options.codec;
    let name = match member {
        Some(member) => format!("{}::{}", subject.name.unraw(), member.unraw()),
        None => subject.name.unraw().to_string(),
    };
    let written = written(signature);
    quote! {
        static __INFO: ::raytree::__macro::Info = ::raytree::__macro::Info {
            name: ::core::concat!(::core::module_path!(), "::", #name),
            signature: #written,
            file: ::core::file!(),
            line: ::core::line!(),
            codec: #codec,
        };
    }
}

fn quote_all(
    subject: &Subject<'_>,
    constructor: &Constructor<'_>,
    hooks: &Hooks,
    calls: &TokenStream,
) -> TokenStream {
    let Subject { ty, handle, options, .. } = subject;
    let (params, vis, chain) = (constructor.params.tuple(), constructor.vis, &options.chain);
    let (info, start) = (info(subject, None, constructor.signature), constructor.start());
    let created = constructor.create(subject);
    let docs = format!(
        " A handle on an actor of type [`{0}`]: calls its methods, from anywhere. What every handle \
         can do is in [`Handle`](::raytree::Handle).",
        ty.to_token_stream()
    );
    let values = where_values(constructor.params.types());
    let made = made_handle(subject, vis, &docs, &values);
    let (actor, remote) = (quote!(::raytree::Actor), quote!(::raytree::Remote));
    quote! {
        #made

        #[allow(dead_code, clippy::too_many_arguments,
            reason = "it offers what its program may not need")]
        impl #handle #values {
            #calls
        }

        impl #actor for #ty #values {
            type Args = ::raytree::__macro::Given<#params>;
            #start
            #hooks
        }

        impl #remote for #ty #values {
            type Params = #params;
            type Handle = #handle;

            fn info() -> &'static ::raytree::__macro::Info {
                #info
                ::raytree::__macro::inventory::submit! {
                    ::raytree::__macro::Entry::new(
                        &__INFO,
                        ::raytree::__macro::Way::Class(|__parts, __birth| {
                            use ::raytree::__macro::{IsClass as _, IsNothing as _};
                            (&&::raytree::__macro::Of::<#ty>::new()).class(__parts, __birth)
                        }),
                    )
                }
                &__INFO
            }

            fn options() -> ::raytree::ActorOptions {
                ::raytree::ActorOptions::new()#chain
            }
        }

        #created
    }
}

/// The handle, and what makes a value of it.
fn made_handle(
    subject: &Subject<'_>,
    vis: &syn::Visibility,
    docs: &str,
    values: &TokenStream,
) -> TokenStream {
    let Subject { ty, handle, .. } = subject;
    let name = handle.to_string();
    // At the type's own place: that is where one that is less visible than its handle is reported.
    let at = Span::call_site().located_at(ty.span());
    let handle_trait = quote_spanned! {at=>
        impl ::raytree::Handle for #handle #values {
            type Actor = #ty;

            fn of(inner: ::raytree::__macro::ActorRef<#ty>) -> Self {
                Self(inner)
            }

            fn inner(&self) -> &::raytree::__macro::ActorRef<#ty> {
                &self.0
            }
        }
    };
    quote! {
        #[doc = #docs]
        #vis struct #handle(::raytree::__macro::ActorRef<#ty>) #values;

        #handle_trait

        impl ::core::clone::Clone for #handle #values {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0))
            }
        }

        impl ::core::fmt::Debug for #handle #values {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.0).finish()
            }
        }

        impl ::raytree::__macro::serde::Serialize for #handle #values {
            fn serialize<__S: ::raytree::__macro::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                ::raytree::__macro::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> ::raytree::__macro::serde::Deserialize<'de> for #handle #values {
            fn deserialize<__D: ::raytree::__macro::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                ::raytree::__macro::serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }
    }
}
