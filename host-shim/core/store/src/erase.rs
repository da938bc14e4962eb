//! Erases the personal data in an account's events and effects, for every store.
//!
//! Ids, keys, kinds, codes, amounts and times stay; bodies, names and other free text are removed.

use crate::rows::Run;
use extension_contract::{Delivery, EffectReport, FieldError, Outcome, Payload, Product, ProductValues, Refusal};

/// Replaces an erased JSON object.
pub const NO_JSON: &str = "{}";

/// Erases the payload of an event. The variant is kept, so that the inbox stays readable.
pub fn payload(payload: &mut Payload) {
    match payload {
        Payload::Payment(body) => *body = NO_JSON.into(),
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

/// Erases the texts of field errors in an outcome, which may quote the input.
pub fn outcome(outcome: &mut Option<Outcome>) {
    if let Some(Outcome::Rejected(Refusal::Invalid(errors))) = outcome {
        for error in errors.iter_mut() {
            *error = FieldError::new(std::mem::take(&mut error.path), error.code, "");
        }
    }
}

/// Erases the text of an error, if any.
pub fn error(error: &mut Option<String>) {
    error.iter_mut().for_each(|text| *text = String::new());
}

/// Erases the texts of a run and its claim answers, which contain names. Time, hashes and fuel stay.
pub fn run(run: &mut Run) {
    outcome(&mut run.outcome);
    error(&mut run.error);
    if let Some(provenance) = &mut run.provenance {
        provenance.claim_answers = String::new();
    }
}
