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

    /// The types that a caller passes.
    pub(crate) fn types(&self) -> impl Iterator<Item = &Type> {
        self.remote().map(|param| &param.ty)
    }

    /// The types that a caller passes, as a tuple.
    pub(crate) fn tuple(&self) -> TokenStream {
        let types = self.types();
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

/// A `where` that says once of each type that it is a value; none is needed where that is plain.
///
/// What comes after it may rely on that, so that a type which is not a value is reported once, where it stands, and not
/// by everything that is generated.
pub(crate) fn where_values<'a>(types: impl Iterator<Item = &'a Type>) -> TokenStream {
    let mut seen = Vec::new();
    let mut clause = TokenStream::new();
    for ty in types.filter(|ty| !is_plain(ty)) {
        let spelling = ty.to_token_stream().to_string();
        if !seen.contains(&spelling) {
            let span = Span::call_site().located_at(ty.span());
            clause.extend(quote_spanned!(span=> #ty: ::raytree::Value,));
            seen.push(spelling);
        }
    }
    if clause.is_empty() { clause } else { quote!(where #clause) }
}

/// A type of which everybody knows that it is a value.
fn is_plain(ty: &Type) -> bool {
    const PLAIN: [&str; 22] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize", "String", "Option", "Vec", "HashMap", "BTreeMap",
        "Duration",
    ];
    match bare(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let inner = match &last.arguments {
                PathArguments::None => true,
                PathArguments::Parenthesized(_) => false,
                PathArguments::AngleBracketed(arguments) => {
                    let plain = |argument: &_| matches!(argument, GenericArgument::Type(ty) if is_plain(ty));
                    arguments.args.iter().all(plain)
                }
            };
            inner && PLAIN.iter().any(|name| last.ident == name)
        }),
        _ => false,
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
    insides(ty, name).next()
}

/// The types in a path that ends with `name<T, U>`.
pub(crate) fn insides<'a>(ty: &'a Type, name: &str) -> impl Iterator<Item = &'a Type> + use<'a> {
    let last = match ty {
        Type::Path(path) => path.path.segments.last().filter(|last| last.ident == name),
        _ => None,
    };
    let arguments = last.and_then(|last| match &last.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    });
    arguments.into_iter().flatten().filter_map(|argument| match argument {
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
