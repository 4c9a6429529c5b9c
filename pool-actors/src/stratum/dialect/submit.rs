//! A submit's parameters, decoded strictly: exact lengths, hexadecimal digits only, bounds of the job.

use pool_domain::{
    share::{Extranonce, Solution},
    units::TimeMs,
};

use super::{JobIdForm, SubmitForm, Variant, wire_id};
use crate::{
    ports::node::HeaderForm,
    stratum::wire::{Fields, hex_exact, hex_into},
};

/// How far ahead of the template, and of our clock, a rolled header time may be where the node names no bound, seconds.
const TIME_AHEAD_MAX_S: u64 = 7_200;

/// Why a submit can't be a share. Always code 20: a correct miner sends none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Too few parameters, or not strings.
    #[error("Invalid share: expected parameters {0}")]
    Params(&'static str),
    /// Wrong length or digits of extranonce2.
    #[error("Invalid extranonce2: expected {0} hexadecimal digits")]
    Extranonce2(usize),
    /// Wrong length or digits of the time.
    #[error("Invalid ntime: expected 8 hexadecimal digits")]
    Time,
    /// The time is outside of what the node takes.
    #[error("ntime out of range")]
    TimeRange,
    /// Wrong length or digits of the nonce.
    #[error("Invalid nonce: expected {0} hexadecimal digits")]
    Nonce(usize),
    /// The nonce is outside of the session's part of the space.
    #[error("Invalid nonce: it must start with the extranonce that was assigned")]
    NoncePrefix,
    /// Version bits are no number, or none were negotiated, or they lie outside of the mask.
    #[error("Invalid version bits: outside of the negotiated mask")]
    VersionBits,
    /// The job has another kind of header than the dialect.
    #[error("Invalid share: the job is of another dialect")]
    Dialect,
}

/// What a session adds to the parameters.
#[derive(Debug, Clone, Copy)]
pub struct SessionPart<'a> {
    /// The session's extranonce prefix.
    pub prefix: &'a [u8],
    /// Length of the miner's part.
    pub extranonce2_bytes: usize,
    /// Negotiated version mask, already restricted to the job's; 0 for none.
    pub version_mask: u32,
    /// Now.
    pub now: TimeMs,
}

/// The job that a submit names; `None` when it is no number of ours.
#[must_use]
#[inline]
pub fn job_number(variant: &Variant, params: &impl Fields) -> Option<u64> {
    let text = params.scalar(1)?;
    match (variant.submit, variant.job_id) {
        // A number in another writing is still the same number there.
        (SubmitForm::Kaspa, JobIdForm::Decimal) => text.parse().ok(),
        (_, form) => wire_id::parse(&text, form),
    }
}

/// Decodes what the miner chose.
///
/// # Errors
/// [`Malformed`].
pub fn solution(
    form: SubmitForm,
    params: &impl Fields,
    header: &HeaderForm,
    session: &SessionPart<'_>,
) -> Result<Solution, Malformed> {
    match (form, header) {
        (SubmitForm::Coinbase, HeaderForm::Coinbase { version, time_range, .. }) => {
            let (extranonce, ntime, nonce) = three_fields(params, session)?;
            if !(time_range.0..=time_range.1).contains(&ntime) {
                return Err(Malformed::TimeRange);
            }
            let version = rolled_version(params, *version, session.version_mask)?;
            Ok(Solution { extranonce, ntime: ntime.into(), nonce: nonce.into(), version })
        }
        (SubmitForm::Bdag, HeaderForm::BdagMining { version, time, .. }) => {
            let (extranonce, ntime, nonce) = three_fields(params, session)?;
            let earliest = u64::from(u32::from_be_bytes(*time));
            let latest = earliest.max(session.now.seconds()) + TIME_AHEAD_MAX_S;
            if !(earliest..=latest).contains(&u64::from(ntime)) {
                return Err(Malformed::TimeRange);
            }
            let version = u32::from_be_bytes(*version);
            Ok(Solution { extranonce, ntime: ntime.into(), nonce: nonce.into(), version })
        }
        (SubmitForm::Kaspa, HeaderForm::PrePow { timestamp_ms, .. }) => {
            let nonce = kaspa_nonce(params, session.prefix)?;
            let extranonce = extranonce(session, &[])?;
            Ok(Solution { extranonce, ntime: *timestamp_ms, nonce, version: 0 })
        }
        _ => Err(Malformed::Dialect),
    }
}

fn extranonce(session: &SessionPart<'_>, extranonce2: &[u8]) -> Result<Extranonce, Malformed> {
    Extranonce::new(session.prefix, extranonce2)
        .map_err(|_| Malformed::Extranonce2(session.extranonce2_bytes * 2))
}

/// Extranonce, time and nonce of the dialects that have all three.
#[inline]
fn three_fields(
    params: &impl Fields,
    session: &SessionPart<'_>,
) -> Result<(Extranonce, u32, u32), Malformed> {
    const EXPECTED: &str = "[user, job, extranonce2, ntime, nonce] of strings";
    let (Some(extranonce2), Some(ntime), Some(nonce)) = (params.text(2), params.text(3), params.text(4))
    else {
        return Err(Malformed::Params(EXPECTED));
    };
    let mut bytes = [0; Extranonce::LENGTH_MAX];
    let bytes = bytes.get_mut(..session.extranonce2_bytes).ok_or(Malformed::Extranonce2(0))?;
    if !hex_into(&extranonce2, bytes) {
        return Err(Malformed::Extranonce2(session.extranonce2_bytes * 2));
    }
    let ntime = u32::from_be_bytes(hex_exact(&ntime).ok_or(Malformed::Time)?);
    let nonce = u32::from_be_bytes(hex_exact(&nonce).ok_or(Malformed::Nonce(8))?);
    Ok((extranonce(session, bytes)?, ntime, nonce))
}

/// BIP 310: the sixth parameter holds the rolled bits.
fn rolled_version(params: &impl Fields, version: u32, mask: u32) -> Result<u32, Malformed> {
    if params.count() < 6 {
        return Ok(version);
    }
    let text = params.text(5).ok_or(Malformed::VersionBits)?;
    let bits = u32::from_be_bytes(hex_exact(&text).ok_or(Malformed::VersionBits)?);
    if bits & !mask != 0 {
        return Err(Malformed::VersionBits);
    }
    Ok(version & !mask | bits)
}

/// Kaspa: up to 16 digits after an optional `0x`. A short nonce lacks the session's prefix; a full one must begin with
/// it, or two sessions could be paid for the same work.
fn kaspa_nonce(params: &impl Fields, prefix: &[u8]) -> Result<u64, Malformed> {
    let index = if params.count() >= 5 { 4 } else { 2 };
    let text = params.text(index).ok_or(Malformed::Params("[user, job, nonce]"))?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(&text);
    if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed::Nonce(16));
    }
    let value = u64::from_str_radix(digits, 16).map_err(|_| Malformed::Nonce(16))?;
    let free_bits = 64 - 8 * u32::try_from(prefix.len().min(7)).unwrap_or(7);
    let prefix = prefix.iter().take(7).fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    if digits.len() * 4 <= free_bits as usize {
        return Ok(if free_bits == 64 { value } else { prefix << free_bits | value });
    }
    if free_bits < 64 && value >> free_bits != prefix {
        return Err(Malformed::NoncePrefix);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stratum::{
        dialect::{BDAG, KASPA, STANDARD},
        wire::Params,
    };

    const PREFIX: [u8; 4] = [1, 2, 3, 4];

    fn coinbase() -> HeaderForm {
        HeaderForm::Coinbase {
            version: 0x2000_0000,
            previous: [0; 32],
            coinbase1: vec![],
            coinbase2: vec![],
            branches: vec![],
            bits: 0x1d00_ffff,
            time: 1_000,
            time_range: (900, 2_000),
            version_mask: 0x1fff_e000,
        }
    }

    fn decode(form: SubmitForm, header: &HeaderForm, params: &str, mask: u32) -> Result<Solution, Malformed> {
        let prefix = if form == SubmitForm::Kaspa { &PREFIX[..2] } else { &PREFIX[..] };
        let session =
            SessionPart { prefix, extranonce2_bytes: 4, version_mask: mask, now: TimeMs(1_500_000) };
        solution(form, &serde_json::from_str::<Params<'_>>(params).unwrap(), header, &session)
    }

    fn standard(params: &str) -> Result<Solution, Malformed> {
        decode(SubmitForm::Coinbase, &coinbase(), params, 0x1fff_e000)
    }

    #[test]
    fn a_good_share_is_decoded() {
        let share = standard(r#"["a.b","1","0a0b0c0d","000003e8","01020304"]"#).unwrap();
        assert_eq!(share.extranonce.as_slice(), [1, 2, 3, 4, 10, 11, 12, 13]);
        assert_eq!((share.ntime, share.nonce, share.version), (1_000, 0x0102_0304, 0x2000_0000));
        let rolled = standard(r#"["a","1","0A0B0C0D","000003e8","01020304","00ffe000"]"#).unwrap();
        assert_eq!(rolled.version, 0x20ff_e000);
    }

    #[test]
    fn decoding_is_strict() {
        for (params, expected) in [
            (r#"["a","1","0a0b0c0","000003e8","01020304"]"#, Malformed::Extranonce2(8)),
            (r#"["a","1","0a0b0c0d0e","000003e8","01020304"]"#, Malformed::Extranonce2(8)),
            (r#"["a","1","0a0b0c0g","000003e8","01020304"]"#, Malformed::Extranonce2(8)),
            (r#"["a","1"," a0b0c0d","000003e8","01020304"]"#, Malformed::Extranonce2(8)),
            (r#"["a","1","é0b0c0d","000003e8","01020304"]"#, Malformed::Extranonce2(8)),
            (r#"["a","1","0a0b0c0d","3e8","01020304"]"#, Malformed::Time),
            (r#"["a","1","0a0b0c0d","000007d1","01020304"]"#, Malformed::TimeRange),
            (r#"["a","1","0a0b0c0d","00000383","01020304"]"#, Malformed::TimeRange),
            (r#"["a","1","0a0b0c0d","000003e8","0102030"]"#, Malformed::Nonce(8)),
            (r#"["a","1","0a0b0c0d","000003e8","0x020304"]"#, Malformed::Nonce(8)),
            (r#"["a","1","0a0b0c0d","000003e8","01020304","20000000"]"#, Malformed::VersionBits),
            (r#"["a","1","0a0b0c0d","000003e8","01020304",7]"#, Malformed::VersionBits),
        ] {
            assert_eq!(standard(params), Err(expected), "{params}");
        }
        for params in ["[]", r#"["a","1",7,8,9]"#, r#"["a","1","0a0b0c0d","000003e8"]"#] {
            assert!(matches!(standard(params), Err(Malformed::Params(_))), "{params}");
        }
        let unasked = r#"["a","1","0a0b0c0d","000003e8","01020304","00ffe000"]"#;
        assert_eq!(decode(SubmitForm::Coinbase, &coinbase(), unasked, 0), Err(Malformed::VersionBits));
        assert_eq!(decode(SubmitForm::Kaspa, &coinbase(), r#"["a","1","01"]"#, 0), Err(Malformed::Dialect));
    }

    #[test]
    fn bdag_time_starts_at_the_template() {
        let header = HeaderForm::BdagMining {
            version: [0x12, 0, 0, 0],
            previous: [1; 32],
            bits: [0x1d, 0, 0xff, 0xff],
            time: 1_000u32.to_be_bytes(),
        };
        let decode = |params: &str| decode(SubmitForm::Bdag, &header, params, 0);
        let share = decode(r#"["0x","1","00000000","000003e8","01000000"]"#).unwrap();
        assert_eq!((share.version, share.nonce), (0x1200_0000, 0x0100_0000));
        assert_eq!(decode(r#"["0x","1","00000000","000003e7","01000000"]"#), Err(Malformed::TimeRange));
        assert!(decode(r#"["0x","1","00000000","000021fc","01000000"]"#).is_ok());
        assert_eq!(decode(r#"["0x","1","00000000","000021fd","01000000"]"#), Err(Malformed::TimeRange));
    }

    #[test]
    fn kaspa_nonces_stay_in_the_sessions_part() {
        let header = HeaderForm::PrePow { pre_pow_hash: [0; 32], timestamp_ms: 77 };
        let nonce = |text: &str| {
            decode(SubmitForm::Kaspa, &header, &format!("[\"a\",1,\"{text}\"]"), 0).map(|share| share.nonce)
        };
        assert_eq!(nonce("1"), Ok(0x0102_0000_0000_0001));
        assert_eq!(nonce("0xabcdef012345"), Ok(0x0102_abcd_ef01_2345));
        assert_eq!(nonce("0102abcdef012345"), Ok(0x0102_abcd_ef01_2345));
        assert_eq!(nonce("0x102abcdef012345"), Ok(0x0102_abcd_ef01_2345), "leading zero left out");
        assert_eq!(nonce("0103abcdef012345"), Err(Malformed::NoncePrefix));
        for text in ["", "0x", "g", "00102abcdef012345", "+1", "-1"] {
            assert_eq!(nonce(text), Err(Malformed::Nonce(16)), "{text}");
        }
        let five = decode(SubmitForm::Kaspa, &header, r#"["a","1","00","00","5"]"#, 0).unwrap();
        assert_eq!((five.nonce, five.ntime), (0x0102_0000_0000_0005, 77));
    }

    #[test]
    fn job_numbers_may_be_strings_or_numbers_where_the_dialect_says_so() {
        let number = |variant: &Variant, params: &str| {
            job_number(variant, &serde_json::from_str::<Params<'_>>(params).unwrap())
        };
        assert_eq!(number(&KASPA.variants[0], r#"["a",256,"1"]"#), Some(256));
        assert_eq!(number(&KASPA.variants[0], r#"["a","0256","1"]"#), Some(256));
        assert_eq!(number(&STANDARD.variants[0], r#"["a","1f","1"]"#), Some(31));
        assert_eq!(number(&BDAG.variants[0], r#"["a","xyz","1"]"#), None);
        assert_eq!(number(&BDAG.variants[0], r#"["a"]"#), None);
    }

    proptest! {
        #[test]
        fn no_parameters_panic(
            fields in prop::collection::vec(prop_oneof![
                "[0-9a-fA-Fx]{0,20}".prop_map(|text| format!("\"{text}\"")),
                "\"[^\"\\\\\\x00-\\x1f]{0,9}\"",
                "-?[0-9]{1,30}".prop_map(|digits| format!("\"{digits}\"")),
                Just("null".to_owned()),
                Just("[]".to_owned()),
                Just("{}".to_owned()),
            ], 0..9),
            mask in any::<u32>(),
        ) {
            let params = format!("[{}]", fields.join(","));
            let headers = [
                (SubmitForm::Coinbase, coinbase()),
                (SubmitForm::Bdag, HeaderForm::BdagMining { version: [0; 4], previous: [0; 32], bits: [0; 4], time: [0; 4] }),
                (SubmitForm::Kaspa, HeaderForm::PrePow { pre_pow_hash: [0; 32], timestamp_ms: 0 }),
            ];
            for (form, header) in &headers {
                if let Ok(share) = decode(*form, header, &params, mask) {
                    prop_assert!(share.extranonce.as_slice().starts_with(&PREFIX[..2]));
                }
            }
        }
    }
}
