//! The client's half of Stratum v1, dialect `standard`: reading what a pool says, writing shares, with little CPU.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a line from the pool means to a load generator.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// The request with this id was answered `true`.
    Accepted(u64),
    /// It was refused with this code and text.
    Refused(u64, i64, String),
    /// It has another result, as JSON text.
    Result(u64, &'a str),
    /// New work: id and time as they go into a share.
    Notify { job: &'a str, ntime: &'a str },
    /// The pool wants the miner to work with another extranonce; the size of its second half.
    Extranonce(usize),
    /// Work is of another function from here on, which changes nothing where nothing is hashed.
    Algorithm,
    /// Something that does not matter here.
    Other,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, borrow)]
    method: Option<&'a str>,
    #[serde(default, borrow)]
    params: Option<&'a RawValue>,
    #[serde(default, borrow)]
    result: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

/// Job, previous block, coinbase halves, branch, version, bits, time, clean.
pub(super) type NotifyParams<'a> =
    (&'a str, &'a str, &'a str, &'a str, Vec<&'a str>, &'a str, &'a str, &'a str, bool);

/// Reads one line, without its end. Anything that is no message of the protocol is `None`.
pub(super) fn read(line: &[u8]) -> Option<Incoming<'_>> {
    if let Some(id) = plain_true(line) {
        return Some(Incoming::Accepted(id));
    }
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    match (line.id, line.method) {
        (_, Some("mining.notify")) => {
            let (job, _, _, _, _, _, _, ntime, _): NotifyParams<'_> =
                serde_json::from_str(line.params?.get()).ok()?;
            Some(Incoming::Notify { job, ntime })
        }
        (_, Some("mining.set_extranonce")) => {
            let (_, size): (&str, usize) = serde_json::from_str(line.params?.get()).ok()?;
            Some(Incoming::Extranonce(size))
        }
        (_, Some("mining.set_algorithm")) => Some(Incoming::Algorithm),
        (_, Some(_)) => Some(Incoming::Other),
        (Some(id), None) => Some(reply(id, line.result, line.error)),
        (None, None) => Some(Incoming::Other),
    }
}

fn reply<'a>(id: u64, result: Option<&'a RawValue>, error: Option<&'a RawValue>) -> Incoming<'a> {
    if let Some(error) = error.map(RawValue::get).filter(|text| *text != "null") {
        let (code, text) = serde_json::from_str::<(i64, String, serde::de::IgnoredAny)>(error)
            .map_or_else(|_| (0, error.to_owned()), |(code, text, _)| (code, text));
        return Incoming::Refused(id, code, text);
    }
    match result.map(RawValue::get) {
        Some("true") => Incoming::Accepted(id),
        Some("false") | None => Incoming::Refused(id, 0, "false without an error".to_owned()),
        Some(other) => Incoming::Result(id, other),
    }
}

/// The compact form in which most pools accept, read without a JSON parser.
fn plain_true(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(br#"{"id":"#)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 19 || &rest[digits..] != br#","result":true,"error":null}"# {
        return None;
    }
    Some(rest[..digits].iter().fold(0, |id, digit| id * 10 + u64::from(digit - b'0')))
}

/// Size of extranonce2 from the result of a subscription.
pub(super) fn extranonce2_size(result: &str) -> Option<usize> {
    let (_, _, size) = serde_json::from_str::<(&RawValue, &RawValue, usize)>(result).ok()?;
    (2..=16).contains(&size).then_some(size)
}

/// Writes a share; `extranonce2` and `nonce` are text, so that bad ones can be sent too.
pub(super) fn submit(
    out: &mut Vec<u8>,
    id: u64,
    worker: &str,
    job: &str,
    (extranonce2, ntime, nonce): (&[u8], &str, &[u8]),
) {
    out.extend_from_slice(br#"{"id":"#);
    decimal(out, id);
    out.extend_from_slice(br#","method":"mining.submit","params":[""#);
    for (index, field) in
        [worker.as_bytes(), job.as_bytes(), extranonce2, ntime.as_bytes(), nonce].into_iter().enumerate()
    {
        if index > 0 {
            out.extend_from_slice(br#"",""#);
        }
        out.extend_from_slice(field);
    }
    out.extend_from_slice(b"\"]}\n");
}

/// Appends a number.
pub(super) fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `N` hex digits of a number, most significant first.
pub(super) fn hex<const N: usize>(value: u64) -> [u8; N] {
    let mut shifted = value;
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(shifted & 15) as usize];
        shifted >>= 4;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_pools_are_understood() {
        let cases: [(&str, Option<Incoming<'_>>); 9] = [
            (r#"{"id":17,"result":true,"error":null}"#, Some(Incoming::Accepted(17))),
            (r#"{"result": true, "id": 4, "error": null}"#, Some(Incoming::Accepted(4))),
            (
                r#"{"id":9,"result":null,"error":[22,"Duplicate share",null]}"#,
                Some(Incoming::Refused(9, 22, "Duplicate share".to_owned())),
            ),
            (
                r#"{"id":9,"result":false}"#,
                Some(Incoming::Refused(9, 0, "false without an error".to_owned())),
            ),
            (r#"{"id":1,"result":[[],"00",4],"error":null}"#, Some(Incoming::Result(1, r#"[[],"00",4]"#))),
            (
                r#"{"id":null,"method":"mining.notify","params":["j1","p","a","b",["c"],"1","2","66aa",true]}"#,
                Some(Incoming::Notify { job: "j1", ntime: "66aa" }),
            ),
            (
                r#"{"id":null,"method":"mining.set_extranonce","params":["ab",8]}"#,
                Some(Incoming::Extranonce(8)),
            ),
            (r#"{"id":null,"method":"mining.set_difficulty","params":[1]}"#, Some(Incoming::Other)),
            ("nonsense", None),
        ];
        for (line, meaning) in cases {
            assert_eq!(read(line.as_bytes()), meaning, "{line}");
        }
        assert_eq!(extranonce2_size(r#"[[["mining.notify","1"]],"08000002",4]"#), Some(4));
        assert_eq!(extranonce2_size(r#"[[],"08",0]"#), None);
    }

    #[test]
    fn a_share_is_written_as_json() {
        let mut out = Vec::new();
        submit(&mut out, 10, "a.b", "j", (&hex::<8>(0xab), "66aa", &hex::<8>(u64::MAX)));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"id\":10,\"method\":\"mining.submit\",\"params\":[\"a.b\",\"j\",\"000000ab\",\"66aa\",\"ffffffff\"]}\n"
        );
        let mut out = Vec::new();
        decimal(&mut out, 0);
        decimal(&mut out, u64::MAX);
        assert_eq!(out, b"018446744073709551615");
    }
}
