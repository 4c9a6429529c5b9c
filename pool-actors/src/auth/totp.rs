//! The second factor: time-based codes (RFC 6238: SHA-1, six digits, 30 seconds, one step of slack), and backup codes for when the
//! phone is lost.

use pool_domain::units::TimeMs;
use qrcodegen::{QrCode, QrCodeEcc};
use rand::Rng as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Totp};

/// Bytes of a key (RFC 4226 asks for 16 at least, and recommends 20).
const KEY_BYTES: usize = 20;
/// Backup codes at a time.
pub const BACKUP_CODES: usize = 10;
/// Letters and digits that are not mistaken for each other; 32 of them.
const CODE_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
/// Of a backup code: 60 bits.
const CODE_CHARS: usize = 12;

/// The key of somebody's codes.
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    fn totp(&self) -> Option<Totp> {
        Builder::new().with_secret(self.0.to_vec()).with_skew(1).build().ok()
    }

    /// As it is typed into an app.
    #[must_use]
    pub fn base32(&self) -> String {
        // RFC 4648; 20 bytes are 32 digits, without padding.
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = String::with_capacity(32);
        for chunk in self.0.chunks(5) {
            let word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            for digit in 0..8 {
                text.push(char::from(DIGITS[usize::try_from(word >> (35 - 5 * digit) & 31).unwrap_or(0)]));
            }
        }
        text
    }

    /// As apps read it (Key Uri Format of Google Authenticator).
    #[must_use]
    pub fn uri(&self, pool: &str, username: &str) -> String {
        let pool = escaped(pool);
        format!(
            "otpauth://totp/{pool}:{}?secret={}&issuer={pool}&algorithm=SHA1&digits=6&period=30",
            escaped(username),
            self.base32()
        )
    }

    /// The time step whose code this is, if it is one of about now.
    #[must_use]
    pub fn step_of(&self, code: &str, now: TimeMs) -> Option<u64> {
        let code: String = code.chars().filter(|c| *c != ' ').collect();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.totp()?.check(&code, now.0 / 1_000)
    }

    /// The code of a moment, for tests and for whoever has the key.
    #[must_use]
    pub fn code_at(&self, now: TimeMs) -> String {
        self.totp().map(|totp| totp.generate(now.0 / 1_000).to_string()).unwrap_or_default()
    }

    /// From what [`Self::base32`] gave.
    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        let secret = totp_rs::Secret::try_from_base32(text).ok()?;
        Some(Self(secret.as_ref().try_into().ok()?))
    }

    /// Sealed for one user: the database alone gives no codes, and one user's key is no other's.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32], user: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = self.0.to_vec();
        sealing(key)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(user.as_bytes()),
                &mut sealed,
            )
            .expect("20 bytes can be sealed");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Self::seal`] made.
    #[must_use]
    pub fn open(sealed: &[u8], key: &[u8; 32], user: &str) -> Option<Self> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = sealing(key).open_in_place(nonce, Aad::from(user.as_bytes()), &mut sealed).ok()?;
        Some(Self((&*opened).try_into().ok()?))
    }
}

fn sealing(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key of 32 bytes"))
}

/// Percent-encodes what is not plain in a label.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A picture of `text` for a camera: SVG, black on white, with the quiet zone that readers need.
#[must_use]
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut dark = String::new();
    for y in 0..code.size() {
        for x in 0..code.size() {
            if code.get_module(x, y) {
                dark.push_str(&format!("M{},{}h1v1h-1z", x + 4, y + 4));
            }
        }
    }
    let size = code.size() + 8;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path d=\"{dark}\" fill=\"#000\"/></svg>"
    ))
}

/// New backup codes, as they are shown once: three groups of four.
#[must_use]
pub fn backup_codes() -> Vec<String> {
    let mut rng = rand::rng();
    let mut code = || {
        let chars: Vec<u8> = (0..CODE_CHARS).map(|_| CODE_ALPHABET[rng.random_range(0..32)]).collect();
        chars.chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
    };
    (0..BACKUP_CODES).map(|_| code()).collect()
}

/// What is kept of a backup code. They are random, 60 bits, and tries are few: a slow hash would add nothing.
#[must_use]
pub fn backup_digest(user: &str, code: &str) -> [u8; 32] {
    let code: String = code.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Sha256::digest(format!("{user}:{code}").as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, with six of its eight digits.
        let secret = Secret(*b"12345678901234567890");
        assert_eq!(secret.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (seconds, code) in [
            (59_u64, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = TimeMs(seconds * 1_000);
            assert_eq!(secret.code_at(now), code);
            assert_eq!(secret.step_of(code, now), Some(seconds / 30));
            // One step of slack either way, and no more.
            assert_eq!(secret.step_of(code, TimeMs((seconds + 30) * 1_000)), Some(seconds / 30));
            assert_eq!(secret.step_of(code, TimeMs((seconds + 61) * 1_000)), None);
        }
        for rubbish in
            ["", "28708", "2870822", "28708a", "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", "-87082"]
        {
            assert_eq!(secret.step_of(rubbish, TimeMs(59_000)), None, "{rubbish}");
        }
        assert_eq!(secret.step_of("287 082", TimeMs(59_000)), Some(1));
        assert_eq!(Secret::from_base32(&secret.base32()).unwrap().0, secret.0);
    }

    #[test]
    fn a_sealed_key_opens_for_its_user_and_key_only() {
        let secret = Secret::random();
        let sealed = secret.seal(&[1; 32], "alice");
        assert!((44..=512).contains(&sealed.len()), "as the schema wants it");
        assert_eq!(Secret::open(&sealed, &[1; 32], "alice").unwrap().0, secret.0);
        assert!(Secret::open(&sealed, &[1; 32], "bob").is_none());
        assert!(Secret::open(&sealed, &[2; 32], "alice").is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(Secret::open(&changed, &[1; 32], "alice").is_none(), "byte {at}");
            assert!(Secret::open(&sealed[..at], &[1; 32], "alice").is_none(), "cut at {at}");
        }
    }

    #[test]
    fn the_uri_and_its_picture_hold_nothing_that_breaks_out() {
        let secret = Secret(*b"12345678901234567890");
        assert_eq!(
            secret.uri("Pool & <b>", "al.ice"),
            "otpauth://totp/Pool%20%26%20%3Cb%3E:al.ice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&\
             issuer=Pool%20%26%20%3Cb%3E&algorithm=SHA1&digits=6&period=30"
        );
        let svg = qr_svg(&secret.uri("Pool", "alice")).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>") && svg.len() < 60_000, "{}", svg.len());
    }

    #[test]
    fn backup_codes_are_read_however_they_are_typed() {
        let codes = backup_codes();
        assert_eq!(codes.len(), BACKUP_CODES);
        let code = &codes[0];
        assert_eq!(code.len(), 14);
        let typed = format!(" {} ", code.replace('-', " ").to_uppercase());
        assert_eq!(backup_digest("u", code), backup_digest("u", &typed));
        assert_ne!(backup_digest("u", code), backup_digest("v", code));
        assert_ne!(backup_digest("u", code), backup_digest("u", &codes[1]));
    }
}
