//! Refuses to open the provider in a program without the SDKs.

use crate::builder::{OpenError, ProviderBuilder};
use host_provider_api::ProviderName;

impl ProviderBuilder<'_> {
    pub(crate) fn aws(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(ProviderName::Aws))
    }

    pub(crate) fn b2(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(ProviderName::B2))
    }
}
