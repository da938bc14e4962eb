//! Installs pinned versions of counterparts, once.

use crate::run::run;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Time limit of one installation.
const LIMIT: Duration = Duration::from_secs(600);
/// Interval between two attempts to take the lock, which another process may hold while it installs.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Returns the folder of all installations.
pub fn folder() -> PathBuf {
    let this = std::env::current_exe().expect("a program has a path");
    target_of(&this).expect("a program is in TARGET/PROFILE, or a test's in TARGET/PROFILE/deps").join("counterparts")
}

fn target_of(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    let profile = if folder.ends_with("deps") { folder.parent()? } else { folder };
    profile.parent()
}

/// Runs one installation at a time, even across processes.
pub(crate) fn exclusively<T>(install: impl FnOnce() -> T) -> T {
    std::fs::create_dir_all(folder()).expect("the folder of the counterparts");
    let lock = File::create(folder().join("lock")).expect("the lock of the counterparts");
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => thread::sleep(POLL_INTERVAL),
            Err(TryLockError::Error(error)) => panic!("the lock of the counterparts: {error}"),
        }
    }
    install()
}

pub(crate) fn install(what: &str, line: &str) {
    let output = run(Command::new("sh").arg("-c").arg(line), LIMIT);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} can't be installed. This line installs it:\n    {line}\n{text}");
}

/// Returns the folder of an installation. Runs the command line that `line` returns for it, unless this was already done for the
/// same `wanted` text.
pub fn installed(name: &str, wanted: &str, line: impl FnOnce(&str) -> String) -> PathBuf {
    let home = folder().join(name);
    let marker = home.join("installed.txt");
    exclusively(|| {
        if std::fs::read_to_string(&marker).unwrap_or_default() != wanted {
            install(name, &line(&home.display().to_string()));
            // Written last, so that an interrupted installation does not count.
            std::fs::write(&marker, wanted).expect("the marker of an installation");
        }
    });
    home
}

/// Returns the folder of a Python environment with these pinned requirements (such as `moto[server]==5.2.5`). Creates
/// the environment if it does not exist or was created for other requirements.
pub fn venv(name: &str, requirements: &[&str]) -> PathBuf {
    installed(name, &requirements.join("\n"), |dir| {
        let list = requirements.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>();
        format!("python3 -m venv --clear {dir} && {dir}/bin/pip install --quiet {}", list.join(" "))
    })
}

/// Returns the folder with `node_modules` for these pinned packages (such as `s3rver@3.7.1`). Installs them if the
/// folder does not exist or was created for other packages.
pub fn node(name: &str, packages: &[&str]) -> PathBuf {
    installed(name, &packages.join("\n"), |dir| {
        let packages = packages.join(" ");
        format!("mkdir -p {dir} && npm install --no-package-lock --no-audit --no-fund --prefix {dir} {packages}")
    })
}

/// Returns the path that `find` returns. Installs the system package `package` first if `find` returns `None`.
pub fn apt(package: &str, find: impl Fn() -> Option<PathBuf>) -> PathBuf {
    exclusively(|| {
        if find().is_none() {
            install(package, &format!("apt-get update && apt-get install -y --no-install-recommends {package}"));
        }
        find().unwrap_or_else(|| panic!("{package} is installed, but does not contain the wanted program"))
    })
}

/// Returns a folder with these system packages and all their dependencies, as files that apt can install without a network. Installs
/// nothing.
pub fn apt_archives(name: &str, packages: &[&str]) -> PathBuf {
    let home = folder().join(name);
    exclusively(|| {
        let download = format!(
            "apt-get install -y --download-only -o Dir::Cache::archives={} {}",
            home.display(),
            packages.join(" ")
        );
        // The package lists may be missing or old.
        install(
            name,
            &format!("mkdir -p {}/partial && {{ {download} || {{ apt-get update && {download}; }}; }}", home.display()),
        );
    });
    home
}

/// Returns the first of these paths that exists.
pub fn program(paths: &[&str]) -> Option<PathBuf> {
    paths.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
}

/// Returns the path of Chromium or Chrome; installs Chromium if neither exists.
pub fn chromium() -> PathBuf {
    apt("chromium", || program(&["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_of_all_profiles_share_one_folder() {
        for program in ["/t/debug/deps/all-0123", "/t/debug/host-bench", "/t/host/host-bench"] {
            assert_eq!(target_of(Path::new(program)), Some(Path::new("/t")), "{program}");
        }
    }
}
