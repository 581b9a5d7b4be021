//! What a method is for, said by an attribute of its own: `#[remote(blocking)]`.

use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, ImplItem, ItemImpl, Result, Token};

/// What a function of the block is for.
#[derive(Default)]
pub(super) struct Role {
    pub(super) kind: Kind,
    /// The word that said so.
    pub(super) word: Option<Ident>,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Kind {
    /// Nothing was said.
    #[default]
    Plain,
    /// It blocks its thread.
    Blocking,
    /// It stays local.
    Skip,
    /// It ends a life.
    OnStop,
    /// It hears of children.
    OnChildExit,
}

/// Takes the attributes that were meant for this macro off the functions of the block: one role for each function.
pub(super) fn take(block: &mut ItemImpl) -> Result<Vec<Role>> {
    let mut roles = Vec::new();
    let mut errors = None;
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else { continue };
        let mut role = Role::default();
        function.attrs.retain(|attribute| {
            if !is_ours(attribute) {
                return true;
            }
            match read(attribute) {
                Ok(read) => role = read,
                Err(error) => super::combine(&mut errors, error),
            }
            false
        });
        roles.push(role);
    }
    errors.map_or(Ok(roles), Err)
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "remote")
}

fn read(attribute: &Attribute) -> Result<Role> {
    let what = "of a method is said one of: blocking, skip, on_stop, on_child_exit";
    let syn::Meta::List(_) = &attribute.meta else {
        return Err(Error::new_spanned(attribute, what));
    };
    let words = attribute.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
    let mut words = words.into_iter();
    let (Some(word), second) = (words.next(), words.next()) else {
        return Err(Error::new_spanned(attribute, what));
    };
    if let Some(second) = second {
        return Err(Error::new_spanned(second, what));
    }
    let kind = match word.to_string().as_str() {
        "blocking" => Kind::Blocking,
        "skip" => Kind::Skip,
        "on_stop" => Kind::OnStop,
        "on_child_exit" => Kind::OnChildExit,
        _ => return Err(Error::new_spanned(word, what)),
    };
    Ok(Role { kind, word: Some(word) })
}
