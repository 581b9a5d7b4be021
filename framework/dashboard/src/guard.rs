//! Which requests are those of our own pages, or of a program: a page from elsewhere in the same browser may ask nothing.
//!
//! A page from elsewhere can let its own name lead to this machine (DNS rebinding), and is then of one origin with us. So the
//! name of the host has to be one that cannot be led elsewhere: an address, `localhost`, or nothing below a public domain.
//!
//! Invariants:
//! - **GD-1 (no-names):** a request to a host with a name that others may give is refused, whatever else it shows.
//! - **GD-2 (own-origin):** a request that a page of another origin has made is refused.

use std::net::{IpAddr, Ipv6Addr};

/// What a request says of where it comes from and where it goes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct From<'a> {
    /// The header `Host`, or the authority of the request.
    pub host: Option<&'a str>,
    /// The header `Origin`: pages of others have to show it where they ask for anything but a picture.
    pub origin: Option<&'a str>,
    /// The header `Sec-Fetch-Site`.
    pub site: Option<&'a str>,
    /// The header `Sec-Fetch-Mode`.
    pub mode: Option<&'a str>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Foreign {
    /// Its host may be led here by anybody.
    #[error("this is not {host}: ask by an address or by localhost")]
    Host {
        /// What it says.
        host: String,
    },
    /// It says no host.
    #[error("a request says its host")]
    NoHost,
    /// A page from elsewhere has made it.
    #[error("pages of {origin} may not ask here")]
    Origin {
        /// Where that page comes from.
        origin: String,
    },
}

/// Lets through what our own pages and programs ask.
///
/// # Errors
/// [`Foreign`].
pub fn check(from: From<'_>) -> Result<(), Foreign> {
    let host = from.host.ok_or(Foreign::NoHost)?;
    if !is_own(host) {
        return Err(Foreign::Host { host: host.chars().take(100).collect() });
    }
    let foreign =
        |origin: &str| Err(Foreign::Origin { origin: origin.chars().take(100).collect() });
    if let Some(origin) = from.origin {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return foreign(origin);
        }
    }
    match (from.site, from.mode) {
        // A link on another page may lead here: what it then shows it shows to the person alone.
        (Some("cross-site" | "same-site"), mode) if mode != Some("navigate") => {
            foreign("another site")
        }
        _ => Ok(()),
    }
}

/// Nobody else can let this host lead here.
fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || is_port(port));
        }
        None => match host.split_once(':') {
            Some((name, port)) if is_port(&format!(":{port}")) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str) -> bool {
        check(From { host: Some(host), ..From::default() }).is_ok()
    }

    /// With a port, of which nobody listens on any here.
    fn at(host: &str) -> String {
        format!("{host}:{}", 8265)
    }

    #[test]
    fn gd_1_a_host_that_others_may_name_is_refused() {
        for own in ["127.0.0.1", "localhost", "LOCALHOST", "a.localhost", "[::1]", "10.0.0.7"] {
            assert!(host(own) && host(&at(own)), "{own}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "[::1",
            "[evil]",
            "localhost:x",
            "127.0.0.1@evil.example",
            "[::1]evil",
        ] {
            assert!(!host(foreign) && !host(&at(foreign)), "{foreign}");
        }
        assert!(!host(&at(&at("localhost"))));
        assert_eq!(check(From::default()), Err(Foreign::NoHost));
    }

    #[test]
    fn gd_2_a_page_from_elsewhere_may_not_ask() {
        let own = at("127.0.0.1");
        let ask = |origin: Option<&str>, site: Option<&str>, mode: Option<&str>| {
            check(From { host: Some(&own), origin, site, mode }).is_ok()
        };
        assert!(ask(None, None, None), "a program");
        let origin = format!("http://{own}");
        assert!(ask(Some(&origin), Some("same-origin"), Some("cors")));
        assert!(ask(None, Some("none"), Some("navigate")), "typed");
        assert!(ask(None, Some("cross-site"), Some("navigate")), "a link on another page");
        let other_port = format!("{origin}0");
        for origin in ["null", "http://evil.example", &other_port, "http://127.0.0.1", "file://"] {
            assert!(!ask(Some(origin), None, None), "{origin}");
        }
        assert!(!ask(None, Some("cross-site"), Some("no-cors")), "a picture on another page");
        assert!(!ask(None, Some("same-site"), Some("cors")), "another port of this host");
    }
}
