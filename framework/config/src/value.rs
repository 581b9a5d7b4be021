//! Amounts and addresses as people write them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

use crate::limits;

/// A number of bytes. Written with a unit: `64KiB`, `1.5GiB`; a bare number counts bytes.
///
/// ```
/// use raytree_config::ByteCount;
/// let cache: ByteCount = "1.5KiB".parse()?;
/// assert_eq!((cache.bytes(), cache.to_string()), (1536, "1.5KiB".to_owned()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(u64);

/// Largest first, as in all tables of units here.
const BYTE_UNITS: [(&str, u128); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteCount {
    /// So many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_unit(u128::from(self.0), &BYTE_UNITS))
    }
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "it is a number of bytes with a unit, B, KiB, MiB, GiB or TiB: 64KiB, 1.5GiB";
        let (number, unit) = number_and_unit(text);
        let unit = if unit.is_empty() { "B" } else { unit };
        let known = BYTE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let bytes = known.and_then(|(_, size)| scaled(number, *size));
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| wrong.to_owned())
    }
}

const TIME_UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads `100ms`, `1.5s`, `2m`.
pub(crate) fn read_duration(text: &str) -> Result<Duration, String> {
    let wrong = "it is a duration with a unit, ns, us, ms, s, m or h: 100ms, 1.5s";
    let (number, unit) = number_and_unit(text);
    let known = TIME_UNITS.iter().find(|(name, _)| *name == unit);
    let nanos = known.and_then(|(_, size)| scaled(number, *size));
    let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| wrong.to_owned())
}

/// The shortest text that [`read_duration`] reads as the same duration.
pub(crate) fn write_duration(duration: Duration) -> String {
    with_unit(duration.as_nanos(), &TIME_UNITS)
}

/// An amount of a resource, exact to a thousandth: `4`, `0.5`. From 0 to 10^12.
///
/// ```
/// use raytree_config::Amount;
/// let half: Amount = "0.5".parse()?;
/// assert_eq!((half.thousandths(), half.to_string()), (500, "0.5".to_owned()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// The amount in thousandths, as [`Resources`](raytree_types::Resources) count.
    #[must_use]
    pub const fn thousandths(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(u128::from(self.0)))
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let most = (raytree_types::limits::RESOURCE_MAX * 1000.0) as u64;
        let units = scaled(text.trim(), 1000).and_then(|units| u64::try_from(units).ok());
        let fits = units.filter(|units| *units <= most);
        fits.map(Self).ok_or_else(|| "it is 0 to 1000000000000, in steps of 0.001".to_owned())
    }
}

/// Where to reach a process: `head.example.org:7000`, `10.0.0.1:7000`, `[fd00::1]:7000`.
///
/// ```
/// use raytree_config::HostPort;
/// let head: HostPort = "[fd00::1]:7000".parse()?;
/// assert_eq!((head.host(), head.port()), ("fd00::1", 7000));
/// assert_eq!(head.to_string(), "[fd00::1]:7000");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// A name or an IP address; the latter without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// From 1 to 65535.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (host, port) = text.trim().rsplit_once(':')?;
            let host = match host.strip_prefix('[') {
                Some(rest) => rest.strip_suffix(']').filter(|v6| v6.parse::<Ipv6Addr>().is_ok())?,
                None => Some(host).filter(|name| is_host(name))?,
            };
            let port = whole(port).and_then(|port| u16::try_from(port).ok());
            let port = port.filter(|port| *port > 0)?;
            Some(Self { host: host.to_owned(), port })
        };
        read().ok_or_else(|| {
            "it is a host and a port from 1 to 65535: head.example.org:7000, [fd00::1]:7000"
                .to_owned()
        })
    }
}

fn is_host(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=limits::HOST_BYTES_MAX).contains(&name.len()) && name.chars().all(allowed)
}

/// A number of digits and nothing else: neither sign nor exponent.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `1.5 s` as `1.5` and `s`.
fn number_and_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (text[..end].trim(), text[end..].trim())
}

/// A decimal number times `size`, if that is whole.
fn scaled(number: &str, size: u128) -> Option<u128> {
    let (units, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let (units, part) = (u128::from(whole(units)?), u128::from(whole(fraction)?));
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = part.checked_mul(size)?;
    let exact = part.is_multiple_of(divisor);
    exact.then(|| units.checked_mul(size)?.checked_add(part / divisor)).flatten()
}

/// In the largest unit of which there is at least one and that needs no more than three digits after the point.
fn with_unit(amount: u128, units: &[(&str, u128)]) -> String {
    let fits = |size: u128| amount >= size && (amount * 1000).is_multiple_of(size);
    match units.iter().find(|(_, size)| fits(*size)) {
        Some((name, size)) => format!("{}{name}", decimal(amount * 1000 / size)),
        // Nothing at all, in the smallest unit.
        None => format!("{amount}{}", units.last().map_or("", |(name, _)| name)),
    }
}

/// Thousandths as a decimal number.
fn decimal(thousandths: u128) -> String {
    let (units, rest) = (thousandths / 1000, thousandths % 1000);
    if rest == 0 {
        return units.to_string();
    }
    format!("{units}.{}", format!("{rest:03}").trim_end_matches('0'))
}

/// How what daemons have to say is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_only() {
        for (text, nanos) in [
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            (" 2 m ", 120_000_000_000),
            ("7ns", 7),
        ] {
            assert_eq!(read_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in
            ["", "100", "s", "-1s", "+1s", "1e3s", "1.s", ".5s", "1.5ns", "1d", "1m30s", "1S"]
        {
            assert!(read_duration(text).is_err_and(|why| why.contains("100ms, 1.5s")), "{text}");
        }
        assert!(read_duration("99999999999999999999h").is_err());
    }

    #[test]
    fn bytes_are_read_in_powers_of_1024() {
        for (text, bytes) in
            [("64KiB", 65_536), ("4GiB", 4 << 30), ("0.5 mib", 524_288), ("7", 7), ("7B", 7)]
        {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["", "64KB", "64k", "0.3KiB", "-1B", "1e3", "99999999TiB"] {
            assert!(text.parse::<ByteCount>().is_err_and(|why| why.contains("KiB")), "{text}");
        }
    }

    #[test]
    fn amounts_are_exact_thousandths() {
        assert_eq!("0.001".parse(), Ok(Amount(1)));
        assert_eq!("1000000000000".parse(), Ok(Amount(1_000_000_000_000_000)));
        for text in ["0.0001", "1000000000000.001", "-1", "inf", "NaN", "1e3", ""] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["head:7000", "10.0.0.1:1", "[fd00::1]:65535", "a-b_c.example.org:80"] {
            assert_eq!(
                text.parse::<HostPort>().map(|address| address.to_string()),
                Ok(text.into())
            );
        }
        let long = format!("{}:1", "a".repeat(254));
        for text in [
            "head",
            "head:0",
            "head:65536",
            ":1",
            "[head]:1",
            "fd00::1:1",
            "a b:1",
            "head:+1",
            &long,
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(number in any::<u64>(), shift in 0_u32..64) {
            let number = number >> shift;
            let duration = Duration::from_nanos(number);
            prop_assert_eq!(read_duration(&write_duration(duration)), Ok(duration));
            prop_assert_eq!(ByteCount(number).to_string().parse(), Ok(ByteCount(number)));
            let amount = Amount(number % 1_000_000_000_000_001);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            _ = (read_duration(&text), text.parse::<ByteCount>(), text.parse::<HostPort>());
            _ = text.parse::<Amount>();
        }
    }
}
