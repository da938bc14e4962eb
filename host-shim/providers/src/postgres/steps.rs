//! `database.migrate` and `database.seed`: run SQL files, each once, in its own transaction, with the tenant's rights.

use crate::postgres::config::Config;
use crate::postgres::connect::{self, within};
use crate::postgres::desired::bad;
use crate::postgres::failed::Failed;
use crate::postgres::foreign::{foreign, open};
use crate::postgres::observe::split;
use crate::postgres::record;
use host_provider_api::{Call, CallOutcome, Secret};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

/// Maximum size of a file in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Maximum number of files.
const FILES_MAX: usize = 10_000;

/// The kind of files to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptKind {
    /// `NNN_name.sql`. A file that was changed after it was run is refused, because databases would differ.
    Migrate,
    /// `name.sql`. A changed file is run again. A file reads the strings in the payload as
    /// `current_setting('seed.NAME')`.
    Seed,
}

struct File {
    name: String,
    sha256: String,
    sql: String,
}

pub(crate) fn run(config: &Config, call: &Call, kind: ScriptKind) -> Result<CallOutcome, Failed> {
    let folder = match kind {
        ScriptKind::Migrate => config.migrations.as_deref(),
        ScriptKind::Seed => config.seeds.as_deref(),
    };
    let Some(folder) = folder else {
        return Err(Failed::refused("not-configured", format!("no folder is configured for `{}`", call.kind)));
    };
    let files = read(folder, kind)?;
    let secret = call.text("secret").unwrap_or_default();
    let plain = call.secret(secret)?;
    within(config.work_timeout, async {
        let client = reach(config, call, &plain).await?;
        let mut begun = format!("SET statement_timeout = {};", config.work_timeout.as_millis());
        if let ScriptKind::Seed = kind {
            begun.push_str(&settings(&call.payload)?);
        }
        let has_schema = "SELECT to_regnamespace('app') IS NOT NULL";
        // `CREATE SCHEMA IF NOT EXISTS` would require the right to create a schema even if the schema exists.
        if !client.query_typed_one(has_schema, &[]).await?.try_get::<_, bool>(0)? {
            begun.push_str("CREATE SCHEMA app;");
        }
        let table = table(kind);
        begun.push_str(&format!(
            "SET search_path = app; CREATE TABLE IF NOT EXISTS {table} (name text PRIMARY KEY, sha256 text NOT NULL);"
        ));
        client.batch_execute(&begun).await?;
        for file in &files {
            run_once(&client, kind, file).await?;
        }
        // The outputs count all files, not only those that this call ran, so that a repeated call has the same outputs.
        let last = files.last().map(|file| file.name.as_str());
        Ok(CallOutcome::Done(match kind {
            ScriptKind::Migrate => json!({"version": last, "migrations": files.len()}),
            ScriptKind::Seed => json!({"seeds": files.len()}),
        }))
    })
}

fn table(kind: ScriptKind) -> &'static str {
    match kind {
        ScriptKind::Migrate => "app.schema_migrations",
        ScriptKind::Seed => "app.seeds",
    }
}

/// Connects as the tenant. If one of our databases on the payload's endpoint has the payload's secret as its password,
/// connects to that database; otherwise to the database that the payload describes.
async fn reach(config: &Config, call: &Call, plain: &Secret) -> Result<Client, Failed> {
    let nothing = Value::Null;
    let value = call.payload.get("database").unwrap_or(&nothing);
    let wanted = value.as_str().and_then(split);
    let (host, port) =
        wanted.ok_or_else(|| bad("database", value, "`host:port`, the endpoint of `database.ensure`"))?;
    for settings in &config.servers {
        if settings.host != host || port.is_some_and(|port| port != settings.port) {
            continue;
        }
        let password = connect::password(settings, |reference| call.secret(reference))?;
        let admin = connect::as_admin(config, settings, &password, connect::ADMIN_DATABASE).await?;
        let secret = call.text("secret").unwrap_or_default();
        let Some(record) = record::find_by_secret(&admin, &call.scope, secret).await? else { continue };
        let mut wanted = tokio_postgres::Config::new();
        wanted.host(&settings.host).port(settings.port).user(&record.names.role).password(plain.expose());
        return connect::open(config, wanted.dbname(&record.names.database), settings.tls).await;
    }
    open(config, foreign(call, &call.payload, "secret", "database")?).await
}

/// Returns statements that pass the payload's strings to seeds. They are passed as settings, which are not executed as
/// SQL.
fn settings(payload: &Value) -> Result<String, Failed> {
    let mut out = String::new();
    for (name, value) in payload.as_object().into_iter().flatten() {
        let Some(text) = value.as_str().filter(|_| !["secret", "database"].contains(&name.as_str())) else { continue };
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(is_word) || text.contains('\0') {
            return Err(bad(name, value, "a text under a name of a-z, 0-9 and _"));
        }
        out.push_str(&format!("SET {}.{} = {};", "seed", escape_identifier(name), escape_literal(text)));
    }
    Ok(out)
}

/// Runs a file unless it was run before. Runs a changed seed again; refuses a changed migration.
async fn run_once(client: &Client, kind: ScriptKind, file: &File) -> Result<(), Failed> {
    let table = table(kind);
    let in_file = |error| of_file(error, &file.name);
    // A concurrent call for the same file waits for the lock, and then finds that the file has been run.
    client.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")).await?;
    let query = format!("SELECT sha256 FROM {table} WHERE name = $1");
    let known = client.query_typed_opt(&query, &[(&file.name, Type::TEXT)]).await?;
    let known: Option<String> = known.map(|row| row.try_get(0)).transpose()?;
    match &known {
        Some(sha256) if *sha256 == file.sha256 => return Ok(client.batch_execute("ROLLBACK").await?),
        Some(_) if kind == ScriptKind::Migrate => {
            let problem = format!("{} was changed after it was run: expected a new file", file.name);
            return Err(Failed::refused("migration-changed", problem));
        }
        _ => {}
    }
    let transaction = "SELECT pg_current_xact_id()::text";
    let before: String = client.query_typed_one(transaction, &[]).await?.try_get(0)?;
    client.batch_execute(&file.sql).await.map_err(in_file)?;
    let after: String = client.query_typed_one(transaction, &[]).await.map_err(in_file)?.try_get(0)?;
    if before != after {
        let problem = format!("{} ends its transaction: expected no COMMIT or ROLLBACK", file.name);
        return Err(Failed::refused("bad-step", problem));
    }
    let (name, sha256) = (escape_literal(&file.name), escape_literal(&file.sha256));
    let noted = format!(
        "RESET search_path; SET search_path = app;
         INSERT INTO {table} VALUES ({name}, {sha256}) ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256; COMMIT"
    );
    Ok(client.batch_execute(&noted).await?)
}

/// Adds the file's name to an error. If an object already exists, the file is wrong, so the call is refused instead of
/// retried.
fn of_file(error: tokio_postgres::Error, name: &str) -> Failed {
    if let Some(db_error) = error.as_db_error()
        && ["23", "42"].contains(&&db_error.code().code()[..2])
        && *db_error.code() != SqlState::INSUFFICIENT_PRIVILEGE
    {
        let message: String = db_error.message().chars().take(200).collect();
        return Failed::refused("database-refused", format!("{name}: {message} ({})", db_error.code().code()));
    }
    Failed(match Failed::from(error).0 {
        CallOutcome::Refused { code, message } => CallOutcome::Refused { code, message: format!("{name}: {message}") },
        CallOutcome::Retry { after_ms, code, message } => {
            CallOutcome::Retry { after_ms, code, message: format!("{name}: {message}") }
        }
        other => other,
    })
}

/// Reads the files of a folder in alphabetical order.
fn read(folder: &Path, kind: ScriptKind) -> Result<Vec<File>, Failed> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Failed::retry("folder-unavailable", format!("{}: {error}", path.display()))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        paths.push(entry.map_err(|error| unreadable(folder, error))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    if paths.len() > FILES_MAX {
        let problem = format!("{} has {} files: expected {FILES_MAX} at most", folder.display(), paths.len());
        return Err(Failed::refused("bad-step", problem));
    }
    let mut files: Vec<File> = Vec::with_capacity(paths.len());
    for path in paths {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !is_name(&name, kind) {
            let expected = if kind == ScriptKind::Migrate { "NNN_name.sql" } else { "name.sql" };
            let problem = format!("`{name}` is not a valid file name: expected {expected} of a-z, 0-9, _ and -");
            return Err(Failed::refused("bad-step", problem));
        }
        let number = |name: &str| name.split('_').next().map(str::to_owned);
        if kind == ScriptKind::Migrate && files.last().is_some_and(|last| number(&last.name) == number(&name)) {
            return Err(Failed::refused("bad-step", format!("`{name}` has the same number as the previous file")));
        }
        let size = std::fs::metadata(&path).map_err(|error| unreadable(&path, error))?.len();
        if size > FILE_BYTES_MAX {
            return Err(Failed::refused("bad-step", format!("{name} has {size} bytes: expected 16 MiB at most")));
        }
        let sql = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        files.push(File { sha256: hex::encode(Sha256::digest(&sql)), name, sql });
    }
    Ok(files)
}

fn is_name(name: &str, kind: ScriptKind) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let is_right = !name.is_empty() && name.len() <= 200 && name.bytes().all(is_plain);
    let is_numbered = name.split_once('_').is_some_and(|(number, rest)| {
        number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty()
    });
    is_right && (kind == ScriptKind::Seed || is_numbered)
}
