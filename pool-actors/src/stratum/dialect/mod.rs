//! Dialects: what miners of a chain family expect on the wire, as data.
//!
//! A [`Dialect`] belongs to a listener. Inside it, a [`Variant`] is chosen by how the miner calls itself: firmware with
//! quirks gets a variant, never an `if` in the session. Each is covered by a recorded transcript in
//! `tests/transcripts/`.

pub mod render;
pub mod submit;

/// How `mining.subscribe` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeReply {
    /// `[[["mining.set_difficulty",S],["mining.notify",S]],PREFIX,SIZE]`.
    Subscriptions,
    /// `[true,"EthereumStratum/1.0.0"]`.
    EthereumStratum,
    /// `[null,PREFIX,SIZE]`.
    Bitmain,
}

/// How a session's extranonce is announced outside of the subscribe reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnounceExtranonce {
    /// `[PREFIX,SIZE]`, and only to who asked by `mining.extranonce.subscribe`.
    WhenAsked,
    /// `[PREFIX]`, before the first difficulty.
    Prefix,
    /// `[PREFIX,SIZE]`, before the first difficulty.
    PrefixAndSize,
}

/// What `mining.notify` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyForm {
    /// Job, previous block with swapped words, coinbase halves, branches, version, bits, time, clean.
    Coinbase,
    /// Job, previous block, version, bits, time, clean: all in header order.
    Bdag,
    /// Job, four little-endian words of the pre-PoW hash as numbers, time in milliseconds.
    KaspaWords,
    /// Job, 80 hexadecimal digits: pre-PoW hash and little-endian time.
    KaspaHex,
}

/// What `mining.submit` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitForm {
    /// User, job, extranonce2, time, nonce, and rolled version bits if negotiated.
    Coinbase,
    /// User, job, extranonce2, time, nonce (bytes as in the header).
    Bdag,
    /// User, job (string or number), nonce; or five parameters with the nonce last.
    Kaspa,
}

/// How job numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobIdForm {
    /// Lower-case hexadecimal, no padding.
    Hex,
    /// Decimal: some miners of that dialect read it as a number.
    Decimal,
}

/// Where the worker's name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// `account.worker`; the password holds options.
    AccountDotWorker,
    /// The user is the account; the password names the worker unless it holds options.
    PasswordIsWorker,
}

/// A kind of miner inside a dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Name in logs and in the list of sessions.
    pub name: &'static str,
    /// Lower-case texts, one of which the agent's name starts with or contains after a `/` or space.
    pub agents: &'static [&'static str],
    /// Number of the rendering that it shares with others of the same `notify` and `job_id`.
    pub render: usize,
    /// Answer to subscribe.
    pub subscribe: SubscribeReply,
    /// How the extranonce is announced.
    pub extranonce: AnnounceExtranonce,
    /// Work.
    pub notify: NotifyForm,
    /// Shares.
    pub submit: SubmitForm,
    /// Job numbers.
    pub job_id: JobIdForm,
    /// Firmware that sends wrong job numbers: so many recent jobs are tried besides the one it named.
    pub recent_jobs_tried: u8,
}

/// A dialect, as a listener is configured with.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Name in the configuration.
    pub name: &'static str,
    /// Bytes of the prefix that the pool assigns (extranonce1).
    pub prefix_bytes: usize,
    /// Bytes that are left to the miner (extranonce2, or the rest of the nonce).
    pub extranonce2_bytes: usize,
    /// Where the worker's name is.
    pub login: Login,
    /// Its miners know `client.show_message`; others may give up on what they don't know.
    pub shows_messages: bool,
    /// Its miners may say that they can do several functions (`mining.multi_version`).
    pub switches_function: bool,
    /// The default first.
    pub variants: &'static [Variant],
}

/// Bitcoin-like chains and cpuminer-family clients.
pub static STANDARD: Dialect = Dialect {
    name: "standard",
    prefix_bytes: 4,
    extranonce2_bytes: 4,
    login: Login::AccountDotWorker,
    shows_messages: true,
    switches_function: true,
    variants: &[Variant {
        name: "standard",
        agents: &[],
        render: 0,
        subscribe: SubscribeReply::Subscriptions,
        extranonce: AnnounceExtranonce::WhenAsked,
        notify: NotifyForm::Coinbase,
        submit: SubmitForm::Coinbase,
        job_id: JobIdForm::Hex,
        recent_jobs_tried: 0,
    }],
};

/// Miners of the BlockDAG network.
pub static BDAG: Dialect = Dialect {
    name: "bdag",
    prefix_bytes: 4,
    extranonce2_bytes: 4,
    login: Login::PasswordIsWorker,
    shows_messages: false,
    switches_function: false,
    variants: &[Variant {
        name: "bdag",
        agents: &[],
        render: 1,
        subscribe: SubscribeReply::Subscriptions,
        extranonce: AnnounceExtranonce::WhenAsked,
        notify: NotifyForm::Bdag,
        submit: SubmitForm::Bdag,
        job_id: JobIdForm::Hex,
        recent_jobs_tried: 0,
    }],
};

const KASPA_DEFAULT: Variant = Variant {
    name: "kaspa",
    agents: &[],
    render: 2,
    subscribe: SubscribeReply::EthereumStratum,
    extranonce: AnnounceExtranonce::Prefix,
    notify: NotifyForm::KaspaWords,
    submit: SubmitForm::Kaspa,
    job_id: JobIdForm::Decimal,
    recent_jobs_tried: 0,
};

/// kHeavyHash miners.
pub static KASPA: Dialect = Dialect {
    name: "kaspa",
    prefix_bytes: 2,
    extranonce2_bytes: 6,
    login: Login::AccountDotWorker,
    shows_messages: false,
    switches_function: false,
    variants: &[
        KASPA_DEFAULT,
        Variant {
            name: "kaspa-miner",
            agents: &["kaspa-miner"],
            extranonce: AnnounceExtranonce::PrefixAndSize,
            ..KASPA_DEFAULT
        },
        Variant {
            name: "kaspa-bitmain",
            agents: &["godminer", "bitmain", "antminer"],
            subscribe: SubscribeReply::Bitmain,
            extranonce: AnnounceExtranonce::PrefixAndSize,
            recent_jobs_tried: 8,
            ..KASPA_DEFAULT
        },
        Variant {
            name: "kaspa-iceriver",
            agents: &["iceriver", "icemining", "goldshell"],
            render: 3,
            notify: NotifyForm::KaspaHex,
            recent_jobs_tried: 8,
            ..KASPA_DEFAULT
        },
        Variant {
            name: "kaspa-bzminer",
            agents: &["bzminer"],
            render: 3,
            notify: NotifyForm::KaspaHex,
            ..KASPA_DEFAULT
        },
    ],
};

/// All dialects.
pub static ALL: [&Dialect; 3] = [&STANDARD, &BDAG, &KASPA];

impl Dialect {
    /// The dialect of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|dialect| dialect.name == name)
    }

    /// The variant for a miner that calls itself `agent`.
    #[must_use]
    pub fn variant(&self, agent: &str) -> &Variant {
        let agent = agent.to_ascii_lowercase();
        self.variants
            .iter()
            .find(|variant| variant.agents.iter().any(|name| agent.contains(name)))
            .unwrap_or(&self.variants[0])
    }
}

/// Job numbers on the wire: the pool's job in the upper bits, and in the lower ones how often the session's terms
/// (difficulty, extranonce) changed during that job. A repeated number with other terms would be ignored by miners.
pub mod wire_id {
    use pool_domain::ids::JobId;

    use super::JobIdForm;

    /// Bits for the changes of terms.
    const EPOCH_BITS: u32 = 8;
    /// Most changes of terms during one job.
    pub const EPOCH_MAX: u64 = (1 << EPOCH_BITS) - 1;

    /// The first number of a job.
    #[must_use]
    pub const fn first(job: JobId) -> u64 {
        job.0 << EPOCH_BITS
    }

    /// The job of a number, and the change of terms.
    #[must_use]
    pub const fn split(wire_id: u64) -> (JobId, u64) {
        (JobId(wire_id >> EPOCH_BITS), wire_id & EPOCH_MAX)
    }

    /// Appends a number.
    pub fn push(out: &mut Vec<u8>, form: JobIdForm, wire_id: u64) {
        match form {
            JobIdForm::Hex => crate::stratum::wire::push_display(out, format_args!("{wire_id:x}")),
            JobIdForm::Decimal => crate::stratum::wire::push_display(out, wire_id),
        }
    }

    /// Reads a number exactly as [`push`] writes it (any case of digits): no sign, no padding.
    #[must_use]
    pub fn parse(text: &str, form: JobIdForm) -> Option<u64> {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_hexdigit()) && (text == "0" || !text.starts_with('0'));
        if !plain || text.len() > 20 {
            return None;
        }
        match form {
            JobIdForm::Hex => u64::from_str_radix(text, 16).ok(),
            JobIdForm::Decimal => text.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::ids::JobId;

    use super::*;
    use crate::messages::job::DIALECTS_MAX;

    #[test]
    fn tables_are_consistent() {
        for dialect in ALL {
            assert_eq!(Dialect::by_name(dialect.name), Some(dialect));
            assert!(dialect.prefix_bytes <= 4 && dialect.extranonce2_bytes >= 2);
            assert!(dialect.variants[0].agents.is_empty());
            for variant in dialect.variants {
                assert!(variant.render < DIALECTS_MAX);
                for other in ALL.iter().flat_map(|other| other.variants) {
                    let same = (variant.notify, variant.job_id) == (other.notify, other.job_id);
                    assert_eq!(same, variant.render == other.render, "{} {}", variant.name, other.name);
                }
            }
        }
        assert_eq!(Dialect::by_name("Standard"), None);
    }

    #[test]
    fn miners_are_recognised_by_what_they_call_themselves() {
        for (agent, name) in [
            ("", "kaspa"),
            ("lolMiner 1.76", "kaspa"),
            ("kaspa-miner/v0.2.1-GPU", "kaspa-miner"),
            ("GodMiner/1.0", "kaspa-bitmain"),
            ("Antminer KS5", "kaspa-bitmain"),
            ("IceRiverMiner-v1.1", "kaspa-iceriver"),
            ("BzMiner-v21", "kaspa-bzminer"),
        ] {
            assert_eq!(KASPA.variant(agent).name, name, "{agent}");
        }
        assert_eq!(STANDARD.variant("bzminer").name, "standard");
    }

    #[test]
    fn job_numbers_round_trip() {
        for form in [JobIdForm::Hex, JobIdForm::Decimal] {
            let number = wire_id::first(JobId(0x1234)) + 7;
            let mut out = Vec::new();
            wire_id::push(&mut out, form, number);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(wire_id::parse(&text, form), Some(number));
            assert_eq!(wire_id::split(number), (JobId(0x1234), 7));
            for wrong in
                ["", "+1", "-1", " 1", "01", "0x1", "ffffffffffffffffffff", "123456789012345678901", "é"]
            {
                assert_eq!(wire_id::parse(wrong, form), None, "{wrong}");
            }
        }
        assert_eq!(wire_id::parse("aF", JobIdForm::Hex), Some(0xaf));
        assert_eq!(wire_id::parse("af", JobIdForm::Decimal), None);
    }
}
