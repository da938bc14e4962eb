//! The certificate authorities that are trusted for `https://` endpoints: the machine's, and those in the user's file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// The reason why the certificate authorities can't be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file can't be read, or contains no certificate in PEM format.
    #[error("{path} can't be read as certificates in PEM: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// TLS can't be set up.
    #[error("TLS can't be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// Returns the TLS configuration of a client that trusts the machine's authorities, and those in the file `own`.
///
/// # Errors
/// The file can't be read or has no valid certificate, or TLS can't be set up.
pub fn config(own: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    // A machine without authorities is not an error: `http://` endpoints and the user's authorities still work.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = own {
        let wrong = |problem: String| TrustError::File { path: path.to_owned(), problem };
        let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        let mut count = 0;
        for certificate in all {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("expected at least one certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
