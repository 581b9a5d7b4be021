//! What is known of a setting, and the macro that makes sections and table from one text.

use crate::surroundings::Surroundings;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `section.name`.
    pub(crate) key: &'static str,
    /// What it means: the documentation of the field.
    pub(crate) meaning: &'static str,
    /// What it counts, or what kind of text it is.
    pub(crate) unit: &'static str,
    /// What it may be; `low to high` for what has an order, both included.
    pub(crate) range: &'static str,
    /// The default as text, or, with `found`, in words.
    pub(crate) default: &'static str,
    /// How a default that depends on machine and user is found.
    pub(crate) found: Option<fn(&Surroundings) -> String>,
    /// A second name in the environment, and what its values mean there.
    pub(crate) short: Option<Short>,
    /// Whether it names a file or folder.
    pub(crate) is_path: bool,
    /// Whether a file may write it as a table.
    pub(crate) is_table: bool,
    /// The one text for a value, or what is wrong with it.
    pub(crate) check: fn(text: &str, range: &str) -> Result<String, String>,
}

/// A short name of a setting in the environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    /// The variable.
    pub(crate) variable: &'static str,
    /// What a value of it means, as a value of the setting.
    pub(crate) means: fn(&str) -> String,
}

impl Entry {
    /// Its name in the environment: `RAYTREE_CLUSTER__PORT`.
    pub(crate) fn variable(&self) -> String {
        format!("RAYTREE_{}", self.key.replace('.', "__").to_uppercase())
    }

    /// The default on this machine, as text.
    pub(crate) fn default_in(&self, surroundings: &Surroundings) -> String {
        self.found.map_or_else(|| self.default.to_owned(), |find| find(surroundings))
    }

    /// What it means, without the spaces around.
    pub(crate) fn meaning(&self) -> &'static str {
        self.meaning.trim()
    }
}

/// Makes the sections and the table. Each setting says, in this order: meaning, name, type, default, unit, range.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident: $Type:ty = $default:tt $(found by $find:path)?, $unit:literal, $range:literal
                $(, short $variable:literal means $means:path)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $Section {
                $(
                    $(#[doc = $meaning])+
                    ///
                    #[doc = concat!(
                        "Default: ", settings!(@shown $default), ". Unit: ", $unit, ". Range: ", $range, "."
                    )]
                    pub $field: $Type,
                )+
            }

            impl $Section {
                /// Reads the section from the texts of its settings.
                pub(crate) fn read<'a>(
                    text: impl Fn(&'static str) -> raytree_types::Result<&'a str>,
                ) -> raytree_types::Result<Self> {
                    Ok(Self {
                        $($field: {
                            let key = concat!(stringify!($section), ".", stringify!($field));
                            $crate::check::read(key, text(key)?)?
                        },)+
                    })
                }
            }
        )+

        /// Every setting, section by section.
        pub(crate) static TABLE: &[$crate::table::Entry] = &[
            $($(
                $crate::table::Entry {
                    key: concat!(stringify!($section), ".", stringify!($field)),
                    meaning: concat!($($meaning),+),
                    unit: $unit,
                    range: $range,
                    default: $default,
                    found: settings!(@option $($find)?),
                    short: settings!(@option $($crate::table::Short { variable: $variable, means: $means })?),
                    is_path: <$Type as $crate::written::Written>::PATH,
                    is_table: <$Type as $crate::written::Written>::TABLE,
                    check: $crate::written::checked::<$Type>,
                },
            )+)+
        ];

        /// The sections and what each is about.
        pub(crate) static SECTIONS: &[(&str, &str)] =
            &[$((stringify!($section), concat!($($about),+)),)+];
    };
    (@shown "") => { "none" };
    (@shown $default:tt) => { $default };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
}
pub(crate) use settings;
