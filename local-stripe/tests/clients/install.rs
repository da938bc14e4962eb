//! Installs dj-stripe once, in its pinned versions, into `target/counterparts`; `counterparts` installs the other clients.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::run;

/// Serializes installations of parallel tests.
static INSTALLING: Mutex<()> = Mutex::new(());
const LIMIT: Duration = Duration::from_secs(300);

/// Returns the folder with the clients' scripts and pinned versions.
pub fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Returns the folder into which the clients are installed.
pub fn counterparts() -> PathBuf {
    // The test binary is in TARGET/PROFILE/deps.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    target.join("counterparts")
}

fn install(what: &str, line: &str, command: &mut Command) {
    let output = run(command, LIMIT);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what} can't be installed. This line installs it:\n    {line}\n{text}");
}

/// An installation of dj-stripe: the path of its Python interpreter, and an empty, migrated database.
pub struct DjStripe {
    pub python: PathBuf,
    pub database: PathBuf,
}

/// Installs dj-stripe in its own Python environment, as it needs another version of Stripe's library.
pub fn djstripe() -> DjStripe {
    let _one = INSTALLING.lock().unwrap_or_else(|e| e.into_inner());
    let folder = counterparts().join("djstripe");
    let project = clients().join("djstripe");
    let pins = project.join("requirements.txt");
    let (marker, database) = (folder.join("installed.txt"), folder.join("migrated.sqlite3"));
    let wanted = std::fs::read_to_string(&pins).unwrap();
    if std::fs::read_to_string(&marker).unwrap_or_default() != wanted {
        let (dir, pins, project, file) = (folder.display(), pins.display(), project.display(), database.display());
        let line = format!(
            "python3 -m venv --clear {dir} && {dir}/bin/pip install --quiet -r {pins} && \
             DJSTRIPE_DATABASE={file} PYTHONDONTWRITEBYTECODE=1 {dir}/bin/django-admin migrate --settings settings --pythonpath {project} --verbosity 0"
        );
        install("dj-stripe", &line, Command::new("sh").arg("-c").arg(&line));
        std::fs::write(marker, wanted).unwrap();
    }
    DjStripe { python: folder.join("bin/python"), database }
}
