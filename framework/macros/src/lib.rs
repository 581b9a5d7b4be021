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
use quote::{ToTokens, quote};
use syn::{Error, Item, ItemFn, Result};

use options::Settings;

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
    let expanded = match expanded {
        Ok(generated) => quote!(#item #generated),
        Err(error) => beside(item, &error),
    };
    expanded.into()
}

#[allow(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    begin(entry::main, attribute, item)
}

#[allow(missing_docs, reason = "documented where the facade re-exports it")]
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    begin(entry::test, attribute, item)
}

fn begin(
    expand: fn(&Settings, &ItemFn) -> Result<Tokens>,
    attribute: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let function = match syn::parse::<ItemFn>(item) {
        Ok(function) => function,
        Err(error) => return error.to_compile_error().into(),
    };
    let name = function.sig.ident.clone();
    let expanded = syn::parse(attribute).and_then(|settings| expand(&settings, &function));
    // A program without a `main` would be a second error.
    expanded.unwrap_or_else(|error| beside(quote!(fn #name() {}), &error)).into()
}

/// The item, and the errors at the tokens they are about. The item stays, so that an error is not followed by others
/// about everything that uses it.
fn beside(item: impl ToTokens, error: &Error) -> Tokens {
    let mut all = item.into_token_stream();
    all.extend(error.to_compile_error());
    all
}
