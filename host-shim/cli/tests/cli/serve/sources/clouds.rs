//! The five stories with the program of `cargo xtask build`: its rows on PostgreSQL, databases of instances on the same server, buckets and
//! functions at moto, and mails at an SMTP server. `cargo xtask test full-host` runs them.

use super::{Around, args, environment, log_of, tell};
use counterparts::{Moto, Postgres, Smtp};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An empty zip file.
const EMPTY_ZIP: [u8; 22] = [0x50, 0x4b, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The providers, each of which carries out what those before it do not. `postgres` comes after `aws`.
const PROVIDERS: &str = "local,stripe,http,aws,postgres,smtp";

/// Writes the settings of the providers for these servers.
fn settings(folder: &Path, moto: &Moto, postgres: &Postgres, mails: &Smtp) -> String {
    let (zip, secrets) = (folder.join("function.zip"), folder.join("secrets"));
    fs::write(&zip, EMPTY_ZIP).expect("a zip");
    let scripts = ["migrations", "seeds"].map(|name| folder.join(name));
    for (folder, file) in scripts.iter().zip(["001_members.sql", "first.sql"]) {
        fs::create_dir(folder).expect("a folder");
        fs::write(folder.join(file), "CREATE TABLE IF NOT EXISTS members (name text)").expect("a script");
    }
    fs::create_dir(&secrets).expect("a folder");
    fs::write(secrets.join("postgres"), postgres.password()).expect("a secret");
    fs::write(secrets.join("aws"), "any").expect("a secret");
    let text = format!(
        "secrets_folder: {secrets}
mail: {{from: Host <host@example.com>, admin: [operator@example.com]}}
smtp: {{host: 127.0.0.1, port: {smtp}, security: plain}}
aws:
  region: us-east-1
  endpoint: {aws}
  access_key_id: test
  secret_access_key: secret:file/aws
  shared_buckets: [sample-files]
  functions:
    roles: {{path: /tenants/, operators: ['arn:aws:sts::123456789012:user/moto']}}
    code: {zip}
    runtime: provided.al2023
    handler: bootstrap
postgres:
  programs: {programs}
  migrations: {migrations}
  seeds: {seeds}
  servers: [{{host: 127.0.0.1, port: {port}, user: postgres, password: secret:file/postgres, max_databases: 50}}]
",
        secrets = secrets.display(),
        smtp = mails.address().port(),
        aws = moto.url(),
        zip = zip.display(),
        programs = postgres.programs().display(),
        migrations = scripts[0].display(),
        seeds = scripts[1].display(),
        port = postgres.port(),
    );
    let file = folder.join("providers.yml");
    fs::write(&file, text).expect("the settings");
    file.display().to_string()
}

/// Plays the story of a business on these servers. Returns its last line.
fn play(business: &str, script: &str, more: &[&str]) -> String {
    let (moto, postgres, mails) = (Moto::start(), Postgres::start(), Smtp::start(None));
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let settings = settings(folder.path(), &moto, &postgres, &mails);
    let own = ["--local", "--postgres", "--providers", PROVIDERS, "--provider-settings", &settings];
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
    let mut program = Command::new(dist.join("provisioner"));
    // This program runs the component.
    program.args(args(business, &data, &[&own, more].concat()).iter().filter(|word| *word != "--native"));
    program.arg("--component").arg(dist.join("instance-provisioner.wasm")).envs(environment());
    program.env("DATABASE_URL", postgres.database("host")).env("SUPABASE_ACCESS_TOKEN", "sbp_test");
    let told = tell(program, &data, script, &Around { mails: mails.folder(), cloud: Some(moto.url()) });
    let log = fs::read_to_string(log_of(&data)).expect("the log");
    assert!(!log.contains(postgres.password()), "the log has the password of the database server");
    told
}

#[test]
#[ignore = "needs the program of `cargo xtask build`"]
fn an_administrator_of_solobase_makes_a_plan_and_a_user_gets_an_instance() {
    assert_eq!(play("solobase", "solobase.sh", &[]), "a plan was made and bought, and its instance runs");
}

#[test]
#[ignore = "needs the program of `cargo xtask build`"]
fn a_user_of_2bot_buys_an_add_on_and_an_organization_a_booster() {
    assert_eq!(play("twobot", "twobot.sh", &["--simulate"]), "an add-on, a plan and a booster were bought");
}

#[test]
#[ignore = "needs the program of `cargo xtask build`"]
fn a_customer_of_the_plugin_shop_subscribes_and_downloads() {
    assert_eq!(play("saas-plugins", "plugins.sh", &[]), "a product was bought, a token issued, and a campaign sent");
}

#[test]
#[ignore = "needs the program of `cargo xtask build`"]
fn a_checkout_of_orchestras_site_leads_to_a_database_and_a_link() {
    assert_eq!(play("orchestra", "orchestra.sh", &[]), "an orchestra has its database");
}

#[test]
#[ignore = "needs the program of `cargo xtask build`"]
fn a_user_of_tesslate_buys_credits_and_a_plan_and_deploys() {
    assert_eq!(play("tesslate", "tesslate.sh", &[]), "a user bought credits and a plan, and two projects run");
}
