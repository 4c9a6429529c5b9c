//! Every way in which a package can be malformed, each with its own code; and round trips.

use super::*;
use proptest::prelude::*;

/// A zip file of which every field can be a lie.
#[derive(Clone)]
struct Raw {
    entries: Vec<RawEntry>,
    prefix: Vec<u8>,
    gap: Vec<u8>,
    trailing: Vec<u8>,
    comment: Vec<u8>,
    count: Option<u16>,
}

#[derive(Clone)]
struct RawEntry {
    name: Vec<u8>,
    local_name: Option<Vec<u8>>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    mode: u32,
    crc: u32,
    size: u32,
    local_size: Option<u32>,
    extra: Vec<u8>,
    /// Point at the entry of that number instead of the own one.
    points_at: Option<usize>,
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

impl RawEntry {
    fn stored(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.into(),
            local_name: None,
            data: data.to_vec(),
            method: 0,
            flags: 0,
            mode: 0o100_644,
            crc: crc(data),
            size: u32::try_from(data.len()).unwrap(),
            local_size: None,
            extra: Vec::new(),
            points_at: None,
        }
    }

    fn deflated(name: &str, data: &[u8]) -> Self {
        Self { data: deflated(data), method: 8, ..Self::stored(name, data) }
    }

    /// The fields that local header and directory share, from the flags on.
    fn shared(&self, size: u32, name: &[u8]) -> Vec<u8> {
        let compressed = u32::try_from(self.data.len()).unwrap();
        let mut bytes = Vec::new();
        for field in [self.flags, self.method, 0, 33] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.crc, compressed, size] {
            bytes.extend(field.to_le_bytes());
        }
        for length in [name.len(), self.extra.len()] {
            bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
        }
        bytes
    }
}

impl Raw {
    fn of(entries: Vec<RawEntry>) -> Self {
        Self { entries, prefix: vec![], gap: vec![], trailing: vec![], comment: vec![], count: None }
    }

    fn good() -> Self {
        Self::of(vec![RawEntry::stored(MANIFEST, b"{}"), RawEntry::deflated(WASM, &[7; 1000])])
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = self.prefix.clone();
        let mut offsets = Vec::new();
        for entry in &self.entries {
            offsets.push(u32::try_from(file.len()).unwrap());
            let name = entry.local_name.as_ref().unwrap_or(&entry.name);
            file.extend(0x0403_4b50_u32.to_le_bytes());
            file.extend(20_u16.to_le_bytes());
            file.extend(entry.shared(entry.local_size.unwrap_or(entry.size), name));
            file.extend(name);
            file.extend(&entry.extra);
            file.extend(&entry.data);
        }
        file.extend(&self.gap);
        let start = file.len();
        for (i, entry) in self.entries.iter().enumerate() {
            file.extend(0x0201_4b50_u32.to_le_bytes());
            file.extend([20, 3, 20, 0]);
            file.extend(entry.shared(entry.size, &entry.name));
            file.extend([0; 6]);
            file.extend((entry.mode << 16).to_le_bytes());
            file.extend(offsets[entry.points_at.unwrap_or(i)].to_le_bytes());
            file.extend(&entry.name);
            file.extend(&entry.extra);
        }
        let size = u32::try_from(file.len() - start).unwrap();
        let count = self.count.unwrap_or_else(|| u16::try_from(self.entries.len()).unwrap());
        file.extend(0x0605_4b50_u32.to_le_bytes());
        file.extend([0; 4]);
        file.extend(count.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(size.to_le_bytes());
        file.extend(u32::try_from(start).unwrap().to_le_bytes());
        file.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        file.extend(&self.comment);
        file.extend(&self.trailing);
        file
    }
}

fn open(bytes: &[u8]) -> Result<Package, PackageError> {
    Package::open(bytes, &PackageLimits::default())
}

/// The good package with its second entry (deflated, algorithm.wasm) changed.
fn with(change: impl FnOnce(&mut RawEntry)) -> Raw {
    let mut raw = Raw::good();
    change(&mut raw.entries[1]);
    raw
}

#[test]
fn the_hand_made_archive_is_good() {
    let package = open(&Raw::good().bytes()).unwrap();
    assert_eq!(package.entry(MANIFEST), Some(&b"{}"[..]));
    assert_eq!(package.entry(WASM), Some(&[7; 1000][..]));
    let times = with(|e| e.extra = vec![0x55, 0x54, 5, 0, 1, 0, 0, 0, 0]);
    assert_eq!(open(&times.bytes()).unwrap(), package);
}

#[test]
fn every_malformed_package_has_its_own_code() {
    let plus = |entry: RawEntry| {
        let mut raw = Raw::good();
        raw.entries.push(entry);
        raw
    };
    let named = |name: &str| plus(RawEntry::stored(name, b"x"));
    let whole = Raw::good().bytes();
    let bomb = vec![0; 2 << 20];
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("bomb by ratio", with(|e| *e = RawEntry::deflated(WASM, &bomb)).bytes(), Code::PackageBomb),
        (
            "bomb that lies about its size",
            with(|e| (e.size, e.data) = (1000, deflated(&bomb))).bytes(),
            Code::PackageBomb,
        ),
        ("entry too large", with(|e| e.size = 65 << 20).bytes(), Code::PackageTooLarge),
        ("zip64 sizes", with(|e| e.size = u32::MAX).bytes(), Code::PackageTooLarge),
        ("slip", named("../../etc/passwd").bytes(), Code::PackageEntryName),
        ("absolute path", named("/etc/passwd").bytes(), Code::PackageEntryName),
        ("backslash", named("tests\\test_vectors.json").bytes(), Code::PackageEntryName),
        ("dot path", named("./algorithm.so").bytes(), Code::PackageEntryName),
        ("unknown name", named("algorithm.cwasm").bytes(), Code::PackageEntryName),
        ("empty name", named("").bytes(), Code::PackageEntryName),
        ("not ASCII", named("algor\u{131}thm.so").bytes(), Code::PackageEntryName),
        ("NUL in a name", named("algorithm.so\0.txt").bytes(), Code::PackageEntryName),
        ("folder", named("docs/").bytes(), Code::PackageEntryName),
        ("duplicate", named(MANIFEST).bytes(), Code::PackageDuplicateEntry),
        ("symlink", with(|e| e.mode = 0o120_777).bytes(), Code::PackageSymlink),
        ("device", with(|e| e.mode = 0o020_666).bytes(), Code::PackageSymlink),
        ("folder by mode", with(|e| e.mode = 0o040_755).bytes(), Code::PackageEntryName),
        ("prefix", Raw { prefix: b"#!/bin/sh\n".to_vec(), ..Raw::good() }.bytes(), Code::PackagePrefix),
        ("prefix, offsets not adapted", [b"MZ".as_slice(), &whole].concat(), Code::PackagePrefix),
        (
            "trailing bytes",
            Raw { trailing: b"more".to_vec(), ..Raw::good() }.bytes(),
            Code::PackageTrailingBytes,
        ),
        ("comment", Raw { comment: b"hello".to_vec(), ..Raw::good() }.bytes(), Code::PackageTrailingBytes),
        ("second archive behind", [whole.as_slice(), &whole].concat(), Code::PackagePrefix),
        ("case twins", named("Manifest.json").bytes(), Code::PackageCaseTwins),
        ("huge count", Raw { count: Some(u16::MAX), ..Raw::good() }.bytes(), Code::PackageTooManyEntries),
        ("count too high", Raw { count: Some(3), ..Raw::good() }.bytes(), Code::PackageTooManyEntries),
        ("count too low", Raw { count: Some(1), ..Raw::good() }.bytes(), Code::PackageTooManyEntries),
        ("truncated", whole[..whole.len() - 1].to_vec(), Code::PackageTruncated),
        ("half", whole[..whole.len() / 2].to_vec(), Code::PackageTruncated),
        ("encrypted", with(|e| e.flags = 1).bytes(), Code::PackageEncrypted),
        ("other method", with(|e| e.method = 93).bytes(), Code::PackageMethod),
        (
            "overlap",
            with(|e| {
                *e = RawEntry { points_at: Some(0), name: WASM.into(), ..RawEntry::stored(MANIFEST, b"{}") }
            })
            .bytes(),
            Code::PackageHeaderMismatch,
        ),
        ("entry reaches into the directory", overlapping(), Code::PackageOverlap),
        ("gap", Raw { gap: vec![0; 5], ..Raw::good() }.bytes(), Code::PackageOverlap),
        ("data descriptor", with(|e| e.flags = 8).bytes(), Code::PackageHeaderMismatch),
        (
            "unicode path field",
            with(|e| e.extra = vec![0x75, 0x70, 1, 0, 1]).bytes(),
            Code::PackageHeaderMismatch,
        ),
        (
            "cut extra field",
            with(|e| e.extra = vec![0x55, 0x54, 9, 0, 1]).bytes(),
            Code::PackageHeaderMismatch,
        ),
        (
            "other local name",
            with(|e| e.local_name = Some(b"algorithm.so".to_vec())).bytes(),
            Code::PackageHeaderMismatch,
        ),
        ("other local size", with(|e| e.local_size = Some(999)).bytes(), Code::PackageHeaderMismatch),
        ("wrong checksum", with(|e| e.crc ^= 1).bytes(), Code::PackageCorrupt),
        ("size too large", with(|e| e.size = 1001).bytes(), Code::PackageCorrupt),
        ("no deflate stream", with(|e| e.data = vec![0xff; 9]).bytes(), Code::PackageCorrupt),
        ("bytes behind a deflate stream", with(|e| e.data.extend(b"more")).bytes(), Code::PackageCorrupt),
        ("no zip", b"hello world, this is no archive".to_vec(), Code::PackageNotAZip),
        ("nothing", Vec::new(), Code::PackageNotAZip),
    ];
    for (what, bytes, code) in cases {
        let error = open(&bytes).expect_err(what);
        assert_eq!(error.code, code, "{what}: {error}");
    }
    let small = PackageLimits { file_bytes_max: whole.len() as u64 - 1, ..PackageLimits::default() };
    assert_eq!(Package::open(&whole, &small).unwrap_err().code, Code::PackageTooLarge);
    let total = PackageLimits { total_bytes_max: 1001, ..PackageLimits::default() };
    assert_eq!(Package::open(&whole, &total).unwrap_err().code, Code::PackageTooLarge);
}

/// An entry that says that its stored bytes go on into the directory.
fn overlapping() -> Vec<u8> {
    let entry = RawEntry::stored(MANIFEST, b"{}");
    let mut bytes = Raw::of(vec![entry]).bytes();
    let directory = 30 + MANIFEST.len() + 2;
    for at in [18, 22, directory + 20, directory + 24] {
        bytes[at] = 10;
    }
    bytes
}

fn contents() -> impl Strategy<Value = BTreeMap<&'static str, Vec<u8>>> {
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..5000_usize).prop_map(|(byte, size)| vec![byte; size]),
    ];
    proptest::collection::btree_map(proptest::sample::select(ENTRY_NAMES.to_vec()), content, 0..10)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(contents in contents()) {
        let package = Package::from_entries(contents).unwrap();
        let zip = package.to_zip().unwrap();
        prop_assert_eq!(&zip, &package.to_zip().unwrap());
        prop_assert_eq!(open(&zip).unwrap(), package);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes).is_err());
    }

    /// One changed byte is refused, or it changed nothing that counts (a time, a version, an attribute).
    #[test]
    fn a_changed_byte_never_changes_the_contents(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = Raw::good().bytes();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(package) = open(&bytes) {
            prop_assert_eq!(package, open(&Raw::good().bytes()).unwrap());
        }
    }

    #[test]
    fn a_cut_file_is_refused(at in any::<prop::sample::Index>()) {
        let bytes = Raw::good().bytes();
        prop_assert!(open(&bytes[..at.index(bytes.len())]).is_err());
    }
}

#[test]
fn the_digest_is_of_contents_and_leaves_the_signature_out() {
    let package = open(&Raw::good().bytes()).unwrap();
    assert_eq!(package.digest(), open(&package.to_zip().unwrap()).unwrap().digest());
    assert_eq!(package.digest(), package.clone().with_signature(&[1; 72]).digest());
    let renamed =
        Package::from_entries([(MANIFEST, b"{}".to_vec()), ("algorithm.so", vec![7; 1000])]).unwrap();
    assert_ne!(package.digest(), renamed.digest());
    // Written out by hand: tag, then (length, name, size, hash) of each entry.
    use sha2::{Digest as _, Sha256};
    let mut text = b"dagpool-package-v1\0".to_vec();
    for (name, content) in [(WASM, vec![7; 1000]), (MANIFEST, b"{}".to_vec())] {
        text.extend([u8::try_from(name.len()).unwrap(), 0, 0, 0]);
        text.extend(name.as_bytes());
        text.extend((content.len() as u64).to_le_bytes());
        text.extend(Sha256::digest(&content));
    }
    assert_eq!(package.digest().as_bytes()[..], Sha256::digest(&text)[..]);
}

#[test]
fn a_manifest_is_held_against_the_entries() {
    let manifest = include_bytes!("../manifest/example.json").to_vec();
    let entries = |extra: &[&'static str]| {
        let names = [WASM, TEST_VECTORS].iter().chain(extra).map(|name| (*name, vec![0]));
        Package::from_entries(names.chain([(MANIFEST, manifest.clone())])).unwrap()
    };
    assert!(entries(&["algorithm.so", "algorithm.dll"]).manifest().is_ok());
    let linux_only = String::from_utf8(manifest.clone()).unwrap().replace(", \"windows\", \"macos\"", "");
    let mut package = entries(&["algorithm.dll"]);
    package.entries.insert(MANIFEST, linux_only.into_bytes());
    let error = package.manifest().unwrap_err();
    assert_eq!(error.code, Code::ManifestMismatch);
    assert!(error.message.contains("algorithm.dll is in the package, but windows is not named"), "{error}");
    let mut package = entries(&[]);
    package.entries.remove(TEST_VECTORS);
    let error = package.manifest().unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::PackageIncomplete, "incomplete: the package has no tests/test_vectors.json; add it")
    );
}

#[test]
fn vector_files_are_checked() {
    let hash = "00".repeat(32);
    let parse = |text: String| TestVectors::parse(text.as_bytes()).map_err(|e| e.message);
    let vectors = parse(format!(
        r#"{{"version":1,"vectors":[{{"input":"","hash":"{hash}"}},
            {{"input":"{}","hash":"{hash}","nonce":258,"target":"{hash}","valid":false,"comment":"x"}}]}}"#,
        "11".repeat(80)
    ))
    .unwrap();
    assert_eq!(vectors.vectors[0].hashed_input(4), Vec::<u8>::new());
    assert_eq!(vectors.vectors[1].hashed_input(4)[75..], [0x11, 2, 1, 0, 0]);
    assert!(!vectors.vectors[1].target.unwrap().1);
    let one = |fields: &str| parse(format!(r#"{{"version":1,"vectors":[{{{fields}}}]}}"#)).unwrap_err();
    assert!(one(r#""input":"0","hash":"00""#).contains("vectors[0].input: "));
    assert!(one(r#""input":"00","hash":"00""#).contains("vectors[0].hash: "));
    assert!(one(&format!(r#""input":"00","hash":"{hash}","nonce":1"#)).contains("only a header of 80 bytes"));
    assert!(one(&format!(r#""input":"00","hash":"{hash}","valid":true"#)).contains("give the target too"));
    assert!(one(&format!(r#""input":"00","hash":"{hash}","x":1"#)).contains("vectors[0].x: unknown field"));
    assert!(parse(r#"{"version":2,"vectors":[]}"#.into()).unwrap_err().contains("version: 2"));
    assert!(parse(r#"{"version":1,"vectors":[]}"#.into()).unwrap_err().contains("0 vectors; give 1 to"));
    let bench = |text: String| BenchmarkData::parse(text.as_bytes()).map_err(|e| e.message);
    let header = "22".repeat(80);
    let good = bench(format!(
        r#"{{"version":1,"inputs":["{header}"],"warmup":1,"iterations":2,"expected_hashrate":3}}"#
    ))
    .unwrap();
    assert_eq!((good.inputs[0], good.iterations), ([0x22; 80], 2));
    let bad =
        bench(r#"{"version":1,"inputs":["00"],"warmup":1,"iterations":2,"expected_hashrate":3}"#.into());
    assert!(bad.unwrap_err().contains("inputs[0]: "));
}

#[test]
fn the_page_holds_the_package_as_data() {
    let manifest = String::from_utf8(include_bytes!("../manifest/example.json").to_vec()).unwrap();
    let manifest = manifest.replace("optimized for mining", "</script><script>alert(1)</script>");
    let vectors = format!(r#"{{"version":1,"vectors":[{{"input":"ab","hash":"{}"}}]}}"#, "00".repeat(32));
    let entries = [(MANIFEST, manifest), (TEST_VECTORS, vectors), (WASM, "\0asm".to_owned())];
    let package = Package::from_entries(entries.map(|(name, text)| (name, text.into_bytes()))).unwrap();
    let page = browser_page(&package).unwrap();
    assert!(page.contains(r#""wasm":"0061736d""#) && page.contains(r#""id":"blake3_1.0.0""#));
    assert!(!page.contains("alert(1)</script>") && !page.contains("{{DATA}}"));
    // Nothing is fetched.
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains(" src="));
}
