//! Checks that the vault contains the secrets to which a store's records refer.

use crate::drift::Drift;
use host_provider_api::{ResourceId, Secrets};
use host_vault::Vault;

/// A vault that does not belong to a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the records refer to {referred} secrets, such as {reference} of {id} of {scope}, and the vault has none of them: \
     expected the vault that was used with this store (--world), restored from a backup if it is lost; \
     `provisioner secrets begin --world DIR` begins a new vault without the old secrets",
    scope = .id.scope
)]
pub struct ForeignVault {
    /// Number of references.
    pub referred: usize,
    /// The first reference.
    pub reference: String,
    /// The resource with the first reference.
    pub id: ResourceId,
}

/// Returns a difference for each reference to a secret of the vault that is missing or can't be decrypted.
pub fn unreadable_secrets(vault: &Vault, references: &[(ResourceId, String)]) -> Vec<Drift> {
    let of_vault = references.iter().filter(|(_, reference)| Vault::is_reference(reference));
    let problem = |(id, reference): &(ResourceId, String)| {
        let problem = vault.resolve(&id.scope, reference).err()?.to_string();
        Some(Drift::Secret { id: id.clone(), reference: reference.clone(), problem })
    };
    of_vault.filter_map(problem).collect()
}

/// Checks that the vault belongs to a store whose records have these references.
///
/// # Errors
///
/// Fails if there are references but the vault never contained a secret, unless an operator started the vault in place of a lost one. A
/// vault that has been used may lack them, because a killed process may have deleted a secret before the record of its resource.
pub fn check_vault(vault: &Vault, references: &[(ResourceId, String)]) -> Result<(), ForeignVault> {
    let of_vault: Vec<_> = references.iter().filter(|(_, reference)| Vault::is_reference(reference)).collect();
    let Some((id, reference)) = of_vault.first() else { return Ok(()) };
    if vault.is_begun_anew()
        || vault.was_used()
        || of_vault.iter().any(|(id, reference)| vault.resolve(&id.scope, reference).is_ok())
    {
        return Ok(());
    }
    Err(ForeignVault { referred: of_vault.len(), reference: reference.clone(), id: id.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_vault::{Key, Keys};

    fn id(user: &str) -> ResourceId {
        ResourceId { scope: format!("b/test/user:{user}"), resource: "database".into(), id: "inst_1/database".into() }
    }

    #[test]
    fn a_missing_secret_is_reported_and_a_vault_without_any_is_refused() {
        let vault = Vault::in_memory().expect("a vault");
        let made = vault.make(&id("u1").scope, "inst_1/database", 32).expect("a secret").reference;
        let missing = "secret:vault/missing".to_owned();
        let both = [(id("u1"), made.clone()), (id("u1"), missing.clone()), (id("u1"), "secret:env/PATH".to_owned())];
        assert_eq!(check_vault(&vault, &both), Ok(()));
        let found = unreadable_secrets(&vault, &both);
        assert!(matches!(&found[..], [Drift::Secret { reference, .. }] if *reference == missing), "{found:?}");
        // Another account's secret does not belong to this account.
        let refused = check_vault(&vault, &[(id("u2"), made)]).expect_err("a foreign vault");
        assert!(refused.to_string().contains("secrets begin"), "{refused}");
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::one(Key::random().expect("a key"));
        let (new, _) = Vault::begin(&folder.path().join("secrets.db"), keys).expect("a new vault");
        assert_eq!(check_vault(&new, &both), Ok(()), "the operator has begun it");
        assert_eq!(unreadable_secrets(&new, &both).len(), 2);
    }
}
