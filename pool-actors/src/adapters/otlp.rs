//! [`SpanSink`] over OTLP/HTTP, in its JSON form: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. Numbers of traces and
//! spans are hexadecimal there, times are text, as 64 bits are no number to JSON.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url, header, redirect};
use serde_json::{Value, json};

use crate::{
    config::{Secret, Traces},
    error::{Code, Failure},
    ports::spans::{Field, Span, SpanSink},
};

/// Bound on one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is told.
const ANSWER_CHARS: usize = 300;

/// See the module's documentation.
pub struct OtlpSink {
    client: Client,
    url: Url,
    authorization: Option<header::HeaderValue>,
    resource: Value,
}

impl OtlpSink {
    /// A sink as configured; nothing is sent yet. `pool` is the service's name for people.
    ///
    /// # Errors
    /// What of the configuration can't be used.
    pub fn new(config: &Traces, pool: &str, node: &str) -> Result<Self, Failure> {
        let wrong =
            |what: String| Failure::new(Code::ConfigInvalid, what, "pool.example.toml documents [traces]");
        let mut url: Url =
            config.url.parse().map_err(|error| wrong(format!("traces.url is no address ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("traces.url must begin with http:// or https://".to_owned()));
        }
        let base = url.path().trim_end_matches('/').to_owned();
        if !base.ends_with("/v1/traces") {
            url.set_path(&format!("{base}/v1/traces"));
        }
        let authorization = config.authorization.as_ref().map(Secret::reveal).transpose()?;
        let authorization = authorization
            .map(|text| {
                let mut value = header::HeaderValue::try_from(text)
                    .map_err(|_| wrong("traces.authorization holds what a header can't".to_owned()))?;
                value.set_sensitive(true);
                Ok::<_, Failure>(value)
            })
            .transpose()?;
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        let client = client.map_err(|error| wrong(format!("no HTTP client: {error}")))?;
        let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let resource = json!({ "attributes": [
            attribute("service.name", "dagpool"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
            attribute("service.instance.id", node),
            attribute("dagpool.name", pool),
        ] });
        Ok(Self { client, url, authorization, resource })
    }

    fn request(&self, spans: &[Span]) -> Value {
        let spans: Vec<Value> = spans.iter().map(span_json).collect();
        json!({ "resourceSpans": [{
            "resource": self.resource,
            "scopeSpans": [{
                "scope": { "name": "dagpool", "version": env!("CARGO_PKG_VERSION") },
                "spans": spans,
            }],
        }] })
    }
}

fn span_json(span: &Span) -> Value {
    let attributes: Vec<Value> = span
        .attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Field::Text(text) => json!({ "stringValue": text }),
                Field::Number(number) => json!({ "intValue": number.to_string() }),
                Field::Flag(flag) => json!({ "boolValue": flag }),
            };
            json!({ "key": key, "value": value })
        })
        .collect();
    let parent = if span.parent_id == 0 { String::new() } else { format!("{:016x}", span.parent_id) };
    json!({
        "traceId": format!("{:032x}", span.trace_id),
        "spanId": format!("{:016x}", span.span_id),
        "parentSpanId": parent,
        "name": span.name,
        // SPAN_KIND_INTERNAL
        "kind": 1,
        "startTimeUnixNano": span.start_ns.to_string(),
        "endTimeUnixNano": span.end_ns.to_string(),
        "attributes": attributes,
        // STATUS_CODE_OK, STATUS_CODE_ERROR
        "status": { "code": if span.ok { 1 } else { 2 } },
    })
}

#[async_trait]
impl SpanSink for OtlpSink {
    async fn export(&self, spans: &[Span]) -> Result<(), String> {
        let mut request = self.client.post(self.url.clone()).json(&self.request(spans));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let said = answer.text().await.unwrap_or_default();
        let said: String = said.chars().filter(|c| !c.is_control()).take(ANSWER_CHARS).collect();
        Err(format!("{status}: {said}"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
        net::TcpListener,
    };

    use super::*;

    /// The messages of opentelemetry-proto that matter here, in the form that its JSON mapping gives them: a key of another
    /// name, or a value of another type, is an error.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Export {
        resource_spans: Vec<ResourceSpans>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct ResourceSpans {
        resource: Resource,
        scope_spans: Vec<ScopeSpans>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Resource {
        attributes: Vec<KeyValue>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ScopeSpans {
        scope: Scope,
        spans: Vec<Received>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scope {
        name: String,
        #[serde(rename = "version")]
        _version: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct KeyValue {
        key: String,
        value: AnyValue,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    enum AnyValue {
        #[serde(rename = "stringValue")]
        Text(String),
        #[serde(rename = "intValue")]
        Number(String),
        #[serde(rename = "boolValue")]
        Flag(bool),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Received {
        trace_id: String,
        span_id: String,
        parent_span_id: String,
        name: String,
        kind: u8,
        start_time_unix_nano: String,
        end_time_unix_nano: String,
        attributes: Vec<KeyValue>,
        status: Status,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Status {
        code: u8,
    }

    /// Takes one request, and answers with this status.
    async fn collector(status: &'static str) -> (String, tokio::task::JoinHandle<(String, String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taking = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).await.unwrap() > 0);
            }
            let header = |name: &str| {
                head.lines().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
                })
            };
            let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            assert_eq!(header("content-type").as_deref(), Some("application/json"));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
            let line = head.lines().next().unwrap().to_owned();
            (line, header("authorization").unwrap_or_default(), String::from_utf8(body).unwrap())
        });
        (url, taking)
    }

    fn span() -> Span {
        Span {
            trace_id: 0xabc,
            span_id: 5,
            parent_id: 0,
            name: "block",
            start_ns: u64::MAX - 1,
            end_ns: u64::MAX,
            attributes: vec![
                ("dagpool.algorithm", Field::Text("blake2s".into())),
                ("dagpool.height", Field::Number(u64::MAX)),
                ("dagpool.paid", Field::Flag(true)),
            ],
            ok: true,
        }
    }

    fn sink(url: String) -> OtlpSink {
        let authorization = Some(Secret::new("Bearer s3cret"));
        OtlpSink::new(&Traces { url, authorization, ..Traces::default() }, "My Pool", "node-0").unwrap()
    }

    #[actix_rt::test]
    async fn a_collector_can_decode_what_comes() {
        let (url, taking) = collector("200 OK").await;
        let child = Span { span_id: 6, parent_id: 5, name: "candidate", ok: false, ..span() };
        sink(url).export(&[span(), child]).await.unwrap();
        let (line, authorization, body) = taking.await.unwrap();
        assert_eq!(line, "POST /v1/traces HTTP/1.1");
        assert_eq!(authorization, "Bearer s3cret");
        let export: Export = serde_json::from_str(&body).unwrap();
        let found = &export.resource_spans[0];
        let service = found.resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        assert_eq!(service.value, AnyValue::Text("dagpool".into()));
        assert_eq!(found.scope_spans[0].scope.name, "dagpool");
        let [whole, part] = found.scope_spans[0].spans.as_slice() else { panic!("{body}") };
        assert_eq!(whole.trace_id, "00000000000000000000000000000abc");
        assert_eq!((whole.span_id.as_str(), whole.parent_span_id.as_str()), ("0000000000000005", ""));
        assert_eq!((part.parent_span_id.as_str(), part.name.as_str()), ("0000000000000005", "candidate"));
        assert_eq!((whole.kind, whole.status.code, part.status.code), (1, 1, 2));
        assert_eq!(whole.start_time_unix_nano.parse(), Ok(u64::MAX - 1));
        assert_eq!(whole.end_time_unix_nano.parse(), Ok(u64::MAX));
        let values: Vec<_> = whole.attributes.iter().map(|pair| &pair.value).collect();
        assert_eq!(
            values,
            [
                &AnyValue::Text("blake2s".into()),
                &AnyValue::Number(u64::MAX.to_string()),
                &AnyValue::Flag(true)
            ]
        );
    }

    #[actix_rt::test]
    async fn a_refusal_is_told_and_an_address_that_can_not_be_is_refused() {
        let (url, taking) = collector("503 Service Unavailable").await;
        let error = sink(format!("{url}/v1/traces")).export(&[span()]).await.unwrap_err();
        assert!(error.starts_with("503"), "{error}");
        assert_eq!(taking.await.unwrap().0, "POST /v1/traces HTTP/1.1");
        for url in ["collector:4318", "ftp://collector"] {
            let config = Traces { url: url.into(), ..Traces::default() };
            let refused = OtlpSink::new(&config, "", "").err().unwrap().to_string();
            assert!(refused.contains("traces.url"), "{refused}");
        }
    }
}
