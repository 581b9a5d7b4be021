//! Hooks: methods that the system calls, at the end of a life and when a child has ended.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, FnArg, ImplItemFn, Result, ReturnType, Type};

use super::role::{Kind, Role};
use crate::params::{bare, names};

/// The hooks of a block, as functions of the actor trait.
#[derive(Default)]
pub(super) struct Hooks {
    stopped: Option<TokenStream>,
    child_exited: Option<TokenStream>,
}

impl Hooks {
    /// Those that the block has.
    pub(super) fn find<'a>(
        functions: impl Iterator<Item = (&'a ImplItemFn, &'a Role)>,
    ) -> Result<Self> {
        let mut hooks = Self::default();
        for (function, role) in functions {
            let (slot, made) = match role.kind {
                Kind::OnStop => (&mut hooks.stopped, stopped(function)?),
                Kind::OnChildExit => (&mut hooks.child_exited, child_exited(function)?),
                Kind::Plain | Kind::Blocking | Kind::Skip => continue,
            };
            if slot.replace(made).is_some() {
                return Err(Error::new_spanned(&role.word, "there is another one already"));
            }
        }
        Ok(hooks)
    }
}

impl ToTokens for Hooks {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.stopped.to_tokens(tokens);
        self.child_exited.to_tokens(tokens);
    }
}

fn stopped(function: &ImplItemFn) -> Result<TokenStream> {
    let call = call(function, None)?;
    Ok(quote! {
        async fn stopped(&mut self, __context: &::raytree::ActorContext<Self>) {
            #call
        }
    })
}

fn child_exited(function: &ImplItemFn) -> Result<TokenStream> {
    let call = call(function, Some(quote!(__exit)))?;
    Ok(quote! {
        async fn child_exited(
            &mut self,
            __exit: ::raytree::Exit,
            __context: &::raytree::ActorContext<Self>,
        ) {
            #call
        }
    })
}

/// The call of the user's function, with what it asks for.
fn call(function: &ImplItemFn, mut given: Option<TokenStream>) -> Result<TokenStream> {
    let (signature, asked) = (&function.sig, given.is_some());
    let shape = if asked { "(&mut self, exit: Exit)" } else { "(&mut self)" };
    let bad = |place: &dyn ToTokens| {
        let what =
            format!("this hook is `async fn {}{shape}`, and returns nothing", signature.ident);
        Error::new_spanned(place.to_token_stream(), what)
    };
    if let ReturnType::Type(_, ty) = &signature.output {
        return Err(bad(ty));
    }
    if signature.receiver().is_none_or(|receiver| !matches!(*receiver.ty, Type::Reference(_))) {
        return Err(bad(&signature.ident));
    }
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        let FnArg::Typed(param) = input else { continue };
        let is_context = match bare(&param.ty) {
            Type::Reference(reference) => names(bare(&reference.elem), "ActorContext"),
            _ => false,
        };
        let argument = if is_context { Some(quote!(__context)) } else { given.take() };
        arguments.push(argument.ok_or_else(|| bad(param))?);
    }
    if given.is_some() {
        return Err(bad(&signature.ident));
    }
    let name = &signature.ident;
    let called = quote!(Self::#name(self, #(#arguments),*));
    Ok(match signature.asyncness {
        Some(_) => quote!(#called.await),
        None => quote!(::raytree::__macro::synchronous(__context, || #called)),
    })
}
