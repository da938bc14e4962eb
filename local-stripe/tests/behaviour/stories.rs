//! The named stories, written as files in the checked versions.

use local_stripe::story::{self, STORIES};
use local_stripe::version::{CHECKED, NEWEST, Version};
use serde_json::Value;

fn kinds(name: &str) -> Vec<String> {
    let sandbox = story::play(name, 0, &NEWEST.into()).unwrap();
    sandbox.state().events().iter().map(|e| e.kind.clone()).collect()
}

#[test]
fn every_story_is_written_in_every_version_reproducibly() {
    for story in STORIES {
        for version in CHECKED {
            let version: Version = version.parse().unwrap();
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let read = |folder: &tempfile::TempDir| -> Vec<(String, String)> {
                let written = story::write(story.name, &version, 3, folder.path()).unwrap();
                let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
                files.sort();
                assert_eq!(files.len(), written);
                files
                    .iter()
                    .map(|f| {
                        (f.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(f).unwrap())
                    })
                    .collect()
            };
            let files = read(&folders[0]);
            assert_eq!(files, read(&folders[1]));
            for (name, text) in files {
                let event: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    (event["api_version"].as_str(), event["object"].as_str()),
                    (Some(version.as_str()), Some("event"))
                );
                assert!(name.contains(event["type"].as_str().unwrap()));
                assert!(!text.contains("\"_"), "{name} shows a hidden member");
            }
        }
    }
}

#[test]
fn the_stories_have_the_events_of_their_summaries() {
    let has = |name: &str, wanted: &[&str]| {
        let kinds = kinds(name);
        for one in wanted {
            assert!(kinds.iter().any(|k| k == one), "{name} lacks {one}: {kinds:?}");
        }
    };
    has("subscribe", &["checkout.session.completed", "customer.subscription.created", "customer.subscription.deleted"]);
    has("trial", &["customer.subscription.trial_will_end", "invoice.paid"]);
    has("upgrade-failed-payment", &["invoice.payment_failed", "customer.subscription.updated"]);
    has("dispute", &["charge.dispute.closed", "charge.dispute.funds_reinstated"]);
    assert_eq!(kinds("refund").iter().filter(|k| *k == "charge.refunded").count(), 2);
    assert_eq!(kinds("dunning-unpaid").iter().filter(|k| *k == "invoice.payment_failed").count(), 4);
    let unpaid = story::play("dunning-unpaid", 0, &NEWEST.into()).unwrap();
    let last = unpaid
        .state()
        .events()
        .into_iter()
        .rev()
        .find(|e| e.kind == "customer.subscription.updated" && e.object.text("status") == "unpaid");
    assert!(last.is_some());
    assert!(story::play("nothing", 0, &NEWEST.into()).is_err());
}
