//! sqlacodegen, which reads the tables and views of a database and generates Python code with their columns and types.

use crate::install::venv;
use crate::run::succeeds;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The requirements for pip, with pinned versions.
const REQUIREMENTS: [&str; 3] = ["sqlacodegen==4.0.4", "sqlalchemy==2.0.58", "psycopg[binary]==3.3.9"];
const LIMIT: Duration = Duration::from_secs(60);

/// The program.
pub struct Sqlacodegen(PathBuf);

impl Sqlacodegen {
    /// Installs the program if needed.
    pub fn install() -> Sqlacodegen {
        Sqlacodegen(venv("sqlacodegen", &REQUIREMENTS).join("bin/sqlacodegen"))
    }

    /// Returns the code for the tables and views of some schemas, or of a whole database.
    pub fn read(&self, url: &str, schemas: &[String]) -> String {
        let mut command = Command::new(&self.0);
        command.args(["--generator", "tables"]);
        command.args((!schemas.is_empty()).then(|| format!("--schemas={}", schemas.join(","))));
        succeeds(command.arg(url), LIMIT)
    }
}
