//! The settings of an issuer, and the mistakes in them.

use host_provider_api::Secret;

/// Maximum length of a name in bytes.
const NAME_BYTES_MAX: usize = 40;

/// An issuer that a business trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The issuer as given in its tokens; an address, unless `keys` is given.
    pub issuer: String,
    /// Address of the issuer's keys (JWKS); none to take it from the issuer's document.
    pub keys: Option<String>,
    /// The audience whose tokens are keys of the API; none if no tokens are.
    pub audience: Option<String>,
    /// The claim with the roles of a token's owner; without it, everybody is an ordinary user.
    pub roles: Option<RoleSettings>,
    /// How a browser logs in; none if it cannot.
    pub login: Option<LoginSettings>,
}

/// The claim that identifies operators and services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSettings {
    /// Name of the claim, which is a string or a list of strings; dots lead into objects: `app_metadata.role`.
    pub claim: String,
    /// The values that identify an operator.
    pub operators: Vec<String>,
    /// The values that identify a service.
    pub services: Vec<String>,
}

/// The business as a client of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// Name in paths: lower-case letters, digits and hyphens.
    pub name: String,
    /// Id of the client.
    pub client_id: String,
    /// Secret of the client; none for a public client, which relies on PKCE alone.
    pub client_secret: Option<Secret>,
}

/// A mistake in the settings of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The field does not contain an address.
    #[error("`{0}` is not an address: expected https://…, or http:// for an issuer on this machine")]
    NotAnAddress(&'static str),
    /// The name cannot be part of a path.
    #[error("`login.name` is not a name: expected at most {NAME_BYTES_MAX} lower-case letters, digits and hyphens")]
    BadName,
    /// The issuer would be used for nothing.
    #[error("the issuer has no use: expected `audience`, `login`, or both")]
    NoUse,
    /// The roles have no effect.
    #[error("`roles` is for tokens that are keys: expected `audience`, too")]
    RolesWithoutAudience,
}

impl IssuerSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// Fails with the first mistake.
    pub fn check(&self) -> Result<(), SettingsError> {
        match &self.keys {
            Some(keys) if !host_providers::http::is_address(keys) => return Err(SettingsError::NotAnAddress("keys")),
            // Without an address, there is neither a document nor a login page.
            Some(_) if self.login.is_none() => {}
            _ if !host_providers::http::is_address(&self.issuer) => return Err(SettingsError::NotAnAddress("issuer")),
            _ => {}
        }
        if self.audience.is_none() && self.login.is_none() {
            return Err(SettingsError::NoUse);
        }
        if self.roles.is_some() && self.audience.is_none() {
            return Err(SettingsError::RolesWithoutAudience);
        }
        match &self.login {
            Some(login) if !is_name(&login.name) => Err(SettingsError::BadName),
            _ => Ok(()),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(issuer: &str) -> IssuerSettings {
        IssuerSettings {
            issuer: issuer.to_owned(),
            keys: None,
            audience: Some("api".to_owned()),
            roles: None,
            login: None,
        }
    }

    #[test]
    fn an_issuer_has_an_address_with_tls_or_on_this_machine() {
        for good in [
            "https://id.example",
            "https://id.example/a/b",
            "http://127.0.0.1:9000",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert_eq!(keys_of(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "ftp://id.example",
            "https://a:b@id.example",
            "https://id.example/#x",
        ] {
            assert_eq!(keys_of(bad).check(), Err(SettingsError::NotAnAddress("issuer")), "{bad}");
        }
        let named = IssuerSettings { keys: Some("https://id.example/jwks".into()), ..keys_of("solobase") };
        assert_eq!(named.check(), Ok(()), "only the keys need an address");
        let unsafe_keys = IssuerSettings { keys: Some("http://id.example/jwks".into()), ..keys_of("solobase") };
        assert_eq!(unsafe_keys.check(), Err(SettingsError::NotAnAddress("keys")));
    }

    #[test]
    fn an_issuer_has_a_use() {
        let login =
            |name: &str| Some(LoginSettings { name: name.to_owned(), client_id: "c".to_owned(), client_secret: None });
        let none = IssuerSettings { audience: None, ..keys_of("https://id.example") };
        assert_eq!(none.check(), Err(SettingsError::NoUse));
        let logs_in = IssuerSettings { login: login("my-id"), ..none.clone() };
        assert_eq!(logs_in.check(), Ok(()));
        assert_eq!(IssuerSettings { login: login("My id"), ..none }.check(), Err(SettingsError::BadName));
        let roles = Some(RoleSettings::default());
        assert_eq!(IssuerSettings { roles, ..logs_in.clone() }.check(), Err(SettingsError::RolesWithoutAudience));
        let page = IssuerSettings { issuer: "solobase".into(), keys: Some("https://id.example/k".into()), ..logs_in };
        assert_eq!(page.check(), Err(SettingsError::NotAnAddress("issuer")), "a login needs the issuer's document");
    }
}
