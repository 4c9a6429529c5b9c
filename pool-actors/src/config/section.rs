//! The macro that makes a configuration section: the struct, its defaults, and the documentation of every key, all from
//! one text, so that `pool.example.toml` can't drift from the code.

/// One documented key.
#[derive(Debug, Clone, Copy)]
pub struct KeyDoc {
    /// Name of the key.
    pub name: &'static str,
    /// Its documentation, a line each.
    pub doc: &'static [&'static str],
}

/// A section that knows its keys.
pub trait Section: Default + serde::Serialize {
    /// Documentation of the section, a line each.
    const DOC: &'static [&'static str];
    /// Its keys in order.
    const KEYS: &'static [KeyDoc];
}

macro_rules! section {
    ($(#[doc = $section_doc:expr])* $name:ident {
        $($(#[doc = $doc:expr])* $field:ident : $type:ty = $default:expr),* $(,)?
    }) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[doc = $doc])* pub $field: $type),* }

        impl Default for $name {
            fn default() -> Self { Self { $($field: $default),* } }
        }

        impl $crate::config::section::Section for $name {
            const DOC: &'static [&'static str] = &[$($section_doc),*];
            const KEYS: &'static [$crate::config::section::KeyDoc] = &[
                $($crate::config::section::KeyDoc { name: stringify!($field), doc: &[$($doc),*] }),*
            ];
        }
    };
}
pub(crate) use section;
