//! The filters of pages, in addition to those of the template language.

use crate::template::{Locale, words as words_of};
use minijinja::value::Kwargs;
use minijinja::{Environment, Value};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::collections::BTreeSet;

pub(crate) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("money", money);
    environment.add_filter("micros", micros);
    environment.add_filter("number", number);
    environment.add_filter("date", date);
    environment.add_filter("json", pretty);
    environment.add_filter("time", time);
    environment.add_filter("millis", millis);
    environment.add_filter("words", words);
    environment.add_filter("on_sale", on_sale);
    environment.add_filter("plans", plans);
    environment.add_filter("in_currency", in_currency);
    environment.add_filter("currencies", currencies);
    environment.add_filter("currency", currency);
    environment.add_filter("use_prices", use_prices);
    environment.add_filter("days", days);
    environment.add_filter("add_ons", add_ons);
    environment.add_filter("sells_credits", sells_credits);
    environment.add_filter("plan_lines", plan_lines);
    environment.add_filter("noun", noun);
    environment.add_filter("nouns", nouns);
    environment.add_filter("instance_types", instance_types);
    environment.add_filter("meters", meters);
    environment.add_filter("percent", percent);
    environment.add_filter("plan_of", plan_of);
    environment.add_filter("held_beside", held_beside);
    environment.add_filter("coupon_off", coupon_off);
    environment.add_filter("tone", tone);
    environment.add_filter("steps", steps);
    environment.add_filter("form_fields", form_fields);
}

/// `{{ price.amount | money(site.locale) }}`: an amount with its currency. Empty if there is no amount.
fn money(value: &Value, locale: &str) -> String {
    let member = |name: &str| value.get_attr(name).ok().filter(|value| !value.is_undefined());
    let amount = member("amount_minor").or_else(|| member("minor")).and_then(|amount| i64::try_from(amount).ok());
    let currency = member("currency").and_then(|currency| currency.as_str().map(str::to_owned));
    match (amount, currency) {
        (Some(amount), Some(currency)) => Locale::tagged(locale).money(amount, &currency),
        _ => String::new(),
    }
}

/// `{{ 1500000 | micros("usd", site.locale) }}`: an amount in millionths of a currency's unit. Empty if there is no amount.
fn micros(value: &Value, currency: &str, locale: &str) -> String {
    i64::try_from(value.clone())
        .map_or_else(|_| String::new(), |micros| Locale::tagged(locale).micros(micros, currency))
}

/// `{{ 1000000 | number(site.locale) }}`.
fn number(value: &Value, locale: &str) -> String {
    i64::try_from(value.clone()).map_or_else(|_| value.to_string(), |number| Locale::tagged(locale).number(number))
}

/// `{{ invoice.at | date(site.locale) }}`: the day of a time, which is a string or milliseconds. Empty if there is no time.
fn date(value: &Value, locale: &str) -> String {
    let locale = Locale::tagged(locale);
    let day = match value.as_str() {
        Some(text) => locale.date(text),
        None => i64::try_from(value.clone()).ok().and_then(|at| locale.date_of(at)),
    };
    day.unwrap_or_default()
}

/// Reads a time, which is a string or milliseconds.
fn timestamp(value: &Value) -> Option<jiff::Timestamp> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => i64::try_from(value.clone()).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()),
    }
}

/// `{{ event.received_at | time }}`: a time to the second, in UTC, from a string or milliseconds. Empty if there is no time.
fn time(value: &Value) -> String {
    timestamp(value).map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// `{{ now | millis }}`: a time in milliseconds since the epoch, from a string or milliseconds. `none` if there is no time.
fn millis(value: &Value) -> Value {
    timestamp(value).map_or(Value::from(()), |time| Value::from(time.as_millisecond()))
}

/// `{{ event.payload | json }}`: a value as lines of JSON.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(&json(value)).unwrap_or_default()
}

/// `{{ "api_requests" | words }}`: a name as words.
fn words(value: &Value) -> String {
    words_of(value.as_str().unwrap_or_default())
}

/// Returns the name of an entitlement without the unit at its end, which is shown next to the number: `Storage` for `storage_gb`.
fn label_of(key: &str, unit: Option<&str>) -> String {
    let unit = unit.map(str::to_lowercase).unwrap_or_default();
    let without = key.strip_suffix(&unit).and_then(|rest| rest.strip_suffix('_')).filter(|rest| !rest.is_empty());
    words_of(without.unwrap_or(key))
}

/// Returns an amount with its unit: `2 runs`, `1 run`, `3 GB`.
fn units(unit: &str, amount: Option<i64>) -> String {
    match unit.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if amount == Some(1) || unit.ends_with(|end: char| !end.is_ascii_lowercase() || end == 's') => {
            unit.to_owned()
        }
        Some(stem) => format!("{stem}ies"),
        None => format!("{unit}s"),
    }
}

/// `{{ catalog | use_prices(currency) }}`: the prices of usage in a currency, by default the first of the business, as rows of label, unit
/// and prices. A price has the attribute value to which it applies; none if all units have one price.
fn use_prices(catalog: &Value, currency: Option<&str>) -> Value {
    let catalog = json(catalog);
    let of_business = &catalog["policies"]["currency"];
    let default = of_business.as_str().or_else(|| of_business[0].as_str()).unwrap_or("usd");
    let is_sold = |code: &&str| list(of_business).iter().any(|known| known == *code);
    let currency = currency.filter(is_sold).unwrap_or(default).to_owned();
    let price = |of: String, micros: &Json| {
        let micros = micros.as_i64()?;
        Some(serde_json::json!({"of": of, "amount": Locale::usual().exact(micros, &currency)}))
    };
    // A price with tiers is a list: each tier ends where the next one begins.
    let prices = |of: &str, micros: &Json| -> Vec<Json> {
        let (mut found, mut before) = (Vec::new(), None);
        for tier in list(micros) {
            let to = tier["to"].as_i64();
            let range = match (before, to) {
                (_, Some(to)) => format!("up to {} a month", Locale::usual().number(to)),
                (Some(before), None) => format!("beyond {} a month", Locale::usual().number(before)),
                (None, None) => String::new(),
            };
            let of = [words_of(of), range].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
            found.extend(price(of, &tier["price"]));
            before = to;
        }
        found.extend(price(words_of(of), micros));
        found
    };
    let rows = catalog["rates"].as_object().into_iter().flatten().map(|(meter, rate)| {
        let micros = if currency == default { &rate["micros"] } else { &rate["currencies"][&currency]["micros"] };
        let several = micros.as_object().into_iter().flatten().flat_map(|(of, micros)| prices(of, micros));
        let prices: Vec<Json> = several.chain(prices("", micros)).collect();
        serde_json::json!({"label": words_of(meter), "unit": catalog["meters"][meter]["unit"], "prices": prices})
    });
    Value::from_serialize(rows.filter(|row| !list(&row["prices"]).is_empty()).collect::<Vec<_>>())
}

/// Returns the unit of an entitlement; none if the name already contains it, such as requests.
fn unit_of<'c>(catalog: &'c Json, key: &str) -> Option<&'c str> {
    let meter = catalog["entitlements"][key]["meter"].as_str()?;
    let unit = catalog["meters"][meter]["unit"].as_str()?;
    let is_in_name = key.contains(&unit.to_lowercase()) && !key.ends_with(&format!("_{}", unit.to_lowercase()));
    (!is_in_name).then_some(unit)
}

/// `{{ used | percent(allowed) }}`: a whole number from 0 to 100.
fn percent(used: &Value, allowed: &Value) -> i64 {
    let [used, allowed] = [used, allowed].map(|value| i64::try_from(value.clone()).unwrap_or(0).max(0));
    if allowed == 0 {
        return if used > 0 { 100 } else { 0 };
    }
    (i128::from(used) * 100 / i128::from(allowed)).clamp(0, 100) as i64
}

fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn type_named<'c>(catalog: &'c Json, name: &Json) -> Option<&'c Json> {
    let is = |decl: &&Json| decl["name"] == *name || list(&decl["aliases"]).contains(name);
    list(&catalog["product_types"]).iter().find(is)
}

/// `{{ offers | on_sale(catalog) }}`: the plans on sale: the available products whose type has a family. Those with a `display_order` come
/// first, in that order, then the others, cheapest first.
fn on_sale(offers: &Value, catalog: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let family: Option<String> = options.get("family")?;
    options.assert_all_used()?;
    let (offers, catalog) = (json(offers), json(catalog));
    let is_plan = |offer: &&Json| {
        let of = type_named(&catalog, &offer["product_type"]).map_or(&Json::Null, |decl| &decl["family"]);
        let is_of_family = family.as_ref().map_or(of.is_string(), |family| of == family);
        is_of_family && offer["available"] != false
    };
    let mut plans: Vec<&Json> = list(&offers).iter().filter(is_plan).collect();
    plans.sort_by_key(|plan| place_of(plan));
    Ok(Value::from_serialize(plans))
}

/// `{{ offers | plans(catalog) }}`: the plans for a pricing page: the plans on sale, the default plan, and the plans on request
/// (`contact`).
fn plans(offers: &Value, catalog: &Value) -> Value {
    let (offers, catalog) = (json(offers), json(catalog));
    let is_default = |offer: &Json| {
        list(&catalog["products"]).iter().any(|product| product["id"] == offer["id"] && product["default"] == true)
    };
    let is_shown = |offer: &&Json| {
        let decl = type_named(&catalog, &offer["product_type"]);
        let is_plan = decl.is_some_and(|decl| decl["family"].is_string());
        is_plan && (offer["available"] != false || is_default(offer) || offer["metadata"]["contact"].is_string())
    };
    let mut shown: Vec<&Json> = list(&offers).iter().filter(is_shown).collect();
    shown.sort_by_key(|plan| place_of(plan));
    Value::from_serialize(shown)
}

/// `{{ plan.metadata.trial.for | days }}`: a span of whole days in words, such as `14 days`.
fn days(value: &Value) -> String {
    match value.as_str().unwrap_or_default() {
        "1d" => "1 day".to_owned(),
        text => text.strip_suffix('d').map_or_else(|| text.to_owned(), |days| format!("{days} days")),
    }
}

/// `{{ offers | in_currency(currency) }}`: the products with their prices in a currency; as they are if it is not given, or if they are
/// not sold in it.
fn in_currency(offers: &Value, currency: &Value) -> Value {
    let mut offers = json(offers);
    let Some(currency) = currency.as_str() else { return Value::from_serialize(offers) };
    for offer in offers.as_array_mut().into_iter().flatten() {
        for price in offer["prices"].as_array_mut().into_iter().flatten() {
            if let Some(minor) = price["terms"]["currencies"].get(currency).and_then(Json::as_i64) {
                price["amount"] = serde_json::json!({"amount_minor": minor, "currency": currency});
            }
        }
    }
    Value::from_serialize(offers)
}

/// `{{ offers | currencies }}`: the currencies among which a customer can choose, the default first; nothing if there is one, or if the
/// account has already paid in one.
fn currencies(offers: &Value) -> Vec<String> {
    let offers = json(offers);
    let mut found: Vec<String> = Vec::new();
    for price in list(&offers).iter().flat_map(|offer| list(&offer["prices"])) {
        let Some(others) = price["terms"]["currencies"].as_object().filter(|others| !others.is_empty()) else {
            continue;
        };
        let all = price["amount"]["currency"].as_str().into_iter().chain(others.keys().map(String::as_str));
        for currency in all {
            if !found.iter().any(|known| known == currency) {
                found.push(currency.to_owned());
            }
        }
    }
    found
}

/// `{{ offers | currency(page.query.currency, page.country) }}`: the currency in which the page shows prices: the one that is asked for, that
/// of the visitor's country, or the default one. An account that has paid sees its own.
fn currency(offers: &Value, asked: &Value, country: &Value) -> Option<String> {
    let choice = currencies(offers);
    let Some(default) = choice.first() else {
        let offers = json(offers);
        let mut prices = list(&offers).iter().flat_map(|offer| list(&offer["prices"]));
        return prices.next()?["amount"]["currency"].as_str().map(str::to_owned);
    };
    let asked = asked.as_str().and_then(|asked| choice.iter().find(|code| *code == asked));
    let country = country.as_str().and_then(|country| country.parse::<iso_currency::Country>().ok());
    let of_country = || {
        let country = country.as_ref()?;
        let pays_in = |code: &&String| {
            let known = iso_currency::Currency::from_code(&code.to_uppercase());
            known.is_some_and(|currency| currency.used_by().iter().any(|of| of == country))
        };
        choice.iter().find(pays_in)
    };
    Some(asked.or_else(of_country).unwrap_or(default).clone())
}

/// Returns the sort key of a product: its `display_order`, then its first price.
fn place_of(offer: &Json) -> (i64, i64) {
    let order = offer["metadata"]["display_order"].as_i64().unwrap_or(i64::MAX);
    (order, offer["prices"][0]["amount"]["amount_minor"].as_i64().unwrap_or(0))
}

/// `{{ offers | add_ons(catalog) }}`: what a user can buy besides plans: add-ons, packs and one-time products. Each has its maximum
/// quantity per purchase as `quantity_max`.
fn add_ons(offers: &Value, catalog: &Value) -> Value {
    let (offers, catalog) = (json(offers), json(catalog));
    let mut found: Vec<Json> = Vec::new();
    for offer in list(&offers).iter().filter(|offer| offer["available"] != false && !list(&offer["prices"]).is_empty())
    {
        let Some(decl) = type_named(&catalog, &offer["product_type"]) else { continue };
        if decl["family"].is_null() && decl["buy"]["account"] != "organization" {
            let mut offer = offer.clone();
            let own = &offer["metadata"]["quantity"];
            let quantity = if own.is_null() { &decl["buy"]["quantity"] } else { own };
            offer["quantity_max"] = quantity["at_most"].as_i64().unwrap_or(1).into();
            found.push(offer);
        }
    }
    found.sort_by_key(place_of);
    Value::from_serialize(found)
}

/// Returns the grants of a product without a price: the amounts of its type, which are either fields of the product or the same for all.
fn grants_without_price(product: &Json, catalog: &Json) -> Vec<Json> {
    let grants = type_named(catalog, &product["product_type"]).map(|decl| &decl["grants"]);
    let amount = |granted: &Json| {
        let written = if granted["amount"].is_null() { granted } else { &granted["amount"] };
        let field = written.as_str().and_then(|text| text.strip_prefix("{product.")?.strip_suffix('}'));
        let amount = field.map_or(written, |field| &product["metadata"][field]);
        amount.as_bool().map(i64::from).or_else(|| amount.as_i64())
    };
    let all = grants.and_then(Json::as_object).into_iter().flatten();
    all.filter_map(|(key, granted)| Some(serde_json::json!({"key": key, "amount": amount(granted)?}))).collect()
}

/// `{{ plan | plan_lines(catalog) }}`: what a product gives: the grants of its first price, and the credits of a payment.
fn plan_lines(plan: &Value, catalog: &Value) -> Value {
    let (plan, catalog) = (json(plan), json(catalog));
    let mut grants = match list(&plan["prices"]) {
        [] => grants_without_price(&plan, &catalog),
        [first, ..] => list(&first["grants"]).to_vec(),
    };
    // In the order of the type's fields, if an entitlement is named after its field.
    let decl = type_named(&catalog, &plan["product_type"]).map_or(&Json::Null, |decl| &decl["fields"]);
    let place = |grant: &Json| list(decl).iter().position(|field| field["name"] == grant["key"]);
    grants.sort_by_key(|grant| place(grant).unwrap_or(usize::MAX));
    let lines = grants.iter().filter_map(|grant| {
        // `theme:prod_night` is the entitlement `theme` for one product.
        let key = grant["key"].as_str()?.split(':').next()?;
        let decl = &catalog["entitlements"][key];
        let shown = match (grant["amount"].as_i64(), decl["kind"] == "flag") {
            (None | Some(-1), false) => "unlimited".to_owned(),
            (amount, true) => if amount == Some(0) { "no" } else { "yes" }.to_owned(),
            (Some(amount), false) => Locale::usual().number(amount),
        };
        let unit = unit_of(&catalog, key);
        let seats = &plan["metadata"]["quantity"];
        if key == "seats" && seats.is_object() {
            let value = format!("{} to {}", seats["at_least"].as_i64().unwrap_or(1), seats["at_most"]);
            return Some(serde_json::json!({"key": key, "label": label_of(key, unit), "value": value}));
        }
        let mut value = match unit.filter(|_| shown != "unlimited") {
            Some(unit) => format!("{shown} {}", units(unit, grant["amount"].as_i64())),
            None => shown.clone(),
        };
        if decl["kind"] == "counter" && shown != "unlimited" {
            value.push_str(if decl["period"] == "billing_period" { " per billing period" } else { " per month" });
        }
        // What is beyond has a price.
        if has_price(decl, &catalog) {
            value.push_str(" included");
        }
        Some(serde_json::json!({"key": key, "label": label_of(key, unit), "value": value}))
    });
    Value::from_serialize(lines.chain(credits_of(&plan, &catalog)).collect::<Vec<_>>())
}

/// Returns whether an entitlement is an amount that is included in the price of its meter.
fn has_price(decl: &Json, catalog: &Json) -> bool {
    decl["kind"] == "counter" && decl["meter"].as_str().is_some_and(|meter| catalog["rates"][meter].is_object())
}

/// Returns the line for the credits that a payment adds; none for a product without credits.
fn credits_of(product: &Json, catalog: &Json) -> Option<Json> {
    let actions = list(&type_named(catalog, &product["product_type"])?["on_paid"]);
    let default = &catalog["policies"]["currency"];
    let default = default.as_str().or_else(|| default[0].as_str()).unwrap_or("usd");
    let currency = product["prices"][0]["amount"]["currency"].as_str()?;
    let credit = actions.iter().find(|action| action["currency"].as_str().unwrap_or(default) == currency)?;
    let credit = Some(&credit["credit"]).filter(|credit| !credit.is_null())?;
    // An amount, or the field that contains it: `{product.credits}`.
    let of_field = || credit.as_str()?.strip_prefix("{product.")?.strip_suffix('}');
    let amount = credit.as_i64().or_else(|| product["metadata"][of_field()?].as_i64())?;
    Some(serde_json::json!({"key": "credits", "label": "Credits", "value": Locale::usual().money(amount, currency)}))
}

/// `{{ catalog | sells_credits }}`: true if a payment can add credits.
fn sells_credits(catalog: &Value) -> bool {
    let adds = |decl: &Json| list(&decl["on_paid"]).iter().any(|action| !action["credit"].is_null());
    list(&json(catalog)["product_types"]).iter().any(adds)
}

/// `{{ catalog | noun }}`: the word for what accounts create, with its article: the name of the only type that is provisioned, as in `a
/// show`, or `an instance` if there are several such types or none.
fn noun(catalog: &Value) -> String {
    let catalog = json(catalog);
    let name = only_type(&catalog).and_then(|decl| decl["name"].as_str()).unwrap_or("instance");
    let name = words_of(name).to_lowercase();
    format!("{} {name}", if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
}

/// `{{ catalog | nouns }}`: its plural: the name of the limit on them, as in `Shows`.
fn nouns(catalog: &Value) -> String {
    let catalog = json(catalog);
    let used = only_type(&catalog).and_then(|decl| decl["consumes"].as_object()?.keys().next().cloned());
    words_of(used.as_deref().unwrap_or("instances"))
}

/// Returns the product type of everything that accounts create; none if there are several types.
fn only_type(catalog: &Json) -> Option<&Json> {
    let mut types = list(&catalog["product_types"]).iter().filter(|decl| !list(&decl["provisions"]).is_empty());
    types.next().filter(|_| types.next().is_none())
}

/// `{{ subscription.items | plan_of(offers) }}`: the product that an item is for, also at a price that is no longer on sale; nothing if
/// the product itself is no longer on sale.
fn plan_of(items: &Value, offers: &Value) -> Value {
    let (items, offers) = (json(items), json(offers));
    let found = list(&items).iter().find_map(|item| list(&offers).iter().find(|offer| is_for(item, offer)));
    found.map_or_else(|| Value::from(()), Value::from_serialize)
}

/// Returns whether an item of a subscription is for a product.
fn is_for(item: &Json, offer: &Json) -> bool {
    let is_at_price = list(&offer["prices"]).iter().any(|price| price["id"] == item["price_id"]);
    is_at_price || !offer["id"].is_null() && offer["id"] == item["product_id"]
}

/// Returns the rank of a plan in its family, which decides whether a change is an upgrade. A plan without a price, such as the default
/// plan, has that of its field `rank_by`.
fn rank_of(plan: &Json, catalog: &Json) -> i64 {
    let by_field = || {
        let field = type_named(catalog, &plan["product_type"])?["rank_by"].as_str()?;
        plan["metadata"][field].as_i64()
    };
    plan["prices"][0]["terms"]["rank"].as_i64().or_else(by_field).unwrap_or(0)
}

/// `{{ plan | held_beside(mine.entries, offers, catalog) }}`: what the reader has instead of this plan, or nothing: `how` is `yours`,
/// `upgrade` or `downgrade`, and `interval`, `quantity` and `is_paused` are those of the present plan.
fn held_beside(plan: &Value, entries: &Value, offers: &Value, catalog: &Value) -> Value {
    let shown = json(&plans(offers, catalog));
    let (plan, entries, catalog) = (json(plan), json(entries), json(catalog));
    let family_of = |offer: &Json| type_named(&catalog, &offer["product_type"]).map(|decl| decl["family"].clone());
    let ended = ["canceled", "incomplete", "incomplete_expired"];
    let in_force = list(&entries).iter().map(|entry| &entry["value"]);
    let in_force =
        in_force.filter(|subscription| !ended.contains(&subscription["status"].as_str().unwrap_or_default()));
    for subscription in in_force {
        for item in list(&subscription["items"]) {
            let Some(place) = list(&shown).iter().position(|offer| is_for(item, offer)) else { continue };
            let held = &list(&shown)[place];
            if family_of(held) != family_of(&plan) {
                continue;
            }
            let Some(asked) = list(&shown).iter().position(|offer| offer["id"] == plan["id"]) else { continue };
            let of = |at: usize| (rank_of(&list(&shown)[at], &catalog), at);
            let how = match of(asked).cmp(&of(place)) {
                Ordering::Less => "downgrade",
                Ordering::Equal => "yours",
                Ordering::Greater => "upgrade",
            };
            return Value::from_serialize(serde_json::json!({
                "how": how, "interval": item["interval"]["unit"], "quantity": item["quantity"],
                "is_paused": !subscription["paused_until"].is_null(),
            }));
        }
    }
    Value::from(())
}

/// `{{ coupon | coupon_off("usd", site.locale) }}`: what a coupon takes off, as `50%` or `$10.00`. Empty if it takes nothing off in this
/// currency, which may also be the list of the business's currencies, the default first.
fn coupon_off(coupon: &Value, currency: &Value, locale: &str) -> String {
    let (coupon, currency) = (json(coupon), json(currency));
    match &coupon["percent"] {
        Json::Null => {}
        Json::String(percent) => return format!("{percent}%"),
        percent => return format!("{percent}%"),
    }
    let currency = currency.as_str().or_else(|| currency[0].as_str()).unwrap_or("usd");
    let off = &coupon["amount_minor"];
    let off = off.as_i64().or_else(|| off[currency].as_i64());
    off.map_or_else(String::new, |off| Locale::tagged(locale).money(off, currency))
}

/// `{{ instance.status | tone }}`: the colour of a status: `good`, `warn`, `bad`, or nothing.
fn tone(status: &Value) -> &'static str {
    match status.as_str().unwrap_or_default() {
        "active" | "running" | "paid" | "healthy" | "succeeded" | "applied" | "delivered" | "sent" | "trialing" => {
            "good"
        }
        "error" | "failed" | "unpaid" | "past_due" | "uncollectible" | "unhealthy" | "dead" => "bad",
        "provisioning" | "restoring" | "suspended" | "archived" | "open" | "pending" | "deleting" | "archiving" => {
            "warn"
        }
        _ => "",
    }
}

fn name_of(step: &Json) -> &str {
    step["name"].as_str().unwrap_or_default()
}

/// Returns the names of the steps that a step comes after.
fn names_before(step: &Json) -> impl Iterator<Item = &str> {
    list(&step["after"]).iter().filter_map(Json::as_str)
}

/// `{{ instance | steps(catalog) }}`: the steps of an instance, in order, each with its label, its state and its colour. A step is done
/// when its results are among the instance's resources, or when a step that comes after it is done or in progress.
fn steps(instance: &Value, catalog: &Value) -> Value {
    let (instance, catalog) = (json(instance), json(catalog));
    let Some(decl) = type_named(&catalog, &instance["product_type"]) else {
        return Value::from_serialize(Vec::<Json>::new());
    };
    let resources = &instance["resources"];
    let is_running = instance["status"] == "running";
    let failed = instance["metadata"]["error"]["step"].as_str();
    let has_all = |step: &Json| {
        let outputs = step["outputs"].as_object();
        outputs.is_some_and(|outputs| outputs.keys().all(|name| !resources[name].is_null()))
    };
    // A step whose condition does not hold is not part of this instance, unless a person does it in that case.
    let is_own = |step: &&Json| step["if"].is_null() || !step["or_manual"].is_null() || has_all(step);
    let phase = instance["metadata"]["phase"].as_str();
    let is_now = |step: &Json| phase.is_some_and(|phase| step["phase"] == phase);
    let all = list(&decl["provisions"]);
    // Nothing waits for a step that is left out.
    let mut done: BTreeSet<&str> = all.iter().filter(|step| has_all(step) || !is_own(step)).map(name_of).collect();
    loop {
        let reached = all.iter().filter(|step| is_now(step) || done.contains(name_of(step)));
        let before: Vec<&str> = reached.flat_map(names_before).filter(|name| !done.contains(name)).collect();
        if before.is_empty() {
            break;
        }
        done.extend(before);
    }
    let rows = all.iter().filter(is_own).map(|step| {
        let may_begin = names_before(step).all(|name| done.contains(name));
        // `bucket/ensure` is a call of the step `bucket`.
        let has_failed =
            failed.and_then(|call| call.split(['/', '@']).next()).is_some_and(|name| name == name_of(step));
        let (state, tone) = match instance["status"].as_str() {
            _ if done.contains(name_of(step)) || is_running => ("done", "good"),
            Some("error") if has_failed => ("failed", "bad"),
            Some("provisioning" | "restoring") if may_begin => ("in progress", "warn"),
            Some("provisioning" | "restoring") => ("waits", ""),
            _ => ("", ""),
        };
        serde_json::json!({"name": name_of(step), "label": words_of(name_of(step)), "state": state, "tone": tone})
    });
    Value::from_serialize(rows.collect::<Vec<_>>())
}

/// `{{ type | form_fields }}`: the inputs for those fields of a product type that somebody fills in.
fn form_fields(decl: &Value) -> Value {
    let decl = json(decl);
    let plan_field = &decl["plan"]["field"];
    let fields = list(&decl["fields"]).iter().filter(|field| field["name"] != *plan_field && field["computed"] != true);
    let inputs = fields.map(|field| {
        let name = field["name"].as_str().unwrap_or_default();
        let (input, suffix) = match field["type"].as_str() {
            Some("int") => ("number", ":integer"),
            Some("bool") => ("checkbox", ":boolean"),
            Some("email") => ("email", ""),
            Some("url") => ("url", ""),
            _ => ("text", ""),
        };
        let length = match (field["min_length"].as_i64(), field["max_length"].as_i64()) {
            (Some(min), Some(max)) => format!("{min} to {max} characters."),
            (None, Some(max)) => format!("At most {max} characters."),
            _ => String::new(),
        };
        let label = if field["format"] == "label" { format!("{length} Letters, digits and hyphens.") } else { length };
        serde_json::json!({
            "name": format!("metadata.{name}{suffix}"), "label": words_of(name), "type": input, "required": field["required"] == true,
            "options": field["options"], "hint": label.trim(),
        })
    });
    Value::from_serialize(inputs.collect::<Vec<_>>())
}

/// `{{ catalog | instance_types }}`: the types of products that are provisioned.
fn instance_types(catalog: &Value) -> Value {
    let catalog = json(catalog);
    let types = list(&catalog["product_types"]).iter().filter(|decl| !list(&decl["provisions"]).is_empty());
    Value::from_serialize(types.collect::<Vec<_>>())
}

/// `{{ rights | meters(catalog) }}`: everything with a limit and usage, as rows of key, label, used, allowed and unit.
fn meters(rights: &Value, catalog: &Value) -> Value {
    let (rights, catalog) = (json(rights), json(catalog));
    let rows = rights.as_object().into_iter().flatten().filter_map(|(key, right)| {
        let decl = &catalog["entitlements"][key];
        // -1 means no limit.
        let (allowed, used) = (right["allowed"].as_i64().filter(|allowed| *allowed >= 0), right["used"].as_i64());
        if decl["kind"] == "flag" || used.is_none() {
            return None;
        }
        let unit = unit_of(&catalog, key);
        Some(serde_json::json!({
            "key": key, "label": label_of(key, unit), "used": used, "allowed": allowed, "unit": unit, "resets_at": right["resets_at"],
            "has_price": has_price(decl, &catalog),
        }))
    });
    Value::from_serialize(rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(expression: &str, values: Json) -> String {
        let mut environment = Environment::new();
        add(&mut environment);
        environment.render_str(expression, values).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    #[test]
    fn values_are_shown_for_people() {
        let values = json!({
            "price": {"amount_minor": 150000, "currency": "usd"}, "none": null, "at": "2026-01-31T10:00:00Z",
            "count": 1000000, "used": 3, "allowed": 4,
        });
        for (expression, expected) in [
            ("{{ price | money('en-US') }}", "$1,500.00"),
            ("{{ price | money('de') }}", "1.500,00\u{a0}$"),
            ("[{{ none | money('de') }}{{ missing | date('de') }}]", "[]"),
            ("{{ 1509999 | micros('usd', 'en-US') }} {{ 1500000 | micros('jpy', 'en-US') }}", "$1.50 ¥1"),
            ("{{ 9999 | micros('usd', 'en-US') }}, {{ 0 | micros('usd', 'en-US') }}", "less than $0.01, $0.00"),
            ("{{ -1509999 | micros('kwd', 'de') }}[{{ none | micros('usd', 'de') }}]", "−1,509\u{a0}KWD[]"),
            ("{{ at | date('en-US') }}", "Jan 31, 2026"),
            ("{{ at | millis }} {{ 5 | millis }} {{ none | millis is none }}", "1769853600000 5 True"),
            ("{{ count | number('fr') }}", "1\u{202f}000\u{202f}000"),
            ("{{ 'api_requests' | words }}", "API requests"),
            (
                "{{ used | percent(allowed) }} {{ 9 | percent(4) }} {{ 1 | percent(0) }} {{ 0 | percent(0) }}",
                "75 100 100 0",
            ),
        ] {
            assert_eq!(shown(expression, values.clone()), expected, "{expression}");
        }
    }

    #[test]
    fn the_catalog_says_what_is_a_plan_and_what_it_gives() {
        let values = json!({
            "catalog": {
                "product_types": [
                    {"name": "plan_type", "family": "plan"},
                    {"name": "pack"}, {"name": "site", "provisions": [{"name": "a_b", "outputs": {"x": "y"}}, {"name": "c"}], "plan": {"field": "plan_id"},
                     "fields": [{"name": "plan_id"}, {"name": "seats", "type": "int", "required": true}, {"name": "label", "format": "label", "min_length": 3, "max_length": 9}]},
                ],
                "entitlements": {"sites": {"kind": "limit"}, "api": {"kind": "flag"}, "gb": {"kind": "limit", "meter": "gb"}, "traffic": {"kind": "counter", "meter": "gb"}},
                "meters": {"gb": {"unit": "GB"}},
            },
            "offers": [
                {"id": "a", "name": "A", "product_type": "plan_type", "available": true, "prices": [{"id": "p1", "grants": [{"key": "api", "amount": 1}, {"key": "sites", "amount": null}, {"key": "traffic", "amount": 5000}]}]},
                {"id": "b", "product_type": "plan_type", "available": false}, {"id": "c", "product_type": "pack"},
            ],
            "rights": {"sites": {"allowed": 3, "used": 1}, "api": {"allowed": 1, "used": 0}, "gb": {"allowed": null, "used": 2}},
        });
        let plans = "{% for plan in offers | on_sale(catalog) %}{{ plan.id }}:{% for line in plan | plan_lines(catalog) %} {{ line.label }}={{ line.value }}{% endfor %}{% endfor %}";
        assert_eq!(shown(plans, values.clone()), "a: API=yes Sites=unlimited Traffic=5,000 GB per month");
        let rows = "{% for row in rights | meters(catalog) %}{{ row.label }} {{ row.used }}/{{ row.allowed }} {{ row.unit }};{% endfor %}";
        assert_eq!(shown(rows, values.clone()), "GB 2/None None;Sites 1/3 None;");
        assert_eq!(shown("{{ (catalog | instance_types)[0].name }}", values.clone()), "site");
        let items = json!([{"price_id": "p1"}]);
        let mut values = values;
        values["items"] = items;
        values["instance"] = json!({"product_type": "site", "status": "provisioning", "resources": {"x": 1}});
        assert_eq!(shown("{{ (items | plan_of(offers)).name }}", values.clone()), "A");
        let steps = "{% for step in instance | steps(catalog) %}{{ step.label }} {{ step.state }};{% endfor %}";
        assert_eq!(shown(steps, values.clone()), "A b done;C in progress;");
        values["instance"]["status"] = json!("error");
        values["instance"]["metadata"] = json!({"error": {"step": "c/ensure"}});
        assert_eq!(shown(steps, values.clone()), "A b done;C failed;");
        values["catalog"]["product_types"][2]["provisions"] = json!([
            {"name": "a", "outputs": {"x": "y"}}, {"name": "b", "after": ["a"]}, {"name": "c", "phase": "filling", "after": ["b"]},
            {"name": "d", "after": ["c"]},
        ]);
        values["instance"] = json!({"product_type": "site", "status": "provisioning", "resources": {}});
        assert_eq!(shown(steps, values.clone()), "A in progress;B waits;C waits;D waits;");
        values["instance"]["resources"] = json!({"x": 1});
        assert_eq!(shown(steps, values.clone()), "A done;B in progress;C waits;D waits;");
        values["instance"]["metadata"] = json!({"phase": "filling"});
        assert_eq!(shown(steps, values.clone()), "A done;B done;C in progress;D waits;");
        let fields = "{% for input in catalog | instance_types | first | form_fields %}{{ input.name }} {{ input.type }} {{ input.hint }};{% endfor %}";
        assert_eq!(
            shown(fields, values),
            "metadata.seats:integer number ;metadata.label text 3 to 9 characters. Letters, digits and hyphens.;"
        );
    }

    #[test]
    fn prices_are_shown_in_the_currency_that_is_asked_for() {
        let price = |terms: Json| json!({"amount": {"amount_minor": 2000, "currency": "usd"}, "terms": terms});
        let offers = json!([
            {"id": "a", "prices": [price(json!({"currencies": {"eur": 1900, "jpy": 3000}}))]},
            {"id": "b", "prices": [price(json!({}))]},
        ]);
        let mut values = json!({"offers": offers, "query": {"currency": "jpy", "other": "gbp"}});
        let all = |currency: &str| {
            format!(
                "{{% for offer in offers | in_currency({currency}) %}}{{{{ offer.prices[0].amount | money('en') }}}} {{% endfor %}}"
            )
        };
        assert_eq!(shown(&all("query.currency"), values.clone()), "¥3,000 $20.00 ");
        assert_eq!(shown(&all("query.other"), values.clone()), "$20.00 $20.00 ");
        assert_eq!(shown(&all("query.none"), values.clone()), "$20.00 $20.00 ");
        assert_eq!(shown("{{ offers | currencies | join(',') }}", values.clone()), "usd,eur,jpy");
        assert_eq!(shown("{{ [offers[1]] | currencies | length }}", values.clone()), "0");
        // Who asks for none gets that of the country, or the default one; who has none to choose sees the prices' own.
        for (asked, country, chosen) in [
            (json!("jpy"), json!("AT"), "jpy"),
            (Json::Null, json!("AT"), "eur"),
            (json!("gbp"), json!("JP"), "jpy"),
            (Json::Null, json!("US"), "usd"),
            (Json::Null, json!("CH"), "usd"),
            (Json::Null, json!("XX"), "usd"),
            (Json::Null, Json::Null, "usd"),
        ] {
            values["query"] = json!({"asked": asked, "country": country});
            let text = "{{ offers | currency(query.asked, query.country) }}";
            assert_eq!(shown(text, values.clone()), chosen, "{asked} {country}");
        }
        assert_eq!(shown("{{ [offers[1]] | currency('eur', 'AT') }}", values), "usd");
    }

    #[test]
    fn the_page_with_the_prices_shows_every_plan_and_what_use_costs() {
        let catalog = json!({
            "policies": {"currency": "eur"},
            "product_types": [{"name": "plan", "family": "plan", "fields": [{"name": "runs"}, {"name": "audit"}],
                "grants": {"audit": {"amount": "{product.audit}", "per": "purchase"}, "runs": "{product.runs}", "seats": 1}}],
            "products": [{"id": "free", "default": true}],
            "entitlements": {"runs": {"kind": "counter", "meter": "jobs"}, "audit": {"kind": "flag"}, "seats": {"kind": "limit"}},
            "meters": {"jobs": {"unit": "query"}, "words": {"unit": "word"}, "calls": {"unit": "call"}},
            "rates": {"words": {"micros": 15, "pay": ["credits"]}, "calls": {"micros": [{"to": 10_000, "price": 2_000}, {"price": 1_000}]}, "jobs": {"by": "size", "micros": {"small": 40_000, "large": 1_250_000}}},
        });
        let plan = |id: &str, metadata: Json| json!({"id": id, "product_type": "plan", "available": false, "prices": [], "metadata": metadata});
        let offers = json!([
            plan("large", json!({"contact": "sales", "display_order": 2, "runs": 9})),
            plan("free", json!({"display_order": 1, "runs": 1, "audit": true})),
            plan("withdrawn", json!({})),
            plan("team", json!({"contact": "sales", "display_order": 3, "quantity": {"at_least": 3, "at_most": 9}})),
        ]);
        let values = json!({"catalog": catalog, "offers": offers});
        let plans = "{% for plan in offers | plans(catalog) %}{{ plan.id }}:{% for line in plan | plan_lines(catalog) %} {{ line.label }}={{ line.value }}{% endfor %};{% endfor %}";
        assert_eq!(
            shown(plans, values.clone()),
            "free: Runs=1 query per month included Audit=yes Seats=1;large: Runs=9 queries per month included Seats=1;team: Seats=3 to 9;"
        );
        let use_prices = "{% for row in catalog | use_prices %}{{ row.label }}/{{ row.unit }}:{% for price in row.prices %} {{ price.of }} {{ price.amount }}{% endfor %};{% endfor %}";
        assert_eq!(
            shown(use_prices, values.clone()),
            "Calls/call: up to 10,000 a month €0.002 beyond 10,000 a month €0.001;Jobs/query: Large €1.25 Small €0.04;Words/word:  €0.000015;"
        );
        let mut several = values;
        several["catalog"]["policies"]["currency"] = json!(["usd", "eur"]);
        several["catalog"]["rates"] = json!({"words": {"micros": 20, "currencies": {"eur": {"micros": 15}}}});
        let of = |currency: &str| use_prices.replace("use_prices", &format!("use_prices({currency})"));
        assert_eq!(shown(&of("'eur'"), several.clone()), "Words/word:  €0.000015;");
        assert_eq!(shown(&of("'gbp'"), several), "Words/word:  $0.00002;");
        assert_eq!(shown("{{ '14d' | days }}, {{ '1d' | days }}", json!({})), "14 days, 1 day");
    }

    #[test]
    fn a_change_to_a_plan_of_a_higher_rank_is_an_upgrade_wherever_the_plan_is_shown() {
        let catalog = json!({
            "product_types": [
                {"name": "plan", "family": "plan", "rank_by": "rank"}, {"name": "support", "family": "support"},
            ],
            "products": [{"id": "free", "default": true}],
        });
        let plan = |id: &str, order: i64, rank: i64| {
            json!({
                "id": id, "product_type": "plan", "prices": [{"id": format!("price_{id}"), "terms": {"rank": rank}}],
                "metadata": {"display_order": order},
            })
        };
        let mut offers = vec![plan("team", 1, 30), plan("pro", 2, 20), plan("basic", 3, 10), plan("simple", 4, 10)];
        // Without a price, the rank is the field of the type.
        offers.push(json!({"id": "free", "product_type": "plan", "available": false, "prices": [], "metadata": {"display_order": 5, "rank": 25}}));
        offers.push(json!({"id": "gone", "product_type": "plan", "available": false, "prices": [], "metadata": {}}));
        offers.push(json!({"id": "gold", "product_type": "support", "prices": [], "metadata": {}}));
        let entry = |status: &str, price: &str| json!({"value": {"status": status, "items": [{"price_id": price, "quantity": 2, "interval": {"unit": "month"}}]}});
        let beside = |entries: Json| {
            let values = json!({"offers": offers, "catalog": catalog, "entries": entries});
            let each = "{% for plan in offers %}{{ plan.id }} {{ (plan | held_beside(entries, offers, catalog)).how }};{% endfor %}";
            shown(each, values)
        };
        let held = beside(json!([entry("canceled", "price_team"), entry("active", "price_pro")]));
        assert_eq!(held, "team upgrade;pro yours;basic downgrade;simple downgrade;free upgrade;gone ;gold ;");
        // The place decides between plans of the same rank.
        let held = beside(json!([entry("trialing", "price_basic")]));
        assert_eq!(held, "team upgrade;pro upgrade;basic yours;simple upgrade;free upgrade;gone ;gold ;");
        assert_eq!(beside(json!([])), "team ;pro ;basic ;simple ;free ;gone ;gold ;");
    }

    #[test]
    fn a_coupon_takes_off_a_part_or_an_amount_in_the_currency_that_is_paid() {
        let values = json!({
            "half": {"percent": 50}, "eighth": {"percent": "12.5"}, "ten": {"amount_minor": 1000},
            "each": {"amount_minor": {"usd": 1000, "jpy": 1500}}, "all": ["jpy", "usd"],
        });
        for (expression, expected) in [
            ("{{ half | coupon_off('usd', 'en-US') }}, {{ eighth | coupon_off(none, 'en-US') }}", "50%, 12.5%"),
            ("{{ ten | coupon_off('usd', 'en-US') }}", "$10.00"),
            ("{{ each | coupon_off('usd', 'en-US') }}, {{ each | coupon_off('jpy', 'en-US') }}", "$10.00, ¥1,500"),
            ("{{ each | coupon_off(all, 'en-US') }}[{{ each | coupon_off('eur', 'en-US') }}]", "¥1,500[]"),
        ] {
            assert_eq!(shown(expression, values.clone()), expected, "{expression}");
        }
    }

    #[test]
    fn everything_that_a_person_can_buy_is_listed_with_what_it_gives_and_how_many_of_it() {
        let price = |amount: i64| json!([{"amount": {"amount_minor": amount, "currency": "usd"}, "grants": []}]);
        let offer = |id: &str, of: &str, metadata: Json| {
            let amount = metadata["amount"].as_i64().unwrap_or_default();
            json!({"id": id, "product_type": of, "prices": price(amount), "metadata": metadata})
        };
        let mut values = json!({
            "catalog": {
                "product_types": [
                    {"name": "plan", "family": "plan"},
                    {"name": "slot", "buy": {"quantity": {"at_most": 10}}},
                    {"name": "pack", "on_paid": [{"credit": "{product.worth}"}]},
                    {"name": "gift", "on_paid": [{"credit": 250}]},
                    {"name": "theme"},
                    {"name": "booster", "buy": {"account": "organization"}},
                ],
                "entitlements": {"theme": {"kind": "flag"}},
            },
            "offers": [
                offer("team", "plan", json!({"amount": 3000})),
                offer("free", "plan", json!({})),
                offer("lab", "plan", json!({"amount": 7900})),
                offer("first", "plan", json!({"amount": 9900, "display_order": 1})),
                offer("slot", "slot", json!({"amount": 400})),
                offer("pack", "pack", json!({"amount": 1000, "worth": 1100})),
                offer("gift", "gift", json!({"amount": 200, "display_order": 2})),
                offer("night", "theme", json!({"amount": 500})),
                offer("booster", "booster", json!({"amount": 1})),
                {"id": "gone", "product_type": "slot", "available": false, "prices": price(1), "metadata": {}},
                {"id": "unsold", "product_type": "slot", "prices": [], "metadata": {}},
            ],
        });
        values["offers"][7]["prices"][0]["grants"] = json!([{"key": "theme:night", "amount": 1}]);
        let plans = "{{ offers | on_sale(catalog) | map(attribute='id') | join(' ') }}";
        assert_eq!(shown(plans, values.clone()), "first free team lab", "in the order of the business, then by price");
        let lines = "{% for line in product | plan_lines(catalog) %} {{ line.label }}={{ line.value }}{% endfor %}";
        let products = format!(
            "{{% for product in offers | add_ons(catalog) %}}{{{{ product.id }}}} {{{{ product.quantity_max }}}}{lines};{{% endfor %}}"
        );
        let expected = "gift 1 Credits=$2.50;slot 10;night 1 Theme=yes;pack 1 Credits=$11.00;";
        assert_eq!(shown(&products, values.clone()), expected);
        assert_eq!(shown("{{ catalog | sells_credits }} {{ none | sells_credits }}", values), "True False");
    }

    #[test]
    fn what_accounts_create_has_the_name_of_its_type() {
        let words = |types: Json| {
            let values = json!({"catalog": {"product_types": types}});
            shown("{{ catalog | noun }}, {{ catalog | nouns }}", values)
        };
        let gallery = json!({"name": "photo_gallery", "consumes": {"galleries": 1}, "provisions": [{"name": "a"}]});
        let app = json!({"name": "app", "provisions": [{"name": "a"}]});
        assert_eq!(words(json!([gallery, {"name": "plan"}])), "a photo gallery, Galleries");
        assert_eq!(words(json!([app])), "an app, Instances");
        assert_eq!(words(json!([gallery, app])), "an instance, Instances");
        assert_eq!(words(json!([])), "an instance, Instances");
    }
}
