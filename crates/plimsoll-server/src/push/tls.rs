//! Encryption towards receivers: rustls with ring, and who signs their certificates.
//!
//! Promises: a receiver proves to be the host that the URL names, whatever address it has.
//! Never: a certificate taken on trust; a second library of cryptography beside ring.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Where Debian, Alpine, Red Hat and SUSE keep the certificates of the authorities.
const SYSTEM_CERTIFICATES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// What connects, believing the authorities of `certificates` or else the system's.
pub(super) fn connector(certificates: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let system = || SYSTEM_CERTIFICATES.iter().map(Path::new).find(|file| file.exists());
    match certificates.or_else(system) {
        Some(file) => read(file, &mut roots)?,
        None => tracing::warn!("this system has no certificates of authorities: no https push"),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("setting encryption up: {e}"))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(file: &Path, roots: &mut RootCertStore) -> Result<(), String> {
    let fail = |why: String| format!("reading the certificates in {}: {why}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(|e| fail(e.to_string()))?.flatten();
    let (added, _ignored) = roots.add_parsable_certificates(found);
    if added == 0 { Err(fail("there are none".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let said = connector(Some(file.path())).err().unwrap_or_default();
        assert!(said.contains("there are none"), "{said}");
        assert!(connector(Some(Path::new("/nowhere.pem"))).is_err());
    }
}
