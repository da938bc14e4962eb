//! dj-stripe, with its own view in a Django project, served by gunicorn.

use super::stripe_api::StripeApi;
use super::{counts, file};
use crate::http::load::Load;
use crate::http::postgres::analyze;
use crate::http::served::Served;
use crate::http::{CONNECTIONS, SECRET, Stream};
use crate::setting::Setting;
use anyhow::{Context, Result, ensure};
use counterparts::{Postgres, Server, venv};
use std::path::Path;
use std::process::Command;

/// Name and version for the report.
pub const VERSION: &str = "dj-stripe 2.11.0";
/// Number of gunicorn processes.
pub const WORKERS: usize = 2;
/// The requirements for pip, with pinned versions.
const REQUIREMENTS: [&str; 5] =
    ["Django==5.2.19", "dj-stripe==2.11.0", "stripe==15.6.2", "gunicorn==27.0.1", "psycopg[binary]==3.3.9"];
/// Name of its database.
const DATABASE: &str = "djstripe";
/// Number of measured rounds.
const ROUNDS: usize = 2;

/// Number of customers. It handles only a few events per second, so the whole stream would take an hour.
pub fn customers(setting: &Setting) -> usize {
    setting.pick(300, 50)
}

/// Measures dj-stripe, and installs it if needed. If that fails, panics with the command that installs it.
pub fn measure(setting: &Setting, stream: Stream, postgres: &Postgres) -> Result<Served> {
    let home = venv("djstripe-server", &REQUIREMENTS);
    postgres.database(DATABASE);
    let stream = stream.of_some(customers(setting));
    let api = StripeApi::start(stream)?;
    let program = |name: &str| {
        let mut command = Command::new(home.join("bin").join(name));
        command.current_dir(file("djstripe")).env("PYTHONPATH", ".").env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("DJANGO_SETTINGS_MODULE", "settings").env("PEER_DATABASE", DATABASE);
        command.env("PEER_SOCKET", postgres.socket()).env("PEER_PORT", postgres.port().to_string());
        command.env("STRIPE_API_HOST", api.url());
        command
    };
    run(program("python").args(["-m", "django", "migrate", "-v", "0", "--skip-checks"]))?;
    let printed = run(program("python").arg("endpoint.py").arg(SECRET))?;
    let path = printed.lines().last().context("no path of the endpoint")?.to_owned();
    let server = Server::start(|port, _| {
        let mut command = program("gunicorn");
        command.args(["--workers", &WORKERS.to_string(), "--bind", &format!("127.0.0.1:{port}"), "wsgi:application"]);
        command
    });
    let address = server.address().to_string();
    let load = Load::new(&[&address], CONNECTIONS)?;
    let (servers, database) = ([server.id()], Some(postgres.id()));
    let before = |round| {
        api.set_round(round);
        analyze(postgres, DATABASE);
    };
    let served = Served::measure(&load, stream, &path, ROUNDS, &servers, database, before);
    let served = served.with_context(|| server.log())?;
    let events = stream.customers * (ROUNDS + 1);
    counts(postgres, DATABASE, "djstripe_subscription", stream.customers)?;
    counts(postgres, DATABASE, "djstripe_event", events)?;
    counts(postgres, DATABASE, "djstripe_webhookeventtrigger WHERE processed AND valid", events)?;
    Ok(served)
}

fn run(command: &mut Command) -> Result<String> {
    let shown = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| shown.clone())?;
    ensure!(output.status.success(), "{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_version_is_the_installed_one() {
        assert!(REQUIREMENTS.contains(&VERSION.replace(' ', "==").as_str()), "{VERSION}");
    }
}
