//! A check with providers reports the resources that the providers can't make, with the lines that request them.

use host_provider_api::{Call, CallOutcome, Provider, Registry, Restriction};
use host_replay::check::check;
use host_replay::library::Sources;
use host_replay::live::LiveProviders;
use host_replay::run::{ReplayOptions, Silent, replay};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const CATALOG: &str = r#"product_types:
  - name: tier
    catalog: true
    family: plan
    infer_by: slug
    fields:
      - {name: slug, type: string, required: true}
      - {name: size, type: enum, options: [small, large, huge], aliases: {tiny: small, giant: huge}}
      - {name: sites, type: int, required: true}
    grants: {sites: "{product.sites}"}
  - name: site
    catalog: false
    plan: {field: plan_id, family: plan}
    consumes: {sites: 1}
    fields:
      - {name: label, type: string, required: true, format: label}
      - {name: place, type: enum, required: true, options: [north, south]}
    provisions:
      - {name: run, resource: function, with: {name: "{instance.label}", tier: "{plan.size}", region: "{instance.place}"}}
      - {name: edge, resource: cdn, after: [run], if: config.cdn_zone_id, with: {host: "{instance.label}.example", origin: "{run.url}"}}
products:
  - {id: prod_s, product_type: tier, name: S, default: true, metadata: {slug: s, size: tiny, sites: 1}}
  - id: prod_l
    product_type: tier
    name: L
    default: false
    prices: {month: {amount: 500, id: price_l}}
    metadata: {slug: l, size: large, sites: 2}
  - id: prod_h
    name: H
    prices: {month: {amount: 900, id: price_h}}
    metadata:
      slug: h
      size: giant
      sites: 3
entitlements: {sites: {kind: limit}}
"#;

/// A provider that can't make everything.
struct Small;

impl Provider for Small {
    fn call(&self, call: &Call) -> CallOutcome {
        CallOutcome::unsupported(call)
    }

    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match resource {
            "function" => vec![
                Restriction::one_of("tier", texts(&["small", "large"])),
                Restriction::one_of("region", texts(&["north"])),
                Restriction::one_of("name", texts(&["fixed"])),
            ],
            "cdn" => vec![Restriction::never("host", "a certificate").unless("zone")],
            _ => Vec::new(),
        }
    }
}

fn small(resources: &[&str]) -> LiveProviders {
    let mut registry = Registry::new();
    registry.register(resources, Arc::new(Small));
    LiveProviders::new(registry)
}

fn folder(catalog: &str, config: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    let declared = "config: {cdn_zone_id: {type: string}, aws_region: {type: string}}\n";
    std::fs::write(folder.path().join("business.yml"), declared).expect("written");
    std::fs::write(folder.path().join("config.yml"), config).expect("written");
    folder
}

/// The mistakes that a check with these providers reports, without the folder.
fn mistakes(folder: &Path, live: Option<&LiveProviders>) -> Vec<String> {
    let runners = host_replay::native::runners();
    let checked = check(&[folder.to_owned()], Sources::default(), &runners, live).expect("a check");
    let before = format!("{}/", folder.display());
    checked.mistakes.iter().map(|bad| bad.to_string().replace(&before, "")).collect()
}

const HUGE: &str = "catalog.yml:34: /products/2/metadata/size: `giant`, read as `huge`, is a `tier` that the provider of `function` can't make; expected small, large";
const SOUTH: &str = "catalog.yml:17: /product_types/1/fields/1/options/1: `south` is a `region` that the provider of `function` can't make; expected north";
const HOST: &str = "catalog.yml:20: /product_types/1/provisions/1/with/host: `{instance.label}.example` is a `host` that the provider of `cdn` can't make; expected a certificate";

#[test]
fn each_value_that_the_provider_can_not_make_is_reported_with_its_line_and_the_allowed_values() {
    let folder = folder(CATALOG, "cdn_zone_id: zone-1\n");
    assert_eq!(mistakes(folder.path(), Some(&small(&["function", "cdn"]))), [HUGE, SOUTH, HOST]);
    assert_eq!(mistakes(folder.path(), None), [""; 0], "without providers the business is correct");
}

#[test]
fn a_resource_that_is_left_out_or_made_by_a_person_is_not_reported() {
    let without_zone = folder(CATALOG, "{}\n");
    assert_eq!(mistakes(without_zone.path(), Some(&small(&["function", "cdn"]))), [HUGE, SOUTH]);
    let by_hand = CATALOG.replace("resource: function, with", "resource: function, or_manual: {how: [Make it]}, with");
    let by_hand = folder(&by_hand, "{}\n");
    assert_eq!(mistakes(by_hand.path(), Some(&small(&["function", "cdn"]))), [""; 0]);
}

#[test]
fn a_member_that_another_one_makes_possible_is_not_reported_beside_it() {
    let with_zone = CATALOG.replace("origin: \"{run.url}\"", "origin: \"{run.url}\", zone: \"{config.cdn_zone_id}\"");
    let with_zone = folder(&with_zone, "cdn_zone_id: zone-1\n");
    assert_eq!(mistakes(with_zone.path(), Some(&small(&["function", "cdn"]))), [HUGE, SOUTH]);
}

#[test]
fn a_value_of_the_configuration_and_of_a_scenario_is_compared() {
    let catalog = CATALOG.replace("region: \"{instance.place}\"", "region: \"{config.aws_region}\"");
    let folder = folder(&catalog, "aws_region: north\n");
    let live = small(&["function", "cdn"]);
    assert_eq!(mistakes(folder.path(), Some(&live)), [HUGE]);
    let scenario = "name: x\ngiven: {account: \"user:u\", config: {aws_region: south}}\nevents:\n  - advance: 1d\n";
    std::fs::create_dir(folder.path().join("scenarios")).expect("made");
    std::fs::write(folder.path().join("scenarios/x.yml"), scenario).expect("written");
    let of_scenario = "catalog.yml:19: /product_types/1/provisions/0/with/region: `south` is a `region` that the provider of `function` can't make; expected north";
    assert_eq!(mistakes(folder.path(), Some(&live)), [HUGE, of_scenario]);

    let declared = "config:\n  cdn_zone_id: {type: string}\n  aws_region: {type: string, default: west}\n";
    std::fs::write(folder.path().join("business.yml"), declared).expect("written");
    std::fs::write(folder.path().join("config.yml"), "{}\n").expect("written");
    let of_default = "business.yml:3: /config/aws_region/default: `west` is a `region` that the provider of `function` can't make; expected north";
    assert_eq!(mistakes(folder.path(), Some(&live)), [HUGE, of_default, of_scenario]);
}

#[test]
fn a_resource_that_no_provider_makes_is_reported() {
    let folder = folder(CATALOG, "cdn_zone_id: zone-1\n");
    let expected = [
        HOST,
        "catalog.yml:19: /product_types/1/provisions/0/resource: none of the providers makes a `function`; expected another provider as well",
    ];
    assert_eq!(mistakes(folder.path(), Some(&small(&["cdn"]))), expected);
}

static WARNINGS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_replay_with_providers_warns_before_the_first_event() {
    let folder = folder(CATALOG, "{}\n");
    let scenario = folder.path().join("x.yml");
    std::fs::write(&scenario, "name: x\ngiven: {account: \"user:u\"}\nevents:\n  - advance: 1d\n").expect("written");
    let options = ReplayOptions {
        live: Some(small(&["function", "cdn"])),
        warn: |bad| {
            assert!([HUGE, SOUTH].iter().any(|known| bad.to_string().ends_with(known)), "{bad}");
            WARNINGS.fetch_add(1, Ordering::Relaxed);
        },
        ..ReplayOptions::new(host_replay::native::runners())
    };
    let finished = replay(&[scenario], &mut std::io::empty(), &options, &mut Silent).expect("a replay");
    assert!(finished.held());
    assert_eq!(WARNINGS.load(Ordering::Relaxed), 2);
}
