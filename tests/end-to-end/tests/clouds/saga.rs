//! A saga that is bought, created and deleted during failures.

use end_to_end::acting::load_stories;
use end_to_end::world::root;
use host_replay::library::Story;
use tempfile::TempDir;

/// Solobase's catalog with short retry delays.
pub fn folder() -> TempDir {
    let (solobase, folder) = (root().join("fixtures/solobase"), tempfile::tempdir().expect("a folder"));
    let read = |name: &str| std::fs::read_to_string(solobase.join(name)).expect("a file of the business");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("a copy");
    let often = "[1s, 1s, 1s, 1s, 1s, 1s]";
    // moto ignores tags of a new bucket, so after a lost answer the ownership of a bucket with a guessable name can't
    // be shown.
    let named = "          name: \"solobase-{instance.subdomain}\"\n          quota_gb";
    let catalog = read("catalog.yml");
    assert!(catalog.contains(named), "the bucket of the catalog has an unexpected form");
    write("catalog.yml", catalog.replacen(named, "          quota_gb", 1));
    let retry = format!("retry: {{bucket: {often}, database: {often}, function: {often}, mail.send: {often}}}\n");
    write("business.yml", read("business.yml") + &retry);
    folder
}

/// The saga for the customer with this number; the servers remember earlier resources of an account, so each saga has
/// its own.
pub fn saga(folder: &TempDir, customer: usize) -> Story {
    let file = folder.path().join("saga.yml");
    let text = include_str!("saga.yml").replace("u1", &format!("c{customer}"));
    std::fs::write(&file, text).expect("the scenario");
    load_stories(file, Some(&folder.path().display().to_string())).remove(0)
}
