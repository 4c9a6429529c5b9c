//! Times and numbers on the wire, and the shape of what is sent.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use pool_domain::units::{TimeMs, civil_from_days};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::errors::ApiError;

/// A JSON object. By itself serde takes a list for one, too, with the values in the order in which the program happens to
/// name them.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Named(PhantomData)).map(Self)
    }
}

/// A JSON body that may be missing; one that is there must be right.
pub(super) fn optional<T: Default + DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let Object(body) =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("body: {error}")))?;
    Ok(body)
}

/// RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T12:00:00.000Z`.
pub fn rfc3339(at: TimeMs) -> String {
    at.rfc3339()
}

/// The same; `null` for 0, which stands for "never".
pub(super) fn time_or_null(at: TimeMs) -> Value {
    if at.0 == 0 { Value::Null } else { rfc3339(at).into() }
}

/// The time that a text names: RFC 3339 with seconds, an optional fraction, and `Z` or an offset.
pub(super) fn parse_rfc3339(text: &str) -> Option<TimeMs> {
    // `parse` alone takes a sign for a digit.
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let read = |part: &str| is_number(part).then(|| part.parse::<u64>().ok()).flatten();
    let digits = |from: usize, to: usize| read(text.get(from..to)?);
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let marks = text.get(..19)?.as_bytes();
    let shaped = marks[4] == b'-' && marks[7] == b'-' && marks[13] == b':' && marks[16] == b':';
    if !shaped || !matches!(marks[10], b'T' | b't' | b' ') || year < 1970 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
    let offset_s = if matches!(zone, "Z" | "z") {
        0
    } else {
        let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
        if hours.len() != 2 || minutes.len() != 2 {
            return None;
        }
        let (hours, minutes) = (read(hours)?, read(minutes)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        let seconds = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
        if zone.starts_with('+') { seconds } else { -seconds }
    };
    // The inverse of `civil_from_days`, by the same author.
    let shifted = if month > 2 { year } else { year.checked_sub(1)? };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days =
        shifted / 400 * 146_097 + shifted % 400 * 365 + shifted % 400 / 4 - shifted % 400 / 100 + day_of_year;
    let days = days.checked_sub(719_468)?;
    if civil_from_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let s = i64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()? - offset_s;
    Some(TimeMs(u64::try_from(s).ok()? * 1_000 + ms))
}

/// A JSON number; rounded where 64 bits don't hold it.
pub(super) fn number(n: u128) -> Value {
    u64::try_from(n).map_or_else(|_| Value::from(n as f64), Value::from)
}

/// A count per 1,000 seconds as a JSON number per second.
pub(super) fn per_second(per_1000_s: u64) -> Value {
    Value::from(per_1000_s as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_no_list() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Two {
            one: u8,
            other: Option<u8>,
        }
        let read = |text| serde_json::from_str::<Object<Two>>(text).map(|Object(two)| (two.one, two.other));
        assert_eq!(read(r#"{"one":1,"other":2}"#).unwrap(), (1, Some(2)));
        assert_eq!(read(r#"{"one":1}"#).unwrap(), (1, None));
        for (text, words) in [
            ("[1,2]", "invalid type: sequence, expected an object at line 1"),
            ("null", "expected an object"),
            ("7", "expected an object"),
            (r#"{"one":1,"more":2}"#, "unknown field `more`"),
            (r#"{"other":2}"#, "missing field `one`"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(TimeMs(ms)), text);
        }
        assert_eq!(time_or_null(TimeMs(0)), Value::Null);
    }

    #[test]
    fn times_are_read_back() {
        for ms in [0, 951_782_400_000, 951_868_800_001, 1_735_689_599_999, 4_107_542_400_000] {
            assert_eq!(parse_rfc3339(&rfc3339(TimeMs(ms))), Some(TimeMs(ms)));
        }
        assert_eq!(parse_rfc3339("2026-11-23T02:00:00+01:30"), parse_rfc3339("2026-11-23T00:30:00.0Z"));
        assert_eq!(parse_rfc3339("2026-11-22T00:30:01-23:59"), parse_rfc3339("2026-11-23T00:29:01Z"));
        for wrong in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-11-23",
            "2026-11-23T25:00:00Z",
            "2026-11-23T02:00:00",
            "2026-11-23T02:00:00+9000000000000000000:00",
            "2026-11-23T02:00:00-9223372036854775808:00",
            "2026-11-23T02:00:00+00:9223372036854775807",
            "2026-11-23T02:00:00+24:00",
            "2026-11-23T02:00:00+00:60",
            "2026-11-23T02:00:00+1:00",
            "2026-11-23T02:00:00+-1:00",
            "2026-11-23T02:00:00+",
            "2026-+1-+2T02:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(number(7).to_string(), "7");
        assert_eq!(number(u128::from(u64::MAX)).to_string(), u64::MAX.to_string());
        assert!(number(u128::MAX).as_f64().unwrap() > 3e38);
        assert_eq!(per_second(12_500).to_string(), "12.5");
    }
}
