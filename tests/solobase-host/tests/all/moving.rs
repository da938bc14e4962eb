//! All data moves from a block through SQLite and PostgreSQL to another block, in the middle of a story, and the story goes on there. A
//! worker as that of `provisioner outbox` makes the calls.

use crate::player::{Player, bundle_of};
use crate::scenarios::Left;
use crate::stand_in::{SERVICE, repository};
use counterparts::Postgres;
use host_engine::bundle::Bundle;
use host_replay::library::{Sources, Story, stories};
use host_store::SqliteStore;
use host_store::copy::{Source, Target};
use host_store_postgres::PostgresStore;
use host_worker::BlockError;
use host_worker::moving::{MovingError, export_block, export_store, import_block, import_store};
use serde_json::{Value, json};
use solobase_host::database::Period;

/// Stories that have running effects, timers and refusals in their middle.
const STORIES: [&str; 2] = ["requirements/restart-between.yml", "requirements/cancel-archive-restore-terminate.yml"];

fn story(file: &str) -> (Story, Bundle) {
    let fixtures = repository("fixtures");
    let file = fixtures.join("businesses/solobase/scenarios").join(file);
    let sources = Sources { business: None, fixtures: Some(fixtures) };
    let mut stories = stories(&[file], sources, &host_replay::native::runners()).expect("valid fixtures");
    let story = stories.pop().expect("a story");
    let bundle = bundle_of(&story);
    (story, bundle)
}

/// Returns all lines of a block, and the hash of its state.
fn exported(player: &Player) -> (Vec<u8>, String) {
    let mut lines = Vec::new();
    let (parts, state) = export_block(&player.block(), &mut lines).expect("exported");
    assert_eq!(parts, lines.iter().filter(|byte| **byte == b'\n').count() as u64);
    (lines, state)
}

/// Moves all lines into an empty store, which then has this state and has left the same. Returns the lines that come out of it.
fn moved_through(mut store: impl Source + Target, lines: &[u8], state: &str, left: &Left) -> Vec<u8> {
    assert_eq!(import_store(&mut &*lines, &mut store).expect("imported").1, state);
    assert_eq!(Left::of(&store).expect("read"), *left);
    let mut out = Vec::new();
    assert_eq!(export_store(&store, &mut out).expect("exported").1, state);
    out
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_story_goes_on_after_its_data_moved_through_every_store() {
    let postgres = Postgres::shared();
    for (number, file) in STORIES.into_iter().enumerate() {
        let (story, bundle) = story(file);
        let (case, steps) = (&story.cases[0], story.scenario.steps.len());
        let mut undisturbed = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
        undisturbed.set_worker();
        undisturbed.prepare(&story);
        undisturbed.play_steps(&story, case, 0..steps);
        for at in 0..steps {
            let mut first = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
            first.set_worker();
            first.prepare(&story);
            first.play_steps(&story, case, 0..at);
            let (lines, state) = exported(&first);
            let sqlite = SqliteStore::open_in_memory().expect("a store");
            let in_sqlite = moved_through(sqlite, &lines, &state, &first.left());
            let address = format!("{}&schema=story_{number}_{at}", postgres.shared_database("moving"));
            let database = PostgresStore::open(&address.parse().expect("an address")).expect("a store");
            let in_postgres = moved_through(database, &in_sqlite, &state, &first.left());
            assert!(in_sqlite == in_postgres, "{file} {at}: other lines");
            let mut second = first.moved(&bundle);
            assert_eq!(import_block(&mut &*in_postgres, &second.block()).expect("imported").1, state, "{file} {at}");
            assert_eq!(second.left(), first.left(), "{file} {at}");
            second.set_worker();
            second.play_steps(&story, case, at..steps);
            assert_eq!(second.left(), undisturbed.left(), "{file} {at}");
        }
    }
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn data_is_imported_only_into_an_empty_store_or_block() {
    let (story, bundle) = story(STORIES[0]);
    let mut player = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
    player.prepare(&story);
    player.play_steps(&story, &story.cases[0], 0..story.scenario.steps.len());
    let (lines, _) = exported(&player);
    let before = player.left();
    let refused = import_block(&mut &*lines, &player.block()).expect_err("not empty");
    assert!(
        matches!(&refused, MovingError::Block(BlockError::Refused { status: 409, code, .. }) if code == "not-empty"),
        "{refused}"
    );
    assert_eq!(player.left(), before);
    let mut store = SqliteStore::open_in_memory().expect("a store");
    import_store(&mut &*lines, &mut store).expect("imported");
    let refused = import_store(&mut &*lines, &mut store).expect_err("not empty");
    assert!(refused.to_string().contains("is not empty"), "{refused}");
}

/// Sends lines to a block as a program that moves data does.
fn import(player: &Player, query: &str, lines: &[&str]) -> (u16, Value) {
    let body = json!(lines).to_string().into_bytes();
    player.request(&format!("/import{query}"), &[("x-service-key", SERVICE)], &body)
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn an_interrupted_import_is_begun_again() {
    let (story, bundle) = story(STORIES[0]);
    let mut player = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
    player.prepare(&story);
    player.play_steps(&story, &story.cases[0], 0..story.scenario.steps.len());
    let (lines, state) = exported(&player);
    let text = String::from_utf8(lines).expect("UTF-8");
    let first: Vec<&str> = text.lines().take(10).collect();
    let target = player.moved(&bundle);
    // A program begins, and dies after a page.
    while import(&target, "?begin=true", &[]).1["more"] == true {}
    assert_eq!(import(&target, "", &first).0, 200);
    assert_eq!(target.get("/health", &[]).0, 503);
    // The platform starts the block again: it loads no catalog beside a part of the data.
    let part = exported(&target).1;
    assert_eq!(target.init(), json!({"Ok": null}));
    assert_eq!(exported(&target).1, part);
    assert_eq!(import_block(&mut text.as_bytes(), &target.block()).expect("imported").1, state);
    assert_eq!(target.left(), player.left());
    assert_eq!(target.get("/health", &[]), player.get("/health", &[]));
    // The end may come twice, but a page only while data is imported.
    assert_eq!(import(&target, "?end=true", &[]).0, 200);
    assert_eq!(import(&target, "", &first).0, 409);
    assert_eq!(target.left(), player.left());
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn an_import_does_not_end_with_a_catalog_that_is_refused() {
    let (story, bundle) = story(STORIES[0]);
    let player = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
    let (lines, state) = exported(&player);
    let target = player.moved(&bundle);
    let catalog = json!({"product_typos": []}).to_string();
    target.configure(&Bundle { catalog, catalog_hash: "another".to_owned(), ..bundle.clone() });
    let refused = import_block(&mut &*lines, &target.block()).expect_err("the catalog is not valid");
    assert!(
        matches!(&refused, MovingError::Block(BlockError::Refused { status: 409, code, .. }) if code == "catalog-refused"),
        "{refused}"
    );
    assert_eq!(target.get("/health", &[]).0, 503);
    target.configure(&bundle);
    assert_eq!(import_block(&mut &*lines, &target.block()).expect("imported").1, state);
    assert_eq!(target.get("/health", &[]).0, 200);
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_line_that_is_no_part_is_named_and_nothing_is_imported() {
    let (story, bundle) = story(STORIES[0]);
    let player = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
    let (mut lines, state) = exported(&player);
    lines.extend(b"{\"Commit\": 1}\n");
    let line = lines.iter().filter(|byte| **byte == b'\n').count();
    let empty = Player::start(&bundle, story.scenario.given.clock, Period::SinceRewrite);
    let refused = import_block(&mut &*lines, &empty.block()).expect_err("no part");
    assert!(refused.to_string().starts_with(&format!("line {line}: ")), "{refused}");
    assert_eq!(exported(&empty).1, state, "the block has its own catalog");
    let mut store = SqliteStore::open_in_memory().expect("a store");
    assert!(import_store(&mut &*lines, &mut store).is_err());
    assert_eq!(export_store(&store, &mut Vec::new()).expect("exported").0, 0);
}
