//! How the dashboard of a cluster is entered.

use std::io::{self, Write};
use std::path::Path;

use raytree_daemon::{entrance, resolve};
use raytree_types::Cause;

use crate::Code;
use crate::args::DashboardArgs;
use crate::context::config_of;
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
    if args.token {
        writeln!(out, "{}", entrance.token)?;
    } else if args.json {
        let own = [("url", entrance.url), ("link", entrance.link), ("token", entrance.token)];
        let own: serde_json::Map<_, _> =
            own.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        serde_json::to_writer_pretty(&mut *out, &own)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", entrance.link)?;
    }
    Ok(Code::Good)
}
