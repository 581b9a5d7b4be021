//! The parameters of a remote function or method: what a caller passes for each, and how a call fills it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, Ident, Pat, PatType, PathArguments, Result, Token, Type,
    TypeReference, parse_quote_spanned,
};

/// How many parameters are passed at most: `Args` is implemented for so many.
const PARAMS_MAX: usize = 12;

/// All parameters, in the order of the function.
pub(crate) struct Params {
    all: Vec<Param>,
}

enum Param {
    /// Passed by the caller.
    Remote(Box<Remote>),
    /// Filled in where it runs.
    Context,
}

/// One parameter that a caller passes.
pub(crate) struct Remote {
    /// How the generated function calls it.
    pub(crate) name: Ident,
    /// The type of the value that is passed.
    pub(crate) ty: Type,
    /// The variable of the body that holds the argument.
    taken: Ident,
    pass: Pass,
}

enum Pass {
    /// `T`
    Value,
    /// `Shared<T>`
    Shared,
    /// `&T`, `&[T]`, `&str`
    Lent,
}

/// The context that is filled in.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Context {
    /// `&TaskContext`
    Task,
    /// `&ActorContext<Self>`
    Actor,
}

impl Params {
    /// Reads the parameters after the receiver. `own` is the type that `Self` stands for, if it stands for one.
    pub(crate) fn read(
        inputs: &Punctuated<FnArg, Token![,]>,
        context: Context,
        own: Option<&Type>,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for input in inputs {
            let FnArg::Typed(param) = input else { continue };
            all.push(read(param, all.len(), context, own)?);
        }
        let params = Self { all };
        if let Some(one_too_many) = params.remote().nth(PARAMS_MAX) {
            let what = format!("at most {PARAMS_MAX} parameters: put several into a struct");
            return Err(Error::new_spanned(&one_too_many.ty, what));
        }
        Ok(params)
    }

    /// Those that a caller passes.
    pub(crate) fn remote(&self) -> impl Iterator<Item = &Remote> {
        self.all.iter().filter_map(|param| match param {
            Param::Remote(remote) => Some(&**remote),
            Param::Context => None,
        })
    }

    /// Whether the function wants its context.
    pub(crate) fn has_context(&self) -> bool {
        self.all.iter().any(|param| matches!(param, Param::Context))
    }

    /// The types that a caller passes, as a tuple.
    pub(crate) fn tuple(&self) -> TokenStream {
        let types = self.remote().map(|param| &param.ty);
        quote!((#(#types,)*))
    }

    /// The names of the generated function's parameters, for handing them on.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Ident> {
        self.remote().map(|param| &param.name)
    }

    /// The parameters of the generated function.
    pub(crate) fn signature(&self) -> TokenStream {
        let params = self.remote().map(|Remote { name, ty, .. }| {
            // At the type's own place: that is where a type that cannot travel is reported.
            quote_spanned!(ty.span()=> #name: impl ::raytree::IntoArg<#ty>)
        });
        quote!(#(#params),*)
    }

    /// A pattern for the tuple of arguments, as a body gets them.
    pub(crate) fn pattern(&self) -> TokenStream {
        let taken = self.remote().map(|param| &param.taken);
        quote!((#(#taken,)*))
    }

    /// The arguments of the user's function, made of what the pattern binds and of `context`.
    pub(crate) fn arguments(&self, context: &TokenStream) -> TokenStream {
        let arguments = self.all.iter().map(|param| match param {
            Param::Context => context.clone(),
            Param::Remote(remote) => remote.argument(),
        });
        quote!(#(#arguments),*)
    }
}

impl Remote {
    /// The argument, made of what the caller passed.
    fn argument(&self) -> TokenStream {
        let taken = &self.taken;
        match self.pass {
            Pass::Value => quote!(::raytree::__macro::Taken::into_value(#taken)),
            Pass::Shared => quote!(::raytree::__macro::Taken::into_shared(#taken)),
            Pass::Lent => quote!(&*#taken),
        }
    }
}

fn read(param: &PatType, index: usize, context: Context, own: Option<&Type>) -> Result<Param> {
    let whole = bare(&param.ty);
    if names_context(whole) {
        return Err(Error::new_spanned(whole, "a context is lent: take it by reference"));
    }
    let name = match &*param.pat {
        Pat::Ident(name) => name.ident.clone(),
        _ => format_ident!("arg{index}", span = param.pat.span()),
    };
    let (pass, ty) = match whole {
        Type::Reference(reference) => match read_context(reference, context)? {
            true => return Ok(Param::Context),
            false => (Pass::Lent, owned(reference)?),
        },
        Type::ImplTrait(_) => {
            let what =
                "a remote function is found by its name, so it cannot be generic: name the type";
            return Err(Error::new_spanned(whole, what));
        }
        other => match inside(other, "Shared") {
            Some(inner) => (Pass::Shared, inner.clone()),
            None => (Pass::Value, other.clone()),
        },
    };
    let ty = match own {
        Some(own) => replace_self(&ty, own)?,
        None => ty,
    };
    let taken = format_ident!("__arg{index}", span = Span::call_site());
    Ok(Param::Remote(Box::new(Remote { name, ty, taken, pass })))
}

/// Whether this is the context that is filled in here.
fn read_context(reference: &TypeReference, expected: Context) -> Result<bool> {
    let inner = bare(&reference.elem);
    match (names(inner, "TaskContext"), names(inner, "ActorContext"), expected) {
        (false, false, _) => Ok(false),
        (true, _, Context::Task) | (_, true, Context::Actor) => Ok(true),
        (true, _, Context::Actor) => {
            let what = "a method runs in an actor: its context is `&ActorContext<Self>`";
            Err(Error::new_spanned(inner, what))
        }
        (_, true, Context::Task) => {
            let what = "a function runs as a task: its context is `&TaskContext`";
            Err(Error::new_spanned(inner, what))
        }
    }
}

fn names_context(ty: &Type) -> bool {
    names(ty, "TaskContext") || names(ty, "ActorContext")
}

/// The type that is passed for a parameter that borrows.
fn owned(reference: &TypeReference) -> Result<Type> {
    if let Some(mutable) = &reference.mutability {
        let what = "an argument is sent, and cannot be changed for its sender: take it by value, as \
                    `mut name: T`, or by `&T`";
        return Err(Error::new_spanned(mutable, what));
    }
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|name| name.ident == "static") {
        let what = "an argument is lent for the time of the call: leave `'static` out, or take it by value";
        return Err(Error::new_spanned(lifetime, what));
    }
    let inner = bare(&reference.elem);
    match inner {
        Type::Slice(slice) => {
            let item = &slice.elem;
            Ok(parse_quote_spanned!(slice.span()=> ::std::vec::Vec<#item>))
        }
        Type::Path(path) if path.path.is_ident("str") => {
            Ok(parse_quote_spanned!(path.span()=> ::std::string::String))
        }
        Type::TraitObject(_) => {
            let what = "a trait object cannot be sent to another process: name the type";
            Err(Error::new_spanned(inner, what))
        }
        other if inside(other, "Shared").is_some() => {
            let what = "`Shared` lends already: take `Shared<T>` or `&T`";
            Err(Error::new_spanned(inner, what))
        }
        other => Ok(other.clone()),
    }
}

/// Without parentheses and the invisible groups of macros.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// Whether the last part of a path is `name`.
pub(crate) fn names(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    }
}

/// The `T` of a path that ends with `name<T, ..>`.
pub(crate) fn inside<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// The type with `Self` spelt out, for use outside of its `impl`.
pub(crate) fn replace_self(ty: &Type, own: &Type) -> Result<Type> {
    syn::parse2(replace(ty.to_token_stream(), own))
}

fn replace(tokens: TokenStream, own: &Type) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(name) if name == "Self" => own.to_token_stream(),
        TokenTree::Group(group) => {
            let inner = replace(group.stream(), own);
            let mut new = proc_macro2::Group::new(group.delimiter(), inner);
            new.set_span(group.span());
            TokenTree::Group(new).into()
        }
        other => other.into(),
    });
    replaced.collect()
}
