//! A user with nothing but curl, at a server in local mode: from the registration to a deployed project and a cancelled plan.

use super::{Running, args, environment, log_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Time limit of the whole story.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns the path of curl.
fn found() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("curl")).find(|program| program.is_file())
}

#[test]
fn a_user_registers_buys_deploys_and_cancels_with_curl() {
    counterparts::apt("curl", found);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server =
        Running::start_args(&args("tesslate", &data, &["--local", "--simulate"]), &environment(), &log_of(&data));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients/studio.sh");
    let mut bash = Command::new("bash");
    let out = counterparts::succeeds(bash.arg(script).arg(format!("http://{}", server.address)), LIMIT);
    assert_eq!(out.trim(), "a user bought and cancelled a plan, and a project runs");
    server.stop();
}
