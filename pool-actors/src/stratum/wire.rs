//! Stratum's lines: requests are borrowed from the read buffer, replies are written straight into the output buffer.
//!
//! Some miners scan for substrings instead of parsing, so what we send is compact, with the keys in the order
//! `id, method, params` and `id, result, error`; ids are echoed byte for byte.

use std::borrow::Cow;

use serde::{
    Deserialize,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::plain::{self, PlainId};

/// Longest id that is echoed, in bytes.
pub const ID_LENGTH_MAX: usize = 64;
/// Parameters that are looked at; further ones are skipped.
pub const PARAMS_MAX: usize = 8;

/// JSON-RPC: not JSON.
pub const CODE_PARSE: i32 = -32700;
/// JSON-RPC: JSON, but no request.
pub const CODE_INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: a method that the pool does not know.
pub const CODE_UNKNOWN_METHOD: i32 = -32601;
/// JSON-RPC: parameters of the wrong number or type.
pub const CODE_BAD_PARAMS: i32 = -32602;

/// A request's id, kept until the reply. Numbers, strings and `null` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyId(Id);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Id {
    Null,
    /// As nearly all miners count their requests: its decimal digits are what stood in the line.
    Number(u64),
    /// Anything else, as it stands in the line.
    Text(Box<[u8]>),
}

impl ReplyId {
    /// The id of replies to lines whose own id can't be told.
    #[must_use]
    pub const fn null() -> Self {
        Self(Id::Null)
    }

    /// Appends its JSON text, byte for byte that of the line.
    #[inline]
    pub fn push(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Id::Null => out.extend_from_slice(b"null"),
            Id::Number(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Id::Text(text) => out.extend_from_slice(text),
        }
    }

    fn parse(raw: Option<&RawValue>) -> Result<Self, LineError> {
        raw.map_or(Ok(Self::null()), |raw| Self::of(raw.get()))
    }

    /// An id that [`plain`] has read.
    ///
    /// # Errors
    /// When it is too long.
    #[inline]
    pub(super) fn plain(id: PlainId<'_>) -> Result<Self, LineError> {
        match id {
            PlainId::Number(number) => Ok(Self(Id::Number(number))),
            PlainId::Text(text) => Self::of(text),
        }
    }

    fn of(text: &str) -> Result<Self, LineError> {
        let bytes = text.as_bytes();
        let known = match bytes.first() {
            Some(b'"') => true,
            // A number that no double holds (1e999999) could not be read back by the miner that sent it.
            Some(b'-' | b'0'..=b'9') => {
                !bytes.iter().any(|b| matches!(b, b'e' | b'E')) || text.parse().is_ok_and(f64::is_finite)
            }
            _ if text == "null" => return Ok(Self::null()),
            _ => false,
        };
        if known && bytes.len() <= ID_LENGTH_MAX {
            Ok(Self(Id::Text(bytes.into())))
        } else {
            Err(LineError::InvalidRequest("id must be a number, a short string or null"))
        }
    }
}

/// What a line asks.
#[derive(Debug)]
pub struct Request<'a> {
    /// To be echoed.
    pub id: ReplyId,
    /// Method name.
    pub method: Cow<'a, str>,
    /// Parameters, not looked at yet.
    pub params: Option<&'a RawValue>,
}

/// What a line is.
#[derive(Debug)]
pub enum Line<'a> {
    /// A share in the usual form, its parameters already read.
    Share {
        /// To be echoed.
        id: ReplyId,
        /// Its parameters, all strings.
        params: PlainParams<'a>,
    },
    /// Any other request (or notification).
    Request(Request<'a>),
    /// An answer to something that we asked (`client.get_version`).
    Response {
        /// The result, if there is one.
        result: Option<&'a RawValue>,
    },
}

/// A line that is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not JSON (or nested absurdly).
    #[error("Parse error: not a JSON object")]
    Parse,
    /// JSON of another shape.
    #[error("Invalid request: {0}")]
    InvalidRequest(&'static str),
}

impl LineError {
    /// Its code on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Parse => CODE_PARSE,
            Self::InvalidRequest(_) => CODE_INVALID_REQUEST,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
}

/// Reads one line (without its newline), nested at most `depth_max` deep.
///
/// # Errors
/// [`LineError`].
#[inline]
pub fn parse_line(line: &[u8], depth_max: usize) -> Result<Line<'_>, LineError> {
    match plain::submit(line) {
        Some((id, params)) => Ok(Line::Share { id: ReplyId::plain(id)?, params }),
        None => parse_general(line, depth_max),
    }
}

/// As [`parse_line`], for lines of any kind.
pub(super) fn parse_general(line: &[u8], depth_max: usize) -> Result<Line<'_>, LineError> {
    // serde would also take an array for the envelope.
    if line.first() != Some(&b'{') {
        return Err(LineError::Parse);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(line).map_err(|_| LineError::Parse)?;
    let id = ReplyId::parse(envelope.id)?;
    let Some(method) = envelope.method else {
        return Ok(Line::Response { result: envelope.result });
    };
    let method = text_of(method).ok_or(LineError::InvalidRequest("method must be a string"))?;
    // The share path can't nest (its parameters are scalars), so only the others pay for this.
    if method != "mining.submit" && !nesting_within(line, depth_max) {
        return Err(LineError::InvalidRequest("nested too deeply"));
    }
    Ok(Line::Request(Request { id, method, params: envelope.params }))
}

/// Whether brackets outside of strings nest at most `max` deep. The line is known to be JSON.
fn nesting_within(line: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in line {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// The text of a JSON string; borrowed unless it holds escapes.
#[must_use]
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned)
}

/// The parameters of a share, however they were read.
pub trait Fields {
    /// How many there are, at most [`PARAMS_MAX`].
    fn count(&self) -> usize;

    /// One of them, if it is a string.
    fn text(&self, index: usize) -> Option<Cow<'_, str>>;

    /// The text of a string or of a number.
    fn scalar(&self, index: usize) -> Option<Cow<'_, str>>;
}

/// Parameters that are all strings without escapes: where they stand in the line.
#[derive(Debug, Clone, Copy)]
pub struct PlainParams<'a> {
    line: &'a str,
    places: [(u16, u16); PARAMS_MAX],
    count: usize,
}

impl<'a> PlainParams<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self { line, places: [(0, 0); PARAMS_MAX], count: 0 }
    }

    /// Adds the next one; `None` when there is no place for it.
    #[inline]
    pub(super) fn push(&mut self, start: usize, end: usize) -> Option<()> {
        let place = self.places.get_mut(self.count)?;
        *place = (u16::try_from(start).ok()?, u16::try_from(end).ok()?);
        self.count += 1;
        Some(())
    }
}

impl Fields for PlainParams<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        let (start, end) = *self.places[..self.count].get(index)?;
        self.line.get(usize::from(start)..usize::from(end)).map(Cow::Borrowed)
    }

    #[inline]
    fn scalar(&self, index: usize) -> Option<Cow<'_, str>> {
        self.text(index)
    }
}

/// Positional parameters of a request.
#[derive(Debug, Default)]
pub struct Params<'a> {
    items: [Option<&'a RawValue>; PARAMS_MAX],
    length: usize,
}

impl<'a> Params<'a> {
    /// Reads the parameters; a missing or `null` list is an empty one. `None` when they are no list.
    #[must_use]
    pub fn parse(raw: Option<&'a RawValue>) -> Option<Self> {
        match raw {
            None => Some(Self::default()),
            Some(raw) if raw.get().starts_with('[') => serde_json::from_str(raw.get()).ok(),
            Some(_) => None,
        }
    }

    /// How many there are, at most [`PARAMS_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// One of them, as JSON.
    #[must_use]
    pub fn raw(&self, index: usize) -> Option<&'a RawValue> {
        *self.items.get(index)?
    }

    /// One of them, if it is a string.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<Cow<'a, str>> {
        text_of(self.raw(index)?)
    }

    /// The text of a string or of a number.
    #[must_use]
    pub fn scalar(&self, index: usize) -> Option<Cow<'a, str>> {
        match self.raw(index).map(RawValue::get) {
            Some(number) if number.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                Some(Cow::Borrowed(number))
            }
            _ => self.text(index),
        }
    }
}

impl Fields for Params<'_> {
    fn count(&self) -> usize {
        self.length
    }

    fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        Params::text(self, index)
    }

    fn scalar(&self, index: usize) -> Option<Cow<'_, str>> {
        Params::scalar(self, index)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Params<'a> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Params<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of parameters")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut params = Params::default();
                while params.length < PARAMS_MAX {
                    let Some(raw) = list.next_element::<&'de RawValue>()? else { return Ok(params) };
                    params.items[params.length] = Some(raw);
                    params.length += 1;
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(params)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Appends `{"id":ID,"result":RESULT,"error":null}`; `result` is JSON text.
pub fn push_result(out: &mut Vec<u8>, id: &ReplyId, result: &[u8]) {
    out.reserve(64 + result.len());
    out.extend_from_slice(b"{\"id\":");
    id.push(out);
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result);
    out.extend_from_slice(b",\"error\":null}\n");
}

/// Appends `{"id":ID,"result":null,"error":[CODE,"MESSAGE",null]}`.
pub fn push_error(out: &mut Vec<u8>, id: &ReplyId, code: i32, message: &str) {
    out.extend_from_slice(b"{\"id\":");
    id.push(out);
    out.extend_from_slice(b",\"result\":null,\"error\":[");
    push_display(out, code);
    out.push(b',');
    push_string(out, message);
    out.extend_from_slice(b",null]}\n");
}

/// Appends `{"id":null,"method":"METHOD","params":PARAMS}`; `params` is JSON text, `method` a plain name of ours.
pub fn push_notification(out: &mut Vec<u8>, method: &str, params: &[u8]) {
    push_call(out, b"null", method, params);
}

/// Appends a request of ours, which wants an answer.
pub fn push_call(out: &mut Vec<u8>, id: &[u8], method: &str, params: &[u8]) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id);
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":");
    out.extend_from_slice(params);
    out.extend_from_slice(b"}\n");
}

/// Appends a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string always serialises into memory");
}

/// Appends what `Display` shows (numbers).
pub fn push_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write as _;
    write!(out, "{value}").expect("writing into memory does not fail");
}

/// Appends lower-case hexadecimal digits.
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Decodes exactly `N` bytes of hexadecimal digits (either case); anything else is `None`.
#[must_use]
pub fn hex_exact<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex_into(text, &mut bytes).then_some(bytes)
}

/// Fills `bytes` from exactly twice as many hexadecimal digits (either case); `false`, and rubbish in `bytes`, for
/// anything else. By a table, since every share holds some 24 digits.
#[must_use]
pub fn hex_into(text: &str, bytes: &mut [u8]) -> bool {
    const NONE: u8 = 0x80;
    const VALUES: [u8; 256] = {
        let mut values = [NONE; 256];
        let mut value = 0_u8;
        while value < 16 {
            values[b"0123456789abcdef"[value as usize] as usize] = value;
            values[b"0123456789ABCDEF"[value as usize] as usize] = value;
            value += 1;
        }
        values
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || pairs.len() != bytes.len() {
        return false;
    }
    let mut seen = 0;
    for ([high, low], byte) in pairs.iter().zip(bytes) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    seen & NONE == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(line: &str) -> Request<'_> {
        match parse_line(line.as_bytes(), 8) {
            Ok(Line::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_are_echoed_as_they_came() {
        for id in ["1", "-7", "1.50", "\"a\"", "null", "\"\\u0041\"", "12345678901234567890123456789"] {
            let line = format!("{{\"method\":\"mining.ping\",\"id\": {id} ,\"params\":[]}}");
            let mut out = Vec::new();
            push_result(&mut out, &request(&line).id, b"true");
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("{{\"id\":{id},\"result\":true,\"error\":null}}\n")
            );
        }
        for id in ["true", "[1]", "{}", "1e999999", &format!("\"{}\"", "x".repeat(80))] {
            let line = format!("{{\"method\":\"mining.ping\",\"id\":{id}}}");
            let error = parse_line(line.as_bytes(), 8).unwrap_err();
            assert_eq!(error.code(), CODE_INVALID_REQUEST, "{id}");
        }
    }

    #[test]
    fn errors_are_arrays() {
        let mut out = Vec::new();
        push_error(&mut out, &ReplyId::null(), 20, "a \"quoted\"\nword");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"id\":null,\"result\":null,\"error\":[20,\"a \\\"quoted\\\"\\nword\",null]}\n"
        );
    }

    #[test]
    fn a_share_is_read_without_a_copy() {
        let line =
            r#"{"params":["a.b","1f","00000000","6a447f30","01000000"],"id":4,"method":"mining.submit"}"#;
        let Ok(Line::Share { id, params }) = parse_line(line.as_bytes(), 8) else { panic!("no share") };
        assert_eq!(id, ReplyId::plain(PlainId::Number(4)).unwrap());
        assert_eq!(params.count(), 5);
        assert!(matches!(params.text(0), Some(Cow::Borrowed("a.b"))));
        assert_eq!(params.text(5), None);
    }

    #[test]
    fn parameters_of_any_type_are_told_apart() {
        let line = r#"{"id":1,"method":"m","params":["x",7,null,[1,[2]],{"a":1},"\u0041",-1.5,true,9,10]}"#;
        let params = Params::parse(request(line).params).unwrap();
        assert_eq!(params.len(), PARAMS_MAX);
        assert_eq!(params.text(1), None);
        assert_eq!(params.scalar(1).as_deref(), Some("7"));
        assert_eq!(params.text(5).as_deref(), Some("A"));
        assert_eq!(params.scalar(6).as_deref(), Some("-1.5"));
        assert_eq!(params.scalar(3), None);
        assert!(Params::parse(request(r#"{"method":"m","params":null}"#).params).unwrap().is_empty());
        assert!(Params::parse(request(r#"{"method":"m","params":{"a":1}}"#).params).is_none());
        assert!(Params::parse(request(r#"{"method":"m"}"#).params).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_request_is_named() {
        for line in [
            "",
            "[]",
            "x",
            "{",
            "{\"id\":1,\"id\":2,\"method\":\"m\"}",
            "{\"id\":1}x",
            "{\"method\":\"\u{1}\"}",
        ] {
            assert_eq!(parse_line(line.as_bytes(), 8).unwrap_err(), LineError::Parse, "{line:?}");
        }
        assert_eq!(parse_line(b"{\"method\":\"\xff\"}", 8).unwrap_err(), LineError::Parse);
        assert!(matches!(parse_line(br#"{"id":1,"method":7}"#, 8), Err(LineError::InvalidRequest(_))));
        assert!(matches!(
            parse_line(br#"{"id":1,"result":"x","error":null}"#, 8),
            Ok(Line::Response { result: Some(_) })
        ));
        let deep =
            format!(r#"{{"id":1,"method":"m","params":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
        assert!(matches!(parse_line(deep.as_bytes(), 8), Err(LineError::InvalidRequest(_))));
        let quoted = format!(r#"{{"id":1,"method":"m","params":["{}\""]}}"#, "[".repeat(100));
        assert!(parse_line(quoted.as_bytes(), 8).is_ok());
    }

    #[test]
    fn hex_takes_exact_lengths_only() {
        assert_eq!(hex_exact::<4>("0a0B0c0D"), Some([10, 11, 12, 13]));
        for text in ["0a0b0c", "0a0b0c0d0e", "0x0b0c0d", "0a0b0c0g", "", " a0b0c0d"] {
            assert_eq!(hex_exact::<4>(text), None, "{text}");
        }
        let mut out = Vec::new();
        push_hex(&mut out, &[0, 255, 0x1a]);
        assert_eq!(out, b"00ff1a");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Line::Request(request)) = parse_line(&line, 8) {
                let _ = Params::parse(request.params);
            }
        }

        #[test]
        fn no_json_panics(text in r#"\{("(id|method|params|result|x)":(null|-?[0-9]{1,400}|"[^"\\]{0,9}"|\[(1|"a"|\[\[\]\]|,){0,9}\]|\{\}|1e999999)[,]?){0,6}\}"#) {
            if let Ok(Line::Request(request)) = parse_line(text.as_bytes(), 8) {
                if let Some(params) = Params::parse(request.params) {
                    for index in 0..PARAMS_MAX + 2 {
                        let _ = (params.text(index), params.scalar(index));
                    }
                }
                let mut out = Vec::new();
                push_error(&mut out, &request.id, 20, &request.method);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            }
        }
    }
}
