use super::*;
use crate::package::{MANIFEST, SIGNATURE};
use crate::signature::SecretKey;

fn package() -> Package {
    Package::from_entries([(MANIFEST, b"{}".to_vec())]).unwrap()
}

fn signed(key: &SecretKey) -> Package {
    let package = package();
    let signature = key.sign(&package.digest());
    package.with_signature(&signature)
}

fn store(key: &SecretKey, permissions: &[Permission], revoked: Option<&str>) -> TrustStore {
    let key = TrustedKey {
        name: "Team".into(),
        key: key.public(),
        permissions: permissions.to_vec(),
        revoked: revoked.map(Into::into),
    };
    TrustStore::parse(&trust_entry(&key)).unwrap()
}

/// RFC 8032, section 7.1, test 1.
const RFC_SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn rfc_key() -> SecretKey {
    SecretKey::from_seed(&hex::decode(RFC_SEED).unwrap().try_into().unwrap())
}

#[test]
fn a_signature_is_trusted_as_far_as_its_key_is() {
    let (key, other) = (rfc_key(), SecretKey::generate().unwrap());
    assert_eq!(key.public().to_hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(key.public().id().to_string(), "21fe31dfa154a261");
    let good = signed(&key);
    let both = store(&key, &[Permission::Wasm, Permission::Native], None);
    assert_eq!(both.check(&good, Permission::Native).unwrap().name, "Team");
    let code = |store: &TrustStore, package: &Package, permission| {
        store.check(package, permission).unwrap_err().code
    };
    let wasm = store(&key, &[Permission::Wasm], None);
    assert!(wasm.check(&good, Permission::Wasm).is_ok());
    assert_eq!(code(&wasm, &good, Permission::Native), Code::KeyNotPermitted);
    assert_eq!(code(&wasm, &package(), Permission::Wasm), Code::SignatureMissing);
    assert_eq!(code(&wasm, &signed(&other), Permission::Wasm), Code::KeyUnknown);
    assert_eq!(
        code(&store(&key, &[Permission::Wasm], Some("stolen")), &good, Permission::Wasm),
        Code::KeyRevoked
    );
}

#[test]
fn whatever_is_changed_breaks_the_signature() {
    let key = rfc_key();
    let trust = store(&key, &[Permission::Wasm], None);
    let code = |package: &Package| trust.check(package, Permission::Wasm).map(|_| ()).unwrap_err().code;
    let signature = key.sign(&package().digest());
    let added = Package::from_entries([(MANIFEST, b"{}".to_vec()), ("algorithm.so", vec![])]).unwrap();
    assert_eq!(code(&added.with_signature(&signature)), Code::SignatureInvalid);
    let changed = Package::from_entries([(MANIFEST, b"{ }".to_vec())]).unwrap();
    assert_eq!(code(&changed.with_signature(&signature)), Code::SignatureInvalid);
    for bit in [64, 300, 575] {
        let mut signature = signature;
        signature[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(code(&package().with_signature(&signature)), Code::SignatureInvalid, "bit {bit}");
    }
    let short =
        Package::from_entries([(MANIFEST, b"{}".to_vec()), (SIGNATURE, signature[..71].to_vec())]).unwrap();
    assert_eq!(code(&short), Code::SignatureInvalid);
}

#[test]
fn weak_keys_and_wrong_entries_are_no_trust_store() {
    let message = |text: &str| TrustStore::parse(text).unwrap_err().message;
    // The neutral element: any message has signatures by it.
    let weak = format!("01{}", "00".repeat(31));
    assert!(PublicKey::from_hex(&weak).unwrap_err().contains("weak"));
    let key = TrustedKey {
        name: "A \"b\"".into(),
        key: rfc_key().public(),
        permissions: vec![Permission::Wasm],
        revoked: None,
    };
    let good = trust_entry(&key);
    assert_eq!(TrustStore::parse(&good).unwrap().keys().next().unwrap().1, &key);
    assert!(message(&good.replace("21fe", "21ff")).contains("the public key's id is 21fe31dfa154a261"));
    assert!(message(&good.repeat(2)).contains("is there twice"));
    assert!(message(&good.replace("wasm", "root")).contains("unknown variant"));
    assert!(message(&good.replace("name =", "nom =")).contains("unknown field"));
    assert!(TrustStore::parse("").unwrap().keys().next().is_none());
}

#[test]
fn key_files_are_read_again() {
    let key = SecretKey::generate().unwrap();
    assert_eq!(SecretKey::from_file(&key.to_file()).unwrap().public(), key.public());
    assert_eq!(PublicKey::from_file(&key.public().to_file()).unwrap(), key.public());
    for wrong in ["", "dagpool-secret-key-v1 00", &key.public().to_file(), &key.to_file().repeat(2)] {
        let error = SecretKey::from_file(wrong).unwrap_err();
        assert_eq!(error.code, Code::KeyFileInvalid);
    }
    assert!(!format!("{key:?}").contains(&key.to_file()[80..100]));
}

#[test]
fn an_older_version_needs_an_override_which_is_recorded() {
    let name = Identifier::try_from("blake3".to_owned()).unwrap();
    let version = |text: &str| Version::parse(text).unwrap();
    let mut known = KnownVersions::default();
    assert!(known.check(&name, &version("1.0.0")).is_ok());
    known.record(&name, &version("1.2.0"), "");
    assert!(known.check(&name, &version("1.2.0")).is_ok());
    let error = known.check(&name, &version("1.2.0-rc.1")).unwrap_err();
    assert_eq!(error.code, Code::PackageDowngrade);
    known.record(&name, &version("1.1.0"), "1.2.0 is slow on our machine");
    assert_eq!(known.highest(&name), Some(&version("1.2.0")));
    assert_eq!(known.overrides()[0].reason, "1.2.0 is slow on our machine");
    assert_eq!(KnownVersions::parse(known.to_json().as_bytes()).unwrap(), known);
    assert_eq!(KnownVersions::parse(b"[]").unwrap_err().code, Code::TrustStoreInvalid);
}

#[test]
fn stores_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let (trust, versions) = (folder.path().join("trust.toml"), folder.path().join("versions.json"));
    assert_eq!(TrustStore::load(&trust).unwrap(), TrustStore::default());
    assert_eq!(KnownVersions::load(&versions).unwrap(), KnownVersions::default());
    let mut known = KnownVersions::default();
    known.record(&Identifier::try_from("a".to_owned()).unwrap(), &Version::new(1, 2, 3), "");
    known.save(&versions).unwrap();
    assert_eq!(KnownVersions::load(&versions).unwrap(), known);
    assert_eq!(TrustStore::load(folder.path()).unwrap_err().code, Code::TrustStoreInvalid);
}
