//! Secrets from the machine's environment and files, and their combination with a vault.

use crate::vault::{SECRET_BYTES_MAX, Vault};
use host_provider_api::{MadeSecret, Secret, SecretError, Secrets};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Prefix of references to environment variables.
const ENVIRONMENT: &str = "secret:env/";
/// Prefix of references to files.
const FILE: &str = "secret:file/";

/// Environment variables that an operator has allowed, and the files of one folder. Payloads can't refer to other
/// variables and files, so tenants can't read the host's own secrets.
#[derive(Clone, Debug, Default)]
pub struct MachineSecrets {
    variables: BTreeSet<String>,
    folder: Option<PathBuf>,
    /// Values of variables that the process does not have.
    further: BTreeMap<String, Secret>,
}

impl MachineSecrets {
    /// Allows only these variables and the files of this folder.
    pub fn new(variables: impl IntoIterator<Item = String>, folder: Option<PathBuf>) -> MachineSecrets {
        MachineSecrets { variables: variables.into_iter().collect(), folder, further: BTreeMap::new() }
    }

    /// Adds values of variables, such as those of a file `.env`. A variable of the process takes precedence.
    #[must_use]
    pub fn with(self, further: BTreeMap<String, Secret>) -> MachineSecrets {
        MachineSecrets { further, ..self }
    }

    /// Returns the name of the variable in a reference; none for a reference of another kind.
    pub fn variable_of(reference: &str) -> Option<&str> {
        reference.strip_prefix(ENVIRONMENT)
    }

    /// Resolves a reference to a variable or a file; none for a reference of another kind.
    fn find(&self, reference: &str) -> Option<Result<Secret, SecretError>> {
        let unknown = || SecretError::Unknown(reference.to_owned());
        if let Some(name) = reference.strip_prefix(ENVIRONMENT) {
            let named = self.variables.get(name);
            let own = named.and_then(|name| std::env::var(name).ok()).filter(|value| !value.is_empty());
            let further = || self.further.get(named?).cloned();
            return Some(own.map(Secret::new).or_else(further).ok_or_else(unknown));
        }
        let name = reference.strip_prefix(FILE)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let folder = self.folder.as_ref().filter(|_| !name.is_empty() && name.bytes().all(is_plain));
        Some(folder.ok_or_else(unknown).and_then(|folder| read(folder.join(name), reference)))
    }
}

/// The machine's secrets belong to the host, so calls of every scope can resolve them. `make` fails, and `forget` has
/// no effect.
impl Secrets for MachineSecrets {
    fn resolve(&self, _: &str, reference: &str) -> Result<Secret, SecretError> {
        self.find(reference).unwrap_or_else(|| Err(SecretError::Unknown(reference.to_owned())))
    }

    fn make(&self, _: &str, name: &str, _: usize) -> Result<MadeSecret, SecretError> {
        let reason = "secrets can't be made in the environment or in files".to_owned();
        Err(SecretError::Unavailable { reference: name.to_owned(), reason })
    }

    fn forget(&self, _: &str, _: &str) -> Result<(), SecretError> {
        Ok(())
    }
}

/// Returns the contents of a file without trailing line ends.
fn read(path: PathBuf, reference: &str) -> Result<Secret, SecretError> {
    let unavailable = |reason: String| SecretError::Unavailable { reference: reference.to_owned(), reason };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SecretError::Unknown(reference.to_owned()));
        }
        Err(error) => return Err(unavailable(error.to_string())),
    };
    let mut text = String::new();
    let read = file.take(SECRET_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| unavailable(error.to_string()))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(unavailable(format!("the file has more than {SECRET_BYTES_MAX} bytes")));
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// A vault combined with the machine's secrets.
pub struct CombinedSecrets {
    vault: Arc<Vault>,
    machine: MachineSecrets,
}

impl CombinedSecrets {
    /// Combines a vault with the machine's secrets.
    pub fn new(vault: Arc<Vault>, machine: MachineSecrets) -> CombinedSecrets {
        CombinedSecrets { vault, machine }
    }
}

impl Secrets for CombinedSecrets {
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        self.machine.find(reference).unwrap_or_else(|| self.vault.resolve(scope, reference))
    }

    fn make(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, SecretError> {
        self.vault.make(scope, name, bytes)
    }

    fn put(&self, scope: &str, name: &str, plain: &str) -> Result<MadeSecret, SecretError> {
        Secrets::put(&*self.vault, scope, name, plain)
    }

    fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError> {
        self.vault.forget(scope, reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_variables_and_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("stripe_key"), "sk_test_of_a_file\n").expect("a file");
        std::fs::write(folder.path().with_extension("outside"), "not here").expect("a file");
        // PATH is set in every test environment.
        let machine = MachineSecrets::new(["PATH".to_owned()], Some(folder.path().to_owned()));
        let get = |reference: &str| machine.find(reference).expect("a reference of the machine");
        assert!(get("secret:env/PATH").is_ok());
        assert_eq!(get("secret:env/HOME"), Err(SecretError::Unknown("secret:env/HOME".to_owned())));
        assert_eq!(get("secret:file/stripe_key").expect("the file").expose(), "sk_test_of_a_file");
        for name in ["../etc/passwd", "..", "", "a/b", "absent"] {
            assert!(matches!(get(&format!("{FILE}{name}")), Err(SecretError::Unknown(_))), "{name}");
        }
        assert!(machine.find("secret:vault/x").is_none());
    }

    #[test]
    fn a_variable_of_the_process_takes_precedence_over_further_values() {
        let further = ["PATH", "FROM_A_FILE", "NOT_ALLOWED"].map(|name| (name.to_owned(), Secret::new("further")));
        let allowed = ["PATH", "FROM_A_FILE"].map(str::to_owned);
        let machine = MachineSecrets::new(allowed, None).with(further.into());
        let get = |name: &str| machine.find(&format!("{ENVIRONMENT}{name}")).expect("a variable");
        assert_eq!(get("FROM_A_FILE").expect("further").expose(), "further");
        assert_ne!(get("PATH").expect("of the process").expose(), "further");
        assert!(get("NOT_ALLOWED").is_err());
    }

    #[test]
    fn a_vault_and_the_machine_are_combined() {
        let vault = Arc::new(Vault::in_memory().expect("a vault"));
        let all = CombinedSecrets::new(vault, MachineSecrets::new(["PATH".to_owned()], None));
        let made = all.make("b/test/user:u", "inst_1/database", 32).expect("a secret");
        assert!(all.resolve("b/test/user:u", &made.reference).is_ok());
        assert!(all.resolve("b/test/user:u", "secret:env/PATH").is_ok());
        all.forget("b/test/user:u", &made.reference).expect("forgotten");
        assert!(all.resolve("b/test/user:u", &made.reference).is_err());
    }
}
