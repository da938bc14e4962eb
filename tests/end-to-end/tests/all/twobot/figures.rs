//! Tests that the catalog of 2Bot has the figures of BOT-02, BOT-03 and BOT-06, and that the figures follow the rules of
//! BOT-04 and BOT-05.

use end_to_end::world::twobot;
use serde_json::Value;

/// Tier, memory in MB, thousandths of a core, storage in MB, cents a month.
type Tier = (&'static str, i64, i64, i64, i64);

/// The add-ons of BOT-02.
const ADD_ONS: [Tier; 5] = [
    ("MICRO", 1_024, 500, 10_240, 500),
    ("SMALL", 2_048, 1_000, 20_480, 900),
    ("MEDIUM", 4_096, 2_000, 40_960, 1_500),
    ("LARGE", 8_192, 4_000, 81_920, 2_900),
    ("XLARGE", 16_384, 8_000, 153_600, 4_900),
];
/// The boosters of BOT-03.
const BOOSTERS: [Tier; 5] = [
    ("ORG_MICRO", 2_048, 1_000, 30_720, 1_000),
    ("ORG_SMALL", 4_096, 2_000, 61_440, 1_800),
    ("ORG_MEDIUM", 8_192, 4_000, 122_880, 3_000),
    ("ORG_LARGE", 16_384, 8_000, 245_760, 5_800),
    ("ORG_XLARGE", 32_768, 16_000, 460_800, 9_800),
];
/// The plans of BOT-06: plan, tier of the pool, GB of memory, cores, GB of storage, executions a month, cents a month.
const PLANS: [(&str, &str, i64, i64, i64, i64, i64); 5] = [
    ("ORG_FREE", "NONE", 0, 0, 0, 1_000, 0),
    ("ORG_STARTER", "TEAM", 4, 2, 20, -1, 4_900),
    ("ORG_GROWTH", "GROWTH", 8, 4, 50, -1, 9_900),
    ("ORG_PRO", "PRO", 16, 8, 100, -1, 19_900),
    ("ORG_BUSINESS", "BUSINESS", 32, 16, 250, -1, 39_900),
];

fn products(of_type: &str) -> Vec<&'static Value> {
    let all = twobot().catalog["products"].as_array().expect("a list of products");
    all.iter().filter(|product| product["product_type"] == of_type).collect()
}

/// Reads a text such as `0.5` as thousandths (500).
fn thousandths(text: &Value) -> i64 {
    let text = text.as_str().expect("cores are a text");
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    whole.parse::<i64>().expect("whole cores") * 1_000 + places.parse::<i64>().expect("one place") * 100
}

fn tier<'p>(product: &'p Value, name: &str) -> (&'p str, i64, i64, i64, i64) {
    let metadata = &product["metadata"];
    let number = |key: &str| metadata[key].as_i64().expect("a number");
    let month = product["prices"]["month"]["amount"].as_i64().expect("a price");
    let cores = thousandths(&metadata["cpu_cores"]);
    (metadata[name].as_str().expect("a tier"), number("ram_mb"), cores, number("storage_mb"), month)
}

// covers: BOT-01, BOT-02
#[test]
fn the_add_ons_equal_the_table() {
    let found: Vec<_> = products("workspace_addon").into_iter().map(|product| tier(product, "tier")).collect();
    assert_eq!(found, ADD_ONS);
    for (product, (name, ram, cores, storage, _)) in products("workspace_addon").into_iter().zip(ADD_ONS) {
        assert_eq!(product["id"], format!("workspace_addon_{}", name.to_lowercase()));
        assert_eq!(product["name"], format!("Workspace {name}"));
        let cores = if cores % 1_000 == 0 { format!("{}", cores / 1_000) } else { "0.5".to_owned() };
        let description = format!("{} GB RAM, {cores} CPU, {} GB storage", ram / 1_024, storage / 1_024);
        assert_eq!(product["description"], description.as_str());
    }
}

// covers: BOT-01, BOT-03
#[test]
fn the_boosters_equal_the_table() {
    let found: Vec<_> = products("org_pool_booster").into_iter().map(|p| tier(p, "booster_tier")).collect();
    assert_eq!(found, BOOSTERS);
    for (product, (name, ..)) in products("org_pool_booster").into_iter().zip(BOOSTERS) {
        let short = name.trim_start_matches("ORG_").to_lowercase();
        assert_eq!(product["id"], format!("org_pool_booster_{short}"));
    }
}

// covers: BOT-04, BOT-12
#[test]
fn a_booster_is_twice_an_add_on_with_three_times_its_storage() {
    let boosters = products("org_pool_booster");
    let pairs = products("workspace_addon").into_iter().zip(&boosters);
    for (add_on, booster) in pairs {
        let (_, ram, cores, storage, month) = tier(add_on, "tier");
        let (name, more_ram, more_cores, more_storage, more) = tier(booster, "booster_tier");
        assert_eq!((more_ram, more_cores, more_storage, more), (2 * ram, 2 * cores, 3 * storage, 2 * month), "{name}");
        let year = |product: &Value| product["prices"]["year"]["amount"].as_i64().expect("a price");
        assert_eq!(year(booster), 2 * year(add_on), "{name}");
    }
}

// covers: BOT-05, D-30, BOT-35
#[test]
fn a_year_costs_ten_months() {
    let both = products("workspace_addon").into_iter().chain(products("org_pool_booster"));
    let prices: Vec<(i64, i64)> = both
        .map(|product| {
            let amount = |interval: &str| product["prices"][interval]["amount"].as_i64().expect("a price");
            (amount("month"), amount("year"))
        })
        .collect();
    assert_eq!(prices.len(), 10);
    assert!(prices.iter().all(|(month, year)| *year == 10 * month));
    // All five add-ons: $107 a month, $1 070 a year.
    let sum = |of: fn(&(i64, i64)) -> i64| prices[..5].iter().map(of).sum::<i64>();
    assert_eq!((sum(|price| price.0), sum(|price| price.1)), (10_700, 107_000));
}

// covers: BOT-06
#[test]
fn the_plans_of_organizations_equal_the_table() {
    let plans = products("organization_plan");
    for (name, pool, ram_gb, cores, storage_gb, executions, cents) in PLANS {
        let plan = plans.iter().find(|plan| plan["metadata"]["plan"] == name).expect("a plan");
        let metadata = &plan["metadata"];
        let number = |key: &str| metadata[key].as_i64().unwrap_or(0);
        let found_cores = if metadata["cpu_cores"].is_null() { 0 } else { thousandths(&metadata["cpu_cores"]) };
        let found = (number("ram_mb"), found_cores, number("storage_mb"));
        assert_eq!(found, (ram_gb * 1_024, cores * 1_000, storage_gb * 1_024), "{name}");
        assert_eq!(metadata["pool_tier"], pool);
        assert_eq!(metadata["executions"].as_i64().unwrap_or(-1), executions, "{name}");
        assert_eq!(plan["prices"]["month"]["amount"].as_i64().unwrap_or(0), cents, "{name}");
        assert_eq!(metadata["boosters"] == false, name == "ORG_FREE", "only the free plan has no boosters");
    }
    let enterprise =
        plans.iter().find(|plan| plan["metadata"]["plan"] == "ORG_ENTERPRISE").expect("the enterprise plan");
    assert_eq!((&enterprise["metadata"]["purchasable"], &enterprise["prices"]), (&Value::Bool(false), &Value::Null));
}

// covers: BOT-07, BOT-45
#[test]
fn every_price_has_a_unique_id_in_each_mode() {
    let all = twobot().catalog["products"].as_array().expect("a list of products");
    let prices = all.iter().filter_map(|product| product["prices"].as_object()).flat_map(|prices| prices.values());
    let ids: Vec<&str> =
        prices.flat_map(|price| ["test", "live"].map(|mode| price["id"][mode].as_str().expect("an id"))).collect();
    let different: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!((ids.len(), different.len()), (52, 52), "twenty prices of add-ons and boosters and six of plans, twice");
}
