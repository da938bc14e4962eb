//! The scenario of the fault tests: a customer buys a plan, creates an instance and deletes it.

use end_to_end::acting::load_stories;
use end_to_end::world::root;
use host_replay::library::Story;
use tempfile::TempDir;

/// Creates a folder with a copy of the business Solobase that has short retry delays.
pub fn folder() -> TempDir {
    let (solobase, folder) = (root().join("fixtures/businesses/solobase"), tempfile::tempdir().expect("a folder"));
    let read = |name: &str| std::fs::read_to_string(solobase.join(name)).expect("a file of the business");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("a copy");
    let often = "[1s, 1s, 1s, 1s, 1s, 1s]";
    // moto ignores the tags of a new bucket. So after a lost answer the provider can't show that it owns a bucket with
    // a guessable name.
    let named = "          name: \"solobase-{instance.subdomain}\"\n          quota_gb";
    let catalog = read("catalog.yml");
    assert!(catalog.contains(named), "the bucket of the catalog has an unexpected form");
    write("catalog.yml", catalog.replacen(named, "          quota_gb", 1));
    let retry = format!("retry: {{bucket: {often}, database: {often}, function: {often}, mail.send: {often}}}\n");
    write("business.yml", read("business.yml") + &retry);
    folder
}

/// Loads the scenario for the customer with this number. The servers remember earlier resources of an account, so each
/// run has its own customer.
pub fn saga(folder: &TempDir, customer: usize) -> Story {
    let file = folder.path().join("saga.yml");
    let text = include_str!("saga.yml").replace("u1", &format!("c{customer}"));
    std::fs::write(&file, text).expect("the scenario");
    load_stories(file, Some(&folder.path().display().to_string())).remove(0)
}
