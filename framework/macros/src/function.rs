//! A remote function: `#[remote] fn` and `#[remote] async fn`.
//!
//! Beside the function, which stays as it is, stands a braced struct of the same name. Such a struct lives in the
//! namespace of types only, so that `square(3)` and `square::remote(3)` do not disturb each other.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Error, GenericParam, Ident, ItemFn, Result, Signature};

use crate::options::{self, Settings};
use crate::output::{Output, Shape};
use crate::params::{Context, Params, where_values};

/// What stands beside the function.
pub(crate) fn expand(settings: &Settings, function: &ItemFn) -> Result<TokenStream> {
    check(&function.sig)?;
    let params = Params::read(&function.sig.inputs, Context::Task, None)?;
    let output = Output::read(&function.sig, None)?;
    let (name, vis) = (&function.sig.ident, &function.vis);
    let docs = docs(&function.attrs);
    let task = task(settings, function, &params, &output)?;
    let calls = calls(function, &params, &output);
    let values = where_values(params.types().chain([&output.ty]));
    let serves = quote! {
        impl ::raytree::__macro::Function for #name #values {
            fn serve(
                __parts: ::std::vec::Vec<::raytree::__macro::Part>,
                __terms: ::raytree::__macro::Terms,
            ) -> ::raytree::Result<::raytree::__macro::Served> {
                Self::task().serve(__parts, __terms)
            }
        }
    };
    let local = format!("Remote calls of the function `{name}`.");
    let docs = if docs.is_empty() { vec![quote!(#[doc = #local])] } else { docs };
    Ok(quote! {
        #(#docs)*
        #[allow(non_camel_case_types, dead_code, missing_debug_implementations,
            reason = "it is never made: its functions are called")]
        #vis struct #name {}

        #[allow(dead_code, clippy::too_many_arguments,
            reason = "it offers what its function may not need")]
        impl #name #values {
            #task
            #calls
        }

        #serves
    })
}

/// What cannot be a remote function at all.
fn check(signature: &Signature) -> Result<()> {
    if let Some(receiver) = signature.receiver() {
        let what =
            "a method is made remote with its whole actor: put `#[remote]` on the `impl` block";
        return Err(Error::new_spanned(receiver, what));
    }
    let generic = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
    if let Some(param) = signature.generics.params.iter().find(generic) {
        let what = "a remote function is found by its name, so it cannot be generic: write one \
                    function for each type, which may call a generic one";
        return Err(Error::new_spanned(param, what));
    }
    if let Some(unsafety) = &signature.unsafety {
        let what = "a remote function is called by the system, which cannot keep a promise that is \
                    made to the compiler: make it safe";
        return Err(Error::new_spanned(unsafety, what));
    }
    match &signature.variadic {
        Some(variadic) => {
            Err(Error::new_spanned(variadic, "a remote function has fixed parameters"))
        }
        None => Ok(()),
    }
}

/// `fn task()`, with the definition and the entry of the registry inside.
fn task(
    settings: &Settings,
    function: &ItemFn,
    params: &Params,
    output: &Output,
) -> Result<TokenStream> {
    let options::Options { chain, codec } = settings.read(&options::FUNCTION)?;
    let ItemFn { vis, sig, .. } = function;
    let (name, written) = (sig.ident.unraw().to_string(), written(sig));
    let (tuple, result, task) = (params.tuple(), &output.ty, task_type(params, output));
    let body = body(sig, params, output);
    let kind = match output.shape {
        Shape::One => quote!(::raytree::Task),
        Shape::Iterator | Shape::Stream => quote!(::raytree::StreamTask),
    };
    let entry = entry(&sig.ident);
    Ok(quote! {
        /// The function as a value: to be stored, given other options, or handed to a library.
        #[must_use]
        #vis fn task() -> #task {
            fn __options() -> ::raytree::TaskOptions {
                ::raytree::TaskOptions::new()#chain
            }
            static __INFO: ::raytree::__macro::Info = ::raytree::__macro::Info {
                name: ::core::concat!(::core::module_path!(), "::", #name),
                signature: #written,
                file: ::core::file!(),
                line: ::core::line!(),
                codec: #codec,
            };
            static __PLAN: ::raytree::__macro::PlanCell = ::raytree::__macro::PlanCell::new();
            #entry
            #kind::of(const {
                &::raytree::__macro::Definition::<#tuple, #result>::new(
                    &__INFO, __options, #body, &__PLAN,
                )
            })
        }
    })
}

/// What stands in the registry: how it is called with bytes.
fn entry(name: &Ident) -> TokenStream {
    // A function whose types are no values is told so elsewhere: here the fallback is found, and nothing more is said.
    quote! {
        ::raytree::__macro::inventory::submit! {
            ::raytree::__macro::Entry::new(
                &__INFO,
                ::raytree::__macro::Way::Function(|__parts, __terms| {
                    use ::raytree::__macro::{IsFunction as _, IsNothing as _};
                    (&&::raytree::__macro::Of::<#name>::new()).function(__parts, __terms)
                }),
            )
        }
    }
}

fn task_type(params: &Params, output: &Output) -> TokenStream {
    let (tuple, result) = (params.tuple(), &output.ty);
    match output.shape {
        Shape::One => quote!(::raytree::Task<#tuple, #result>),
        Shape::Iterator | Shape::Stream => quote!(::raytree::StreamTask<#tuple, #result>),
    }
}

/// The functions that call it.
fn calls(function: &ItemFn, params: &Params, output: &Output) -> TokenStream {
    let (vis, signature) = (&function.vis, params.signature());
    let (reference, task) = (output.reference(), task_type(params, output));
    let result = &output.ty;
    let names: Vec<_> = params.names().collect();
    // At the function's own place: that is where a wrong call is told what it should be.
    let at = Span::call_site().located_at(function.sig.ident.span());
    let (remote, submit_name) = (Ident::new("remote", at), Ident::new("submit", at));
    let submit = (output.shape == Shape::One).then(|| {
        quote! {
            /// As `remote`, but waits for room where too many calls wait already, instead of being refused.
            ///
            /// # Errors
            /// When there is no runtime that it could be submitted to.
            ///
            /// # Cancel safety
            /// Dropping the future before it is ready submits nothing.
            #[track_caller]
            #vis fn #submit_name(#signature) -> ::raytree::Submit<'static, #result> {
                Self::task().submit_owned(#(#names),*)
            }
        }
    });
    quote! {
        /// The function with other options: what they leave unsaid stays as its attribute has it.
        #vis fn with(options: ::raytree::TaskOptions) -> #task {
            Self::task().with(options)
        }

        /// Submits a call, and returns at once. Each argument is a value, or a reference to one.
        #[track_caller]
        #vis fn #remote(#signature) -> #reference {
            Self::task().remote(#(#names),*)
        }

        #submit
    }
}

/// The body: from the arguments as they are taken to the result.
fn body(signature: &Signature, params: &Params, output: &Output) -> TokenStream {
    let (name, pattern) = (&signature.ident, params.pattern());
    let arguments = params.arguments(&quote!(&__context));
    let context =
        params.has_context().then(|| quote!(let __context = ::raytree::TaskContext::current();));
    let is_async = signature.asyncness.is_some();
    let wait = is_async.then(|| quote!(.await));
    let finished = output.finish(&quote!(#name(#arguments)#wait));
    let body = quote!({ #context #finished });
    // The types are named so that the arguments' are known inside.
    let (tuple, result) = (params.tuple(), &output.ty);
    let path = quote!(::raytree::__macro::Body::<#tuple, #result>);
    match output.shape {
        Shape::One if is_async => {
            quote!(#path::Async(|#pattern| ::std::boxed::Box::pin(async move #body)))
        }
        Shape::One => quote!(#path::Sync(|#pattern| #body)),
        Shape::Iterator => quote!(#path::Iterate(|#pattern, __sink| #body)),
        Shape::Stream => {
            quote!(#path::Stream(|#pattern, __sink| ::std::boxed::Box::pin(async move #body)))
        }
    }
}

/// The user's documentation for a second item. Its examples are not run twice.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<TokenStream> {
    let docs = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let second = docs.filter_map(|doc| match &doc.meta {
        syn::Meta::NameValue(_) => {
            let meta = &doc.meta;
            Some(quote!(#[cfg_attr(not(doctest), #meta)]))
        }
        _ => None,
    });
    second.collect()
}

/// The types of a signature as they are written, in one line.
pub(crate) fn written(signature: &Signature) -> String {
    let types = signature.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(param) => Some(tidy(&param.ty)),
        syn::FnArg::Receiver(_) => None,
    });
    let inputs = types.collect::<Vec<_>>().join(", ");
    let output = match &signature.output {
        syn::ReturnType::Default => "()".to_owned(),
        syn::ReturnType::Type(_, ty) => tidy(&**ty),
    };
    format!("({inputs}) -> {output}")
}

/// Tokens without the spaces that nobody writes.
fn tidy(tokens: &impl quote::ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (loose, tight) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(loose, tight);
    }
    text.replace('\n', " ")
}
