//! Tests the faults of a configuration file: all are reported at once, with lines, and without secrets.

use crate::common::{Folder, environment};
use host_run::config::Environment;

#[test]
fn all_faults_are_told_at_once_with_their_lines_and_what_is_allowed() {
    let folder = Folder::new();
    let text = "server: {port: 70000, hots: x}
server_name: x
database: {type: mysql}
storage: {type: local, bucket: b}
log: [debug]
mode: tset
providers: [locla]
provider_settings: nowhere.yml
extensions:
  products:
    enabled: false
    provider: paypal
    product_types: [{fields: []}, [x]]
    checkout: {success_url: ftp://x}
    webhooks: {enabled: maybe, endpoint: /a/../b}
businesses:
  - {folder: a, hosts: [\"x:80\"]}
  - {folder: b/a}
  - {hosts: []}
";
    let faults = folder.faults(text, &Environment::default());
    for (line, parts) in [
        (1, ["`server.port: 70000`", "from 0 to 65535"]),
        (1, ["unknown key `server.hots`", "did you mean `host`?"]),
        (2, ["unknown key `server_name`", "server"]),
        (3, ["`database.type: mysql`", "expected sqlite, postgresql"]),
        (4, ["`storage.bucket`", "only for `type: s3`"]),
        (5, ["`log` is a list", "a mapping"]),
        (6, ["`mode: tset`", "did you mean `test`?"]),
        (7, ["`providers` is not a provider", "did you mean `local`?"]),
        (8, ["`provider_settings`", "names no file"]),
        (11, ["`extensions.products.enabled: false`", "expected true"]),
        (12, ["`extensions.products.provider: paypal`", "expected stripe"]),
        (13, ["an entry of `extensions.products.product_types` has no `name`", "`name`"]),
        (13, ["`extensions.products.product_types` is a list", "a name, or `{name, fields}`"]),
        (14, ["success_url", "https://"]),
        (15, ["webhooks.enabled: maybe", "true or false"]),
        (15, ["webhooks.endpoint: /a/../b", "a path"]),
        (17, ["`businesses.0.hosts` is not a host name", "without a port"]),
        (18, ["`businesses.1.folder` has the name of another business", "different names"]),
        (19, ["`businesses.2` has no `folder`", "`folder`"]),
    ] {
        let is_told = |(at, told): &(usize, String)| *at == line && parts.iter().all(|part| told.contains(part));
        assert!(faults.iter().any(is_told), "line {line}, {parts:?}: {faults:#?}");
    }
    assert!(faults.is_sorted_by_key(|(line, _)| *line), "in the order of the file");
    assert_eq!(faults.len(), 19, "{faults:#?}");
}

#[test]
fn the_faults_of_issuers_are_told_with_their_lines() {
    let folder = Folder::new();
    let text = "server: {url: manage.example.com/x}
issuers:
  - {issuer: id.example.com, audience: a}
  - {issuer: https://id.example.com}
  - {audience: a, login: {name: My Login, client_secret: abc}}
  - {issuer: https://a.example, audience: a, roles: {operators: [x]}, logn: {}}
  - {issuer: https://a.example, audience: b}
  - {issuer: https://b.example, login: {name: Big, client_id: c}}
  - {issuer: solobase, keys: http://id.example.com/keys, audience: a}
";
    let faults = folder.faults(text, &Environment::default());
    for (line, parts) in [
        (1, ["`server.url: manage.example.com/x`", "without a path"]),
        (3, ["`issuers.0`: `issuer` is not an address", "https://"]),
        (4, ["`issuers.1`: the issuer has no use", "`audience`"]),
        (5, ["`issuers.2.issuer` is missing", "`issuer`"]),
        (5, ["`issuers.2.login.client_id` is missing", "`client_id`"]),
        (5, ["`issuers.2.login.client_secret` is a secret", "`${NAME}`"]),
        (6, ["`issuers.3.roles.claim` is missing", "`claim`"]),
        (6, ["unknown key `issuers.3.logn`", "did you mean `login`?"]),
        (7, ["`issuers.4` has the issuer or the name of another one", "once"]),
        (8, ["`issuers.5`: `login.name` is not a name", "lower-case"]),
        (9, ["`issuers.6`: `keys` is not an address", "https://"]),
    ] {
        let is_told = |(at, told): &(usize, String)| *at == line && parts.iter().all(|part| told.contains(part));
        assert!(faults.iter().any(is_told), "line {line}, {parts:?}: {faults:#?}");
    }
    assert_eq!(faults.len(), 11, "{faults:#?}");
}

// covers: SOL-46
#[test]
fn a_missing_or_empty_variable_is_a_fault_that_names_it() {
    let folder = Folder::new();
    let text =
        "database:\n  type: postgresql\n  url: ${DATABASE_URL}\ndata: ${DATA}/x\nserver: {port: \"${PORT:-80}\"}\n";
    let faults = folder.faults(text, &environment(&[("DATA", "")]));
    let [(3, url), (4, data)] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(url.contains("`DATABASE_URL` is missing") && url.contains("in the environment"), "{url}");
    assert!(data.contains("`data`: the variable `DATA` is missing or empty"), "{data}");
    folder.write(".env", "DATABASE_URL=postgres://x\nDATA=d\n");
    let environment = environment(&[]).with_folder(folder.0.path()).expect("a file");
    assert_eq!(folder.read(text, &environment).expect("a file").data, Some(folder.path("d/x")));
    let missing = folder.faults("data: ${OTHER}\n", &environment);
    assert!(missing[0].1.contains(&folder.path(".env").display().to_string()), "it names the file: {missing:?}");
}

// covers: SOL-46
#[test]
fn literal_secrets_are_refused_wherever_they_stand_and_never_repeated() {
    let folder = Folder::new();
    let secret = "4eC39HqLyjWDarjtT1zdp7dc";
    for text in [
        format!("extensions: {{products: {{stripe_secret_key: sk_live_{secret}}}}}\n"),
        format!("extensions: {{products: {{stripe_webhook_secret: whsec_{secret}}}}}\n"),
        format!("extensions: {{instance_provisioner: {{token: sbp_{secret}}}}}\n"),
        format!("# the old key was sk_live_{secret}\n"),
        format!("data: \"${{DATA:-rk_live_{secret}}}\"\n"),
        format!("sk_live_{secret}: 1\n"),
        format!("a: sk_live_{secret}\na: [\n"),
        format!("server: {{port: sk_test_{secret}}}\n"),
        format!("extensions: {{products: {{stripe_secret_key: {secret}}}}}\n"),
        format!("database: {{type: postgresql, url: \"postgres://u:{secret}@h\"}}\n"),
        format!("extensions: {{products: {{stripe_secret_key: \"x${{A}}{secret}\"}}}}\n"),
    ] {
        let faults = folder.faults(&text, &environment(&[("A", "a")]));
        assert!(!faults.is_empty(), "{text}");
        assert!(!faults.iter().any(|(_, told)| told.contains(secret)), "{text}: {faults:?}");
    }
}

// covers: SOL-46
#[test]
fn no_fault_contains_the_value_of_a_variable() {
    let folder = Folder::new();
    let canaries: Vec<(String, String)> =
        (0..20).map(|number| (format!("C{number}"), format!("canary-{number}-7f3a"))).collect();
    let environment = Environment::of(canaries.clone());
    let places = [
        "server: {port: X}",
        "server: {host: X}",
        "database: {type: X}",
        "storage: {type: X}",
        "log: {level: X}",
        "log: {format: X}",
        "mode: X",
        "providers: [X]",
        "provider_settings: X",
        "simulate: X",
        "extensions: {products: {enabled: X}}",
        "extensions: {products: {provider: X}}",
        "extensions: {products: {checkout: {success_url: X}}}",
        "extensions: {products: {webhooks: {enabled: X}}}",
        "extensions: {products: {webhooks: {endpoint: X}}}",
        "extensions: {products: {product_types: [{name: a, fields: [{name: x, required: X}]}]}}",
        "businesses: [{folder: a, mode: X}]",
        "businesses: [{folder: a, hosts: [\"Y Z\"]}]",
        "businesses: [{folder: a, providers: [X]}]",
        "extensions: {products: {stripe_secret_key: \"a Z\"}}",
    ];
    assert_eq!(places.len(), canaries.len());
    for (place, (name, _)) in places.iter().zip(&canaries) {
        let text = place.replace('X', &format!("\"${{{name}}}\"")).replace('Z', &format!("${{{name}}}"));
        let faults = folder.faults(&format!("{text}\n"), &environment);
        assert!(!faults.is_empty(), "{text}");
        for (_, canary) in &canaries {
            assert!(!faults.iter().any(|(_, told)| told.contains(canary)), "{text}: {faults:?}");
        }
    }
}
