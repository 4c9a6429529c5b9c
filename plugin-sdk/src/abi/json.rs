//! The little JSON that the interface needs, both ways: one object of texts, whole numbers, yes or no, and lists of these.
//!
//! Not `serde_json`: a wasm module with it would be mostly it. Fractions, negative numbers and objects within objects do
//! not occur and are refused.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

/// A value of an [`Object`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number from 0 to 2^64 - 1.
    Number(u64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// An object; its members keep their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

/// How deep lists may nest, so that no text can exhaust the stack.
const DEPTH: usize = 4;

impl Object {
    /// `{}`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.push((key.into(), value.into()));
        self
    }

    /// The value of a member; `null` and an absent one are the same.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, value)| name == key && *value != Value::Null).map(|(_, value)| value)
    }

    /// A member that must be a number.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn number(&self, key: &str) -> Result<u64, String> {
        match self.get(key) {
            Some(Value::Number(number)) => Ok(*number),
            other => Err(format!("{key:?} is not a whole number but {other:?}")),
        }
    }

    /// A member that must be a text.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        match self.get(key) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(format!("{key:?} is not a text but {other:?}")),
        }
    }

    /// A member that must be `true` or `false`.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn flag(&self, key: &str) -> Result<bool, String> {
        match self.get(key) {
            Some(Value::Flag(flag)) => Ok(*flag),
            other => Err(format!("{key:?} is not true or false but {other:?}")),
        }
    }

    /// A member that must be a list of texts.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, String> {
        let Some(Value::List(list)) = self.get(key) else { return Err(format!("{key:?} is not a list")) };
        list.iter()
            .map(|value| match value {
                Value::Text(text) => Ok(text.as_str()),
                other => Err(format!("{key:?} holds {other:?}, which is not a text")),
            })
            .collect()
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (i, (key, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_text(&mut out, key);
            out.push(':');
            write_value(&mut out, value);
        }
        out.push('}');
        out
    }

    /// From JSON.
    ///
    /// # Errors
    /// Where it is not what this module takes.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let text = core::str::from_utf8(json).map_err(|e| format!("not UTF-8: {e}"))?;
        let mut reader = Reader { text, at: 0 };
        let object = reader.object()?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.expected("the end"));
        }
        Ok(object)
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..'\u{20}' => {
                // A String takes everything.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Text(text) => write_text(out, text),
        Value::List(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, value);
            }
            out.push(']');
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn expected(&self, what: &str) -> String {
        format!("byte {}: {what} expected", self.at)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Whether `token` comes next, after space; it is then passed.
    fn passes(&mut self, token: &str) -> bool {
        self.space();
        let comes = self.rest().starts_with(token);
        self.at += if comes { token.len() } else { 0 };
        comes
    }

    fn pass(&mut self, token: &str) -> Result<(), String> {
        if self.passes(token) { Ok(()) } else { Err(self.expected(token)) }
    }

    fn object(&mut self) -> Result<Object, String> {
        self.pass("{")?;
        let mut members = Vec::new();
        if self.passes("}") {
            return Ok(Object(members));
        }
        loop {
            self.space();
            let key = self.quoted()?;
            self.pass(":")?;
            let value = self.value(0)?;
            if members.iter().any(|(name, _)| *name == key) {
                return Err(format!("byte {}: {key:?} is there twice", self.at));
            }
            members.push((key, value));
            if !self.passes(",") {
                self.pass("}")?;
                return Ok(Object(members));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.space();
        for (word, value) in
            [("null", Value::Null), ("true", Value::Flag(true)), ("false", Value::Flag(false))]
        {
            if self.passes(word) {
                return Ok(value);
            }
        }
        match self.rest().as_bytes().first() {
            Some(b'"') => Ok(Value::Text(self.quoted()?)),
            Some(b'0'..=b'9') => self.digits(),
            Some(b'[') if depth < DEPTH => self.list(depth),
            _ => Err(self.expected("a text, a whole number, true, false, null or a list")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.pass("[")?;
        let mut list = Vec::new();
        if self.passes("]") {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            if !self.passes(",") {
                self.pass("]")?;
                return Ok(Value::List(list));
            }
        }
    }

    fn digits(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(length);
        let whole = !after.starts_with(['.', 'e', 'E']) && (digits == "0" || !digits.starts_with('0'));
        let number = digits.parse().ok().filter(|_| whole).map(Value::Number);
        let number = number.ok_or_else(|| self.expected("a whole number below 2^64"))?;
        self.at += length;
        Ok(number)
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.pass("\"")?;
        let mut out = String::new();
        loop {
            let c = self.next_char()?;
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\0'..'\u{20}' => return Err(self.expected("a text without bare control characters")),
                _ => out.push(c),
            }
        }
    }

    fn next_char(&mut self) -> Result<char, String> {
        let c = self.rest().chars().next().ok_or_else(|| self.expected("the end of a text"))?;
        self.at += c.len_utf8();
        Ok(c)
    }

    fn escape(&mut self) -> Result<char, String> {
        Ok(match self.next_char()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            c @ ('"' | '\\' | '/') => c,
            'u' => {
                let high = self.hex4()?;
                let code = if (0xd800..0xdc00).contains(&high) {
                    if !self.rest().starts_with("\\u") {
                        return Err(self.expected("the other half of a character"));
                    }
                    self.at += 2;
                    let low = self.hex4()?.wrapping_sub(0xdc00);
                    if low < 0x400 { 0x1_0000 + ((high - 0xd800) << 10 | low) } else { high }
                } else {
                    high
                };
                char::from_u32(code).ok_or_else(|| self.expected("a character, no half of one,"))?
            }
            _ => return Err(self.expected("an escape of JSON")),
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn reads_what_others_write() {
        let text = br#" { "a" : "x\n\"\u00e9\ud83d\ude00\/", "b":18446744073709551615,"c":[ "p", 1,[] ],"d":null , "e":true} "#;
        let object = Object::parse(text).unwrap();
        assert_eq!(object.text("a"), Ok("x\n\"é😀/"));
        assert_eq!(object.number("b"), Ok(u64::MAX));
        let list = vec![Value::from("p"), Value::from(1), Value::List(vec![])];
        assert_eq!(object.get("c"), Some(&Value::List(list)));
        assert_eq!((object.get("d"), object.flag("e")), (None, Ok(true)));
        assert_eq!(object.texts("c").unwrap_err(), "\"c\" holds Number(1), which is not a text");
        assert!(object.number("a").is_err() && object.text("d").is_err() && object.flag("b").is_err());
        assert!(object.texts("a").is_err());
        assert_eq!(Object::parse(b"{}").unwrap().to_json(), "{}");
    }

    #[test]
    fn refuses_everything_else() {
        for bad in [
            "",
            "{",
            "[]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":1e3}",
            "{\"a\":01}",
            "{\"a\":18446744073709551616}",
            "{\"a\":{}}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"x",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":[[[[[1]]]]]}",
            "{\"a\":[1 2]}",
            "{a:1}",
            "{\"a\":tru}",
        ] {
            assert!(Object::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Object::parse(&[b'{', 0xff]).unwrap_err().starts_with("not UTF-8"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            texts: Vec<String>, number: u64, flag: bool, key in "[a-z]{1,8}", maybe: Option<u64>,
        ) {
            let object = Object::new()
                .with(&format!("0{key}"), texts)
                .with(&format!("1{key}"), number)
                .with(&format!("2{key}"), flag)
                .with(&format!("3{key}"), maybe);
            prop_assert_eq!(Object::parse(object.to_json().as_bytes()), Ok(object));
        }

        #[test]
        fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), json in "[{}\\[\\]\",:\\\\u0-9ad]{0,40}") {
            let _ = Object::parse(&bytes);
            let _ = Object::parse(json.as_bytes());
        }
    }
}
