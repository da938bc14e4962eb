//! Plants secrets in all places of the host, plays whole stories, and searches for the secrets in everything that
//! remains: store, reports, debug output of providers, sent mails and server logs.

use crate::orchestra::{AtSupabase, TOKEN, by_hand};
use crate::site::{AWS_KEY, SMTP_PASSWORD, Site};
use counterparts::Project;
use end_to_end::acting::{failures, load_stories, played_with};
use end_to_end::world::root;
use host_provider_api::Secrets;
use host_providers::{Opened, chart};
use host_replay::library::Story;
use host_replay::live::LiveProviders;
use host_replay::play::{CaseReport, PlayOptions};
use host_replay::rig::StoreKind;
use host_replay::stripe::{LocalStripe, TEST_KEY};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Number of customers with concurrent instances.
const CUSTOMERS: usize = 12;
/// A wrong database password, and the time for which the host tries it.
const WRONG: &str = "the-wrong-password-of-who-made-it";
const SHORT: Duration = Duration::from_secs(5);

/// The bytes that remain after a story, by place.
struct Left(Vec<(String, Vec<u8>)>);

impl Left {
    /// Collects everything that the host stores and reports about a story.
    fn of(report: &CaseReport, world: &LiveProviders, opened: &Opened, store: &Path) -> Left {
        let spans = opened.journal.spans();
        let held = opened.registry.held().map(|listed| listed.held).map_err(|error| error.to_string());
        let reports = format!("{report:#?}\n{world:?}\n{opened:?}\n{spans:#?}\n{}\n{held:?}", chart(&spans));
        let mut left = Left(vec![("the reports".to_owned(), reports.into_bytes())]);
        for entry in std::fs::read_dir(store).expect("the folder of the store") {
            let path = entry.expect("a file").path();
            left.0.push((path.display().to_string(), std::fs::read(&path).expect("a file of the store")));
        }
        left
    }

    fn add(&mut self, logs: Vec<(&'static str, String)>) {
        self.0.extend(logs.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())));
    }

    /// The places that contain a text.
    fn find(&self, text: &str) -> Vec<&str> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.0.iter().filter(|(_, bytes)| has(bytes)).map(|(name, _)| name.as_str()).collect()
    }

    /// Asserts that no place contains a secret. Also asserts that `known` is found, so that the search is known to
    /// work.
    fn assert_without(&self, canaries: &[String], known: &str) {
        assert!(self.find(known).len() > 1, "`{known}` must be found in the store and in the report");
        for canary in canaries {
            assert!(canary.len() >= 12, "`{canary}` is too short to search for");
            assert_eq!(self.find(canary), [""; 0], "`{canary}`");
        }
    }
}

/// Returns all secrets in the vault of the host.
fn kept(opened: &Opened) -> Vec<String> {
    let all = opened.vault.list().expect("a list");
    let plain = |scope: &str, reference: &str| opened.vault.resolve(scope, reference).expect("a secret");
    all.iter().map(|one| plain(&one.scope, &one.reference).expose().to_owned()).collect()
}

fn play(story: &Story, world: &LiveProviders, store: &Path) -> CaseReport {
    let file = store.join("store.db");
    let options = PlayOptions {
        live: Some(world.clone()),
        store: StoreKind::Sqlite(file),
        ..PlayOptions::new(host_replay::native::runners())
    };
    played_with(story, &options)
}

#[test]
fn no_secret_remains_anywhere() {
    let given = [AWS_KEY, SMTP_PASSWORD, TEST_KEY].map(str::to_owned);
    let mut planted = given.len() + 1;

    // Given customers with running instances, whose secrets still exist, and one customer whose instance was destroyed.
    let (site, other) = (Site::start(), Site::start());
    for customer in 0..=CUSTOMERS {
        let (site, name) = if customer == 0 { (&other, "checkout-to-the-end.yml") } else { (&site, "checkout.yml") };
        let stripe = Arc::new(LocalStripe::start().expect("a local Stripe"));
        let (world, opened) = site.world_with(&stripe);
        let store = tempfile::tempdir().expect("a folder");
        let report = play(&of_customer(name, customer, store.path()), &world, store.path());
        assert_eq!(failures(&report), [""; 0]);
        let mut canaries = kept(&opened);
        assert_eq!(canaries.is_empty(), customer == 0, "a database has a password while it exists");
        planted += canaries.len();
        canaries.extend(given.clone());
        canaries.push(site.database_password().to_owned());
        let mut left = Left::of(&report, &world, &opened, store.path());
        left.add(site.logs());
        left.assert_without(&canaries, &format!("inst_myapp{customer}"));
    }

    // Given a project that an operator created at Supabase. The secrets are the operator's secret, the token and the
    // administrator's password.
    for password in [Project::PASSWORD, WRONG] {
        let site = AtSupabase::start();
        let (world, opened) = site.open();
        let world = if password == WRONG { world.with_patience(SHORT) } else { world };
        let story = by_hand(&site, &opened, password);
        let store = tempfile::tempdir().expect("a folder");
        let report = play(&story, &world, store.path());
        assert_eq!(failures(&report).is_empty(), password != WRONG, "{:?}", failures(&report));
        let mut canaries = kept(&opened);
        assert!(canaries.contains(&password.to_owned()));
        canaries.extend([TOKEN, site.shared_password()].map(str::to_owned));
        planted += canaries.len();
        let left = Left::of(&report, &world, &opened, store.path());
        left.assert_without(&canaries, "orch_philharmonic");
    }
    println!("planted {planted} secrets, found none");
    assert!(planted >= 20, "{planted} secrets were planted");
}

/// Loads a story from the folder `examples`, changed to this customer and to an instance of this customer.
fn of_customer(name: &str, customer: usize, folder: &Path) -> Story {
    let text = std::fs::read_to_string(root().join("examples").join(name)).expect("the story");
    let text = text.replace("myapp", &format!("myapp{customer}")).replace("u1", &format!("c{customer}"));
    let file = folder.join("story.yml");
    std::fs::write(&file, text).expect("written");
    load_stories(file, None).remove(0)
}
