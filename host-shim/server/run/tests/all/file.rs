//! Tests the reading of a configuration file.

use crate::common::{Folder, environment};
use host_run::config::{BusinessMode, Database, Environment, Storage};
use std::net::SocketAddr;

/// The values of SOL-41 to SOL-45.
const SAMPLE: &str = "server: {port: 8080, host: 0.0.0.0}
database:
  type: postgresql
  url: ${DATABASE_URL}
storage: {type: s3, bucket: solobase-management, region: us-east-1}
extensions:
  products:
    enabled: true
    provider: stripe
    stripe_secret_key: ${STRIPE_SECRET_KEY}
    stripe_webhook_secret: ${STRIPE_WEBHOOK_SECRET}
    product_types:
      - subscription_plan
      - name: instance
        fields:
          - {name: subdomain, type: string, required: true, unique: true}
          - {name: status, type: string, required: true, options: [provisioning, running]}
    checkout: {success_url: \"https://solobase.dev/dashboard?session_id={CHECKOUT_SESSION_ID}\", cancel_url: \"https://solobase.dev/pricing\"}
    webhooks: {enabled: true, endpoint: /b/stripe, events: [invoice.paid]}
  instance_provisioner:
    enabled: true
    aws_region: us-east-1
    b2_key_id: ${B2_KEY_ID}
    b2_app_key: ${B2_APP_KEY}
    shared_rds_endpoint: ${SHARED_RDS_ENDPOINT}
";

fn sample_environment() -> Environment {
    environment(&[
        ("DATABASE_URL", "postgres://hidden"),
        ("STRIPE_SECRET_KEY", "sk_test_hidden"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_hidden"),
        ("B2_KEY_ID", "b2-key"),
        ("B2_APP_KEY", "b2-app"),
        ("SHARED_RDS_ENDPOINT", "rds.example:5432"),
    ])
}

// covers: SOL-40, SOL-41, SOL-42, SOL-43, SOL-44, SOL-45
#[test]
fn the_sample_of_the_requirements_loads_and_what_is_not_served_yet_is_named() {
    let folder = Folder::new();
    let config = folder.read(SAMPLE, &sample_environment()).expect("the sample");
    assert_eq!(config.listen, SocketAddr::from(([0, 0, 0, 0], 8080)));
    let Database::Postgresql { url: Some(url) } = &config.database else { panic!("{:?}", config.database) };
    assert_eq!((url.variable.as_str(), url.value.expose()), ("DATABASE_URL", "postgres://hidden"));
    let storage = Storage::S3 { bucket: Some("solobase-management".into()), region: Some("us-east-1".into()) };
    assert_eq!(config.storage, storage);
    let [business] = config.businesses.as_slice() else { panic!("the business in whose folder the file is") };
    assert_eq!((business.folder.as_path(), business.mode), (folder.0.path(), BusinessMode::Test));
    let products = &business.extensions.products;
    let secret =
        |secret: &Option<host_run::config::SecretValue>| secret.as_ref().map(|secret| secret.value.expose().to_owned());
    assert_eq!(secret(&products.stripe_secret_key).as_deref(), Some("sk_test_hidden"));
    assert_eq!(secret(&products.stripe_webhook_secret).as_deref(), Some("whsec_hidden"));
    let types: Vec<&str> = products.product_types.iter().map(|listed| listed.text.as_str()).collect();
    assert_eq!(types, ["subscription_plan", "instance"], "both shapes of the list");
    assert_eq!((products.webhooks, products.webhook_path.as_deref()), (Some(true), Some("/b/stripe")));
    let own: Vec<(&str, &str)> =
        business.extensions.own.iter().map(|value| (value.key.as_str(), value.value.expose())).collect();
    let expected = [
        ("enabled", "true"),
        ("aws_region", "us-east-1"),
        ("b2_key_id", "b2-key"),
        ("b2_app_key", "b2-app"),
        ("shared_rds_endpoint", "rds.example:5432"),
    ];
    assert_eq!(own, expected);
    let unserved: Vec<String> = config.unserved().iter().map(ToString::to_string).collect();
    let [storage] = unserved.as_slice() else { panic!("{unserved:?}") };
    assert!(storage.contains("config.yml:5") && storage.contains("expected local"), "{storage}");
    assert!(!format!("{config:?}").contains("hidden"), "no secret in {config:?}");
}

// covers: SOL-41, SOL-42, SOL-43
#[test]
fn without_values_a_server_is_as_the_command_line_makes_it() {
    let folder = Folder::new();
    for text in ["", "server:\n", "database: {type: sqlite}\nstorage: {type: local}\n"] {
        let config = folder.read(text, &Environment::default()).expect("a file");
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8090)), "{text}");
        assert_eq!((&config.database, &config.storage), (&Database::Sqlite, &Storage::Local));
        assert_eq!((config.unserved().len(), config.data.as_deref(), config.log_level), (0, None, None));
    }
    let text = "server: {port: \"${PORT}\", host: localhost}\ndata: d\nlog: {level: debug, format: json}\n";
    let config = folder.read(text, &environment(&[("PORT", "81")])).expect("a file");
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 81)));
    assert_eq!(
        (config.data, config.log_level, config.log_format),
        (Some(folder.path("d")), Some("debug"), Some("json"))
    );
}

#[test]
fn a_file_lists_businesses_which_have_its_values_unless_they_have_their_own() {
    let folder = Folder::new();
    let text = "mode: live
providers: [local, stripe]
extensions:
  products: {stripe_secret_key: \"${KEY}\", stripe_webhook_secret: \"${SECRET}\"}
  instance_provisioner: {enabled: false, zone: a}
businesses:
  - {folder: one, hosts: [One.example.com]}
  - folder: /srv/two
    mode: test
    providers: [local]
    simulate: true
    extensions:
      products: {stripe_secret_key: \"${KEY_OF_TWO}\"}
      instance_provisioner: {zone: b}
";
    let variables = [("KEY", "k"), ("SECRET", "s"), ("KEY_OF_TWO", "k2")];
    let config = folder.read(text, &environment(&variables)).expect("a file");
    let [one, two] = config.businesses.as_slice() else { panic!("two businesses") };
    assert_eq!((one.folder.as_path(), two.folder.as_path()), (&*folder.path("one"), "/srv/two".as_ref()));
    assert_eq!((one.hosts.as_slice(), two.hosts.as_slice()), (&["one.example.com".to_owned()][..], &[][..]));
    assert_eq!((one.mode, two.mode), (BusinessMode::Live, BusinessMode::Test));
    assert_eq!((one.providers.len(), two.providers.len(), one.simulate, two.simulate), (2, 1, false, true));
    let stripe = |business: &host_run::config::BusinessConfig| {
        let products = &business.extensions.products;
        [&products.stripe_secret_key, &products.stripe_webhook_secret]
            .map(|secret| secret.clone().map(|it| it.variable))
    };
    assert_eq!(stripe(one), ["KEY", "SECRET"].map(|name| Some(name.to_owned())));
    assert_eq!(stripe(two), ["KEY_OF_TWO", "SECRET"].map(|name| Some(name.to_owned())));
    let own = |business: &host_run::config::BusinessConfig, key: &str| {
        let value = business.extensions.own.iter().find(|value| value.key == key);
        value.map(|value| value.value.expose().to_owned())
    };
    assert_eq!((own(one, "zone"), own(two, "zone")), (Some("a".into()), Some("b".into())));
    assert_eq!(own(two, "enabled").as_deref(), Some("false"));
}

#[test]
fn the_trusted_proxies_are_addresses_and_networks() {
    let folder = Folder::new();
    let proxies = |text: &str| {
        let config = folder.read(&format!("server: {{{text}}}\n"), &Environment::default()).expect("a right file");
        config.trusted_proxies.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(proxies("port: 80"), None, "those on this machine");
    assert_eq!(proxies("trusted_proxies: []"), Some(Vec::new()), "none at all");
    let both = proxies("trusted_proxies: [10.0.0.0/8, \"2001:db8::7\"]").expect("some");
    assert_eq!(both, ["10.0.0.0/8", "2001:db8::7/128"]);
    for (text, found) in
        [("[proxy.example]", "`proxy.example`"), ("[10.0.0.0/33]", "`10.0.0.0/33`"), ("10.0.0.1", "a list")]
    {
        let faults = folder.faults(&format!("server: {{trusted_proxies: {text}}}\n"), &Environment::default());
        let [(1, told)] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(told.contains("server.trusted_proxies") && told.contains(found), "{told}");
    }
}
