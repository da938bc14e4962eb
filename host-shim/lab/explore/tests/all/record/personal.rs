//! Checks that an export has no personal data of customers, and has the same outcomes.

use crate::record::common::{SALT, played_text};
use host_explore::record::Verdict;
use host_scenario::model::Scenario;
use std::path::Path;

/// Personal texts in Stripe's bodies, commands and facts; an export must contain none of them.
const CANARIES: [&str; 22] = [
    "anna.canary@firm.example.org",
    "Anna Canary",
    "Canarystreet 17",
    "Canaryville",
    "90217-C",
    "+49 170 5550134",
    "203.0.113.99",
    "Canary & Sons GmbH",
    "please ring twice",
    "bob.canary@mail.example.net",
    "Bob Canary",
    "+1 202 555 0187",
    "DE999111222",
    "canaryfinger77",
    "Canary wants a refund because of rain",
    "My Canary Site",
    "a note about Canary",
    "2001:db8:85a3::8a2e:370:7334",
    "Canaria",
    "carol@canary.example.com",
    "https://pay.example.com/canary-receipt",
    "Carol C. Canary",
];

const STORY: &str = r#"name: x
given: {account: user:A}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: A, note: "please ring twice", contact_mail: anna.canary@firm.example.org}, price: price_xyz789}
    add: {description: "Canary wants a refund because of rain"}
    expect: applied
  - stripe: invoice.paid
    set: {subscription: sub_1MowQVLkdIwHu7ixeRlqHVzs, price: price_xyz789}
    add:
      customer_email: anna.canary@firm.example.org
      customer_name: Anna Canary
      customer_phone: "+49 170 5550134"
      customer_address: {line1: Canarystreet 17, city: Canaryville, postal_code: 90217-C, country: DE, state: Canaria}
      customer_tax_ids: [{type: eu_vat, value: DE999111222}]
      hosted_invoice_url: "https://pay.example.com/canary-receipt"
      account_name_of_buyer: "Canary & Sons GmbH"
      company: "Canary & Sons GmbH"
      fingerprint: canaryfinger77
      from: 203.0.113.99
      seen_at: "2001:db8:85a3::8a2e:370:7334"
  - command: instance.create
    payload: {name: My Canary Site, metadata: {subdomain: acme, note: "a note about Canary", reply: bob.canary@mail.example.net}}
  - event: user.registered
    data: {email: carol@canary.example.com, name: Carol C. Canary, said: "Bob Canary, call +1 202 555 0187"}
"#;

#[test]
fn an_export_has_no_canary_and_the_same_outcomes() {
    let played = played_text(STORY, "solobase");
    let scope = &played.scopes()[0];
    let (plain, exported) = (played.export(scope, None), played.export(scope, Some(SALT)));
    assert_eq!(plain.verdict, Verdict::Same, "{}", plain.text);
    assert!(matches!(exported.verdict, Verdict::Same | Verdict::SameButReplaced(_)), "{:?}", exported.verdict);
    let there = |text: &str| CANARIES.iter().filter(|canary| text.contains(**canary)).count();
    assert_eq!(there(&plain.text), CANARIES.len(), "{}", plain.text);
    for canary in CANARIES {
        assert!(!exported.text.contains(canary), "{canary}\n{}", exported.text);
        assert!(!exported.text.to_lowercase().contains(&canary.to_lowercase()), "{canary}");
    }
    let outcomes = |text: &str| -> Vec<(String, String)> {
        let scenario = Scenario::parse(Path::new("x.yml"), text).expect("a scenario");
        let of = |step: &host_scenario::model::Step| {
            Some((step.action.event_id()?.to_owned(), step.outcome.as_ref()?.outcome.clone()))
        };
        scenario.steps.iter().filter_map(of).collect()
    };
    assert_eq!(outcomes(&plain.text), outcomes(&exported.text));
    assert_eq!(outcomes(&plain.text).len(), 4);
}

#[test]
fn ids_and_metadata_stay() {
    let played = played_text(STORY, "solobase");
    let exported = played.export(&played.scopes()[0], Some(SALT));
    for kept in ["sub_1MowQVLkdIwHu7ixeRlqHVzs", "price_xyz789", "acme", "user_id: A", "country: DE", "user:A"] {
        assert!(exported.text.contains(kept), "{kept}\n{}", exported.text);
    }
}

#[test]
fn equal_values_get_equal_stand_ins_and_another_salt_gives_others() {
    let played = played_text(STORY, "solobase");
    let scope = &played.scopes()[0];
    let mails = |salt: [u8; 32]| -> Vec<String> {
        let text = played.export(scope, Some(salt)).text;
        let pattern = regex_of_mails();
        pattern.find_iter(&text).map(|mail| mail.as_str().to_owned()).collect()
    };
    let first = mails(SALT);
    assert_eq!(first, mails(SALT));
    let distinct: std::collections::BTreeSet<&String> = first.iter().collect();
    assert!(distinct.len() >= 3 && first.len() > distinct.len(), "{first:?}");
    assert!(mails([8; 32]).iter().all(|mail| !first.contains(mail)));
}

#[test]
fn the_hash_in_an_address_claim_is_replaced_with_the_address() {
    let email = "anna.canary@firm.example.org";
    let story = format!(
        "name: x\ngiven: {{account: user:A}}\nevents:\n  - {{command: account.confirm, by: admin, payload: {{email: {email}}}}}\n"
    );
    let played = played_text(&story, "tesslate");
    let exported = played.export(&played.scopes()[0], Some(SALT));
    assert_eq!(exported.verdict, Verdict::Same, "{}", exported.text);
    assert!(!exported.text.contains(email), "{}", exported.text);
    assert!(!exported.text.contains(&extension_contract::address_hash(email)), "{}", exported.text);
}

fn regex_of_mails() -> regex::Regex {
    regex::Regex::new(r"[a-z.]+@[a-z]{8}\.example").expect("a pattern")
}
