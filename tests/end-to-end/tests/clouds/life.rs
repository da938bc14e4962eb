//! A customer's instance from the first payment to its end, with the servers' own inventory after each step: the scenario says
//! what there must be, and the lists of moto and PostgreSQL are what it is held against.

use crate::site::Site;
use end_to_end::acting::{failures, played, told};
use end_to_end::hosts::component;
use end_to_end::world::root;
use host_replay::runners::Runners;

/// Made, suspended, archived with a backup, restored from it, archived again, destroyed.
const LIFE: &str = "solobase/scenarios/requirements/cancel-archive-restore-terminate.yml";

#[test]
fn a_life_through_the_component_on_moto_and_postgresql() {
    let site = Site::start();
    let (world, opened) = site.world();
    let component = Runners::loaded("component", component().clone(), false);
    let story = told(root().join("fixtures").join(LIFE), None).remove(0);
    assert_eq!(failures(&played(&story, &world, &component)), [""; 0]);
    assert_eq!(site.is_empty(&opened), [""; 0]);
    let spans = opened.journal.spans();
    let called = |kind: &str| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!((called("function.ensure"), called("bucket.ensure"), called("database.ensure")), (2, 1, 2));
    assert_eq!((called("database.backup"), called("database.restore")), (2, 1));
    assert!(spans.iter().all(|span| span.ended == "done"), "{spans:?}");
    // What people were told went out as mails.
    assert!(called("mail.send") > 3 && site.mails.mails().len() == called("mail.send"), "{spans:?}");
    assert!(site.moto().server().log().contains("/functions"), "moto was asked");
}
