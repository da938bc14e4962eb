//! An effect that no provider carries out stops the start. This machine carries out all effects of the five businesses but those of
//! Stripe and of watching health, which `--local` has, and 2Bot's workspaces, which a service of 2Bot makes.

use super::refused;

/// Returns the resources of the effects that stop the start.
fn missing(business: &str) -> Vec<String> {
    let ran = refused(business, &["--providers", "local"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let told = ran.stderr.split("no provider carries out ").nth(1).and_then(|told| told.split(": add one").next());
    let kinds = told.unwrap_or_else(|| panic!("{ran:?}")).split(", ");
    let mut resources: Vec<String> =
        kinds.filter_map(|kind| kind.trim_matches('`').split('.').next().map(str::to_owned)).collect();
    resources.dedup();
    resources
}

#[test]
fn every_effect_of_the_five_businesses_has_somebody_who_carries_it_out() {
    for business in ["saas-plugins", "orchestra", "tesslate"] {
        assert_eq!(missing(business), ["stripe"], "{business}");
    }
    assert_eq!(missing("solobase"), ["probe", "stripe"]);
    assert_eq!(missing("twobot"), ["stripe", "workspace"]);
}
