//! Creates the prices of a catalog at the local Stripe. A catalog may contain ids of prices that were created manually at
//! Stripe and therefore do not exist here.

use extension_contract::IntervalUnit;
use host_run::SoldPrice;
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::Server;
use serde_json::Value;

/// Creates the missing prices and their products. Returns a description of what could not be created.
pub(super) fn add(server: &Server, prices: &[SoldPrice]) -> Vec<String> {
    let problem = |price: &SoldPrice| {
        let cause = add_one(server, price).err()?;
        Some(format!("the price `{}` of `{}` cannot be bought at the local Stripe: {cause}", price.id, price.name))
    };
    prices.iter().filter_map(problem).collect()
}

fn add_one(server: &Server, price: &SoldPrice) -> Result<(), String> {
    let (amount, currency) = (price.amount.amount_minor, price.amount.currency.as_str());
    let others: Vec<(String, String)> = price
        .currencies
        .iter()
        .map(|(code, minor)| (format!("currency_options[{code}][unit_amount]"), minor.to_string()))
        .collect();
    let others: Vec<(&str, &str)> = others.iter().map(|(name, minor)| (name.as_str(), minor.as_str())).collect();
    if let Ok(known) = call(server, "GET", &format!("/v1/prices/{}", price.id), &[]) {
        return match known["unit_amount"] == amount && known["currency"] == currency {
            true if others.is_empty() => Ok(()),
            true => call(server, "POST", &format!("/v1/prices/{}", price.id), &others).map(drop),
            false => Err(format!(
                "it has {} {} there, expected {amount} {currency}; a price keeps its amount, and a new data folder begins anew",
                known["unit_amount"],
                known["currency"].as_str().unwrap_or_default()
            )),
        };
    }
    if call(server, "GET", &format!("/v1/products/{}", price.product), &[]).is_err() {
        call(server, "POST", "/v1/products", &[("id", &price.product), ("name", &price.name)])?;
    }
    let amount = amount.to_string();
    let count = price.interval.map(|interval| interval.count.to_string()).unwrap_or_default();
    let mut form = vec![("product", price.product.as_str()), ("currency", currency), ("unit_amount", &amount)];
    form.extend(others);
    if let Some(interval) = price.interval {
        form.push(("recurring[interval]", unit(interval.unit)));
        form.push(("recurring[interval_count]", &count));
    }
    call(server, "POST", &format!("/_sandbox/prices/{}", price.id), &form).map(drop)
}

fn unit(unit: IntervalUnit) -> &'static str {
    match unit {
        IntervalUnit::Day => "day",
        IntervalUnit::Week => "week",
        IntervalUnit::Month => "month",
        IntervalUnit::Year => "year",
    }
}

/// Makes a call; the error is Stripe's message.
fn call(server: &Server, method: &str, path: &str, form: &[(&str, &str)]) -> Result<Value, String> {
    let response = server.handle(&own_request(method, path, form));
    let answer = json_of(&response);
    match response.status {
        200..300 => Ok(answer),
        status => Err(answer["error"]["message"].as_str().map_or_else(|| status.to_string(), str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{BillingInterval, Money};
    use local_stripe::server::Options;

    fn price(id: &str, amount_minor: i64, interval: Option<BillingInterval>) -> SoldPrice {
        let amount = Money { amount_minor, currency: "usd".to_owned() };
        let currencies = [("eur".to_owned(), amount_minor - 1)].into();
        let (product, name) = ("prod_toy".to_owned(), "Toy".to_owned());
        SoldPrice { id: id.to_owned(), product, name, amount, currencies, interval }
    }

    #[test]
    fn missing_prices_are_made_once_with_amount_and_interval() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let server = runtime.block_on(Server::start(Options::default())).expect("a server");
        let quarter = Some(BillingInterval { unit: IntervalUnit::Month, count: 3 });
        let prices = [price("price_q", 900, quarter), price("price_once", 4900, None)];
        assert_eq!(add(&server, &prices), [""; 0]);
        assert_eq!(add(&server, &prices), [""; 0], "a second start");
        let made = call(&server, "GET", "/v1/prices/price_q", &[]).expect("a price");
        let made_in =
            call(&server, "POST", "/v1/prices/price_q", &[("expand[0]", "currency_options")]).expect("a price");
        assert_eq!(made_in["currency_options"]["eur"]["unit_amount"], 899);
        assert_eq!((made["unit_amount"].as_i64(), made["product"].as_str()), (Some(900), Some("prod_toy")));
        assert_eq!(
            (&made["recurring"]["interval"], &made["recurring"]["interval_count"]),
            (&"month".into(), &3.into())
        );
        assert_eq!(call(&server, "GET", "/v1/prices/price_once", &[]).expect("a price")["type"], "one_time");
        let all = call(&server, "GET", "/v1/products", &[]).expect("a list");
        assert_eq!(all["data"].as_array().map(Vec::len), Some(1), "both are prices of one product");
        let problems = add(&server, &[price("price_once", 5000, None), price("no/id", 1, None)]);
        assert!(problems[0].contains("4900 usd there, expected 5000 usd"), "{problems:?}");
        assert!(problems[1].contains("`no/id`"), "{problems:?}");
    }
}
