//! How the dashboard of a cluster is entered.

use std::io::{self, Write};
use std::path::Path;

use raytree_daemon::{Entrance, entrance, resolve};
use raytree_types::Cause;
use serde::Serialize;

use crate::Code;
use crate::args::DashboardArgs;
use crate::context::config_of;
use crate::json;
use crate::start::address_of;

/// Prints a link that opens the dashboard once, or the token for scripts.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn dashboard(
    args: &DashboardArgs,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let asked = config_of(args.address.as_deref(), args.context.as_deref());
    let asked = asked.map_err(|error| error.to_string());
    let asked = asked.and_then(|config| {
        let address = address_of(&config, folder).ok_or_else(|| {
            "no cluster is known here: say --address or --context, or set RAYTREE_ADDRESS"
                .to_owned()
        })?;
        let head = resolve(&address).map_err(|error| error.to_string())?;
        let entered = entrance(&config, head);
        entered.map_err(|error| Cause::of_error(&error, "AskError").to_string())
    });
    let entrance = match asked {
        Ok(entrance) => entrance,
        Err(why) => {
            writeln!(err, "raytree: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    let Entrance { url, link, token, .. } = &entrance;
    print(&Entered { url, link, token }, args, out)?;
    Ok(Code::Good)
}

/// How it is entered, as JSON has it.
#[derive(Serialize)]
struct Entered<'a> {
    /// Where it is.
    url: &'a str,
    /// What opens it once.
    link: &'a str,
    /// What scripts show.
    token: &'a str,
}

fn print(entered: &Entered<'_>, args: &DashboardArgs, out: &mut impl Write) -> io::Result<()> {
    if args.token {
        writeln!(out, "{}", entered.token)
    } else if args.json {
        json::fields(entered, out)
    } else {
        writeln!(out, "{}", entered.link)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn told(args: &DashboardArgs) -> String {
        let entered = Entered {
            url: "http://head.example:8265",
            link: "http://head.example:8265/enter?code=5f2a",
            token: "c0ffee",
        };
        let mut out = Vec::new();
        print(&entered, args, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_link_is_printed_or_the_token_or_all_of_it_as_json() {
        let link = told(&DashboardArgs::default());
        assert_eq!(link, "http://head.example:8265/enter?code=5f2a\n");
        let token = told(&DashboardArgs { token: true, ..DashboardArgs::default() });
        assert_eq!(token, "c0ffee\n");
        expect![[r#"
            {
              "version": 1,
              "url": "http://head.example:8265",
              "link": "http://head.example:8265/enter?code=5f2a",
              "token": "c0ffee"
            }
        "#]]
        .assert_eq(&told(&DashboardArgs { json: true, ..DashboardArgs::default() }));
    }
}
