//! The settings of a registry, and how its provider is opened together with a provider of buckets.

use crate::builder::{OpenError, ProviderBuilder, Signers};
use crate::registry::{Config, IMAGE, Images, KIND};
use host_provider_api::{Call, CallOutcome, Provider, ProviderName};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// An image registry that accepts this host's tokens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// Name of the issuer: `auth.token.issuer` of the registry.
    pub issuer: String,
    /// Name of the registry: its `auth.token.service`.
    pub service: String,
    /// Reference to the key, a P-256 key in PKCS #8.
    pub key: String,
    /// File with the key's certificate in PEM format. The certificate, or its authority, must be in the registry's
    /// `auth.token.rootcertbundle`.
    pub certificate: PathBuf,
}

/// Routes `object.sign` by the payload: with `image` to the registry's provider, which signs a credential, and otherwise to the provider of
/// buckets, which signs an address. The pattern of an effect cannot distinguish them, and the last provider of a pattern would get all
/// calls, so this one has the longer pattern `object.sign`. The order of `--providers` does not matter. It lists no resources, because both
/// providers do so themselves.
struct ByPayload {
    images: Arc<dyn Provider>,
    objects: Option<Arc<dyn Provider>>,
}

impl Provider for ByPayload {
    fn call(&self, call: &Call) -> CallOutcome {
        match &self.objects {
            Some(objects) if call.payload.get(IMAGE).is_none() => objects.call(call),
            _ => self.images.call(call),
        }
    }
}

impl ProviderBuilder<'_> {
    pub(crate) fn registry(&mut self) -> Result<(), OpenError> {
        let bad = |problem: String| OpenError::Settings { name: ProviderName::Registry, problem };
        let settings = self.options.settings.registry.as_ref();
        let settings = settings.ok_or_else(|| {
            bad("expected `registry: {issuer: …, service: …, key: …, certificate: …}` in the file of --provider-settings".to_owned())
        })?;
        let certificate = std::fs::read_to_string(&settings.certificate)
            .map_err(|error| bad(format!("`certificate`: {}: {error}", settings.certificate.display())))?;
        let config = Config {
            issuer: settings.issuer.clone(),
            service: settings.service.clone(),
            key: self.secret(ProviderName::Registry, &settings.key)?,
            certificate,
        };
        let images = Arc::new(Images::new(&config).map_err(|error| bad(error.to_string()))?);
        self.registry_tokens = Some(images.clone());
        self.signers.images = Some(self.within(ProviderName::Registry, images));
        Ok(())
    }

    /// Registers the signing providers, after all providers are open.
    pub(crate) fn images_beside_objects(&mut self) {
        let Signers { images, objects } = std::mem::take(&mut self.signers);
        let Some(images) = images else { return };
        self.unlimited(&[KIND], Arc::new(ByPayload { images, objects }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Named(&'static str);

    impl Provider for Named {
        fn call(&self, _: &Call) -> CallOutcome {
            CallOutcome::Done(json!(self.0))
        }
    }

    fn signed_by(objects: Option<Arc<dyn Provider>>, payload: Value) -> CallOutcome {
        let by_payload = ByPayload { images: Arc::new(Named("images")), objects };
        by_payload.call(&Call { kind: KIND.to_owned(), payload, ..Call::default() })
    }

    #[test]
    fn an_image_and_an_object_are_signed_by_different_providers() {
        let objects = || Some(Arc::new(Named("objects")) as Arc<dyn Provider>);
        let image = json!({"image": "registry.example/editor:1", "ttl_s": 900});
        let object = json!({"bucket": "files", "key": "a", "ttl_s": 900});
        assert_eq!(signed_by(objects(), image.clone()), CallOutcome::Done(json!("images")));
        assert_eq!(signed_by(objects(), object.clone()), CallOutcome::Done(json!("objects")));
        assert_eq!(signed_by(None, image), CallOutcome::Done(json!("images")));
        assert_eq!(signed_by(None, object), CallOutcome::Done(json!("images")), "it says what it expects");
    }
}
