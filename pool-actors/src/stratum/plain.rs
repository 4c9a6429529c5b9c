//! Shares as nearly all miners write them, read in one pass: nine of ten lines are these, and a general JSON parser
//! takes several times as long over them.
//!
//! Reads `{"id":N,"method":"mining.submit","params":["...",...]}` with the keys in any order and white space anywhere.
//! Whatever else a line holds (escapes, other keys, other types) is left to [`super::wire::parse_line`], which decides;
//! the two never differ in what they both read (a property test compares them).

use super::wire::PlainParams;

/// Longest number that is taken for an id here: any of that many digits fits.
const ID_DIGITS_MAX: usize = 19;

/// A share's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainId<'a> {
    /// Written without leading zeros.
    Number(u64),
    /// A string without escapes, with its quotation marks.
    Text(&'a str),
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes this byte, and white space around it.
    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_white_space();
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        self.skip_white_space();
        Some(())
    }

    /// Takes these bytes if they come next.
    #[inline]
    fn takes<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        let comes = self.rest().first_chunk() == Some(bytes);
        if comes {
            self.at += N;
        }
        comes
    }

    /// A string without escapes; where its text begins and ends.
    #[inline]
    fn string(&mut self) -> Option<(usize, usize)> {
        let (b'"', rest) = self.rest().split_first()? else { return None };
        let length = end_of_string(rest)?;
        if rest[length] != b'"' {
            return None;
        }
        let start = self.at + 1;
        self.at = start + length + 1;
        Some((start, start + length))
    }

    /// A whole number, or a string without escapes.
    #[inline]
    fn id(&mut self) -> Option<PlainId<'a>> {
        let start = self.at;
        if self.peek()? == b'"' {
            self.string()?;
            return self.text.get(start..self.at).map(PlainId::Text);
        }
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        let leading_zero = digits > 1 && self.text.as_bytes()[start] == b'0';
        (1..=ID_DIGITS_MAX).contains(&digits).then_some(PlainId::Number(number)).filter(|_| !leading_zero)
    }

    #[inline]
    fn strings(&mut self) -> Option<PlainParams<'a>> {
        self.take(b'[')?;
        let mut params = PlainParams::of(self.text);
        loop {
            let (start, end) = self.string()?;
            params.push(start, end)?;
            if self.takes(b",") {
                self.skip_white_space();
                continue;
            }
            self.skip_white_space();
            match self.peek()? {
                b',' => self.take(b',')?,
                b']' => {
                    self.at += 1;
                    return Some(params);
                }
                _ => return None,
            }
        }
    }
}

/// The first quotation mark, backslash or control character, eight bytes at a time.
#[inline]
fn end_of_string(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is below `limit` (at most 128). A byte behind such a one may be marked wrongly, the
    // first never is.
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (EACH * 0x22), 1);
        let backslash = below(word ^ (EACH * 0x5c), 1);
        let found = quote | backslash | below(word, 0x20);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let in_rest = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < b' ')?;
    Some(words.len() * 8 + in_rest)
}

/// Id and parameters of a share; `None` for everything that is not certainly one.
#[must_use]
#[inline]
pub fn submit(line: &[u8]) -> Option<(PlainId<'_>, PlainParams<'_>)> {
    let mut cursor = Cursor { text: std::str::from_utf8(line).ok()?, at: 0 };
    let (mut id, mut method, mut params) = (None, false, None);
    // White space before the object is for the general parser to judge.
    if cursor.peek()? != b'{' {
        return None;
    }
    cursor.take(b'{')?;
    loop {
        if id.is_none() && cursor.takes(b"\"id\"") {
            cursor.take(b':')?;
            id = Some(cursor.id()?);
        } else if !method && cursor.takes(b"\"method\"") {
            cursor.take(b':')?;
            method = cursor.takes(b"\"mining.submit\"").then_some(true)?;
        } else if params.is_none() && cursor.takes(b"\"params\"") {
            cursor.take(b':')?;
            params = Some(cursor.strings()?);
        } else {
            return None;
        }
        cursor.skip_white_space();
        match cursor.peek()? {
            b',' => cursor.take(b',')?,
            b'}' => break,
            _ => return None,
        }
    }
    cursor.take(b'}')?;
    let ended = cursor.at == line.len();
    (ended && method).then_some(())?;
    Some((id?, params?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stratum::wire::{Fields as _, Line, PARAMS_MAX, Params, ReplyId, Request, parse_general};

    fn general(line: &str) -> Option<Request<'_>> {
        match parse_general(line.as_bytes(), 8) {
            Ok(Line::Request(request)) => Some(request),
            _ => None,
        }
    }

    fn agrees(line: &str) -> bool {
        let Some((id, params)) = submit(line.as_bytes()) else { return true };
        let Some(request) = general(line) else { return false };
        let Some(theirs) = Params::parse(request.params) else { return false };
        let mut echo = Vec::new();
        ReplyId::plain(id).unwrap().push(&mut echo);
        let mut theirs_echo = Vec::new();
        request.id.push(&mut theirs_echo);
        request.method == "mining.submit"
            && echo == theirs_echo
            && params.count() == theirs.len()
            && (0..PARAMS_MAX + 1).all(|index| {
                params.text(index) == theirs.text(index) && params.scalar(index) == theirs.scalar(index)
            })
    }

    #[test]
    fn shares_of_known_miners_are_read_here() {
        for line in [
            r#"{"method": "mining.submit", "params": ["account.rig1", "6b03611000000000", "0000000000000000", "6b036110", "517c1800"], "id":4}"#,
            r#"{"id":1000,"method":"mining.submit","params":["0x...","job1","00000000","6a447f30","01000000"]}"#,
            "{ \"id\" : \"x\",\"params\" :[ \"a\" , \"b\"]\t,\"method\":\"mining.submit\" }\r",
            r#"{"id":0,"method":"mining.submit","params":["1","2","3","4","5","6","7","8"]}"#,
        ] {
            assert!(submit(line.as_bytes()).is_some() && agrees(line), "{line}");
        }
    }

    #[test]
    fn anything_unusual_is_left_to_the_general_parser() {
        for line in [
            "",
            "{}",
            r#"{"id":1,"method":"mining.submit"}"#,
            r#"{"method":"mining.submit","params":["a"]}"#,
            r#"{"id":1,"method":"mining.notify","params":["a"]}"#,
            r#"{"id":01,"method":"mining.submit","params":["a"]}"#,
            r#"{"id":1.5,"method":"mining.submit","params":["a"]}"#,
            r#"{"id":null,"method":"mining.submit","params":["a"]}"#,
            r#"{"id":1,"id":2,"method":"mining.submit","params":["a"]}"#,
            r#"{"id":1,"method":"mining.submit","params":["\u0041"]}"#,
            r#"{"id":1,"method":"mining.submit","params":[]}"#,
            r#"{"id":1,"method":"mining.submit","params":["a",7]}"#,
            r#"{"id":1,"method":"mining.submit","params":["a",]}"#,
            r#"{"id":1,"method":"mining.submit","params":["a"],}"#,
            r#"{"id":1,"method":"mining.submit","params":["a"]}}"#,
            r#"{"id":1,"method":"mining.submit","params":["a"],"jsonrpc":"2.0"}"#,
            r#" {"id":1,"method":"mining.submit","params":["a"]}"#,
            r#"{"id":1,"method":"mining.submit","params":["1","2","3","4","5","6","7","8","9"]}"#,
        ] {
            assert!(submit(line.as_bytes()).is_none(), "{line}");
        }
        assert!(submit(b"{\"id\":1,\"method\":\"mining.submit\",\"params\":[\"\xff\"]}").is_none());
    }

    proptest! {
        #[test]
        fn a_string_ends_where_it_ends(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(0x1f), Just(b' '), any::<u8>(), 0x80u8..], 0..40)) {
            let one_by_one = bytes.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < b' ');
            prop_assert_eq!(end_of_string(&bytes), one_by_one);
        }

        #[test]
        fn both_parsers_agree(
            line in r#"[{ ]{1,2}(("id":(0|[0-9]{1,21}|"[a-z\\"]{0,70}"|null|-1)|"method" ?: ?"mining\.submit"|"params" ?: ?\[( ?"[a-zé\\.0-9]{0,9}" ?,?|,|7){0,9}\]|"x":1)[, ]{0,2}){0,5}[}]{1,2}[ \r]?"#
        ) {
            prop_assert!(agrees(&line), "{}", line);
        }

        #[test]
        fn both_parsers_agree_on_shares_with_one_byte_changed(at in 0..100usize, byte in any::<u8>()) {
            let share = r#"{"id":1000,"method":"mining.submit","params":["account.rig1", "6b03","00000000","6a447f30","01000000"]}"#;
            let mut line = share.as_bytes().to_vec();
            let at = at % line.len();
            line[at] = byte;
            match std::str::from_utf8(&line) {
                Ok(text) => prop_assert!(agrees(text), "{}", text),
                Err(_) => prop_assert!(submit(&line).is_none()),
            }
        }
    }
}
