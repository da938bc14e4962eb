//! The reasons why a database cannot be used as a store.

/// The reason why a database cannot be used as a store. No message contains a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is wrong.
    #[error("address of the store: {0}")]
    Address(String),
    /// The database was not reached, or refused the connection.
    #[error("cannot connect to PostgreSQL: {0}")]
    Unreachable(String),
    /// This machine cannot open connections.
    #[error("cannot open connections: {0}")]
    Machine(String),
    /// The database was written by a newer version of this program.
    #[error("schema version {found} is newer than the newest supported version {known}")]
    TooNew {
        /// The database's version.
        found: i32,
        /// Newest version that this program supports.
        known: i32,
    },
    /// The database was written by an older version of this program, and may only be read.
    #[error(
        "schema version {found} is older than {known}: start the server once, which brings the database up to date"
    )]
    TooOld {
        /// The database's version.
        found: i32,
        /// Version that this program reads.
        known: i32,
    },
    /// The schema was written by a build from before the first release.
    #[error("schema version {found} is of a build before the first release: begin with a new schema")]
    Early {
        /// The version of the schema.
        found: i32,
    },
    /// The server is too old.
    #[error("PostgreSQL {found} is too old: expected 15 or newer")]
    OldServer {
        /// Version of the server, for example `14.2`.
        found: String,
    },
    /// The encoding of the database is not UTF-8.
    #[error("the database has the encoding {found}: expected UTF8")]
    Encoding {
        /// The encoding.
        found: String,
    },
    /// A pooler shares the session of one connection with others.
    #[error(
        "a pooler before PostgreSQL gives one session to several connections: expected one session for each connection until \
         it ends, as with `pool_mode = session` and `server_reset_query = DISCARD ALL` of pgbouncer"
    )]
    SharedSession,
    /// A statement failed.
    #[error("PostgreSQL: {0}")]
    Sql(String),
}

impl From<host_store::StoreError> for OpenError {
    fn from(error: host_store::StoreError) -> Self {
        OpenError::Sql(error.to_string())
    }
}
