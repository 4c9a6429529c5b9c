//! Certificates of authorities, as PEM: read once, at start, so that a file that holds none is told as what it is, and not as
//! a server that can't be reached.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The authorities of a PEM file, all of them.
///
/// # Errors
/// What is wrong with it, to be read behind the file's name.
pub(super) fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let certificate =
            certificate.map_err(|error| format!("is no PEM from its certificate {number} on ({error})"))?;
        store
            .add(certificate)
            .map_err(|error| format!("holds a certificate ({number}) that is none inside ({error})"))?;
    }
    if store.is_empty() {
        return Err("holds no certificate (PEM)".to_owned());
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_inside_is_said() {
        let framed =
            |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
        for (pem, words) in [
            (String::new(), "holds no certificate"),
            ("rubbish".to_owned(), "holds no certificate"),
            (framed("!!!"), "is no PEM from its certificate 1 on"),
            (framed("cnViYmlzaA=="), "a certificate (1) that is none inside"),
            (framed(""), "a certificate (1) that is none inside"),
            (framed("cnViYmlzaA==").replace("-----END", "----END"), "is no PEM from its certificate 1 on"),
        ] {
            let refused = authorities(pem.as_bytes()).unwrap_err();
            assert!(refused.contains(words), "{pem}: {refused}");
        }
    }
}
