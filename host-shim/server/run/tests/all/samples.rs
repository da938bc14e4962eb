//! The samples beside the businesses of the fixtures and of the tutorial, `.env.example`, and the keys and the sample of docs/reference/configuration.md.

use crate::common::{Folder, environment};
use host_business::folder::BusinessFolder;
use host_provider_api::ProviderName;
use host_run::config::{known_keys, names_in_file, variables_of_folder};
use std::fs;
use test_support::{businesses, fixtures, in_business};

// covers: TES-03, BOT-43, ORC-60
#[test]
fn the_sample_of_each_business_lists_exactly_the_variables_that_a_server_reads() {
    let mut with_sample = Vec::new();
    for folder in businesses() {
        let business = BusinessFolder::load(&folder).expect("a business");
        let sample = folder.join(".env.example");
        let own = &business.own;
        let reads_more = own.config.iter().any(|decl| decl.env.is_some()) || !own.unused_variables.is_empty();
        if !sample.is_file() {
            assert!(!reads_more, "{} has no .env.example", business.name);
            continue;
        }
        let named = names_in_file(&sample).unwrap_or_else(|faults| panic!("{faults:?}"));
        let read = variables_of_folder(&business).expect("a business");
        assert_eq!(named, read, "{}: the variables of the sample, and those that are read", business.name);
        with_sample.push(business.name);
    }
    with_sample.sort();
    assert_eq!(with_sample, ["orchestra", "saas-plugins", "solobase", "solobase-upstream", "tesslate", "twobot"]);
}

// covers: TES-01, TES-02, BOT-43, ORC-60, D-74, D-103
#[test]
fn the_variables_of_the_requirements_are_in_the_samples() {
    for (business, names) in [
        ("twobot", "STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY STRIPE_WEBHOOK_SECRET NEXT_PUBLIC_APP_URL"),
        (
            "orchestra",
            "STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET STRIPE_PUBLISHABLE_KEY SUPABASE_ACCESS_TOKEN SUPABASE_PROJECT_REF \
             REDIS_URL RESEND_API_KEY",
        ),
        (
            "tesslate",
            "PREMIUM_SUBSCRIPTION_PRICE CREDIT_PACKAGE_SMALL CREDIT_PACKAGE_MEDIUM CREDIT_PACKAGE_LARGE FREE_MAX_PROJECTS \
             PREMIUM_MAX_PROJECTS CREATOR_REVENUE_SHARE FREE_MAX_DEPLOYS PREMIUM_MAX_DEPLOYS ADDITIONAL_DEPLOY_PRICE \
             STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY STRIPE_WEBHOOK_SECRET",
        ),
    ] {
        let named = names_in_file(&in_business(business).join(".env.example")).expect("a sample");
        let missing: Vec<&str> = names.split_whitespace().filter(|name| !named.contains(*name)).collect();
        assert_eq!(missing, [""; 0], "{business}");
    }
}

fn documentation() -> String {
    fs::read_to_string(fixtures().join("../docs/reference/configuration.md")).expect("a document")
}

// covers: SOL-40
#[test]
fn the_table_of_the_documentation_has_exactly_the_keys_of_the_file() {
    let text = documentation();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key.to_owned()));
    let (mut documented, mut known) = (rows.collect::<Vec<_>>(), known_keys());
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn every_provider_can_be_in_the_file_and_is_in_both_documents() {
    let names = ProviderName::ALL.map(ProviderName::as_str);
    let folder = Folder::new();
    let config =
        folder.read(&format!("providers: [{}]\nbusinesses: [{{folder: .}}]\n", names.join(", ")), &environment(&[]));
    assert_eq!(config.expect("known names").businesses[0].providers, ProviderName::ALL);

    let row = documentation().lines().find(|line| line.starts_with("| `providers` |")).map(str::to_owned);
    assert!(row.expect("a row").contains(&format!("| list of `{}` |", names.join("`, `"))));
    let text = fs::read_to_string(fixtures().join("../docs/reference/providers.md")).expect("a document");
    let table = text.lines().skip_while(|line| *line != "| name | effects | where |").skip(2);
    let rows = table.take_while(|line| line.starts_with("| `")).filter_map(|line| line.split('`').nth(1));
    let mut documented: Vec<&str> = rows.collect();
    documented.sort_unstable();
    assert_eq!(documented, names);
}

// covers: SOL-40
#[test]
fn the_sample_of_the_documentation_loads() {
    let text = documentation();
    let sample = text.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
    let folder = Folder::new();
    folder.write("providers.yml", "");
    let names = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_KEY_OF_TWOBOT", "STRIPE_SECRET_OF_TWOBOT"];
    let config = folder.read(sample, &environment(&names.map(|name| (name, "x")))).expect("a right sample");
    assert_eq!((config.businesses.len(), config.unserved().len(), config.listen.port()), (2, 0, 8080));
}

// covers: PLG-28
#[test]
fn the_plugin_shop_listens_on_the_port_of_its_source_behind_a_proxy() {
    let text = fs::read_to_string(fixtures().join("../docs/businesses/saas-plugins.md")).expect("a document");
    let sample = text.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
    let folder = Folder::new();
    let config = folder.read(sample, &environment(&[])).expect("a right sample");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    let [business] = config.businesses.as_slice() else { panic!("one business") };
    assert_eq!(
        (business.folder.as_path(), business.hosts.as_slice()),
        (&*folder.path("./saas-plugins"), &["plugins.example".to_owned()][..])
    );
}
