//! The built dashboard, embedded into the binary.
//!
//! `npm run build` writes `dist/`; this crate embeds whatever is there at compile time. A checkout whose front end was
//! never built still compiles: it serves one page that says how to build it.
//!
//! The crate knows nothing of HTTP servers: it maps a request path to bytes and the headers that belong to them.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "dist/"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";
const PLACEHOLDER: &[u8] = include_bytes!("placeholder.html");

/// First path segments that belong to the pool's own routes: an unknown path below them is a 404, never the page.
const RESERVED: &[&str] = &["api", "health", "metrics", "docs"];

/// Every page of the front end, as its router has them (`web/pages.tsx`): `{name}` is one part of a path.
const PAGES: &[&str] = &[
    "/",
    "/dag",
    "/blocks",
    "/blocks/{name}",
    "/miners",
    "/miners/{name}",
    "/payouts",
    "/algorithms",
    "/deployments",
    "/deployments/{name}",
    "/algorithms/bench",
    "/alerts",
    "/system",
    "/bans",
    "/config",
    "/logs",
    "/users",
    "/audit",
    "/account",
    "/forgot",
    "/reset",
    "/verify",
    "/sign-in",
];

/// What the build appends to the name of a packed copy, which has no address of its own.
const PACKED: &str = ".br";

/// One embedded file with what is known of it. How long it may be kept, and the policy it is served under, are the server's
/// (`api/assets.rs`, `api/access.rs` of pool-actors).
#[derive(Debug, Clone)]
pub struct Asset {
    /// The content, uncompressed.
    pub bytes: Cow<'static, [u8]>,
    /// The same, packed by brotli as well as can be, where the build found that smaller.
    pub brotli: Option<Cow<'static, [u8]>>,
    /// Value for `Content-Type`.
    pub content_type: String,
    /// Strong entity tag for `ETag`, with its quotes (RFC 9110, section 8.8.3).
    pub etag: String,
    /// Nothing is at this path: the file is the page that says so, and the answer is a 404.
    pub is_missing: bool,
}

/// The file for a request path (with or without the leading slash, without query).
///
/// The pages of the single-page application have no file of their own and get `index.html`; so do paths of which it says
/// that there is no such page ([`Asset::is_missing`]). `None` for missing files (a last segment with a dot) and for paths
/// below the pool's own routes.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.trim_start_matches('/');
    if let Some(found) = embedded(path) {
        return Some(found);
    }
    let is_missing = path != INDEX && !is_page(path);
    if is_missing && !may_say_so(path) {
        return None;
    }
    Some(Asset { is_missing, ..embedded(INDEX).unwrap_or_else(placeholder) })
}

/// Whether a front-end build is embedded; `false` means that only the page saying so is served.
#[must_use]
pub fn is_built() -> bool {
    Dist::get(INDEX).is_some()
}

/// Whether the front end has a page of this path, which has no leading slash.
fn is_page(path: &str) -> bool {
    PAGES.iter().any(|page| {
        let (mut wanted, mut given) = (page.trim_start_matches('/').split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("{name}"), Some(name)) if !name.is_empty() => {}
                (Some(part), Some(there)) if part == there => {}
                _ => return false,
            }
        }
    })
}

/// Whether a path that leads to nothing may have been meant for a page.
fn may_say_so(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    !RESERVED.contains(&first) && !last.contains('.')
}

fn embedded(path: &str) -> Option<Asset> {
    let file = Dist::get(path).filter(|_| !path.ends_with(PACKED))?;
    Some(Asset {
        bytes: file.data,
        brotli: Dist::get(&format!("{path}{PACKED}")).map(|packed| packed.data),
        content_type: content_type(path),
        etag: etag(&file.metadata.sha256_hash()),
        is_missing: false,
    })
}

fn placeholder() -> Asset {
    Asset {
        bytes: Cow::Borrowed(PLACEHOLDER),
        brotli: None,
        content_type: content_type(INDEX),
        etag: "\"placeholder\"".to_owned(),
        is_missing: false,
    }
}

fn content_type(path: &str) -> String {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    if mime.type_() == mime_guess::mime::TEXT { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

/// 128 bits of the content's SHA-256 are plenty to tell versions apart.
fn etag(sha256: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &sha256[..16] {
        write!(tag, "{byte:02x}").expect("writing to a String never fails");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_views_get_the_page() {
        for path in ["", "/", "/index.html", "/miners", "/blocks/00ff", "/miners/a.b", "/algorithms/bench"] {
            let page = asset(path).unwrap_or_else(|| panic!("{path} has a page"));
            assert!(!page.is_missing, "{path}");
            assert_eq!(page.content_type, "text/html; charset=utf-8");
            assert!(page.bytes.starts_with(b"<!doctype html>"), "{path} starts as a page");
        }
    }

    #[test]
    fn missing_files_and_routes_of_the_pool_are_not_found() {
        for path in
            ["/assets/gone-1234.js", "/robots.txt", "/../Cargo.toml", "/api/nothing", "/health/x", "/metrics"]
        {
            assert!(asset(path).is_none(), "{path} must not answer with the page");
        }
    }

    #[test]
    fn where_no_page_is_the_page_says_so() {
        // `/apiary` only starts like a route of the pool.
        for path in ["/apiary", "/minerz", "/miners/", "/miners/a/b", "/blocks//", "/{name}", "/sign-in/"] {
            let page = asset(path).unwrap_or_else(|| panic!("{path} is told of"));
            assert!(page.is_missing && page.bytes.starts_with(b"<!doctype html>"), "{path}");
        }
    }

    #[test]
    fn the_pages_are_those_of_the_router() {
        let router = include_str!("../web/pages.tsx");
        let known: Vec<&str> = router
            .lines()
            .filter_map(|line| line.trim().strip_prefix("path: \"")?.strip_suffix("\","))
            // The router's own page for what it does not know.
            .filter(|path| !path.is_empty())
            .collect();
        assert_eq!(known, PAGES);
    }

    #[test]
    fn every_embedded_file_is_served_with_its_own_headers() {
        for path in Dist::iter() {
            if let Some(whole) = path.strip_suffix(PACKED) {
                assert!(asset(&path).is_none(), "{path} has no address of its own");
                let packed =
                    asset(whole).and_then(|file| file.brotli).expect("a packed copy belongs to a file");
                assert!(packed.len() < Dist::get(whole).expect("it is there").data.len());
                continue;
            }
            let file = asset(&path).unwrap_or_else(|| panic!("{path} is embedded"));
            assert!(file.etag.starts_with('"') && file.etag.ends_with('"') && file.etag.len() == 34);
            assert!(!path.ends_with(".js") || file.brotli.is_some(), "{path} is packed");
        }
        assert_eq!(is_built(), Dist::iter().any(|path| path == INDEX));
    }

    #[test]
    fn the_placeholder_says_what_to_do() {
        let page = placeholder();
        assert!(String::from_utf8_lossy(&page.bytes).contains("make dashboard"));
    }

    #[test]
    fn content_types_are_those_browsers_insist_on() {
        assert_eq!(content_type("assets/a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("assets/a.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("assets/a.woff2"), "font/woff2");
        assert_eq!(content_type("favicon.svg"), "image/svg+xml");
        assert_eq!(content_type("strange.zzzz"), "application/octet-stream");
    }
}
