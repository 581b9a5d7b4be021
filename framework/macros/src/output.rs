//! What a remote function or method returns, and what its caller gets for it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    AssocType, Error, GenericArgument, PathArguments, Result, ReturnType, Signature, Type,
    TypeImplTrait, TypeParamBound, parse_quote,
};

use crate::params::{bare, inside, insides, names, replace_self};

/// The result of a function.
pub(crate) struct Output {
    pub(crate) shape: Shape,
    /// The type of the value, or of an item.
    pub(crate) ty: Type,
    /// Whether it, or an item, is a `Result`.
    fallible: bool,
    /// Where the error's type stands.
    thrown_at: Span,
}

/// How many results there are.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// One: an `ObjectRef`.
    One,
    /// The items of an iterator: an `ObjectStream`.
    Iterator,
    /// The items of a stream: an `ObjectStream`.
    Stream,
}

impl Output {
    /// Reads the return type. `own` is the type that `Self` stands for, if it stands for one.
    pub(crate) fn read(signature: &Signature, own: Option<&Type>) -> Result<Self> {
        let written = match &signature.output {
            ReturnType::Default => &parse_quote!(()),
            ReturnType::Type(_, written) => bare(written),
        };
        let (shape, item) = match written {
            Type::ImplTrait(bounds) => items(bounds)?,
            other => (Shape::One, other.clone()),
        };
        if let (true, false) = (signature.asyncness.is_some(), shape == Shape::One) {
            let what = "an async function returns one value: leave `async` out, and return the \
                        stream itself";
            return Err(Error::new_spanned(signature.asyncness, what));
        }
        let fallible = names(&item, "Result");
        let thrown_at = insides(&item, "Result").last().map_or(item.span(), Spanned::span);
        let ty = match fallible {
            true => inside(&item, "Result").cloned().unwrap_or_else(|| parse_quote!(())),
            false => item,
        };
        if let Type::ImplTrait(_) = bare(&ty) {
            let what = "a result is a value, whose type has a name: return `impl Iterator` or `impl \
                        Stream` itself, of items that may be `Result`s";
            return Err(Error::new_spanned(ty, what));
        }
        let ty = match own {
            Some(own) => replace_self(&ty, own)?,
            None => ty,
        };
        Ok(Self { shape, ty, fallible, thrown_at })
    }

    /// What a remote call gives.
    pub(crate) fn reference(&self) -> TokenStream {
        let ty = &self.ty;
        match self.shape {
            Shape::One => quote_spanned!(ty.span()=> ::raytree::ObjectRef<#ty>),
            Shape::Iterator | Shape::Stream => {
                quote_spanned!(ty.span()=> ::raytree::ObjectStream<#ty>)
            }
        }
    }

    /// The end of a body: from `made`, which calls the user's function, to what the system expects. Streams need
    /// `__sink`.
    pub(crate) fn finish(&self, made: &TokenStream) -> TokenStream {
        let failure = failure(self.thrown_at);
        match (self.shape, self.fallible) {
            (Shape::One, false) => quote!(::core::result::Result::Ok(#made)),
            (Shape::One, true) => quote! {
                match #made {
                    ::core::result::Result::Ok(__value) => ::core::result::Result::Ok(__value),
                    ::core::result::Result::Err(__error) => {
                        ::core::result::Result::Err(#failure)
                    }
                }
            },
            (Shape::Iterator, false) => quote!(::raytree::__macro::iterate(#made, __sink)),
            (Shape::Iterator, true) => {
                quote!(::raytree::__macro::iterate_results(#made, __sink, |__error| #failure))
            }
            (Shape::Stream, false) => quote!(::raytree::__macro::pour(#made, __sink).await),
            (Shape::Stream, true) => {
                quote!(::raytree::__macro::pour_results(#made, __sink, |__error| #failure).await)
            }
        }
    }
}

/// The system's failure, made of the user's `__error`, whose type stands at `thrown_at`. Which of the traits is meant
/// depends on that type.
pub(crate) fn failure(thrown_at: Span) -> TokenStream {
    let span = Span::call_site().located_at(thrown_at);
    let thrown = quote_spanned!(span=> ::raytree::__macro::thrown(__error));
    quote!({
        use ::raytree::__macro::{KeepsNothing as _, KeepsText as _, KeepsValue as _};
        (&&#thrown).failure()
    })
}

/// The items of `impl Iterator<Item = T>` or `impl Stream<Item = T>`.
fn items(bounds: &TypeImplTrait) -> Result<(Shape, Type)> {
    for bound in &bounds.bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        let Some(last) = bound.path.segments.last() else { continue };
        let shape = match last.ident.to_string().as_str() {
            "Iterator" => Shape::Iterator,
            "Stream" => Shape::Stream,
            _ => continue,
        };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { continue };
        let item = arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => Some(ty),
            _ => None,
        });
        if let Some(item) = item {
            return Ok((shape, bare(item).clone()));
        }
    }
    let what = "a remote function returns a value, an `impl Iterator<Item = T>` or an `impl \
                Stream<Item = T>`; it is async if it is an `async fn`";
    Err(Error::new_spanned(bounds, what))
}
