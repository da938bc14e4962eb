//! The five businesses with the payloads of their descriptions, from the first request to the last effect, at a server in local mode: a local
//! Stripe, and providers on this machine. Each story is a script that needs nothing but curl.

#[path = "sources/clouds.rs"]
mod clouds;

use super::{Running, args, environment, log_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Time limit of a story.
const LIMIT: Duration = Duration::from_secs(120);

/// Number of lines of a server's log that a failed story prints.
const LOG_LINES: usize = 60;

/// Returns the path of curl.
fn curl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("curl")).find(|program| program.is_file())
}

/// What a story's script is told of the servers besides the host.
struct Around<'a> {
    /// The folder in which mails arrive.
    mails: &'a Path,
    /// The address of a simulated cloud; none if objects are files of the provider `local`.
    cloud: Option<String>,
}

/// Plays the story of a business on this machine. Returns its last line.
fn play(business: &str, script: &str, more: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // With a token of Supabase, the database of an orchestra waits for no person; the provider `local` makes it here.
    let environment = [&environment()[..], &[("SUPABASE_ACCESS_TOKEN", "sbp_test")]].concat();
    let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    program.args(args(business, &data, &[&["--local"], more].concat())).envs(environment);
    let mails = data.join("providers/mails");
    tell(program, &data, script, &Around { mails: &mails, cloud: None })
}

/// Prints the end of a server's log if the test fails.
struct LogIfFailed(PathBuf);

impl Drop for LogIfFailed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.0).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("the end of the log:\n{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}

/// Starts a server and plays a story on it. Returns its last line.
fn tell(program: Command, data: &Path, script: &str, around: &Around<'_>) -> String {
    counterparts::apt("curl", curl);
    let _log = LogIfFailed(log_of(data));
    let (mut server, lines) = Running::spawn_and_read(program, &log_of(data));
    server.key = std::fs::read_to_string(data.join("operator.key")).expect("the operator's key").trim().to_owned();
    let stripe = lines.iter().find_map(|line| line.strip_prefix("stripe")).expect("a local Stripe").trim();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients/sources");
    let mut bash = Command::new("bash");
    bash.arg(scripts.join(script)).arg(format!("http://{}", server.address)).arg(&server.key).arg(data).arg(stripe);
    bash.arg(around.mails).args(&around.cloud);
    let out = counterparts::succeeds(&mut bash, LIMIT);
    server.stop();
    out.trim().to_owned()
}

// covers: SOL-06, SOL-10, SOL-26
#[test]
fn an_administrator_of_solobase_makes_a_plan_and_a_user_gets_an_instance() {
    assert_eq!(play("solobase", "solobase.sh", &[]), "a plan was made and bought, and its instance runs");
}

// covers: BOT-20, BOT-22, BOT-23, BOT-24
#[test]
fn a_user_of_2bot_buys_an_add_on_and_an_organization_a_booster() {
    assert_eq!(play("twobot", "twobot.sh", &[]), "an add-on, a plan and a booster were bought");
}

// covers: PLG-23, PLG-34, PLG-44
#[test]
fn a_customer_of_the_plugin_shop_subscribes_and_downloads() {
    assert_eq!(play("saas-plugins", "plugins.sh", &[]), "a product was bought, a token issued, and a campaign sent");
}

// covers: ORC-03, ORC-06, ORC-08
#[test]
fn a_checkout_of_orchestras_site_leads_to_a_database_and_a_link() {
    assert_eq!(play("orchestra", "orchestra.sh", &[]), "an orchestra has its database");
}

// covers: TES-26, TES-51, TES-53
#[test]
fn a_user_of_tesslate_buys_credits_and_a_plan_and_deploys() {
    assert_eq!(play("tesslate", "tesslate.sh", &[]), "a user bought credits and a plan, and two projects run");
}
