//! What differs between chains of this protocol, as data.

use pool_domain::ids::AlgorithmName;

/// One chain family behind the JSON-RPC of qng/BIP22 shape.
#[derive(Debug, Clone, Copy)]
pub struct Bip22Profile {
    /// Name in the configuration.
    pub name: &'static str,
    /// `powType` numbers of the node by algorithm.
    pub pow_types: &'static [(&'static str, u32)],
    /// Path of the notifications, where the node has them; else long polling is used.
    pub websocket_path: Option<&'static str>,
    /// Bits of the version that miners may roll when the template does not say.
    pub version_mask: u32,
    /// The node has a wallet that gives an address for any label (and always the same): rewards may go there.
    pub wallet_labels: bool,
    /// A block that nobody has merged when the tip's blue score is so far ahead is red for good: no block may merge it
    /// any more (the network's merge depth, rounded up).
    pub merge_depth: u64,
    /// Words of `submitBlock` errors that mean "the block is in the DAG already".
    pub known_texts: &'static [&'static str],
    /// Words of errors that mean "not now": of `submitBlock` (tried again) and of `getBlockTemplate` (not ready).
    pub not_now_texts: &'static [&'static str],
    /// Words of `submitBlock` errors that are final when the node that issued the template says them.
    pub final_texts: &'static [&'static str],
    /// Of those, what only the issuing node can say: another one may just not have seen the parents yet.
    pub issuer_only_texts: &'static [&'static str],
}

/// The simulated DAG node (`simulations/docs/node.md`). A block is paid by the block that merges it.
pub static SIMULATED: Bip22Profile = Bip22Profile {
    name: "simulated",
    pow_types: &[
        ("scrypt-bdag", 10),
        ("blake2s", 100),
        ("blake3", 101),
        ("sha256d", 102),
        ("scrypt", 103),
        ("kheavyhash", 104),
    ],
    websocket_path: Some("/ws"),
    version_mask: 0x1fff_e000,
    wallet_labels: true,
    merge_depth: 2_000,
    known_texts: &["already have block"],
    not_now_texts: &["client in initial download", "must enable miner", "already exists in the queue"],
    final_texts: &[
        "is an orphan",
        "overdue",
        "side chain depth too large",
        "is higher than expected max of",
        "block difficulty",
        "block timestamp",
        "bad parents",
        "bad merkle root",
        "bad coinbase",
        "bad transaction",
        "bad block",
        "bad version",
        "pow type",
    ],
    issuer_only_texts: &["is an orphan", "overdue", "side chain depth too large", "block timestamp"],
};

/// Every profile of this adapter.
static PROFILES: [&Bip22Profile; 1] = [&SIMULATED];

impl Bip22Profile {
    /// The profile of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// The node's number of an algorithm.
    #[must_use]
    pub fn pow_type(&self, algorithm: &AlgorithmName) -> Option<u32> {
        self.pow_types.iter().find(|(name, _)| *name == algorithm.as_str()).map(|(_, number)| *number)
    }
}

/// What an error text of the node means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The block is in the DAG.
    Known,
    /// The node can't judge now.
    NotNow,
    /// Refused for good.
    Final,
    /// Nothing definite follows from it.
    Unclear,
}

/// Classifies an error text; all application errors of this family share one code. `by_issuer`: said by the node that
/// issued the template.
pub(super) fn meaning(profile: &Bip22Profile, message: &str, by_issuer: bool) -> Meaning {
    let message = message.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(profile.known_texts) {
        Meaning::Known
    } else if says(profile.not_now_texts) {
        Meaning::NotNow
    } else if says(profile.final_texts) && (by_issuer || !says(profile.issuer_only_texts)) {
        Meaning::Final
    } else {
        Meaning::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_text_has_its_meaning() {
        let by_issuer = |text| meaning(&SIMULATED, text, true);
        assert_eq!(by_issuer("already have block 3f00"), Meaning::Known);
        assert_eq!(by_issuer("Already exists in the queue"), Meaning::NotNow);
        assert_eq!(by_issuer("Client in initial download mode: syncing"), Meaning::NotNow);
        assert_eq!(by_issuer("must enable miner"), Meaning::NotNow);
        for text in [
            "block 00 is an orphan: parent 11 is unknown",
            "block 00 is overdue: its blue score 40 is 33 behind the tip's 73, limit 32",
            "Side chain depth too large: 7",
            "pow hash ff is higher than expected max of 0f",
            "block difficulty of 1f0fffff is not the expected value of 1f00ffff",
            "bad parents root",
            "bad coinbase: last output",
            "pow type 101 is not active at height 5",
        ] {
            assert_eq!(by_issuer(text), Meaning::Final, "{text}");
        }
        assert_eq!(by_issuer("disk full"), Meaning::Unclear);
        assert_eq!(meaning(&SIMULATED, "block 00 is an orphan: parent", false), Meaning::Unclear);
        assert_eq!(
            meaning(&SIMULATED, "pow hash ff is higher than expected max of 0f", false),
            Meaning::Final
        );
        assert_eq!(Bip22Profile::by_name("simulated").map(|profile| profile.name), Some("simulated"));
        assert!(Bip22Profile::by_name("dogecoin").is_none());
    }
}
