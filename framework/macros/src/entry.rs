//! Where a program or a test begins: `#[raytree::main]` and `#[raytree::test]`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::{Error, ItemFn, Result, ReturnType, Signature, Type};

use crate::options::{self, Settings};

/// A program: its body in a fresh runtime. The `Err` of a `main` is told in a sentence; a function of another name is
/// called by somebody, who has what it returns.
pub(crate) fn main(settings: &Settings, function: &ItemFn) -> Result<TokenStream> {
    let chain = settings.read(&options::RUNTIME)?.chain;
    let run = run(&quote!(::raytree::init()#chain), "main", &function.sig)?;
    let ItemFn { attrs, vis, sig, block } = function;
    let (name, mut returns, mut end) = (&sig.ident, sig.output.to_token_stream(), run);
    if name == "main" && !is_never(&sig.output) {
        returns = quote!(-> ::std::process::ExitCode);
        end = quote! {
            use ::raytree::__macro::{
                EndsByItself as _, EndsWithLocalSentence as _, EndsWithSentence as _,
            };
            ::raytree::__macro::Outcome::of(#end).exit()
        };
    }
    Ok(quote! {
        #(#attrs)*
        #vis fn #name() #returns {
            #sig #block
            #end
        }
    })
}

/// A test: its body in a small runtime of its own.
pub(crate) fn test(settings: &Settings, function: &ItemFn) -> Result<TokenStream> {
    let chain = settings.read(&options::RUNTIME)?.chain;
    let is_test = function.attrs.iter().find(|attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "test")
    });
    if let Some(second) = is_test {
        return Err(Error::new_spanned(second, "`#[raytree::test]` makes it a test already"));
    }
    let ItemFn { attrs, vis, sig, block } = function;
    let (name, returns) = (&sig.ident, &sig.output);
    let test = name.unraw().to_string();
    let path = quote!(::core::concat!(::core::module_path!(), "::", #test));
    let run = run(&quote!(::raytree::__macro::test_init(#path)#chain), "test", sig)?;
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() #returns {
            #sig #block
            #run
        }
    })
}

/// `-> !`: it returns nothing that could be told.
fn is_never(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)))
}

/// Runs the function, which is an item of the same name inside of the one that is generated.
fn run(init: &TokenStream, kind: &str, sig: &Signature) -> Result<TokenStream> {
    if !sig.inputs.is_empty() {
        return Err(Error::new_spanned(&sig.inputs, "nobody calls it: it has no parameters"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(&sig.generics, "nobody calls it: it cannot be generic"));
    }
    let name = &sig.ident;
    let (run, body) = match sig.asyncness {
        Some(_) => (quote::format_ident!("{kind}_async"), quote!(#name())),
        None => (quote::format_ident!("{kind}_sync"), quote!(#name)),
    };
    Ok(quote!(::raytree::__macro::#run(#init, #body)))
}
