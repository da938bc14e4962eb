//! Reports a price that is not in the catalog as one mistake, instead of all failures that follow from it.

use super::Player;
use super::check::{Failure, Failures};
use extension_contract::{Outcome, Refusal};
use host_business::yaml::guess::nearest;
use host_engine::processor::Report;
use host_scenario::business::CATALOG_FILE;
use host_scenario::error::ReplayError;
use host_scenario::model::{Action, Step};
use serde_json::Value;

/// The maximum number of prices that a message lists.
const SHOWN_MAX: usize = 5;

/// The first event of a case that was unexpectedly refused because its price is not in the catalog.
pub(super) struct MissingPrice {
    failure: Failure,
    /// The number of failures before the event.
    failures_before: usize,
}

impl Player<'_> {
    /// Stores the failure if the run was unexpectedly refused because of a missing price.
    pub(super) fn look_for_missing_price(&mut self, report: &Report) -> Result<(), ReplayError> {
        let Some(Outcome::Rejected(Refusal::UnknownPrice(price))) = report.result.outcome() else { return Ok(()) };
        let is_it = |step: &&Step| step.action.event_id() == Some(&report.event_id);
        let Some(step) = self.scenario.steps.iter().find(is_it).filter(|_| self.missing_price.is_none()) else {
            return Ok(());
        };
        let expected = step.outcome.as_ref().map(|outcome| outcome.then.as_ref().unwrap_or(&outcome.outcome));
        let prices = host_engine::view::prices(self.host.processor())?;
        let known: Vec<&str> = prices.as_object().into_iter().flatten().map(|(id, _)| id.as_str()).collect();
        if expected.is_some_and(|outcome| outcome == "rejected") || known.contains(&price.as_str()) {
            return Ok(());
        }
        let named = line_that_names(step, price);
        let catalog = self.host.setup().business.folder.join(CATALOG_FILE);
        let file = self.scenario.file.clone();
        let title = title(price, &catalog.display().to_string(), &prices, named.is_some());
        let failure = Failure { file, line: named.unwrap_or(step.line), title, diff: String::new() };
        self.missing_price = Some(MissingPrice { failure, failures_before: self.failures.len() });
        Ok(())
    }
}

impl MissingPrice {
    /// Replaces all failures since the event with the missing price.
    pub(super) fn replace_failures(self, failures: &mut Failures<'_>) {
        if failures.len() > self.failures_before {
            failures.replace_from(self.failures_before, self.failure);
        }
    }
}

/// Returns the line on which a step sets a price; none if the price comes from the base body.
fn line_that_names(step: &Step, price: &str) -> Option<usize> {
    let Action::Stripe(stripe) = &step.action else { return None };
    let patches = [&stripe.patch, &stripe.envelope].into_iter().chain(stripe.version_patches.iter().map(|(_, p)| p));
    let changes = patches.flat_map(|patch| patch.set.iter().chain(&patch.add));
    changes.flat_map(|change| change.value.places_of(price)).next().map(|place| place.line)
}

fn title(price: &str, catalog: &str, prices: &Value, is_named: bool) -> String {
    let known: Vec<(&str, &Value)> = prices.as_object().into_iter().flatten().map(|(id, row)| (&**id, row)).collect();
    // The id of a price without an id in the catalog is meaningless, so its product is shown with it.
    let named = |(id, row): &(&str, &Value)| {
        let interval = row["interval"]["unit"].as_str().map(|unit| format!(" by the {unit}"));
        format!("{id} of {}{}", row["product_id"].as_str().unwrap_or_default(), interval.unwrap_or_default())
    };
    let shown = known.iter().take(SHOWN_MAX).map(named).collect::<Vec<_>>().join(", ");
    let there = match known.len() {
        0 => "none".to_owned(),
        count if count > SHOWN_MAX => format!("{shown} and {} others", count - SHOWN_MAX),
        _ => shown,
    };
    let hint = match (is_named, nearest(price, known.iter().map(|(id, _)| *id))) {
        (false, _) => "; the base body names it: set another with `set: {price: …}`".to_owned(),
        (true, Some(guess)) => format!("; did you mean `{guess}`?"),
        (true, None) => String::new(),
    };
    format!("no price `{price}` among the prices of the products in {catalog} ({there}){hint}")
}
