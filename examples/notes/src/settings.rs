//! Settings of the program for Lambda, from the environment that the provider `aws` gives to a function.

use std::num::ParseIntError;
use std::path::PathBuf;

/// The settings of the program.
#[derive(Debug)]
pub struct Settings {
    /// Name of the function.
    pub name: String,
    /// The database. Without it, the program keeps no notes.
    pub database: Option<Database>,
    /// Name of the bucket. Without it, notes have no files.
    pub bucket: Option<String>,
}

/// How the program reaches its database.
pub struct Database {
    /// Host name or address of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// Name of the database.
    pub name: String,
    /// Name of the role.
    pub user: String,
    /// Password of the role.
    pub password: String,
    /// File with certificates of authorities, in addition to the machine's.
    pub authorities: Option<PathBuf>,
}

/// Does not contain the password.
impl std::fmt::Debug for Database {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Database({}@{}:{}/{})", self.user, self.host, self.port, self.name)
    }
}

/// Reasons why the settings are unusable. They contain no password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable is missing.
    #[error("`{name}` is not set: expected {expected}, since `DATABASE_HOST` is set")]
    Missing {
        /// Name of the variable.
        name: &'static str,
        /// Expected value.
        expected: &'static str,
    },
    /// The port is not a number.
    #[error("`DATABASE_PORT` is `{found}`: expected a port, 1 to 65535 ({error})")]
    Port {
        /// Value of the variable.
        found: String,
        /// Cause.
        error: ParseIntError,
    },
}

impl Settings {
    /// Reads the settings. `variable` returns the value of a variable; an empty one counts as missing.
    ///
    /// # Errors
    ///
    /// Fails if there is a database's host without the other variables of the database.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name, expected| variable(name).ok_or(SettingsError::Missing { name, expected });
        let database = match variable("DATABASE_HOST") {
            None => None,
            Some(host) => {
                let port = needed("DATABASE_PORT", "a port")?;
                let port = port.parse().map_err(|error| SettingsError::Port { found: port, error })?;
                let secret = "the password (`secret_in_environment: true` in the settings of the provider)";
                Some(Database {
                    host,
                    port,
                    name: needed("DATABASE_NAME", "the database's name")?,
                    user: needed("DATABASE_USER", "the role's name")?,
                    password: needed("DATABASE_SECRET", secret)?,
                    authorities: variable("DATABASE_CA").map(PathBuf::from),
                })
            }
        };
        let name = variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "notes".to_owned());
        Ok(Settings { name, database, bucket: variable("BUCKET") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let find =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        Settings::read(find)
    }

    #[test]
    fn the_environment_of_the_provider_is_enough() {
        let whole = [
            ("AWS_LAMBDA_FUNCTION_NAME", "solobase-acme"),
            ("DATABASE_HOST", "db1.internal"),
            ("DATABASE_PORT", "5432"),
            ("DATABASE_NAME", "d_1"),
            ("DATABASE_USER", "r_1"),
            ("DATABASE_SECRET", "password-nobody-reads"),
            ("BUCKET", "solobase-acme"),
        ];
        let settings = read(&whole).expect("settings");
        let database = settings.database.as_ref().expect("a database");
        assert_eq!((database.host.as_str(), database.port, database.name.as_str()), ("db1.internal", 5432, "d_1"));
        assert_eq!((settings.name.as_str(), settings.bucket.as_deref()), ("solobase-acme", Some("solobase-acme")));
        assert!(!format!("{settings:?}").contains("nobody-reads"));
        for gone in ["DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER", "DATABASE_SECRET"] {
            let rest: Vec<_> = whole.into_iter().filter(|(name, _)| *name != gone).collect();
            let error = read(&rest).expect_err("a missing variable").to_string();
            assert!(error.starts_with(&format!("`{gone}` is not set: expected ")), "{error}");
        }
    }

    #[test]
    fn a_function_without_database_and_bucket_has_settings() {
        let settings = read(&[("BUCKET", "")]).expect("settings");
        assert!(settings.database.is_none() && settings.bucket.is_none());
        let error = read(&[("DATABASE_HOST", "h"), ("DATABASE_PORT", "x")]).expect_err("no port").to_string();
        assert!(error.starts_with("`DATABASE_PORT` is `x`: expected a port, 1 to 65535"), "{error}");
    }
}
