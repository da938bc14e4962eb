//! Each variable of a business changes what is decided: a story holds with the changed value, and fails with the default.

use end_to_end::world::root;
use host_business::folder::BusinessFolder;
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_run::config::{BusinessConfig, Environment, prepare};
use std::collections::BTreeSet;
use std::fs;
use std::io;

/// Plays a story of a business with these configuration values. Returns the titles of its failures.
fn play(business: &str, config: &[(String, String)], story: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("story.yml");
    let values: Vec<String> = config.iter().map(|(key, value)| format!("{key}: \"{value}\"")).collect();
    let given = format!("given: {{business: {business}, config: {{{}}}, ", values.join(", "));
    fs::write(&file, format!("name: A story\n{}", story.replace("given: {", &given))).expect("written");
    let options =
        ReplayOptions { fixtures: Some(root().join("fixtures")), ..ReplayOptions::new(host_replay::native::runners()) };
    let finished = replay(&[file], &mut io::empty(), &options, &mut Silent).expect("a valid story");
    assert!(!finished.cases.is_empty());
    failures(&finished.cases).iter().map(|it| it.failure.title.clone()).collect()
}

/// Returns the configuration values of a business in this environment.
fn values(business: &str, variable: &str, value: &str) -> Vec<(String, String)> {
    let folder = test_support::in_business(business);
    let loaded = BusinessFolder::load(&folder).expect("a business");
    let declarations = host_replay::native::runners().make().expect("the library").declarations().clone();
    let environment = Environment::of([(variable.to_owned(), value.to_owned())]);
    let config = BusinessConfig::of_folder(&folder);
    let prepared = prepare(&loaded, &declarations, &config, &environment, &BTreeSet::new()).expect("right values");
    assert!(prepared.unused.is_empty(), "{variable} has an effect: {:?}", prepared.unused);
    prepared.config
}

fn changes(business: &str, variable: &str, value: &str, story: &str) {
    assert_eq!(play(business, &values(business, variable, value), story), [""; 0], "{variable}={value}");
    assert_ne!(play(business, &[], story), [""; 0], "the default of {variable} must not pass");
}

const CUSTOMER: &str = "given: {account: \"user:A\", claims: {\"stripe-customer:cus_A\": \"user:A\"}}\n";
const BUYER: &str = "given: {account: \"user:A\", claims: {\"stripe-customer:cus_A\": \"user:A\"}, \
                     answers: {\"checkout:*\": {ok: {session_id: cs_1, url: \"https://checkout.example/cs_1\"}}}}\n";
const PREMIUM: &str = "events:\n  - {stripe: customer.subscription.created, set: {customer: cus_A, metadata: {user_id: A}, \
                       price: price_premium}, expect: applied}\n";

/// A story in which the customer pays for an item.
fn paid(item: &str, amount: u32, expected: &str) -> String {
    format!(
        "{BUYER}{PREMIUM}  - {{command: purchase.create, payload: {{product_id: {item}}}, expect: applied}}\n  \
         - {{stripe: checkout.session.completed, at: +60s, set: {{id: cs_1, mode: payment, subscription: null, \
         payment_intent: pi_1, amount_subtotal: {amount}, amount_total: {amount}, metadata: {{purchase_id: \
         pur_fd1992b361568bac, user_id: A}}}}, expect: applied}}\nexpect: {expected}\n"
    )
}

// covers: TES-01
#[test]
fn limits_of_tesslate_come_from_variables() {
    let two = |product_type: &str| {
        format!(
            "{CUSTOMER}events:\n  - {{command: product.create, payload: {{product_type: {product_type}, name: One, metadata: \
             {{slug: one}}}}, expect: applied}}\n  - {{command: product.create, payload: {{product_type: {product_type}, \
             name: Two, metadata: {{slug: two}}}}, expect: applied}}\n"
        )
    };
    changes("tesslate", "FREE_MAX_PROJECTS", "2", &two("project"));
    changes("tesslate", "FREE_MAX_DEPLOYS", "2", &two("deployment"));
    let premium = |limit: &str| format!("{CUSTOMER}{PREMIUM}expect: {{entitlements: {{{limit}}}}}\n");
    changes("tesslate", "PREMIUM_MAX_PROJECTS", "7", &premium("projects: 7"));
    changes("tesslate", "PREMIUM_MAX_DEPLOYS", "8", &premium("deploys: 8"));
}

// covers: TES-01, D-95
#[test]
fn prices_packs_and_shares_of_tesslate_come_from_variables() {
    for (variable, pack, price) in [
        ("CREDIT_PACKAGE_SMALL", "pack_small", 600),
        ("CREDIT_PACKAGE_MEDIUM", "pack_medium", 1100),
        ("CREDIT_PACKAGE_LARGE", "pack_large", 5100),
    ] {
        let credits = format!("{{balances: {{credits_left/usd_micros: {}}}}}", price * 10_000);
        changes("tesslate", variable, &price.to_string(), &paid(pack, price, &credits));
    }
    let slot = "{purchases: {pur_fd1992b361568bac: {total: {amount_minor: 1200}}}}";
    changes("tesslate", "ADDITIONAL_DEPLOY_PRICE", "1200", &paid("slot", 1200, slot));
    let share = "{ledger: {balances: {usd: {due:user:zoe: -1599}}}}";
    changes("tesslate", "CREATOR_REVENUE_SHARE", "0.80", &paid("agent_smith", 1999, share));
    let premium = format!(
        "{BUYER}events:\n  - {{command: purchase.create, payload: {{plan_id: premium}}, expect: applied}}\nexpect: \
         {{purchases: {{pur_fd1992b361568bac: {{total: {{amount_minor: 700}}}}}}}}\n"
    );
    changes("tesslate", "PREMIUM_SUBSCRIPTION_PRICE", "700", &premium);
}

// covers: BOT-43, D-106
#[test]
fn the_address_of_twobot_comes_from_a_variable() {
    let story = format!(
        "{BUYER}events:\n  - command: purchase.create\n    payload: {{plan: STARTER}}\n    expect: applied\n    effects: \
         [{{kind: stripe.checkout.create, payload: {{success_url: \
         \"http://localhost:3000/dashboard/settings/billing?success=true\"}}}}]\n"
    );
    changes("twobot", "NEXT_PUBLIC_APP_URL", "http://localhost:3000", &story);
}

// covers: ORC-60, D-63
#[test]
fn the_databases_of_orchestra_need_the_token_of_a_variable() {
    let values = values("orchestra", "SUPABASE_ACCESS_TOKEN", "hidden");
    assert_eq!(values, [("supabase_token".to_owned(), "secret:env/SUPABASE_ACCESS_TOKEN".to_owned())]);
    let business = BusinessFolder::load(&root().join("fixtures/businesses/orchestra")).expect("a business");
    let reasons = &business.own.unused_variables;
    for variable in ["STRIPE_PUBLISHABLE_KEY", "SUPABASE_PROJECT_REF", "REDIS_URL", "RESEND_API_KEY"] {
        assert!(reasons.get(variable).is_some_and(|reason| reason.len() > 20), "{variable} has a reason");
    }
}
