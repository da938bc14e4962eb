//! Events that come close to reaching a clause and do not reach it.

use crate::coverage::support::{covered, holes, podcasts, reached, write};
use host_explore::coverage::Coverage;
use std::fs;

/// Measures the coverage of `story` with the catalog of `full-podcasts`, after replacements in the catalog.
fn covered_with_changes(catalog: &[(&str, &str)], files: &[(&str, &str)], story: &str) -> Coverage {
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

fn assert_reached(found: &Coverage, clauses: &[&str]) {
    clauses.iter().for_each(|clause| assert_eq!(reached(found, "catalog", clause), 1, "{clause}"));
}

fn assert_holes(found: &Coverage, clauses: &[&str]) {
    let missing = holes(found, "catalog");
    clauses.iter().for_each(|clause| assert!(missing.contains(clause), "{clause}: {missing:?}"));
}

#[test]
fn a_payment_refunded_at_once_counts_as_paid() {
    let story = r#"
name: a refund that arrives before its payment
given: {account: "user:ana", answers: {"checkout:*": {ok: {session_id: cs_1}}}}
events:
  - {command: purchase.create, id: buy, payload: {product_type: credit_pack, item: 1000}, expect: applied}
  - check: {purchases: {pur_e8197b20f8e71e42: {status: pending}}}
  - {stripe: refund.created, set: {amount: 1000}, expect: deferred}
  - {stripe: checkout.session.completed, set: {id: cs_1, mode: payment, subscription: null, payment_intent: pi_1, payment_status: paid, metadata: {purchase_id: pur_e8197b20f8e71e42}, amount_subtotal: 1000, amount_total: 1000}, expect: applied}
expect: {purchases: {pur_e8197b20f8e71e42: {status: refunded}}}
"#;
    assert_reached(&covered_with_changes(&[], &[], story), &["credit_pack on_paid", "credit_pack refund"]);
}

#[test]
fn zero_allowances_empty_fields_and_unused_entitlements_are_not_reached() {
    let catalog = [
        ("{slug: free, shows: 1,", "{slug: free, shows: 0,"),
        ("unique: true, immutable: true}", "unique: true, immutable: true}\n      - {name: note, type: string}"),
    ];
    let story = r#"
name: a show without an allowance, in an account that uses another entitlement
given: {account: "user:ana"}
events:
  - {product: created, data: {id: show_one, product_type: show, name: One, user_id: ana, metadata: {label: one, status: provisioning, note: null}}, expect: rejected}
  - {command: usage.consume, payload: {key: downloads, amount: 5}, expect: applied}
expect:
  entitlements: {shows: {allowed: 0, used: 0}, downloads: {used: 5}}
  products: {show_one: {metadata: {label: one, note: null}}}
"#;
    let found = covered_with_changes(&catalog, &[], story);
    assert_reached(&found, &["type show", "show fields/label", "plan grants/downloads", "entitlement downloads"]);
    assert_holes(&found, &["show fields/note", "show consumes/shows", "plan grants/shows", "entitlement shows"]);
}

#[test]
fn a_template_is_reached_only_by_its_own_mails() {
    let catalog = [
        ("bucket: \"{episodes.bucket}\"}", "bucket: \"{episodes.bucket}\", template: bye}"),
        (
            "\nproduct_types:",
            "\nevents: {show.liked: {fields: [{name: email, type: string, required: true, max_length: 254}]}}\n\
             reactions:\n  - {event: show.liked, mail: hello, to: \"{event.email}\"}\n  \
             - {event: subscription.canceled, mail: bye}\n  - {event: payment.succeeded, mail: hello}\n\nproduct_types:",
        ),
    ];
    let files = [
        ("templates/hello.txt", "Subject: Hello\n\nIt is liked.\n"),
        ("templates/bye.txt", "Subject: Bye\n\nIt is over.\n"),
    ];
    let story = r#"
name: a mail, and a resource with the name of another template
given: {account: "user:ana"}
events:
  - {event: show.liked, data: {email: ana@example.com}, expect: applied, effects: [{kind: mail.send, payload: {template: hello}}]}
  - {command: instance.create, payload: {name: First, metadata: {label: first-show}}, expect: applied}
expect: {effects: {show_first-show/feed/ensure: {kind: function.ensure, payload: {template: bye}}}}
"#;
    let found = covered_with_changes(&catalog, &files, story);
    assert_reached(&found, &["template hello", "reaction to show.liked: mail hello"]);
    assert_holes(
        &found,
        &["template bye", "reaction to subscription.canceled: mail bye", "reaction to payment.succeeded: mail hello"],
    );
}

#[test]
fn roles_are_reached_only_by_members_of_organizations() {
    let files =
        [("business.yml", "may: {instance.create: [owner], purchase.create: [owner], usage.consume: [member]}\n")];
    let story = r#"
name: an operator in an organization, a user in a personal account, and a member
given: {account: "organization:o"}
events:
  - {command: instance.create, by: admin, payload: {name: First, metadata: {label: first-show}}, expect: applied}
  - {command: purchase.create, account: "user:ana", by: {kind: user, subject: ana}, payload: {product_type: credit_pack, item: 1000}, expect: applied}
  - {command: usage.consume, by: {kind: user, subject: m, roles: [member]}, payload: {key: downloads}, expect: applied}
"#;
    let found = covered_with_changes(&[], &files, story);
    assert_reached(&found, &["may usage.consume"]);
    assert_holes(&found, &["may instance.create", "may purchase.create"]);
}

/// Shows with a feed that may have a flavor, and a review before a fee; reels have a review too.
const REVIEWED: &str = r#"
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
fn each_provision_of_an_instance_is_a_clause_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "catalog.yml", REVIEWED);
    write(&folder, "business.yml", "policies: {currency: usd}\nresources: {review: [ask]}\n");
    let story = r#"
name: a show without a flavor waits for an operator, and a reel does not
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
    assert_reached(&found, &["show provisions/feed", "show provisions/review/or_manual", "reel provisions/review"]);
    let near = ["show provisions/feed/variant", "show provisions/fee", "reel provisions/review/or_manual"];
    assert_holes(&found, &near);
    let flavored = story.replace("{label: first}", "{label: first, flavor: plain}");
    write(&folder, "story.yml", &flavored.replace("show_first/feed/ensure", "show_first/feed@plain/ensure"));
    let found = covered(folder.path());
    assert_eq!(found.not_held, [] as [String; 0]);
    assert_reached(&found, &["show provisions/feed", "show provisions/feed/variant"]);
}
