//! Plays a customer's instance from the first payment to its end. After each step, compares the inventory of moto and
//! PostgreSQL with the scenario.

use crate::site::Site;
use end_to_end::acting::{failures, load_stories, played};
use end_to_end::hosts::component;
use host_replay::runners::Runners;
use test_support::in_business;

/// A scenario in which an instance is created, suspended, archived with a backup, restored, archived again and
/// destroyed.
const LIFE: &str = "solobase/scenarios/requirements/cancel-archive-restore-terminate.yml";

#[test]
fn the_component_runs_a_whole_instance_life_on_moto_and_postgresql() {
    let site = Site::start();
    let (world, opened) = site.world();
    let component = Runners::loaded("component", component().clone(), false);
    let story = load_stories(in_business(LIFE), None).remove(0);
    assert_eq!(failures(&played(&story, &world, &component)), [""; 0]);
    assert_eq!(site.is_empty(&opened), [""; 0]);
    let spans = opened.journal.spans();
    let called = |kind: &str| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!((called("function.ensure"), called("bucket.ensure"), called("database.ensure")), (2, 1, 2));
    assert_eq!((called("database.backup"), called("database.restore")), (2, 1));
    assert!(spans.iter().all(|span| span.ended == "done"), "{spans:?}");
    // Notices were sent as mails.
    assert!(called("mail.send") > 3 && site.mails.mails().len() == called("mail.send"), "{spans:?}");
    assert!(site.moto().server().log().contains("/functions"), "moto was called");
}
