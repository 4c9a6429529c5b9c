//! InfluxDB's line protocol: <https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/>.

use std::fmt::Write as _;

use pool_domain::units::TimeMs;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// Of 64 bits with a sign there: what exceeds it is the largest.
    Integer(u128),
    /// A decimal number, as text.
    Decimal(String),
}

/// Adds a line with its end. Names of measurement, tags and fields are ours and need no escapes; values of tags may hold
/// anything, an empty one is left out.
pub(super) fn line(
    out: &mut String,
    measurement: &str,
    tags: &[(&str, &str)],
    fields: &[(&str, Field)],
    at: TimeMs,
) {
    out.push_str(measurement);
    for (key, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(out, ",{key}=");
        tag_value(out, value);
    }
    for (number, (key, value)) in fields.iter().enumerate() {
        out.push(if number == 0 { ' ' } else { ',' });
        // Writing to a string can't fail.
        let _ = match value {
            Field::Integer(value) => write!(out, "{key}={}i", i64::try_from(*value).unwrap_or(i64::MAX)),
            Field::Decimal(value) => write!(out, "{key}={value}"),
        };
    }
    let _ = writeln!(out, " {}", u128::from(at.0) * 1_000_000);
}

/// Comma, equals sign and space are escaped. A line can't hold a line's end, and a backslash before a separator would escape
/// that: both become what looks most like them.
fn tag_value(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            ',' | '=' | ' ' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push('/'),
            c if c.is_control() => out.push('_'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn one(tags: &[(&str, &str)], fields: &[(&str, Field)]) -> String {
        let mut out = String::new();
        line(&mut out, "pool_stats", tags, fields, TimeMs(1_640_995_200_000));
        out
    }

    #[test]
    fn lines_are_as_documented() {
        let fields = [("total_hashrate", Field::Integer(50_000_000)), ("active_miners", Field::Integer(100))];
        assert_eq!(
            one(&[("algorithm", "blake2s")], &fields),
            "pool_stats,algorithm=blake2s total_hashrate=50000000i,active_miners=100i 1640995200000000000\n"
        );
        let fields = [("difficulty", Field::Decimal("0.0005".into())), ("most", Field::Integer(u128::MAX))];
        assert_eq!(
            one(&[("a", ""), ("b", "x y,z=\\1\n")], &fields),
            "pool_stats,b=x\\ y\\,z\\=/1_ difficulty=0.0005,most=9223372036854775807i 1640995200000000000\n"
        );
    }

    /// A reader after the reference, which knows nothing of the writer: measurement, tags, rest.
    fn read(line: &str) -> (String, BTreeMap<String, String>, Vec<String>) {
        let mut chars = line.chars().peekable();
        let mut parts: Vec<Vec<String>> = vec![vec![String::new()]];
        while let Some(c) = chars.next() {
            let last = parts.last_mut().unwrap().last_mut().unwrap();
            match c {
                '\\' if chars.peek().is_some_and(|next| [',', '=', ' '].contains(next)) => {
                    last.push('\u{0}');
                    last.push(chars.next().unwrap());
                }
                ' ' => parts.push(vec![String::new()]),
                ',' => parts.last_mut().unwrap().push(String::new()),
                c => last.push(c),
            }
        }
        let plain = |text: &str| text.replace('\u{0}', "");
        let key_and_value = |text: &String| {
            let chars: Vec<char> = text.chars().collect();
            let at = (0..chars.len()).find(|at| chars[*at] == '=' && (*at == 0 || chars[at - 1] != '\u{0}'));
            let at = at.expect("a tag has a value");
            let half = |chars: &[char]| plain(&chars.iter().collect::<String>());
            (half(&chars[..at]), half(&chars[at + 1..]))
        };
        let tags = parts[0][1..].iter().map(key_and_value).collect();
        let rest = parts[1..].iter().map(|part| part.join(",")).collect();
        (parts[0][0].clone(), tags, rest)
    }

    proptest! {
        #[test]
        fn whatever_a_tag_holds_it_stays_one_line_of_these_parts(first in ".*", second in "[ ,=\\\\a\n\"']{0,8}") {
            let out = one(&[("a", &first), ("b", &second)], &[("n", Field::Integer(1))]);
            prop_assert_eq!(out.matches('\n').count(), 1);
            let (measurement, tags, rest) = read(out.trim_end_matches('\n'));
            prop_assert_eq!(measurement, "pool_stats");
            prop_assert_eq!(rest, vec!["n=1i".to_owned(), "1640995200000000000".to_owned()]);
            for (key, value) in [("a", &first), ("b", &second)] {
                let shown: String = value
                    .chars()
                    .map(|c| if c == '\\' { '/' } else if c.is_control() { '_' } else { c })
                    .collect();
                prop_assert_eq!(tags.get(key).cloned().unwrap_or_default(), shown);
            }
        }
    }
}
