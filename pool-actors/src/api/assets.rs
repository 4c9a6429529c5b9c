//! The dashboard's files. The library does not know where they come from.

use std::{borrow::Cow, fmt, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};

use super::{
    Api,
    access::SaysItself,
    errors::{ApiError, ErrorCode},
};

/// One file with the headers it is served with.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The content, uncompressed.
    pub bytes: Cow<'static, [u8]>,
    /// The same, packed by brotli once and for all.
    pub brotli: Option<Cow<'static, [u8]>>,
    /// Value for `Content-Type`.
    pub content_type: String,
    /// Strong entity tag, with its quotes (RFC 9110, section 8.8.3).
    pub etag: String,
    /// There is nothing at the path that was asked for: this is the page that says so.
    pub is_missing: bool,
}

/// Finds the file of a request path, such as `/assets/index.js`; pages of the single-page application get its one file, and
/// so do paths that are none, with [`Asset::is_missing`].
#[derive(Clone)]
pub struct Assets(Arc<Find>);

type Find = dyn Fn(&str) -> Option<Asset> + Send + Sync;

impl Assets {
    /// Files as `find` finds them.
    pub fn new(find: impl Fn(&str) -> Option<Asset> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The file of a path.
    pub(super) fn find(&self, path: &str) -> Option<Asset> {
        (self.0)(path)
    }

    /// No files: the API alone.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assets")
    }
}

/// File names below `/assets/` hold a hash of their content; everything else is asked for again, which an unchanged etag
/// answers cheaply.
fn cache_control(path: &str, is_missing: bool) -> &'static str {
    if path.starts_with("/assets/") && !is_missing {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Whatever no route takes: a file of the dashboard, or nothing.
pub(super) async fn serve(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let nothing = || ApiError::new(ErrorCode::NotFound, format!("there is no {}", request.path()));
    let own_route = ["/api", "/health", "/metrics", "/docs"].iter().any(|prefix| {
        request.path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if own_route || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(nothing());
    }
    let asset = api.assets.0(request.path()).ok_or_else(nothing)?;
    // The page that says so is for people: programs get what they get of any path.
    if asset.is_missing && !takes_html(&request) {
        return Err(nothing());
    }
    // Strong tags tell apart what differs by a byte (RFC 9110, section 8.8.3.3).
    let packed_etag = format!("{}-br\"", asset.etag.trim_end_matches('"'));
    let known = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == asset.etag || tag == packed_etag || tag == "*");
    let packed = asset.brotli.filter(|_| takes_brotli(&request));
    // Whether somebody has it already is asked of what there is alone (RFC 9110, section 13.2.1).
    let known = known && !asset.is_missing;
    let mut response = match (asset.is_missing, known) {
        (true, _) => HttpResponse::NotFound(),
        (false, true) => HttpResponse::NotModified(),
        (false, false) => HttpResponse::Ok(),
    };
    response
        .insert_header((header::ETAG, if packed.is_some() { packed_etag } else { asset.etag }))
        .insert_header((header::CACHE_CONTROL, cache_control(request.path(), asset.is_missing)))
        .insert_header((header::VARY, "Accept-Encoding"));
    if known {
        return Ok(response.finish());
    }
    response.insert_header((header::CONTENT_TYPE, asset.content_type));
    if packed.is_some() {
        // The server packs no answer that says how it is packed.
        response.insert_header((header::CONTENT_ENCODING, "br"));
    }
    let mut response = match packed.unwrap_or(asset.bytes) {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    };
    if asset.is_missing {
        response.extensions_mut().insert(SaysItself);
    }
    Ok(response)
}

/// Whether the client names HTML, as browsers do for a page.
fn takes_html(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

/// Whether the client names brotli without ruling it out (RFC 9110, section 12.5.3).
fn takes_brotli(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|wanted| {
            let mut parts = wanted.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("br"));
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            named && weight.is_ok_and(|weight| weight > 0.0)
        })
}
