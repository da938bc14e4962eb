//! Secrets are planted wherever the host has some, used in whole stories, and looked for in everything that it leaves: its store, its
//! reports, what it tells of its providers, the mails that went out, the servers' logs.

use crate::orchestra::{AtSupabase, TOKEN, by_hand};
use crate::site::{AWS_KEY, SMTP_PASSWORD, Site};
use counterparts::Project;
use end_to_end::acting::{failures, played_with, told};
use end_to_end::world::root;
use host_provider_api::Secrets;
use host_provider_set::{Opened, chart};
use host_replay::library::Story;
use host_replay::live::LiveProviders;
use host_replay::play::{CaseReport, PlayOptions};
use host_replay::rig::StoreKind;
use host_stripe_replay::{LocalStripe, TEST_KEY};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Customers whose instances run side by side.
const CUSTOMERS: usize = 12;
/// A password that is not the database's, and how long it is tried.
const WRONG: &str = "the-wrong-password-of-who-made-it";
const SHORT: Duration = Duration::from_secs(5);

/// What a story left, by where it was left.
struct Left(Vec<(String, Vec<u8>)>);

impl Left {
    /// What the host keeps and tells of a story.
    fn of(report: &CaseReport, world: &LiveProviders, opened: &Opened, store: &Path) -> Left {
        let spans = opened.journal.spans();
        let held = opened.registry.held().map_err(|error| error.to_string());
        let told = format!("{report:#?}\n{world:?}\n{opened:?}\n{spans:#?}\n{}\n{held:?}", chart(&spans));
        let mut left = Left(vec![("what is told".to_owned(), told.into_bytes())]);
        for entry in std::fs::read_dir(store).expect("the folder of the store") {
            let path = entry.expect("a file").path();
            left.0.push((path.display().to_string(), std::fs::read(&path).expect("a file of the store")));
        }
        left
    }

    fn add(&mut self, logs: Vec<(&'static str, String)>) {
        self.0.extend(logs.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())));
    }

    /// Where a text is.
    fn find(&self, text: &str) -> Vec<&str> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.0.iter().filter(|(_, bytes)| has(bytes)).map(|(name, _)| name.as_str()).collect()
    }

    /// None of these is anywhere; what is there is found.
    fn assert_without(&self, canaries: &[String], known: &str) {
        assert!(self.find(known).len() > 1, "`{known}` is in the store and in the report, and is not found");
        for canary in canaries {
            assert!(canary.len() >= 12, "`{canary}` is too short to be looked for");
            assert_eq!(self.find(canary), [""; 0], "`{canary}`");
        }
    }
}

/// What the host made, and what was given it, in its own store of secrets.
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
        ..PlayOptions::new(host_native::runners())
    };
    played_with(story, &options)
}

#[test]
fn no_secret_is_left_anywhere() {
    let given = [AWS_KEY, SMTP_PASSWORD, TEST_KEY].map(str::to_owned);
    let mut planted = given.len() + 1;

    // Bought and made by some customers, and left running: their secrets are still there. Another one comes to its end.
    let (site, other) = (Site::start(), Site::start());
    for customer in 0..=CUSTOMERS {
        let (site, name) = if customer == 0 { (&other, "checkout-to-the-end.yml") } else { (&site, "checkout.yml") };
        let stripe = Arc::new(LocalStripe::start().expect("a local Stripe"));
        let (world, opened) = site.world_with(&stripe);
        let store = tempfile::tempdir().expect("a folder");
        let report = play(&of_customer(name, customer, store.path()), &world, store.path());
        assert_eq!(failures(&report), [""; 0]);
        let mut canaries = kept(&opened);
        assert_eq!(canaries.is_empty(), customer == 0, "a database has a password as long as it is there");
        planted += canaries.len();
        canaries.extend(given.clone());
        canaries.push(site.database_password().to_owned());
        let mut left = Left::of(&report, &world, &opened, store.path());
        left.add(site.logs());
        left.assert_without(&canaries, &format!("inst_myapp{customer}"));
    }

    // Made by hand at Supabase: the operator's secret, the token, the project's password.
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
    println!("{planted} secrets were planted, and none found");
    assert!(planted >= 20, "{planted} secrets were planted");
}

/// A story of the examples, of this customer and with an instance of its own.
fn of_customer(name: &str, customer: usize, folder: &Path) -> Story {
    let text = std::fs::read_to_string(root().join("examples").join(name)).expect("the story");
    let text = text.replace("myapp", &format!("myapp{customer}")).replace("u1", &format!("c{customer}"));
    let file = folder.join("story.yml");
    std::fs::write(&file, text).expect("written");
    told(file, None).remove(0)
}
