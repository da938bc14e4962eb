//! Plays Orchestra on real servers: with a database on a shared PostgreSQL server; with a project at a test double of
//! Supabase, whose database is a PostgreSQL server with TLS and the project's host name; and with a project that an
//! operator created there, because the quota was reached.

use crate::site::address;
use counterparts::{Postgres, Project, Supabase};
use end_to_end::acting::{failures, load_stories, played};
use end_to_end::hosts::component;
use end_to_end::world::root;
use host_provider_api::ProviderName;
use host_providers::{Opened, Options, Settings, chart, open};
use host_replay::library::Story;
use host_replay::live::LiveProviders;
use host_replay::play::CaseReport;
use host_replay::runners::Runners;
use host_replay::stripe::LocalStripe;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const TOKEN: &str = "sbp_nobodymayreadthis";
const ORGANIZATION: &str = "org-1";
/// References of the projects that the double creates, and of the project that the operator creates.
const FIRST: &str = "aaaaaaaaaaaaaaaaaaab";
const SECOND: &str = "aaaaaaaaaaaaaaaaaaac";
const BY_HAND: &str = "byhandbyhandbyhandby";
const PATIENCE: Duration = Duration::from_secs(90);

/// Migration and seed of an orchestra's database.
const MIGRATION: &str =
    "CREATE TABLE members (name text PRIMARY KEY); CREATE TABLE orchestras (subdomain text, admin text);";
const SEED: &str = "INSERT INTO orchestras VALUES (current_setting('seed.orchestra'), current_setting('seed.admin'));";
/// Query of the seeded row, and its result.
const FILLED: &str = "SELECT subdomain, admin FROM app.orchestras";
const PHILHARMONIC: &str = "philharmonic|office@philharmonic.example\n";

/// A folder with migrations, seeds and settings.
struct Folder(TempDir);

impl Folder {
    fn make() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in [("migrations/001_members.sql", MIGRATION), ("seeds/orchestra.sql", SEED)] {
            let file = folder.path().join(path);
            std::fs::create_dir(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, text).expect("written");
        }
        Folder(folder)
    }

    fn secret(&self, name: &str, plain: &str) {
        std::fs::write(self.0.path().join(name), plain).expect("a secret");
    }

    /// Opens providers with these parts of settings; `FOLDER` in them stands for this folder.
    fn open(&self, names: &[ProviderName], stripe: &Arc<LocalStripe>, parts: &str) -> (LiveProviders, Opened) {
        let text = format!("secrets_folder: FOLDER\n{parts}").replace("FOLDER", &self.0.path().display().to_string());
        let file = self.0.path().join("providers.yml");
        std::fs::write(&file, text).expect("the settings");
        let settings = Settings::read(&file).expect("readable settings");
        let names = [names, &[ProviderName::Stripe]].concat();
        let options = Options { names, settings, local_stripe: Some(address(stripe)), ..Options::default() };
        let opened = open(&options).expect("running servers");
        let world = LiveProviders::new(opened.registry.clone()).with_patience(PATIENCE).with_stripe(stripe.clone());
        (world, opened)
    }
}

fn stripe() -> Arc<LocalStripe> {
    Arc::new(LocalStripe::start().expect("a local Stripe"))
}

fn story(name: &str) -> Story {
    load_stories(root().join("examples").join(name), None).remove(0)
}

fn through_the_component(story: &Story, world: &LiveProviders) -> CaseReport {
    played(story, world, &Runners::loaded("component", component().clone(), false))
}

#[test]
fn an_orchestra_on_a_shared_postgresql_runs_to_its_end() {
    let (postgres, folder, stripe) = (Postgres::start(), Folder::make(), stripe());
    folder.secret("postgres", postgres.password());
    let parts = format!(
        "postgres:
  programs: {}
  migrations: FOLDER/migrations
  seeds: FOLDER/seeds
  servers: [{{host: 127.0.0.1, port: {}, user: postgres, password: secret:file/postgres, max_databases: 5}}]
",
        postgres.programs().display(),
        postgres.port()
    );
    let (world, opened) = folder.open(&[ProviderName::Local, ProviderName::Postgres], &stripe, &parts);
    let report = through_the_component(&story("orchestra-on-postgresql.yml"), &world);
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(opened.registry.held().expect("lists").held, []);
    let left = postgres.sql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate");
    assert_eq!(left, "postgres\n");
    println!("{}", chart(&opened.journal.spans()));
}

/// A test double of Supabase. The database of its projects is a PostgreSQL server, reached under the projects' host
/// names.
pub struct AtSupabase {
    double: Supabase,
    postgres: Arc<Postgres>,
    /// A shared server, on which no database is created.
    shared: Postgres,
    folder: Folder,
    stripe: Arc<LocalStripe>,
}

impl AtSupabase {
    pub fn start() -> AtSupabase {
        let host = |reference: &str| format!("db.{reference}.supabase.co");
        let postgres = Arc::new(Postgres::with_tls(&[FIRST, SECOND, BY_HAND].map(host).each_ref().map(String::as_str)));
        let double = Supabase::start(TOKEN, ORGANIZATION);
        double.set_database(&postgres);
        let folder = Folder::make();
        folder.secret("supabase", TOKEN);
        let shared = Postgres::start();
        folder.secret("postgres", shared.password());
        AtSupabase { double, postgres, shared, folder, stripe: stripe() }
    }

    /// The administrator's password of the shared server.
    pub fn shared_password(&self) -> &'static str {
        self.shared.password()
    }

    pub fn open(&self) -> (LiveProviders, Opened) {
        let found_at = |reference: &str| format!("db.{reference}.supabase.co: '127.0.0.1:{}'", self.postgres.port());
        let parts = format!(
            "supabase: {{token: secret:file/supabase, organization: {ORGANIZATION}, url: 'http://{}'}}
postgres:
  programs: {}
  migrations: FOLDER/migrations
  seeds: FOLDER/seeds
  servers: [{{host: 127.0.0.1, port: {}, user: postgres, password: secret:file/postgres, max_databases: 5}}]
  ca: {}
  addresses: {{{}, {}, {}}}
",
            self.double.address(),
            self.postgres.programs().display(),
            self.shared.port(),
            self.postgres.authority().display(),
            found_at(FIRST),
            found_at(SECOND),
            found_at(BY_HAND),
        );
        self.folder.open(&[ProviderName::Local, ProviderName::Postgres, ProviderName::Supabase], &self.stripe, &parts)
    }
}

#[test]
fn an_orchestra_at_supabase_runs_to_its_end() {
    let site = AtSupabase::start();
    let (world, opened) = site.open();
    let report = through_the_component(&story("orchestra-at-supabase.yml"), &world);
    println!("{}", chart(&opened.journal.spans()));
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(site.postgres.sql("postgres", FILLED), PHILHARMONIC);
    assert_eq!(site.double.projects(), []);
    let spans = opened.journal.spans();
    let called = |kind: &str| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!((called("database.ensure"), called("database.change"), called("database.destroy")), (2, 3, 2));
    assert_eq!((called("database.backup"), called("database.restore")), (2, 1));
    println!("{}", chart(&spans));
}

#[test]
fn an_orchestra_with_a_database_made_by_an_operator() {
    let site = AtSupabase::start();
    let (world, opened) = site.open();
    let story = by_hand(&site, &opened, Project::PASSWORD);
    let report = through_the_component(&story, &world);
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(site.postgres.sql("postgres", FILLED), PHILHARMONIC);
    assert_eq!(site.double.projects(), []);
    println!("{}", chart(&opened.journal.spans()));
}

/// The story in which an operator creates the project at Supabase and enters this password.
pub fn by_hand(site: &AtSupabase, opened: &Opened, password: &str) -> Story {
    site.double.set_most(0);
    site.double.put(Project::ready(BY_HAND, ORGANIZATION, "Philharmonic, by hand"));
    // The password is stored in the scope of the orchestra's account.
    let made = opened.vault.put("orchestra/test/user:o1", "philharmonic", password).expect("kept");
    let story = story("orchestra-by-hand.yml");
    let file = site.folder.0.path().join("by-hand.yml");
    let text = std::fs::read_to_string(&story.scenario.file).expect("the story").replace("SECRET", &made.reference);
    std::fs::write(&file, text).expect("written");
    load_stories(file, Some("orchestra")).remove(0)
}
