//! `provisioner check` from outside: its reports of correct and of wrong files.

use crate::run::{Ran, fixtures, lines, run, subscription};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const CATALOG: &str = r#"product_types:
  - name: seat_plan
    catalog: true
    infer_by: slug
    family: plan
    fields:
      - {name: slug, type: string, required: true, max_length: 40}
      - {name: seats, type: int, required: true, min: 0}
      - {name: notes, type: string, set_by: admin}
    grants: {seats: "{product.seats}"}
products:
  - id: prod_team
    product_type: seat_plan
    name: Team
    prices: {month: {amount: 900, id: price_team}}
    metadata: {slug: team, seats: 5}
entitlements: {seats: {kind: limit}}
"#;

const STORY: &str = "name: a team subscribes
given: {account: \"user:ana\", claims: {\"stripe-customer:cus_A\": \"user:ana\"}}
events:
  - stripe: customer.subscription.created
    set: {price: price_team}
    expect: applied
expect:
  entitlements: {seats: 5}
";

/// Makes a folder with a business.
fn business(catalog: &str, story: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    fs::write(folder.path().join("scenarios/story.yml"), story).expect("written");
    folder
}

fn check(folder: &Path, args: &[&str]) -> Ran {
    let (folder, fixtures) = (folder.display().to_string(), fixtures().display().to_string());
    let mut all = vec!["check", "--native", "--fixtures", &fixtures];
    all.extend(args);
    all.push(&folder);
    run(&all, b"")
}

/// Returns the lines with mistakes. Their paths are relative to the folder.
fn mistakes(ran: &Ran, folder: &Path) -> Vec<String> {
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""), "{}", ran.stdout);
    let folder = format!("{}/", folder.display());
    let mut lines: Vec<String> = ran.stdout.lines().map(|line| line.replace(&folder, "")).collect();
    assert!(lines.pop().is_some_and(|count| count.contains("mistake")), "{}", ran.stdout);
    lines
}

#[test]
fn correct_files_have_no_mistake_and_nothing_is_played() {
    // The expectation would fail if the scenario were played.
    let folder = business(CATALOG, &STORY.replace("seats: 5", "seats: 7"));
    let ran = check(folder.path(), &[]);
    assert!(ran.code == 0 && ran.stdout.starts_with("no mistake in 1 business, 1 scenario\n"), "{}", ran.stderr);
    assert!(ran.stdout.contains("prices are in usd; `currency: eur` in catalog.yml changes that"), "{}", ran.stdout);
    for path in ["catalog.yml", "scenarios", "scenarios/story.yml"] {
        let ran = check(&folder.path().join(path), &[]);
        assert_eq!(ran.code, 0, "{path}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn each_mistake_of_a_catalog_has_line_place_allowed_values_and_a_guess() {
    for (good, bad, line, place, parts) in [
        (
            "grants: {",
            "grnats: {",
            10,
            "/product_types/0/grnats: unknown field `grnats`",
            ["grants", "family", "did you mean `grants`?"],
        ),
        (
            "type: int,",
            "type: itn,",
            8,
            "/product_types/0/fields/1/type: found `itn`",
            ["expected", "int", "did you mean `int`?"],
        ),
        (
            "max_length: 40",
            "max_length: [40]",
            7,
            "/product_types/0/fields/0/max_length: found a list",
            ["expected a whole number", "", ""],
        ),
        (
            "product_type: seat_plan",
            "product_type: seat_paln",
            13,
            "/products/0/product_type: `seat_paln` is not a product type",
            ["", "", "did you mean `seat_plan`?"],
        ),
        (
            "{product.seats}",
            "{product.saets}",
            10,
            "/product_types/0/grants/seats: `{product.saets}`",
            ["", "", "did you mean `seats`?"],
        ),
        (
            "prices: {month",
            "prices: {mnth",
            15,
            "/products/0/prices/mnth: `mnth` is not an interval",
            ["expected one of month, year, week, day, once", "", "did you mean `month`?"],
        ),
    ] {
        assert_eq!(CATALOG.matches(good).count(), 1, "{good}");
        let folder = business(&CATALOG.replace(good, bad), STORY);
        let lines = mistakes(&check(folder.path(), &[]), folder.path());
        assert_eq!(lines.len(), 1, "reported once, although a scenario uses it, too: {lines:?}");
        assert!(lines[0].starts_with(&format!("catalog.yml:{line}: {place}")), "{bad}: {}", lines[0]);
        for part in parts {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
        assert_eq!(lines[0].contains("did you mean"), !parts[2].is_empty(), "{}", lines[0]);
    }
}

#[test]
fn ambiguous_products_are_mistakes() {
    let second_type = "  - name: badge
    catalog: true
    infer_by: slug
    fields: [{name: slug, type: string, required: true}]
products:
";
    let two_types = CATALOG.replace("products:\n", second_type);
    let folder = business(&two_types, STORY);
    assert_eq!(check(folder.path(), &[]).code, 0, "two types may have one field, while products name theirs");
    let same = "  - {id: prod_crew, product_type: seat_plan, name: Crew, prices: {month: {amount: 100}}, \
                metadata: {slug: team, seats: 9}}\nentitlements:";
    for (catalog, told_at) in [
        (
            two_types.replace("    product_type: seat_plan\n", ""),
            "catalog.yml:16: /products/0/product_type: its metadata matches two types; expected seat_plan or badge",
        ),
        (
            CATALOG.replace("entitlements:", same),
            "catalog.yml:17: /products/1/metadata/slug: `prod_team` has the same value, and `slug` must differ within a \
             type; expected another",
        ),
        (
            CATALOG.replace("    prices: {month: {amount: 900, id: price_team}}\n", "    price: 900\n"),
            "catalog.yml:15: /products/0/price: `price` is an old spelling; expected `prices: {once: {amount: 900}}`",
        ),
        (
            CATALOG.replace("metadata: {", "metadata: {stripe_price_id: price_team, "),
            "catalog.yml:16: /products/0/metadata/stripe_price_id: a catalog has prices in `prices` alone; expected `prices: \
             {INTERVAL: {amount, id}}`, or no `stripe_price_id`",
        ),
        (
            CATALOG.replace("    prices: {month: {amount: 900, id: price_team}}\n", "    billing_interval: month\n"),
            "catalog.yml:15: /products/0/billing_interval: a catalog has prices in `prices` alone; expected `prices: \
             {INTERVAL: {amount, id}}`, or no `billing_interval`",
        ),
    ] {
        let folder = business(&catalog, STORY);
        let lines = mistakes(&check(folder.path(), &[]), folder.path());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0], told_at);
    }
}

#[test]
fn unknown_names_of_a_scenario_are_mistakes() {
    let catalog = format!("{CATALOG}events: {{user.registered: {{fields: []}}}}\n");
    let folder = business(&catalog, STORY);
    fs::write(folder.path().join("business.yml"), "resources: {tent: [ensure, change, destroy]}\n").expect("written");
    let story = "name: names
given: {account: \"user:ana\"}
events:
  - {command: instance.craete, payload: {name: a}, expect: applied}
  - {command: instance.craete, expect: rejected}
  - {event: user.registerd, expect: applied}
  - {event: user.registerd, expect: rejected}
  - {stripe: customer.subscription.craeted, base: subscription, expect: deferred}
  - {stripe: customer.subscription.craeted, base: subscription, expect: ignored}
  - command: instance.create
    effects:
      - {kind: tent.ensure, payload: {kind: anything}}
      - {kind: tent.enusre}
    expect: applied
  - check:
      effects: {a: {kind: mail.sned}, b: {kind: timer.at}, c: finished, d: {kind: {regex: x}}}
  - {event: user.registered, effects: {contains: [{kind: account.sned}]}, expect: applied}
expect:
  notices: [{kind: mail.send, template: kind}]
  accounts:
    user:bob:
      effects: {a: {kind: database.enusre}}
";
    fs::write(folder.path().join("scenarios/names.yml"), story).expect("written");
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    let expected = [
        ("4: `instance.craete` is not a command", "or a step that expects `rejected`; did you mean `instance.create`?"),
        (
            "6: `user.registerd` is not a fact",
            "one of user.registered; or a step that expects `rejected`; did you mean",
        ),
        (
            "8: `customer.subscription.craeted` is not an event type",
            "expects `ignored`; did you mean `customer.subscription.cr",
        ),
        (
            "13: `tent.enusre` is not an effect kind",
            "tent.destroy, tent.ensure, timer.at, usage.pull, user.invite; did you mean `tent.ensure`?",
        ),
        ("16: `mail.sned` is not an effect kind", "did you mean `mail.send`?"),
        ("17: `account.sned` is not an effect kind", "did you mean `account.send`?"),
        ("22: `database.enusre` is not an effect kind", "did you mean `database.ensure`?"),
    ];
    for (line, (begins, has)) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("scenarios/names.yml:{begins}")) && line.contains(has), "{line}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
}

#[test]
fn a_placeholder_of_a_mail_without_a_value_is_reported() {
    let catalog = format!(
        "{CATALOG}events: {{user.registered: {{fields: [{{name: email, type: string}}]}}}}\n\
        reactions:\n  - {{event: user.registered, mail: welcome}}\n"
    );
    let folder = business(&catalog, STORY);
    let template = folder.path().join("templates/welcome.txt");
    fs::create_dir(folder.path().join("templates")).expect("made");
    for (place, expected) in [
        ("{% if a %}{{ email }}{% endif %}", "`a` in welcome has no value; expected email"),
        ("{{ emial }}", "`emial` in welcome has no value; expected email"),
        ("{{ email.domain }}", "`email.domain` in welcome has no value; expected email"),
        ("{{ email | uper }}", "templates/welcome.txt:3: `uper` is an unknown filter"),
    ] {
        fs::write(&template, format!("Subject: Welcome\n\n{place}\n")).expect("written");
        let lines = mistakes(&check(folder.path(), &[]), folder.path());
        assert!(lines.len() == 1 && lines[0].contains(expected), "{place}: {lines:#?}");
    }
    fs::write(&template, "Subject: Welcome\n\n{{ email }}\n").expect("written");
    let ran = check(folder.path(), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

#[test]
fn a_scenario_that_loads_a_catalog_knows_its_names() {
    let story = "name: names
given: {account: \"user:ana\"}
events:
  - {command: catalog.load, account: platform, payload: {partial: true, events: {cup.won: {fields: []}}, resources: {cup: [polish]}}, expect: applied}
  - {event: cup.won, effects: [{kind: cup.polish}], expect: applied}
  - {event: cup.lost, effects: [{kind: cup.drop}], expect: applied}
";
    let folder = business(CATALOG, story);
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("`cup.lost` is not a fact of the business; expected one of cup.won"), "{}", lines[0]);
    assert!(lines[1].contains("`cup.drop` is not an effect kind"), "{}", lines[1]);
}

#[test]
fn replay_reports_a_catalogs_mistake_with_the_same_message() {
    let folder = business(&CATALOG.replace("grants: {", "grnats: {"), STORY);
    let mistakes = check(folder.path(), &[]).stdout;
    let (path, fixtures) = (folder.path().display().to_string(), fixtures().display().to_string());
    let ran = run(&["replay", "--native", "--fixtures", &fixtures, &path], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    let message = ran.stderr.strip_prefix("error: ").and_then(|line| line.split(": ").nth(1)).expect("a message");
    assert!(mistakes.contains(message) && ran.stderr.contains("did you mean `grants`?"), "{}", ran.stderr);
}

#[test]
fn every_wrong_file_is_reported() {
    let folder = business(&CATALOG.replace("grants: {", "grnats: {"), STORY);
    let scenario = |name: &str, text: &str| {
        fs::write(folder.path().join("scenarios").join(name), text).expect("written");
    };
    scenario("a.yml", &STORY.replace("expect: applied", "expect: aplied"));
    scenario("b.yml", &STORY.replace("given:", "gvien:"));
    scenario("c.yml", &STORY.replace("set: {price: price_team}", "set: {qauntity: 2}"));
    scenario("d.yml", &STORY.replace("customer.subscription", "customer.subscripton"));
    scenario("e.yml", &STORY.replace("given: {", "given: {business: solobse, "));
    scenario("f.yml", &STORY.replace("given: {", "given: {business: solobase, config: {no_such_key: 1}, "));
    scenario("g.jsonl", "{}\n");
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    for (line, (file, parts)) in lines.iter().zip([
        ("catalog.yml:10: ", ["`grnats`", "did you mean `grants`?"]),
        ("scenarios/a.yml:6: ", ["`expect: aplied`", "did you mean `applied`?"]),
        ("scenarios/b.yml:2: ", ["unknown field `gvien`", "did you mean `given`?"]),
        ("scenarios/c.yml:5: ", ["qauntity", "did you mean `quantity`?"]),
        ("scenarios/d.yml:4: ", ["no base body", "did you mean `subscription`?"]),
        ("scenarios/e.yml:2: ", ["no business `solobse`", "did you mean `solobase`?"]),
        ("scenarios/f.yml:2: ", ["`no_such_key` is not declared", ""]),
        ("scenarios/g.jsonl:1: ", ["expected a Stripe event", ""]),
    ]) {
        assert!(line.starts_with(file), "{file}: {line}");
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");
}

#[test]
fn all_mistakes_of_a_scenario_and_of_business_yml_are_told_at_once() {
    let folder = business(CATALOG, STORY);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("business.yml", "config:\n  a: {type: strng, required: 1}\n  b: {dflt: 1}\nretry: {mail: [10s, 10]}\n");
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    // A scenario is not judged with a business that is wrong, so its lines are those of the business.
    let expected = [
        "business.yml:2: `type: strng`; expected one of string, integer, boolean, secret; did you mean `string`?",
        "business.yml:2: `required` is a whole number; expected true or false",
        "business.yml:3: unknown field `dflt` in `b`; expected one of type, required, default, env, decimals, description",
        "business.yml:4: `10` is not a delay; expected a number and s, m, h or d, from 1s to 30d, as in 10s",
    ];
    assert_eq!(lines, expected);
    fs::remove_file(folder.path().join("business.yml")).expect("removed");
    let wrong = "name: [x]\ncovers: SOL-01\ngiven: {account: \"user:A\"}\nevents:\n  - {command: a.b, exepct: applied}\n  \
                 - {advance: soon}\n  - {usage: {meter: m, quantity: 1.5}, id: []}\nexpect: {baalnces: {}}\n";
    write("scenarios/story.yml", wrong);
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    let told: Vec<&str> = lines.iter().map(|line| line.split(';').next().unwrap_or_default()).collect();
    let expected = [
        "scenarios/story.yml:1: `name` is a list",
        "scenarios/story.yml:2: `covers` is a text",
        "scenarios/story.yml:5: unknown field `exepct` in a step",
        "scenarios/story.yml:6: `advance: soon` is not a span of time",
        "scenarios/story.yml:7: `id` is a list",
        "scenarios/story.yml:8: unknown field `baalnces` in expect",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_configuration_is_part_of_the_business() {
    let folder = business(CATALOG, STORY);
    fs::write(folder.path().join("config.yml"), "# ours\nno_such_key: 1\n").expect("written");
    let lines = mistakes(&check(folder.path(), &[]), folder.path());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("config.yml:2: ") && lines[0].contains("`no_such_key`"), "{}", lines[0]);
}

#[test]
fn json_has_one_line_per_mistake_and_then_the_counts() {
    let folder = business(&CATALOG.replace("product_type: seat_plan", "product_type: seat_paln"), STORY);
    let ran = check(folder.path(), &["--format", "json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let lines = ran.lines();
    let mistake = json!({"file": folder.path().join("catalog.yml").display().to_string(), "line": 13,
        "pointer": "/products/0/product_type", "code": "not-allowed", "problem": "`seat_paln` is not a product type",
        "expected": "seat_plan", "allowed": ["seat_plan"], "guess": "seat_plan"});
    let summary = json!({"businesses": 1, "scenarios": 1, "raw": 0, "mistakes": 1});
    assert_eq!(lines, [json!({"mistake": mistake}), json!({"summary": summary})]);
    fs::write(folder.path().join("catalog.yml"), "- a\n").expect("written");
    let lines = check(folder.path(), &["--format", "json"]).lines();
    assert_eq!(lines[0]["mistake"]["line"], Value::Null, "the file as a whole");
}

#[test]
fn wrong_paths_and_options_are_refused() {
    let empty = tempfile::tempdir().expect("a folder");
    for (path, expected) in [(empty.path(), "without a business or cases"), (Path::new("no/such"), "no such file")] {
        let ran = check(path, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert_eq!(run(&["check"], b"").code, 2, "a path is required");
}

#[test]
fn the_projects_own_fixtures_have_no_mistake() {
    let ran = check(&fixtures(), &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_start_over_a_store_is_rehearsed() {
    let folder = business(CATALOG, STORY);
    let path = folder.path().display().to_string();
    let store = tempfile::tempdir().expect("a folder");
    let file = store.path().join("store.db");
    let bought = lines(&[subscription("evt_1")]);
    let bought = String::from_utf8(bought).expect("UTF-8").replace("price_xyz789", "price_team");
    let file_name = file.display().to_string();
    let ran = run(
        &[
            "replay",
            "--native",
            "--fixtures",
            &fixtures().display().to_string(),
            "--business",
            &path,
            "--store",
            &file_name,
            "-",
        ],
        bought.as_bytes(),
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let edited = |catalog: &str| fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    let rehearsed = |args: &[&str]| {
        let in_folder = store.path().display().to_string();
        check(folder.path(), &[&["--store", in_folder.as_str()], args].concat())
    };
    let ran = rehearsed(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "the start changes nothing for anybody\n"), "{}", ran.stderr);

    // A lower limit, and a product that is named no more.
    edited(&CATALOG.replace("seats: 5", "seats: 3"));
    let ran = rehearsed(&[]);
    let fall = "falls: seats of prod_team at price_team from 5 to 3, for 1 account at once\nthe start is not refused\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (0, fall), "{}", ran.stderr);
    edited(
        &CATALOG
            .replace("prod_team", "prod_crew")
            .replace("price_team", "price_crew")
            .replace("slug: team", "slug: crew"),
    );
    let ran = rehearsed(&["--format", "json"]);
    let off = json!({"off_sale": {"product": "prod_team", "price": "price_team", "accounts": 1}});
    assert_eq!(ran.lines(), [off, json!({"summary": {"off_sale": 1, "falls": 0}})], "{}", ran.stderr);

    // The default plan has no price, and the account has another plan.
    let with_default = |seats: u32| {
        let default = format!(
            "products:\n  - {{id: prod_solo, product_type: seat_plan, name: Solo, default: true, metadata: {{slug: solo, seats: {seats}}}}}\n"
        );
        CATALOG.replacen("products:\n", &default, 1)
    };
    let copy = tempfile::tempdir().expect("a folder");
    let of_default = copy.path().join("store.db").display().to_string();
    edited(&with_default(2));
    let visits = lines(&[subscription("evt_1"), register("cmd_1", "u7"), register("cmd_2", "u8")]);
    let visits = String::from_utf8(visits).expect("UTF-8").replace("price_xyz789", "price_team");
    let fixtures_folder = fixtures().display().to_string();
    let replay =
        ["replay", "--native", "--fixtures", &fixtures_folder, "--business", &path, "--store", &of_default, "-"];
    let ran = run(&replay, visits.as_bytes());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    edited(&with_default(1));
    let ran = check(folder.path(), &["--store", &format!("sqlite:{of_default}")]);
    let fall = "falls: seats of prod_solo from 2 to 1, for 2 accounts at once\nthe start is not refused\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (0, fall), "{}", ran.stderr);

    // What the start refuses: another amount of a published price.
    edited(&CATALOG.replace("amount: 900", "amount: 950"));
    let ran = rehearsed(&[]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("price_team is published at 900 usd; expected this price, or another id"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("catalog.yml:12"), "{}", ran.stdout);

    // The store is as it was, and `check` alone sees nothing of it.
    assert_eq!(check(folder.path(), &[]).code, 0);
    edited(CATALOG);
    assert_eq!(rehearsed(&[]).stdout, "the start changes nothing for anybody\n");
    let missing = check(folder.path(), &["--store", "sqlite:no-such.db"]);
    assert_eq!((missing.code, missing.stderr.contains("no such file")), (2, true), "{}", missing.stderr);
}

fn register(id: &str, user: &str) -> Value {
    json!({
        "id": id, "command": "mail.subscribe", "account": format!("user:{user}"), "timestamp": "2026-01-01T00:00:01Z",
        "actor": {"kind": "user", "id": user}, "payload": {},
    })
}
