//! Tests the part of a business in the configuration file and the environment.

use crate::common::{Folder, environment};
use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_business::folder::BusinessFolder;
use host_business::yaml::bad_input::BadInput;
use host_intake::Mode;
use host_run::config::{BusinessConfig, BusinessMode, Environment, Prepared, prepare};
use std::collections::BTreeSet;

const CATALOG: &str = "product_types:
  - {name: plan, aliases: [tier], fields: [{name: price, type: int}]}
  - {name: site, provisions: [{name: db, if: config.token, with: {zone: \"{config.zone}\"}}]}
products: [{id: p, product_type: plan, prices: {month: \"${config.price}\"}}]
";
const BUSINESS: &str = "policies: {success_url: \"https://old.example\"}
config:
  price: {type: integer, default: 500, env: PRICE}
  share: {type: integer, decimals: 4, default: \"0.9\", env: SHARE}
  zone: {env: ZONE}
  token: {type: secret, env: TOKEN}
  hook: {type: secret, env: HOOK}
  cache: {default: none, env: CACHE}
  redis: {env: REDIS_URL}
webhooks:
  crm: {scheme: hmac, secret: hook, header: X-Sign, events: [{event: e, account: \"user:{id}\"}]}
events: {}
unused_variables: {REDIS_URL: the application's cache}
";

/// Declarations of an extension with one configuration key and one kind of event.
fn declarations() -> Declarations {
    let enabled = ConfigDecl {
        key: "enabled".to_owned(),
        value_type: ConfigType::Boolean,
        required: false,
        default_value: Some("true".to_owned()),
        env: None,
        description: String::new(),
    };
    Declarations { config: vec![enabled], payment_kinds: vec!["invoice.paid".to_owned()], ..Declarations::default() }
}

struct Case {
    folder: Folder,
    config: BusinessConfig,
}

impl Case {
    /// A business whose values in the configuration file are these.
    fn new(config: &str, environment: &Environment) -> Case {
        let folder = Folder::new();
        folder.write("catalog.yml", CATALOG);
        folder.write("business.yml", &BUSINESS.replace("events: {}\n", ""));
        let config = folder.read(config, environment).expect("a file").businesses.remove(0);
        Case { folder, config }
    }

    fn prepare(&self, environment: &Environment) -> Result<Prepared, Vec<BadInput>> {
        let business = BusinessFolder::load(self.folder.0.path()).expect("a business");
        prepare(&business, &declarations(), &self.config, environment, &BTreeSet::new())
    }
}

fn prepared(config: &str, variables: &[(&str, &str)]) -> Prepared {
    let environment = environment(variables);
    Case::new(config, &environment).prepare(&environment).expect("right values")
}

fn faults(config: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let environment = environment(variables);
    let faults = Case::new(config, &environment).prepare(&environment).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn names(prepared: &Prepared) -> Vec<&str> {
    prepared.unused.iter().map(|unused| unused.name.as_str()).collect()
}

// covers: SOL-46, TES-01
#[test]
fn variables_become_values_of_the_keys_that_the_business_maps_them_to() {
    let variables = [
        ("PRICE", "700"),
        ("SHARE", "0.855"),
        ("ZONE", "z"),
        ("TOKEN", "hidden-token"),
        ("HOOK", "hidden-hook-of-crm"),
    ];
    let prepared = prepared("", &variables);
    let expected = [
        ("price", "700"),
        ("share", "0.855"),
        ("zone", "z"),
        ("token", "secret:env/TOKEN"),
        ("hook", "secret:env/HOOK"),
    ];
    assert_eq!(
        prepared.config,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned())),
        "secrets are references"
    );
    assert_eq!(prepared.webhooks["crm"].expose(), "hidden-hook-of-crm");
    assert_eq!(prepared.business.filled(&prepared.config).catalog["products"][0]["prices"]["month"], 700);
    assert_eq!(prepared.business.config_with(&prepared.config)["share"], "8550");
    assert_eq!(names(&prepared), ["SHARE"], "the catalog does not name it");
    assert!(!format!("{prepared:?}").contains("hidden"), "no secret in {prepared:?}");
}

// covers: SOL-45
#[test]
fn the_file_takes_precedence_over_variables_and_its_keys_are_checked() {
    let file = "extensions: {instance_provisioner: {enabled: false, price: 800, token: \"${OTHER}\"}}\n";
    let prepared = prepared(file, &[("PRICE", "700"), ("TOKEN", "t"), ("OTHER", "o")]);
    let expected = [("enabled", "false"), ("price", "800"), ("token", "secret:env/OTHER")];
    assert_eq!(prepared.config, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(names(&prepared), ["PRICE", "TOKEN"], "the file has values for their keys");
    let wrong = "extensions:
  instance_provisioner:
    enabledd: true
    enabled: 1
    price: ${PRICE}
    token: literal-hidden
";
    let told = faults(wrong, &[("PRICE", "hidden"), ("SHARE", "0.12345"), ("ZONE", "z")]);
    assert_eq!(told.len(), 5, "{told:#?}");
    for (fault, parts) in told.iter().zip([
        ["config.yml:3", "did you mean `enabled`?"],
        ["config.yml:4", "expected `true` or `false`"],
        ["config.yml:5", "expected a whole number"],
        ["the environment", "expected a decimal number with at most 4 decimals"],
        ["config.yml:6", "is a secret, and does not come from a variable"],
    ]) {
        assert!(parts.iter().all(|part| fault.contains(part)), "{parts:?}: {fault}");
        assert!(!fault.contains("hidden"), "{fault}");
    }
}

// covers: SOL-44
#[test]
fn product_types_and_events_of_the_file_must_exist() {
    let file = |types: &str| {
        format!("extensions: {{products: {{product_types: {types}, webhooks: {{events: [invoice.paid]}}}}}}\n")
    };
    let both = prepared(&file("[plan, {name: site, fields: [{name: a, type: string}]}, tier]"), &[]);
    let unused = ["extensions.products.product_types.fields", "extensions.products.webhooks.events"];
    assert_eq!(names(&both), unused);
    let told = faults(&file("[plna]"), &[]);
    assert!(told.len() == 1 && told[0].contains("`plna`") && told[0].contains("did you mean `plan`?"), "{told:?}");
    let told = faults("extensions: {products: {webhooks: {events: [invoice.payed]}}}\n", &[]);
    assert!(told.len() == 1 && told[0].contains("did you mean `invoice.paid`?"), "{told:?}");
}

// covers: BOT-43, TES-02, SOL-44
#[test]
fn stripe_has_its_key_and_signing_secrets_from_the_file_or_from_its_usual_variables() {
    let usual = [
        ("STRIPE_SECRET_KEY", "sk_test_a"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_new_0123456789ab, whsec_old_0123456789ab"),
        ("STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_connect_0123456789ab"),
    ];
    let of_variables = prepared("", &usual);
    let secrets = |prepared: &Prepared| -> Vec<(String, Mode, Option<bool>, String)> {
        let secrets = prepared.stripe.iter();
        secrets.map(|it| (it.name.clone(), it.mode, it.connect, it.secret.clone())).collect()
    };
    let expected = [
        ("platform", false, "whsec_new_0123456789ab"),
        ("platform-old", false, "whsec_old_0123456789ab"),
        ("connect", true, "whsec_connect_0123456789ab"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, connect, it)| (name.to_string(), Mode::Test, Some(*connect), it.to_string()))
        .collect();
    assert_eq!(secrets(&of_variables), expected);
    let key = |prepared: &Prepared| prepared.stripe_key.as_ref().map(|key| key.expose().to_owned());
    assert_eq!((key(&of_variables).as_deref(), of_variables.is_key_of_file), (Some("sk_test_a"), false));
    let file =
        "mode: live\nextensions: {products: {stripe_secret_key: \"${KEY}\", stripe_webhook_secret: \"${SIGN}\"}}\n";
    let of_file = prepared(file, &[&usual[1..], &[("KEY", "sk_live_b"), ("SIGN", "whsec_b_0123456789abcd")]].concat());
    assert_eq!((key(&of_file).as_deref(), of_file.is_key_of_file), (Some("sk_live_b"), true));
    assert_eq!(
        secrets(&of_file)[0],
        ("platform".to_owned(), Mode::Live, Some(false), "whsec_b_0123456789abcd".to_owned())
    );
    let told = faults("mode: live\n", &usual);
    assert!(told.len() == 1 && told[0].contains("`STRIPE_SECRET_KEY` is a key of test mode"), "{told:?}");
    assert!(!told[0].contains("sk_test_a"), "{told:?}");
    let told = faults("", &[("STRIPE_SECRET_KEY", "rk_live_x")]);
    assert!(told.len() == 1 && told[0].contains("expected a key of test mode"), "{told:?}");
    let off = prepared("extensions: {products: {webhooks: {enabled: false, endpoint: /hook}}}\n", &usual);
    assert_eq!((off.stripe.len(), off.stripe_path.as_deref()), (0, None));
    assert_eq!(names(&off), ["STRIPE_CONNECT_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET"]);
    let local = prepared("mode: local\n", &usual);
    assert_eq!((local.stripe.len(), key(&local)), (0, None));
    let three = ["STRIPE_CONNECT_WEBHOOK_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"];
    assert_eq!(names(&local), three);
}

#[test]
fn a_signing_secret_that_somebody_could_guess_is_refused_outside_of_local_mode() {
    let long = "whsec_0123456789abcdef";
    for (name, value) in [
        ("STRIPE_WEBHOOK_SECRET", "x".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcde".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", format!("{long},whsec_x")),
        ("STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_".to_owned()),
        ("HOOK", "short".to_owned()),
    ] {
        let told = faults("", &[(name, &value)]);
        let is_named = told.len() == 1 && told[0].contains(&format!("`{name}` is so short"));
        assert!(is_named && told[0].contains("expected at least 16 characters"), "{told:?}");
        assert!(value.len() < 8 || !told[0].contains(&value), "{told:?}");
        prepared("mode: local\n", &[(name, &value)]);
    }
    assert_eq!(prepared("", &[("STRIPE_WEBHOOK_SECRET", long)]).stripe.len(), 1);
}

// covers: BOT-43, ORC-60
#[test]
fn what_is_set_and_has_no_effect_is_named_once_with_the_reason() {
    let variables = [("REDIS_URL", "redis://x"), ("CACHE", "c"), ("ZONE", "z"), ("TOKEN", "t"), ("UNKNOWN", "u")];
    let told: Vec<String> = prepared("", &variables).unused.iter().map(ToString::to_string).collect();
    let [cache, redis] = told.as_slice() else { panic!("{told:?}") };
    assert!(cache.contains("`CACHE` is not used") && cache.contains("the catalog does not name"), "{cache}");
    assert_eq!(redis, "`REDIS_URL` is not used: the application's cache");
    assert_eq!(names(&prepared("", &[])), [""; 0], "nothing is set");
    let named = environment(&variables);
    let case = Case::new("", &named);
    let business = BusinessFolder::load(case.folder.0.path()).expect("a business");
    let settings = BTreeSet::from(["CACHE".to_owned(), "REDIS_URL".to_owned()]);
    let by_settings = prepare(&business, &declarations(), &case.config, &named, &settings).expect("right values");
    assert_eq!(names(&by_settings), [""; 0], "the settings of a provider name them");
}

#[test]
fn checkout_urls_of_the_file_replace_those_of_the_catalog() {
    let file = "extensions: {products: {checkout: {success_url: \"https://new.example/{CHECKOUT_SESSION_ID}\", cancel_url: \"https://new.example\"}}}\n";
    let catalog = prepared(file, &[]).business.catalog;
    assert_eq!(catalog["policies"]["success_url"], "https://new.example/{CHECKOUT_SESSION_ID}");
    assert_eq!(catalog["policies"]["cancel_url"], "https://new.example");
    assert_eq!(prepared("", &[]).business.catalog["policies"]["success_url"], "https://old.example");
    assert_eq!(BusinessConfig::of_folder("x".as_ref()).mode, BusinessMode::Test);
}

#[test]
fn a_required_key_without_a_value_is_a_fault() {
    let environment = environment(&[]);
    let case = Case::new("", &environment);
    case.folder
        .write("business.yml", "config: {price: {type: integer, default: 1}, zone: {required: true, env: ZONE}}\n");
    let told = case.prepare(&environment).expect_err("no zone")[0].to_string();
    assert!(told.contains("business.yml") && told.contains("`zone` is required") && told.contains("`ZONE`"), "{told}");
    case.folder.write("config.yml", "zone: z\n");
    assert!(case.prepare(&environment).is_ok());
}
