//! Every error of the product that has a stable code: what it means, how bad it is, what to do about it, and what the pool
//! does by itself. The one catalogue: it makes error responses, the advice of the command line, the pages below
//! `/docs/errors/` and the alerts. Nothing else names codes (`codes.rs` is the table).
//!
//! Texts may hold `{names}`, which [`fill`] replaces by what is known at the place.

use alloc::string::String;

/// What one can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// One sentence.
    pub action: &'static str,
    /// A command that does it or shows more, if there is one; may hold `{names}`.
    pub command: Option<&'static str>,
    /// low, medium, high or critical.
    pub priority: &'static str,
}

/// What the pool does about an error by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It tries again, with pauses that grow.
    Retry,
    /// It loads the package's code anew.
    Reload,
    /// It goes back to the last good generation.
    FallBack,
}

impl Recovery {
    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reload => "reload",
            Self::FallBack => "fall_back",
        }
    }

    /// In a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Retry => "The pool tries again by itself, with pauses that grow.",
            Self::Reload => "The pool loads the package's code anew and lets it go on.",
            Self::FallBack => "The pool goes back to the last good generation.",
        }
    }
}

/// What the catalogue says about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Stable name; never renamed, never reused.
    pub name: &'static str,
    /// The code of the original interface that a finer one belongs to.
    pub family: Option<Code>,
    /// HTTP status of an answer with it.
    pub status: u16,
    /// info, warning, error or critical.
    pub severity: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// The message, with `{names}`. `{detail}` is what only the place can say: a field of a file, the system's own words.
    pub template: &'static str,
    /// What the pool does by itself, in order.
    pub recovery: &'static [Recovery],
    /// What people can do.
    pub advice: &'static [Advice],
}

macro_rules! catalogue {
    (@family) => { None };
    (@family $family:ident) => { Some(Code::$family) };
    ($($variant:ident = $name:literal $(in $family:ident)?, $status:literal, $severity:literal, $meaning:literal,
       $template:literal, [$($recovery:ident),*],
       [$(($action:literal, $command:expr, $priority:literal)),* $(,)?];)*) => {
        /// Stable codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant),* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What the catalogue says about it.
            #[must_use]
            pub const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => &Entry {
                        name: $name,
                        family: catalogue!(@family $($family)?),
                        status: $status,
                        severity: $severity,
                        meaning: $meaning,
                        template: $template,
                        recovery: &[$(Recovery::$recovery),*],
                        advice: &[$(Advice { action: $action, command: $command, priority: $priority }),*],
                    }),*
                }
            }
        }
    };
}

mod codes;

pub use codes::Code;

impl Code {
    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// The code of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// The code of the original interface that it belongs to; itself if it is one.
    #[must_use]
    pub fn family(self) -> Self {
        self.entry().family.unwrap_or(self)
    }

    /// info, warning, error or critical.
    #[must_use]
    pub const fn severity(self) -> &'static str {
        self.entry().severity
    }

    /// What it means, in a sentence or two.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// What people can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static [Advice] {
        self.entry().advice
    }

    /// Its message, from the template and what is known.
    #[must_use]
    pub fn message(self, known: &[(&str, &str)]) -> String {
        fill(self.entry().template, |name| {
            known.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
        })
    }
}

/// What a template says of itself where a place puts its own words in.
const DETAIL: &str = "{detail}";

impl Code {
    /// The message of a place that words what happened there: the template with it as `{detail}`. What was worded so
    /// already, or by [`Self::message`], stays as it is, so that an error may be handed on.
    #[must_use]
    pub fn word(self, detail: &str) -> String {
        match self.entry().template.split_once(DETAIL) {
            Some((lead, _)) if !detail.starts_with(lead) => self.message(&[("detail", detail)]),
            _ => String::from(detail),
        }
    }
}

/// Replaces `{name}` by what is known of it; what nothing is known of becomes the name in capitals, for people to fill in.
#[must_use]
pub fn fill<'a>(text: &str, known: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match known(name) {
            Some(value) => filled.push_str(value),
            None => filled.push_str(&name.to_ascii_uppercase()),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_code_is_named_once_and_says_all_it_must() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let entry = code.entry();
            assert_eq!(Code::named(entry.name), Some(*code));
            assert!(entry.name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code:?}");
            assert!(!entry.advice.is_empty() && entry.meaning.ends_with('.'), "{code:?}");
            assert!(["info", "warning", "error", "critical"].contains(&entry.severity), "{code:?}");
            assert!((200..600).contains(&entry.status), "{code:?}");
            let names = entry.template.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0);
            assert!(names.clone().count() > 0 && names.clone().all(|name| !name.is_empty()), "{code:?}");
            // A place's own words stand at the end, behind words of the catalogue's.
            let lead = entry.template.strip_suffix("{detail}");
            assert!(lead.is_none_or(|lead| lead.ends_with(": ")), "{code:?}");
            assert!(lead.is_some() || !entry.template.contains("{detail}"), "{code:?}");
            assert_eq!(code.family().entry().family, None, "{code:?}");
            for advice in entry.advice {
                assert!(["low", "medium", "high", "critical"].contains(&advice.priority), "{code:?}");
            }
        }
    }

    #[test]
    fn a_place_s_own_words_are_put_in_once() {
        let worded = Code::KeyUnknown.word("01 is not trusted");
        assert_eq!(worded, "the key: 01 is not trusted");
        assert_eq!(Code::KeyUnknown.word(&worded), worded);
        let known = Code::Unauthorized.message(&[("path", "/api/x")]);
        assert_eq!(Code::Unauthorized.word(&known), "/api/x needs a token: sign in, or send the admin token");
        for code in Code::ALL {
            let worded = code.word("WORDS");
            assert!(worded.ends_with("WORDS"), "{code:?}");
            assert_eq!(code.word(&worded), worded, "{code:?}");
        }
    }

    #[test]
    fn texts_are_filled_with_what_is_known() {
        let known = [("path", "/api/x"), ("id", "7")];
        assert_eq!(
            Code::Unauthorized.message(&known),
            "/api/x needs a token: sign in, or send the admin token"
        );
        let fill =
            |text| fill(text, |name| known.iter().find(|(key, _)| *key == name).map(|(_, value)| *value));
        assert_eq!(fill("a {id}{id} of {package}"), "a 77 of PACKAGE");
        assert_eq!(fill("{ {id"), "{ {id");
    }
}
