//! How the types of settings are read from text and written as text.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use raytree_types::limits::check_name;
use raytree_types::resources::{CPU, GPU};

use crate::limits;
use crate::value::{Amount, ByteCount, HostPort, LogFormat, read_duration, whole, write_duration};

/// A type that a setting may have.
pub(crate) trait Written: Sized {
    /// It names a file or folder, and may be relative.
    const PATH: bool = false;
    /// A file may write it as a table of names and values.
    const TABLE: bool = false;

    /// Reads it, or says what it has to be.
    fn read(text: &str) -> Result<Self, String>;

    /// The one text for this value; it is read as the same value.
    fn write(&self) -> String;

    /// Whether it lies in a range of the table. Types without an order check themselves when they are read.
    fn lies_in(&self, _range: &str) -> bool {
        true
    }
}

/// The one text for what `text` says, if it says a `T` in the range.
pub(crate) fn checked<T: Written>(text: &str, range: &str) -> Result<String, String> {
    let value = T::read(text)?;
    if value.lies_in(range) { Ok(value.write()) } else { Err(format!("it is {range}")) }
}

/// `range` is `low to high`, both included.
fn between<T: Written + PartialOrd>(value: &T, range: &str) -> bool {
    let Some((low, high)) = range.split_once(" to ") else { return false };
    let (Ok(low), Ok(high)) = (T::read(low), T::read(high)) else { return false };
    low <= *value && *value <= high
}

impl Written for bool {
    fn read(text: &str) -> Result<Self, String> {
        match &*text.trim().to_ascii_lowercase() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err("it is true or false".to_owned()),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Written for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        match &*text.trim().to_ascii_lowercase() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it is text or json".to_owned()),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_numbers {
    ($($type:ty),+) => {$(
        impl Written for $type {
            fn read(text: &str) -> Result<Self, String> {
                let number = whole(text.trim()).and_then(|number| Self::try_from(number).ok());
                number.ok_or_else(|| format!("it is a whole number from 0 to {}", Self::MAX))
            }

            fn write(&self) -> String {
                self.to_string()
            }

            fn lies_in(&self, range: &str) -> bool {
                between(self, range)
            }
        }
    )+};
}
whole_numbers!(u16, u32);

impl Written for Duration {
    fn read(text: &str) -> Result<Self, String> {
        read_duration(text)
    }

    fn write(&self) -> String {
        write_duration(*self)
    }

    fn lies_in(&self, range: &str) -> bool {
        between(self, range)
    }
}

impl Written for ByteCount {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn lies_in(&self, range: &str) -> bool {
        between(self, range)
    }
}

impl Written for Amount {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn lies_in(&self, range: &str) -> bool {
        between(self, range)
    }
}

/// The only texts among the settings are names.
impl Written for String {
    fn read(text: &str) -> Result<Self, String> {
        check_name(text)?;
        if text.trim() != text || text.contains(char::is_control) {
            return Err(
                "a name neither begins nor ends with a space, and has no control characters"
                    .to_owned(),
            );
        }
        Ok(text.to_owned())
    }

    fn write(&self) -> String {
        self.clone()
    }
}

impl Written for PathBuf {
    const PATH: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let fits = (1..=limits::PATH_BYTES_MAX).contains(&text.len()) && !text.contains('\0');
        let wrong = || format!("it is a path of 1 to {} bytes", limits::PATH_BYTES_MAX);
        if fits { Ok(Self::from(text)) } else { Err(wrong()) }
    }

    fn write(&self) -> String {
        // Every path here was read from text.
        self.to_string_lossy().into_owned()
    }
}

impl Written for IpAddr {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = |_| "it is an IP address: 127.0.0.1, ::1, 0.0.0.0".to_owned();
        text.trim().parse().map_err(wrong)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Written for HostPort {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// Empty means none.
impl<T: Written> Written for Option<T> {
    const PATH: bool = T::PATH;
    const TABLE: bool = T::TABLE;

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.as_ref().map(T::write).unwrap_or_default()
    }

    fn lies_in(&self, range: &str) -> bool {
        self.as_ref().is_none_or(|value| value.lies_in(range))
    }
}

/// Amounts of resources by name: `special_hardware=4,disk=0.5`.
impl Written for BTreeMap<String, Amount> {
    const TABLE: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let mut amounts = Self::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let Some((name, amount)) = part.rsplit_once('=') else {
                return Err("it is names with amounts: special_hardware=4,disk=0.5".to_owned());
            };
            let name = name.trim();
            check_resource(name)?;
            let amount = amount.parse().map_err(|why| format!("`{name}`: {why}"))?;
            if amounts.insert(name.to_owned(), amount).is_some() {
                return Err(format!("`{name}` is named twice"));
            }
        }
        if amounts.len() > limits::RESOURCES_MAX {
            return Err(format!("it has at most {} names", limits::RESOURCES_MAX));
        }
        Ok(amounts)
    }

    fn write(&self) -> String {
        let parts: Vec<String> = self.iter().map(|(name, n)| format!("{name}={n}")).collect();
        parts.join(",")
    }
}

fn check_resource(name: &str) -> Result<(), String> {
    String::read(name).map_err(|why| format!("`{name}`: {why}"))?;
    if name.contains([',', '=']) {
        return Err(format!("`{name}`: the name of a resource has neither comma nor equals sign"));
    }
    let own = [(CPU, "node.cpus"), (GPU, "node.gpus")];
    match own.iter().find(|(resource, _)| resource.eq_ignore_ascii_case(name)) {
        Some((_, key)) => Err(format!("`{name}` is set by {key}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_edges_inside() {
        let range = "10ms to 10s";
        for (text, inside) in
            [("10ms", true), ("10s", true), ("9.999ms", false), ("10001ms", false)]
        {
            assert_eq!(checked::<Duration>(text, range).is_ok(), inside, "{text}");
        }
        assert_eq!(checked::<Duration>("1m", range), Err("it is 10ms to 10s".to_owned()));
        assert!(checked::<u16>("1", "no range").is_err(), "a range nobody can read takes nothing");
    }

    #[test]
    fn resources_are_names_with_amounts() {
        type Map = BTreeMap<String, Amount>;
        assert_eq!(checked::<Map>(" b=0.5 , a=4", ""), Ok("a=4,b=0.5".to_owned()));
        assert_eq!(checked::<Map>("", ""), Ok(String::new()));
        for text in ["a", "a=1,a=2", "=1", "a/b=1", "cpu=1", "GPU=1", "a=-1", "a=1,", "a=b=1"] {
            assert!(checked::<Map>(text, "").is_err(), "{text}");
        }
        let many: Vec<String> = (0..65).map(|number| format!("r{number}=1")).collect();
        assert!(checked::<Map>(&many[..64].join(","), "").is_ok());
        assert!(checked::<Map>(&many.join(","), "").is_err());
    }

    #[test]
    fn names_and_paths_have_lengths() {
        let takes = |bytes: usize| String::read(&"x".repeat(bytes)).is_ok();
        assert_eq!([0, 1, 128, 129].map(takes), [false, true, true, false]);
        for name in ["a/b", " a", "a ", "a\nb"] {
            assert!(String::read(name).is_err(), "{name}");
        }
        let takes = |bytes: usize| PathBuf::read(&"x".repeat(bytes)).is_ok();
        assert_eq!([0, 1, 4096, 4097].map(takes), [false, true, true, false]);
        assert!(PathBuf::read("a\0b").is_err());
    }

    #[test]
    fn words_for_yes_and_no() {
        for (text, value) in [("on", true), ("YES", true), ("1", true), (" off ", false)] {
            assert_eq!(bool::read(text), Ok(value), "{text}");
        }
        assert!(bool::read("maybe").is_err() && bool::read("").is_err());
    }
}
