//! Failures that reach a person: a stable code, what happened and where, and what to do about it.

use std::fmt;

/// A failure with a stable code. Displayed as one sentence, the advice, and the code in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, upper-case code that scripts may match.
    pub code: Code,
    /// What happened and where.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

macro_rules! codes {
    ($($(#[doc = $doc:expr])* $variant:ident = $text:literal),* $(,)?) => {
        /// Stable failure codes; never renamed, never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant),* }

        impl Code {
            /// Every code, for the documentation page.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// The configuration can't be used.
    ConfigInvalid = "CONFIG_INVALID",
    /// A file of the configuration (or a secret it names) can't be read.
    ConfigUnreadable = "CONFIG_UNREADABLE",
    /// A listening address is taken or not ours.
    AddressUnavailable = "ADDRESS_UNAVAILABLE",
    /// The data folder can't be written.
    DataDirUnwritable = "DATA_DIR_UNWRITABLE",
    /// The data folder belongs to a node of another number (`pool.node_id`).
    NodeIdChanged = "NODE_ID_CHANGED",
    /// Another pool process uses the same data folder.
    DataDirInUse = "DATA_DIR_IN_USE",
    /// The share journal is damaged where no crash can damage it, or could not be opened.
    JournalUnusable = "JOURNAL_UNUSABLE",
    /// The store (database) can't be used.
    StoreUnusable = "STORE_UNUSABLE",
    /// The node can't be used.
    NodeUnusable = "NODE_UNUSABLE",
    /// An algorithm is not known.
    AlgorithmUnknown = "ALGORITHM_UNKNOWN",
    /// An actor that must not die did, or kept dying.
    ActorFailed = "ACTOR_FAILED",
    /// The system refused a resource (threads, files).
    SystemRefused = "SYSTEM_REFUSED",
}

impl Failure {
    /// A failure of `code`: `what` names the place, `advice` what to do.
    pub fn new(code: Code, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.what, self.advice, self.code.as_str())
    }
}

impl std::error::Error for Failure {}
