//! What is near to touching a clause, and touches none.

use crate::support::{covered, holes, podcasts, reached, write};
use host_coverage::Coverage;
use std::fs;

/// What one scenario of the podcasts reaches, whose catalog says some things otherwise.
fn told_otherwise(catalog: &[(&str, &str)], files: &[(&str, &str)], story: &str) -> Coverage {
    let folder = podcasts(&[]);
    let mut text = fs::read_to_string(folder.path().join("catalog.yml")).expect("read");
    for (from, to) in catalog {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    write(&folder, "catalog.yml", &text);
    files.iter().for_each(|(name, text)| {
        fs::create_dir_all(folder.path().join(name).parent().expect("a folder")).expect("made");
        write(&folder, name, text);
    });
    write(&folder, "story.yml", story);
    let found = covered(folder.path());
    assert_eq!(found.not_held, [] as [String; 0]);
    found
}

fn are_touched(found: &Coverage, clauses: &[&str]) {
    clauses.iter().for_each(|clause| assert_eq!(reached(found, "catalog", clause), 1, "{clause}"));
}

fn are_holes(found: &Coverage, clauses: &[&str]) {
    let missing = holes(found, "catalog");
    clauses.iter().for_each(|clause| assert!(missing.contains(clause), "{clause}: {missing:?}"));
}

#[test]
fn what_was_paid_and_given_back_at_once_was_paid() {
    let story = r#"
name: a refund that comes before what it is of
given: {account: "user:ana", answers: {"checkout:*": {ok: {session_id: cs_1}}}}
events:
  - {command: purchase.create, id: buy, payload: {product_type: credit_pack, item: 1000}, expect: applied}
  - check: {purchases: {pur_e8197b20f8e71e42: {status: pending}}}
  - {stripe: refund.created, set: {amount: 1000}, expect: deferred}
  - {stripe: checkout.session.completed, set: {id: cs_1, mode: payment, subscription: null, payment_intent: pi_1, payment_status: paid, metadata: {purchase_id: pur_e8197b20f8e71e42}, amount_subtotal: 1000, amount_total: 1000}, expect: applied}
expect: {purchases: {pur_e8197b20f8e71e42: {status: refunded}}}
"#;
    are_touched(&told_otherwise(&[], &[], story), &["credit_pack on_paid", "credit_pack refund"]);
}

#[test]
fn an_entitlement_to_nothing_a_field_without_a_value_and_what_uses_nothing_touch_nothing() {
    let catalog = [
        ("{slug: free, shows: 1,", "{slug: free, shows: 0,"),
        ("unique: true, immutable: true}", "unique: true, immutable: true}\n      - {name: note, type: string}"),
    ];
    let story = r#"
name: a show that nothing allows, in an account that uses something else
given: {account: "user:ana"}
events:
  - {product: created, data: {id: show_one, product_type: show, name: One, user_id: ana, metadata: {label: one, status: provisioning, note: null}}, expect: rejected}
  - {command: usage.consume, payload: {key: downloads, amount: 5}, expect: applied}
expect:
  entitlements: {shows: {allowed: 0, used: 0}, downloads: {used: 5}}
  products: {show_one: {metadata: {label: one, note: null}}}
"#;
    let found = told_otherwise(&catalog, &[], story);
    are_touched(&found, &["type show", "show fields/label", "plan grants/downloads", "entitlement downloads"]);
    are_holes(&found, &["show fields/note", "show consumes/shows", "plan grants/shows", "entitlement shows"]);
}

#[test]
fn a_template_is_touched_by_its_own_mails_alone() {
    let catalog = [
        ("origin: \"{episodes.bucket}\"}", "origin: \"{episodes.bucket}\", template: bye}"),
        (
            "\nproduct_types:",
            "\nevents: {show.liked: {fields: [{name: email, type: string, required: true, max_length: 254}]}}\n\
             on:\n  - {event: show.liked, mail: hello, to: \"{event.email}\"}\n  \
             - {event: subscription.canceled, mail: bye}\n  - {event: payment.succeeded, mail: hello}\n\nproduct_types:",
        ),
    ];
    let files = [
        ("templates/hello.txt", "Subject: Hello\n\nIt is liked.\n"),
        ("templates/bye.txt", "Subject: Bye\n\nIt is over.\n"),
    ];
    let story = r#"
name: a mail, and a resource that is made with the name of another one
given: {account: "user:ana"}
events:
  - {event: show.liked, data: {email: ana@example.com}, expect: applied, effects: [{kind: mail.send, payload: {template: hello}}]}
  - {command: instance.create, payload: {name: First, metadata: {label: first-show}}, expect: applied}
expect: {effects: {show_first-show/feed/ensure: {kind: cdn.ensure, payload: {template: bye}}}}
"#;
    let found = told_otherwise(&catalog, &files, story);
    are_touched(&found, &["template hello", "on show.liked: mail hello"]);
    are_holes(&found, &["template bye", "on subscription.canceled: mail bye", "on payment.succeeded: mail hello"]);
}

#[test]
fn roles_are_touched_by_members_of_organizations_alone() {
    let files =
        [("business.yml", "may: {instance.create: [owner], purchase.create: [owner], usage.consume: [member]}\n")];
    let story = r#"
name: an operator in an organization, somebody in an account of their own, and a member
given: {account: "organization:o"}
events:
  - {command: instance.create, by: admin, payload: {name: First, metadata: {label: first-show}}, expect: applied}
  - {command: purchase.create, account: "user:ana", by: {kind: user, subject: ana}, payload: {product_type: credit_pack, item: 1000}, expect: applied}
  - {command: usage.consume, by: {kind: user, subject: m, roles: [member]}, payload: {key: downloads}, expect: applied}
"#;
    let found = told_otherwise(&[], &files, story);
    are_touched(&found, &["may usage.consume"]);
    are_holes(&found, &["may instance.create", "may purchase.create"]);
}

/// Shows with a feed that may have a flavor, and with a review after which a fee is taken; reels are reviewed, too.
const REVIEWED: &str = r#"
business: {currency: usd, success_url: "https://x.example/paid", cancel_url: "https://x.example/plans", origins: ["https://x.example"]}
product_types:
  - name: show
    id_prefix: show
    id_by: label
    fields:
      - {name: label, type: string, required: true, format: label, max_length: 40, unique: true, immutable: true}
      - {name: flavor, type: string, max_length: 10}
    provisions:
      - {name: feed, resource: cdn, with: {host: "{instance.label}.x.example"}, variant: "{instance.flavor}"}
      - {name: review, run: review.ask, with: {label: "{instance.label}"}, or_manual: {sla: 24h}}
      - {name: fee, resource: bucket, after: [review], with: {name: "{instance.label}"}}
  - name: reel
    id_prefix: reel
    id_by: label
    fields:
      - {name: label, type: string, required: true, format: label, max_length: 40, unique: true, immutable: true}
    provisions:
      - {name: review, run: review.ask, with: {label: "{instance.label}"}, or_manual: {sla: 24h}}
"#;

#[test]
fn of_what_a_product_is_made_of_each_has_its_own_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "catalog.yml", REVIEWED);
    write(&folder, "business.yml", "resources: {review: [ask]}\n");
    let story = r#"
name: a show without a flavor waits for a person, and a reel does not
given: {account: "user:ana", answers: {show_first/review/run: final conflict}}
events:
  - {command: instance.create, payload: {product_type: show, name: First, metadata: {label: first}}, expect: applied, effects: {contains: [{kind: cdn.ensure, key: show_first/feed/ensure}]}}
  - {command: instance.create, payload: {product_type: reel, name: Second, metadata: {label: second}}, expect: applied}
expect:
  notices: {contains: [{template: step_waiting, values: {instance: show_first, step: review}}]}
  products: {reel_second: {metadata: {status: running}}}
"#;
    write(&folder, "story.yml", story);
    let found = covered(folder.path());
    assert_eq!(found.not_held, [] as [String; 0]);
    are_touched(&found, &["show provisions/feed", "show provisions/review/or_manual", "reel provisions/review"]);
    let near = ["show provisions/feed/variant", "show provisions/fee", "reel provisions/review/or_manual"];
    are_holes(&found, &near);
    let flavored = story.replace("{label: first}", "{label: first, flavor: plain}");
    write(&folder, "story.yml", &flavored.replace("show_first/feed/ensure", "show_first/feed@plain/ensure"));
    let found = covered(folder.path());
    assert_eq!(found.not_held, [] as [String; 0]);
    are_touched(&found, &["show provisions/feed", "show provisions/feed/variant"]);
}
