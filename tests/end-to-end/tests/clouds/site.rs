//! The servers of a test, and the providers that use them.

use counterparts::{FaultProxy, Moto, Postgres, Protocol, Smtp};
use host_provider_api::ProviderName;
use host_providers::{Opened, Options, Settings, open};
use host_replay::live::LiveProviders;
use host_replay::stripe::{LocalStripe, TEST_KEY};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Timeout of a step: retry policies of effects begin with five seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// Secrets that the host must not store or report.
pub const AWS_KEY: &str = "aws-key-nobody-reads";
pub const SMTP_PASSWORD: &str = "smtp-password-nobody-reads";
/// An empty zip file.
const EMPTY_ZIP: [u8; 22] = [0x50, 0x4b, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A cloud and a database server, each behind a fault proxy, and a mail server.
pub struct Site {
    pub aws: FaultProxy,
    pub databases: FaultProxy,
    pub mails: Smtp,
    moto: Moto,
    postgres: Postgres,
    folder: TempDir,
}

impl Site {
    pub fn start() -> Site {
        Site::with_code(&EMPTY_ZIP)
    }

    /// Like [`start`](Self::start), with this zip file as the code of all functions.
    pub fn with_code(zip: &[u8]) -> Site {
        let (moto, postgres, mails) = (Moto::start(), Postgres::start(), Smtp::start(Some(SMTP_PASSWORD)));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("function.zip"), zip).expect("a zip");
        std::fs::create_dir(folder.path().join("secrets")).expect("a folder");
        std::fs::write(folder.path().join("secrets/postgres"), postgres.password()).expect("a secret");
        std::fs::write(folder.path().join("secrets/aws"), AWS_KEY).expect("a secret");
        std::fs::write(folder.path().join("secrets/smtp"), SMTP_PASSWORD).expect("a secret");
        Site {
            aws: FaultProxy::start(moto.server().address(), Protocol::Http),
            databases: FaultProxy::start(([127, 0, 0, 1], postgres.port()).into(), Protocol::Plain),
            mails,
            moto,
            postgres,
            folder,
        }
    }

    /// Opens `--providers aws,postgres,smtp` with settings for these servers.
    pub fn world(&self) -> (LiveProviders, Opened) {
        self.open(vec![ProviderName::Aws, ProviderName::Postgres, ProviderName::Smtp], None)
    }

    /// Like [`world`](Self::world), with a local Stripe in addition.
    pub fn world_with(&self, stripe: &Arc<LocalStripe>) -> (LiveProviders, Opened) {
        let names = vec![ProviderName::Aws, ProviderName::Postgres, ProviderName::Smtp, ProviderName::Stripe];
        let (world, opened) = self.open(names, Some(address(stripe)));
        (world.with_stripe(stripe.clone()), opened)
    }

    fn open(
        &self,
        names: Vec<ProviderName>,
        local_stripe: Option<host_providers::LocalStripe>,
    ) -> (LiveProviders, Opened) {
        let folder = self.folder.path();
        let text = format!(
            "secrets_folder: {secrets}
mail: {{from: Solobase <host@solobase.example>, admin: [admin@solobase.example], accounts: {{'user:u1': [u1@customers.example]}}}}
smtp: {{host: 127.0.0.1, port: {smtp}, security: plain, user: host, password: secret:file/smtp}}
aws:
  region: us-east-1
  endpoint: {aws}
  access_key_id: test
  secret_access_key: secret:file/aws
  functions:
    roles: {{path: /tenants/, operators: ['arn:aws:sts::123456789012:user/moto']}}
    code: {zip}
    runtime: provided.al2023
    handler: bootstrap
postgres:
  programs: {programs}
  servers: [{{host: 127.0.0.1, port: {port}, user: postgres, password: secret:file/postgres, max_databases: 50}}]
",
            secrets = folder.join("secrets").display(),
            smtp = self.mails.address().port(),
            aws = self.aws.url(),
            zip = folder.join("function.zip").display(),
            programs = self.postgres.programs().display(),
            port = self.databases.address().port(),
        );
        let file = folder.join("providers.yml");
        std::fs::write(&file, text).expect("the settings");
        let settings = Settings::read(&file).expect("readable settings");
        let opened = open(&Options { names, local_stripe, settings, ..Options::default() }).expect("running servers");
        (LiveProviders::new(opened.registry.clone()).with_patience(PATIENCE), opened)
    }

    /// The resources that still exist on the servers, after removing all faults; empty if nothing remains.
    pub fn is_empty(&self, opened: &Opened) -> Vec<String> {
        self.aws.clear();
        self.databases.clear();
        let held = opened.registry.held().expect("lists").held;
        held.into_iter().map(|it| format!("{} {}", it.id, it.state)).collect()
    }

    /// The logs of the servers, and the received mails.
    pub fn logs(&self) -> Vec<(&'static str, String)> {
        let mails = self.mails.mails().into_iter().map(|mail| std::fs::read(mail).expect("a mail"));
        let mails: Vec<String> = mails.map(|mail| String::from_utf8_lossy(&mail).into_owned()).collect();
        vec![("PostgreSQL's log", self.postgres.log()), ("the mails", mails.concat())]
    }

    /// The administrator's password of the database server.
    pub fn database_password(&self) -> &'static str {
        self.postgres.password()
    }

    /// Runs a statement as the administrator of the database server.
    pub fn administer(&self, statement: &str) -> String {
        self.postgres.sql("postgres", statement)
    }

    /// The folder of PostgreSQL's programs.
    pub fn programs(&self) -> &std::path::Path {
        self.postgres.programs()
    }

    /// The cloud, for direct queries.
    pub fn moto(&self) -> &Moto {
        &self.moto
    }
}

/// The URL and the API key of a local Stripe.
pub fn address(stripe: &LocalStripe) -> host_providers::LocalStripe {
    host_providers::LocalStripe { url: stripe.url(), key: TEST_KEY.to_owned() }
}
