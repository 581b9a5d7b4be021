//! The attributes of the facade. Their documentation is where they are re-exported, in `raytree`.
//!
//! Each file is one thing that is written in a program, and what becomes of it:
//!
//! - `options`: what stands in the parentheses of an attribute,
//! - `params`: the parameters of a function or method, and how a call fills them,
//! - `output`: what it returns, and how that becomes objects,
//! - `function`: a `#[remote] fn`,
//! - `actor`: a `#[remote] impl`,
//! - `entry`: `#[raytree::main]` and `#[raytree::test]`.
//!
//! Expansions are thin: everything that can be ordinary code is in `raytree::__macro`.

mod actor;
mod entry;
mod function;
mod options;
mod output;
mod params;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::ToTokens;
use syn::{Error, Item, Result};

#[allow(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn remote(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut item = match syn::parse::<Item>(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error().into(),
    };
    let settings = syn::parse(attribute);
    let expanded = match &mut item {
        Item::Fn(function) => settings.and_then(|settings| function::expand(&settings, function)),
        Item::Impl(block) => actor::expand(settings, block),
        other => Err(Error::new_spanned(
            other,
            "`#[remote]` goes on a function, or on the `impl` block of an actor",
        )),
    };
    beside(item, expanded)
}

#[allow(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expand = || entry::main(&syn::parse(attribute)?, syn::parse(item)?);
    expand().unwrap_or_else(|error| error.to_compile_error()).into()
}

#[allow(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expand = || entry::test(&syn::parse(attribute)?, syn::parse(item)?);
    expand().unwrap_or_else(|error| error.to_compile_error()).into()
}

/// The item, and beside it what was made of it, or the errors at the tokens they are about. The item stays in either
/// case, so that an error is not followed by others about everything that uses it.
fn beside(item: impl ToTokens, expanded: Result<Tokens>) -> TokenStream {
    let mut all = item.into_token_stream();
    all.extend(expanded.unwrap_or_else(|error| error.to_compile_error()));
    all.into()
}
