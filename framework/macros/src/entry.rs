//! Where a program or a test begins: `#[raytree::main]` and `#[raytree::test]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::options::{self, Settings};

/// A program: its body in a fresh runtime.
pub(crate) fn main(settings: &Settings, function: ItemFn) -> Result<TokenStream> {
    let chain = settings.read(&options::RUNTIME)?.chain;
    let init = quote!(::raytree::init()#chain);
    wrap(&init, &TokenStream::new(), "main", function)
}

/// A test: its body in a small runtime of its own.
pub(crate) fn test(settings: &Settings, function: ItemFn) -> Result<TokenStream> {
    let chain = settings.read(&options::RUNTIME)?.chain;
    let is_test = function.attrs.iter().find(|attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "test")
    });
    if let Some(second) = is_test {
        return Err(Error::new_spanned(second, "`#[raytree::test]` makes it a test already"));
    }
    let init = quote!(::raytree::__macro::test_init()#chain);
    wrap(&init, &quote!(#[::core::prelude::v1::test]), "test", function)
}

/// The function under its name, with its own code in a function inside.
fn wrap(
    init: &TokenStream,
    attribute: &TokenStream,
    kind: &str,
    function: ItemFn,
) -> Result<TokenStream> {
    let ItemFn { attrs, vis, sig, block } = function;
    if !sig.inputs.is_empty() {
        return Err(Error::new_spanned(sig.inputs, "nobody calls it: it has no parameters"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(sig.generics, "nobody calls it: it cannot be generic"));
    }
    let (name, returns) = (&sig.ident, &sig.output);
    let (run, body) = match sig.asyncness {
        Some(_) => (quote::format_ident!("{kind}_async"), quote!(#name())),
        None => (quote::format_ident!("{kind}_sync"), quote!(#name)),
    };
    Ok(quote! {
        #attribute
        #(#attrs)*
        #vis fn #name() #returns {
            #sig #block
            ::raytree::__macro::#run(#init, #body)
        }
    })
}
