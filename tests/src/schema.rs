//! Checks answers of the API against its description, more strictly than the description is: no field more, none less.
//! (Clients must bear fields that they don't know; the pool must not have any that it does not describe.)

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

/// An API's description, to check answers against.
pub struct Described {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Described {
    /// By this OpenAPI document.
    #[must_use]
    pub fn new(document: &Value) -> Self {
        let mut document = document.clone();
        close(&mut document);
        Self { document, validators: Mutex::default() }
    }

    /// Whether an answer is as described. `path` is without its query; `media` without parameters.
    ///
    /// # Errors
    /// What is not, in words.
    pub fn check(
        &self,
        method: &str,
        path: &str,
        status: u16,
        media: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let method = if method == "HEAD" { "GET" } else { method };
        let path = &decoded(path);
        let Some((pattern, operation)) = self.operation(method, path) else {
            return match status {
                // The dashboard's, or nobody's: every error has the same shape.
                400.. => self.matches("/components/schemas/ErrorAnswer", body),
                _ if path.starts_with("/api/") => Err(format!("{method} {path} is not described")),
                _ => Ok(()),
            };
        };
        let place = format!("/paths/{}/{}/responses/{status}", escaped(pattern), method.to_lowercase());
        if status == 405 || status == 304 {
            return Ok(());
        }
        let answer = operation["responses"]
            .get(status.to_string())
            .ok_or_else(|| format!("{method} {pattern} may not answer {status}"))?;
        let (place, answer) = match answer["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
            Some(to) => (to.to_owned(), self.document.pointer(to).unwrap_or(&Value::Null)),
            None => (place, answer),
        };
        let Some(contents) = answer["content"].as_object() else {
            return if body.is_empty() || status == 101 {
                Ok(())
            } else {
                Err(format!("{method} {pattern} answers {status} with a body that is not described"))
            };
        };
        let base = |media: &str| media.split(';').next().unwrap_or_default().trim().to_owned();
        let key = contents
            .keys()
            .find(|key| base(key) == base(media))
            .ok_or_else(|| format!("{method} {pattern} may not answer {status} as {media:?}"))?;
        if base(media) != "application/json" {
            return Ok(());
        }
        self.matches(&format!("{place}/content/{}/schema", escaped(key)), body)
            .map_err(|error| format!("{method} {pattern}, {status}: {error}"))
    }

    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let fits = |pattern: &str| {
            let (wanted, given) = (pattern.split('/'), path.split('/'));
            wanted.clone().count() == given.clone().count()
                && wanted.zip(given).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
        };
        // A path in so many words comes before one with a name in its place.
        let paths = self.document["paths"].as_object()?;
        let found = paths
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .min_by_key(|(pattern, _)| pattern.matches('{').count())?;
        let operation = found.1.get(method.to_lowercase())?;
        Some((found.0, operation))
    }

    fn matches(&self, place: &str, body: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON ({error})"))?;
        let validator = self.validator(place)?;
        let wrong: Vec<String> = validator
            .iter_errors(&value)
            .take(5)
            .map(|error| format!("{} at {}", error, error.instance_path))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{value}", wrong.join("; "))) }
    }

    fn validator(&self, wanted: &str) -> Result<Arc<Validator>, String> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = validators.get(wanted) {
            return Ok(Arc::clone(known));
        }
        let mut root = self.document.clone();
        // A reference is a URI: braces are written out in it.
        let place = wanted.replace('{', "%7B").replace('}', "%7D");
        root["$ref"] = json!(format!("#{place}"));
        let made = jsonschema::options().should_validate_formats(true).build(&root);
        let made = Arc::new(made.map_err(|error| format!("the schema at {place}: {error}"))?);
        validators.insert(wanted.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

/// A path as the router reads it: with its percent-encoded characters.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = path_code(after).filter(|_| *first == b'%');
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn path_code(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits.get(..2)?).ok()?, 16).ok()
}

/// As a part of a JSON pointer (RFC 6901).
fn escaped(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// No object has more properties than are named.
fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_object = map.get("type").is_some_and(|kind| kind == "object");
            if is_object && map.get("properties").is_some_and(Value::is_object) {
                map.entry("additionalProperties").or_insert(json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod schema_checks {
    use super::*;

    fn described() -> Described {
        let thing = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": ["integer", "null"] } } });
        Described::new(&json!({
            "paths": { "/api/x/{id}": { "get": { "responses": {
                "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } } },
                "404": { "$ref": "#/components/responses/Refused404" },
                "204": {},
            } } } },
            "components": {
                "schemas": { "Thing": thing, "ErrorAnswer": { "type": "object", "required": ["error"], "properties": { "error": {} } } },
                "responses": { "Refused404": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorAnswer" } } } } },
            },
        }))
    }

    #[test]
    fn a_field_more_or_less_and_what_is_not_described_are_found() {
        let described = described();
        let check = |path, status, body: &str| {
            described.check("GET", path, status, "application/json; x=y", body.as_bytes())
        };
        assert_eq!(check("/api/x/1", 200, r#"{"a":null}"#), Ok(()));
        assert_eq!(check("/api/x/1", 404, r#"{"error":{}}"#), Ok(()));
        assert_eq!(check("/api/nothing", 404, r#"{"error":{}}"#), Ok(()));
        assert_eq!(check("/page", 200, "<p>"), Ok(()));
        assert_eq!(
            check("/%61pi/x/%2F%zz%", 200, r#"{"a":null}"#),
            Err("GET /api/x//%zz% is not described".to_owned())
        );
        assert_eq!(check("/%61pi/x/%C3%A9", 200, r#"{"a":null}"#), Ok(()));
        for (path, status, body) in [
            ("/api/x/1", 200, "{}"),
            ("/api/x/1", 200, r#"{"a":1,"b":2}"#),
            ("/api/x/1", 200, r#"{"a":"1"}"#),
            ("/api/x/1", 200, "no json"),
            ("/api/x/1", 404, "{}"),
            ("/api/x/1", 500, r#"{"error":{}}"#),
            ("/api/x/1", 204, "{}"),
            ("/api/nothing", 200, "{}"),
            ("/page", 404, "gone"),
        ] {
            assert!(check(path, status, body).is_err(), "{path} {status} {body}");
        }
    }
}
