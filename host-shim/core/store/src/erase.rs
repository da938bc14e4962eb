//! What is left of an account's events and effects once it is erased, alike in every store.
//!
//! Ids, keys, kinds, codes, amounts and times stay; bodies, names and whatever else somebody wrote go.

use crate::rows::Run;
use extension_contract::{Delivery, EffectReport, Outcome, Payload, Product, ProductValues, Refusal};

/// What stands where a JSON object was.
pub(crate) const NO_JSON: &str = "{}";

/// Erase what an event said. It stays an event of the same variant, so that whoever reads the inbox can read it.
pub(crate) fn payload(payload: &mut Payload) {
    match payload {
        Payload::Provider(body) => *body = NO_JSON.into(),
        Payload::Command(json) => *json = NO_JSON.into(),
        Payload::Product(change) => [&mut change.before, &mut change.after].into_iter().flatten().for_each(product),
        Payload::Usage(usage) => usage.iter_mut().for_each(|usage| usage.attributes = Vec::new()),
        Payload::Timer(Delivery { payload, .. }) | Payload::Message(Delivery { payload, .. }) => {
            *payload = NO_JSON.into();
        }
        Payload::EffectResult(EffectReport { context, answer, .. }) => {
            *context = NO_JSON.into();
            match answer {
                Ok(answer) => *answer = NO_JSON.into(),
                Err(failure) => failure.message = String::new(),
            }
        }
    }
}

fn product(product: &mut Product) {
    let ProductValues { name, description, filters, metadata, .. } = &mut product.values;
    (*name, *description, *filters, *metadata) = (String::new(), String::new(), Vec::new(), NO_JSON.into());
}

/// Erase what an outcome quotes of the event: why a field was refused may repeat what was entered.
pub(crate) fn outcome(outcome: &mut Option<Outcome>) {
    if let Some(Outcome::Rejected(Refusal::Invalid(errors))) = outcome {
        errors.iter_mut().for_each(|error| error.message = String::new());
    }
}

/// Erase an error's text; that there was one stays.
pub(crate) fn error(error: &mut Option<String>) {
    error.iter_mut().for_each(|text| *text = String::new());
}

/// Erase what a run tells in words, the names that it asked for among it. Its time, its hashes and its fuel stay.
pub(crate) fn run(run: &mut Run) {
    outcome(&mut run.outcome);
    error(&mut run.error);
    if let Some(provenance) = &mut run.provenance {
        provenance.claim_answers = String::new();
    }
}
