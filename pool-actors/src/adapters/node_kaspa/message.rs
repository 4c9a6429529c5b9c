//! Messages that a wallet of Kaspa signs (KIP-5): Schnorr (BIP-340) over blake2b-256 keyed "PersonalMessageSigningHash".

use blake2::{
    Blake2bMac,
    digest::{FixedOutput as _, KeyInit as _, Update as _, consts::U32},
};
use pool_domain::kaspa_address::{KaspaAddress, KaspaPayee};
use secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr::Signature};

/// Whether the address's key signed the text; `None` = its kind of address signs no messages (ECDSA keys, scripts).
#[must_use]
pub fn signed(address: &str, text: &str, signature: &str) -> Option<bool> {
    let KaspaPayee::SchnorrKey(key) = KaspaAddress::parse(address).ok()?.payee else { return None };
    let mut hasher = Blake2bMac::<U32>::new_from_slice(b"PersonalMessageSigningHash").ok()?;
    hasher.update(text.as_bytes());
    let digest: [u8; 32] = hasher.finalize_fixed().into();
    let good = || {
        let signature = Signature::from_slice(&hex::decode(signature).ok()?).ok()?;
        let key = XOnlyPublicKey::from_slice(&key).ok()?;
        Secp256k1::verification_only().verify_schnorr(&signature, &Message::from_digest(digest), &key).ok()
    };
    Some(good().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of KIP-5, as rusty-kaspa has them: key, text, signature.
    const VECTORS: &[(&str, &str, &str)] = &[
        (
            "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
            "Hello Kaspa!",
            "40b9bb2be0ae02607279eda64015a8d86e3763279170340b8243f7ce5344d77aff1191598baf2fd26149cac3b4b12c2c433261c00834db6098cb172aa48ef522",
        ),
        (
            "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
            "Hello Kaspa!",
            "eb9e8a3c547eb91b6a7592644f328f0648bdd21aba3cd44787d429d4d790aa8b962745691f3b472ed8d65f3b770ecb4f777bd17b1d309100919b53e0e206b4c6",
        ),
        (
            "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
            "こんにちは世界",
            "810653d5f80206db519672362add6c98dad378844e5ba4d89a22c9f0c7092e8cecba734fff7922b656b4be3f4b1f098899c95cb5c1023dce3519208afafb59bc",
        ),
    ];

    fn address(key: &str) -> String {
        let key = hex::decode(key).unwrap().try_into().unwrap();
        let address = KaspaAddress {
            network: pool_domain::kaspa_address::KaspaNetwork::Main,
            payee: KaspaPayee::SchnorrKey(key),
        };
        address.to_string()
    }

    #[test]
    fn the_vectors_of_kip_5_are_good_and_nothing_else_is() {
        for (key, text, signature) in VECTORS {
            let address = address(key);
            assert_eq!(signed(&address, text, signature), Some(true));
            assert_eq!(signed(&address, &format!("{text} "), signature), Some(false));
            for rubbish in ["", "zz", &signature[2..], &format!("00{}", &signature[2..])] {
                assert_eq!(signed(&address, text, rubbish), Some(false), "{rubbish}");
            }
        }
        let other = address(VECTORS[0].0);
        assert_eq!(signed(&other, VECTORS[1].1, VECTORS[1].2), Some(false), "another key's");
        assert_eq!(signed("kaspa:rubbish", "", ""), None);
    }
}
