//! What stands in the parentheses of an attribute: `cpus = 1, resources(disk = 2), detached`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitFloat, LitStr, Path, Result, Token, parenthesized};

/// The settings as they were written, not yet compared with what there is.
pub(crate) struct Settings(Punctuated<Setting, Token![,]>);

struct Setting {
    key: Ident,
    given: Given,
}

enum Given {
    Nothing,
    Value(Expr),
    Types(Vec<Path>),
    Amounts(Vec<(LitStr, Expr)>),
}

/// What a setting looks like.
#[derive(Clone, Copy)]
enum Kind {
    /// `cpus = 0.5`
    Amount,
    /// `retries = 3`
    Count,
    /// `name = "scores"`
    Text,
    /// `timeout = "30s"`
    Time,
    /// `strict = true`
    Truth,
    /// `detached`
    Flag,
    /// `resources(disk = 2)`
    Amounts,
    /// `retry_on(io::Error)`
    Types,
    /// `codec = "self_describing"`
    Codec,
}

/// The settings that there are for one kind of item.
pub(crate) struct Known {
    /// How messages call that item.
    what: &'static str,
    settings: &'static [(&'static str, Kind)],
}

/// Of `#[remote] fn`.
pub(crate) const FUNCTION: Known = Known {
    what: "a remote function",
    settings: &[
        ("cpus", Kind::Amount),
        ("gpus", Kind::Amount),
        ("resources", Kind::Amounts),
        ("name", Kind::Text),
        ("retries", Kind::Count),
        ("retry_errors", Kind::Count),
        ("retry_on", Kind::Types),
        ("timeout", Kind::Time),
        ("queue_timeout", Kind::Time),
        ("window", Kind::Count),
        ("isolated", Kind::Flag),
        ("codec", Kind::Codec),
    ],
};

/// Of `#[remote] impl`.
pub(crate) const ACTOR: Known = Known {
    what: "an actor",
    settings: &[
        ("restarts", Kind::Count),
        ("retries", Kind::Count),
        ("cpus", Kind::Amount),
        ("gpus", Kind::Amount),
        ("resources", Kind::Amounts),
        ("name", Kind::Text),
        ("namespace", Kind::Text),
        ("get_if_exists", Kind::Flag),
        ("label", Kind::Text),
        ("max_concurrency", Kind::Count),
        ("mailbox", Kind::Count),
        ("stop_within", Kind::Time),
        ("tell_parent", Kind::Flag),
        ("detached", Kind::Flag),
        ("isolated", Kind::Flag),
        ("codec", Kind::Codec),
    ],
};

/// Of `#[raytree::main]` and `#[raytree::test]`.
pub(crate) const RUNTIME: Known = Known {
    what: "a runtime",
    settings: &[
        ("cpus", Kind::Amount),
        ("gpus", Kind::Amount),
        ("resources", Kind::Amounts),
        ("threads", Kind::Count),
        ("nodes", Kind::Count),
        ("strict", Kind::Truth),
    ],
};

/// What the settings mean.
pub(crate) struct Options {
    /// A chain of builder calls: `.cpus(1.0).retries(3)`.
    pub(crate) chain: TokenStream,
    /// The codec, as a path.
    pub(crate) codec: TokenStream,
}

impl Settings {
    /// The key of a setting, where it was written.
    pub(crate) fn key(&self, name: &str) -> Option<&Ident> {
        self.0.iter().map(|setting| &setting.key).find(|key| *key == name)
    }

    /// Reads the settings as those of one kind of item.
    pub(crate) fn read(&self, known: &Known) -> Result<Options> {
        let mut chain = TokenStream::new();
        let mut codec = quote!(::raytree::__macro::Codec::Compact);
        for (index, Setting { key, given }) in self.0.iter().enumerate() {
            if self.0.iter().take(index).any(|earlier| earlier.key == *key) {
                return Err(Error::new_spanned(key, format!("`{key}` is given twice")));
            }
            match known.kind(key)? {
                Kind::Codec => codec = read_codec(key, given)?,
                kind => chain.extend(call(key, kind, given)?),
            }
        }
        Ok(Options { chain, codec })
    }
}

impl Known {
    fn kind(&self, key: &Ident) -> Result<Kind> {
        if let Some((_, kind)) = self.settings.iter().find(|(name, _)| key == name) {
            return Ok(*kind);
        }
        let names: Vec<_> = self.settings.iter().map(|(name, _)| *name).collect();
        let (what, names) = (self.what, names.join(", "));
        Err(Error::new_spanned(key, format!("{what} has no option `{key}`; there are: {names}")))
    }
}

/// The builder call of a setting.
fn call(key: &Ident, kind: Kind, given: &Given) -> Result<TokenStream> {
    Ok(match (kind, given) {
        (Kind::Amount, Given::Value(value)) => {
            let amount = amount(value)?;
            quote!(.#key(#amount))
        }
        (Kind::Count, Given::Value(value)) => {
            count(value)?;
            quote!(.#key(#value))
        }
        (Kind::Text, Given::Value(value)) => {
            text(value)?;
            quote!(.#key(#value))
        }
        (Kind::Time, Given::Value(value)) => {
            let time = time(value)?;
            quote!(.#key(#time))
        }
        (Kind::Truth, Given::Value(value)) => quote!(.#key(#value)),
        (Kind::Truth, Given::Nothing) => quote!(.#key(true)),
        (Kind::Flag, Given::Nothing) => quote!(.#key()),
        (Kind::Amounts, Given::Amounts(amounts)) => {
            let mut calls = TokenStream::new();
            for (name, value) in amounts {
                let amount = amount(value)?;
                calls.extend(quote!(.resource(#name, #amount)));
            }
            calls
        }
        (Kind::Types, Given::Types(types)) => quote!(#(.#key::<#types>())*),
        (kind, _) => return Err(form(key, kind)),
    })
}

/// The setting is known, but is not written like this.
fn form(key: &Ident, kind: Kind) -> Error {
    let example = match kind {
        Kind::Amount => format!("{key} = 1"),
        Kind::Count => format!("{key} = 3"),
        Kind::Text => format!("{key} = \"scores\""),
        Kind::Time => format!("{key} = \"30s\""),
        Kind::Truth => format!("{key} = true"),
        Kind::Flag => key.to_string(),
        Kind::Amounts => format!("{key}(disk = 2)"),
        Kind::Types => format!("{key}(std::io::Error)"),
        Kind::Codec => format!("{key} = \"self_describing\""),
    };
    Error::new_spanned(key, format!("this is written `{example}`"))
}

/// A number of type `f64`; one that is not a literal has to be one.
fn amount(value: &Expr) -> Result<TokenStream> {
    let bad = || Error::new_spanned(value, "an amount is zero or more, in steps of 0.001");
    if let Expr::Unary(_) = value {
        return Err(bad());
    }
    let digits = match literal(value) {
        None => return Ok(quote!(#value)),
        Some(Lit::Int(number)) => number.base10_digits().to_owned(),
        Some(Lit::Float(number)) => number.base10_digits().to_owned(),
        Some(_) => return Err(bad()),
    };
    let number: f64 = digits.parse().map_err(|_| bad())?;
    let thousandths = number * 1000.0;
    if (thousandths - thousandths.round()).abs() > 1e-6 {
        return Err(bad());
    }
    let digits = if digits.contains(['.', 'e', 'E']) { digits } else { format!("{digits}.0") };
    let number = LitFloat::new(&digits, syn::spanned::Spanned::span(value));
    Ok(quote!(#number))
}

fn count(value: &Expr) -> Result<()> {
    let bad = || Err(Error::new_spanned(value, "a whole number is expected"));
    match (value, literal(value)) {
        (Expr::Unary(_), _) => bad(),
        (_, None | Some(Lit::Int(_))) => Ok(()),
        _ => bad(),
    }
}

fn text(value: &Expr) -> Result<()> {
    match literal(value) {
        Some(Lit::Str(text)) => {
            let text = text.value();
            let good = (1..=128).contains(&text.len()) && !text.contains('/');
            let why = "a name is 1 to 128 bytes without `/`";
            if good { Ok(()) } else { Err(Error::new_spanned(value, why)) }
        }
        None => Ok(()),
        Some(_) => Err(Error::new_spanned(value, "a string is expected")),
    }
}

/// A `Duration`: a literal with its unit, or an expression of that type.
fn time(value: &Expr) -> Result<TokenStream> {
    let bad =
        || Error::new_spanned(value, "a time is written \"500ms\", \"30s\", \"5m\" or \"2h\"");
    let text = match literal(value) {
        None => return Ok(quote!(#value)),
        Some(Lit::Str(text)) => text.value(),
        Some(_) => return Err(bad()),
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| bad())?;
    let (factor, unit) = match text.get(digits.len()..) {
        Some("us") => (1, quote!(from_micros)),
        Some("ms") => (1, quote!(from_millis)),
        Some("s") => (1, quote!(from_secs)),
        Some("m") => (60, quote!(from_secs)),
        Some("h") => (3600, quote!(from_secs)),
        _ => return Err(bad()),
    };
    let number = number.checked_mul(factor).ok_or_else(bad)?;
    Ok(quote!(::core::time::Duration::#unit(#number)))
}

fn read_codec(key: &Ident, given: &Given) -> Result<TokenStream> {
    let Given::Value(value) = given else { return Err(form(key, Kind::Codec)) };
    match literal(value) {
        Some(Lit::Str(text)) if text.value() == "compact" => {
            Ok(quote!(::raytree::__macro::Codec::Compact))
        }
        Some(Lit::Str(text)) if text.value() == "self_describing" => {
            Ok(quote!(::raytree::__macro::Codec::SelfDescribing))
        }
        _ => Err(Error::new_spanned(value, "a codec is \"compact\" or \"self_describing\"")),
    }
}

fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

impl Parse for Settings {
    fn parse(input: ParseStream) -> Result<Self> {
        Punctuated::parse_terminated(input).map(Self)
    }
}

impl Parse for Setting {
    fn parse(input: ParseStream) -> Result<Self> {
        let key: Ident = input.parse()?;
        let given = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Given::Value(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            parse_list(&content)?
        } else {
            Given::Nothing
        };
        Ok(Self { key, given })
    }
}

/// `(disk = 2, "a-b" = 1)` or `(io::Error, Other)`.
fn parse_list(content: ParseStream) -> Result<Given> {
    let named = content.peek(LitStr) || content.peek2(Token![=]);
    if !named {
        let types = Punctuated::<Path, Token![,]>::parse_terminated(content)?;
        return Ok(Given::Types(types.into_iter().collect()));
    }
    let one = |input: ParseStream| -> Result<(LitStr, Expr)> {
        let name = if input.peek(LitStr) {
            input.parse()?
        } else {
            let name: Ident = input.parse()?;
            LitStr::new(&name.to_string(), name.span())
        };
        input.parse::<Token![=]>()?;
        Ok((name, input.parse()?))
    };
    let amounts = Punctuated::<_, Token![,]>::parse_terminated_with(content, one)?;
    Ok(Given::Amounts(amounts.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The builder calls for settings, without spaces; or what is wrong with them.
    fn read(known: &Known, settings: &str) -> std::result::Result<String, String> {
        let read = syn::parse_str::<Settings>(settings).and_then(|settings| settings.read(known));
        let options = read.map_err(|error| error.to_string())?;
        Ok(options.chain.to_string().replace(' ', ""))
    }

    #[test]
    fn settings_become_builder_calls() {
        for (settings, calls) in [
            ("", ""),
            ("cpus = 1, gpus = 0.5,", ".cpus(1.0).gpus(0.5)"),
            ("cpus = CPUS", ".cpus(CPUS)"),
            (r#"resources(disk = 2, "a-b" = 1)"#, r#".resource("disk",2.0).resource("a-b",1.0)"#),
            ("retry_on(io::Error, Other)", ".retry_on::<io::Error>().retry_on::<Other>()"),
            (r#"timeout = "500ms""#, ".timeout(::core::time::Duration::from_millis(500u64))"),
            (
                r#"queue_timeout = "2h""#,
                ".queue_timeout(::core::time::Duration::from_secs(7200u64))",
            ),
        ] {
            assert_eq!(read(&FUNCTION, settings).as_deref(), Ok(calls), "{settings}");
        }
        assert_eq!(
            read(&ACTOR, "detached, restarts = 2").as_deref(),
            Ok(".detached().restarts(2)")
        );
        assert_eq!(
            read(&RUNTIME, "strict, threads = 2").as_deref(),
            Ok(".strict(true).threads(2)")
        );
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for (settings, why) in [
            ("restarts = 1", "has no option `restarts`"),
            ("cpus = 1, cpus = 2", "given twice"),
            ("cpus = 0.0001", "steps of 0.001"),
            ("cpus = \"1\"", "steps of 0.001"),
            ("retries = 1.5", "a whole number"),
            ("retries = -1", "a whole number"),
            ("name = \"a/b\"", "without `/`"),
            ("timeout = \"30\"", "\"30s\""),
            ("timeout = \"99999999999999999h\"", "\"30s\""),
            ("codec = \"json\"", "self_describing"),
            ("retry_on = Error", "`retry_on(std::io::Error)`"),
            ("resources = 1", "`resources(disk = 2)`"),
        ] {
            let said = read(&FUNCTION, settings).expect_err(settings);
            assert!(said.contains(why), "{settings}: {said}");
        }
        assert!(read(&ACTOR, "detached = true").is_err());
    }
}
