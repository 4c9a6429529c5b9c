//! A form's parts, for uploads.

use memchr::memmem;

/// The content of one named part of a form (RFC 7578); parts are separated by CRLF, two dashes and the boundary.
pub(super) fn part<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let ends = format!("\r\n{boundary}");
    let mut rest = body.get(memmem::find(body, boundary.as_bytes())? + boundary.len()..)?;
    loop {
        let head_end = memmem::find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let content = &rest[head_end + 4..];
        let end = memmem::find(content, ends.as_bytes())?;
        if head.contains(&format!("name=\"{name}\"")) {
            return Some(&content[..end]);
        }
        rest = &content[end + ends.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_form_is_found_by_its_name() {
        let body = b"--xY\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--xY\r\nContent-Disposition: form-data; \
            name=\"package\"; filename=\"a.zip\"\r\nContent-Type: application/zip\r\n\r\nPK\r\n\x00--\r\n--xY--\r\n";
        let kind = "multipart/form-data; boundary=xY";
        assert_eq!(part(kind, body, "package"), Some(&b"PK\r\n\x00--"[..]));
        assert_eq!(part(kind, body, "other"), None);
        assert_eq!(part("multipart/form-data", body, "package"), None);
        assert_eq!(part(kind, &body[..body.len() - 10], "package"), None, "cut off");
    }
}
