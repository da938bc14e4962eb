//! TLS to the database, and the certificate authorities that are trusted for it.

use crate::error::OpenError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Returns the settings of a client that trusts the machine's authorities and the ones in a PEM file.
pub(crate) fn settings(ca: Option<&Path>) -> Result<ClientConfig, OpenError> {
    let unready = |error: String| OpenError::Machine(format!("TLS can't be set up: {error}"));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca {
        let unread = |error: &dyn std::fmt::Display| unready(format!("{}: {error}", file.display()));
        for found in CertificateDer::pem_file_iter(file).map_err(|error| unread(&error))? {
            roots.add(found.map_err(|error| unread(&error))?).map_err(|error| unread(&error))?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unready(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
