//! What a provider is asked and what it may say.

use serde_json::Value;

/// One attempt to carry an effect out.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Kind of the effect, for example `database.ensure` or `stripe.checkout.create`.
    pub kind: String,
    /// `business/mode/account` that asked.
    pub scope: String,
    /// Key of the effect; with `scope` and `generation` the provider's idempotency key.
    pub key: String,
    /// Generation of the effect; a higher one replaces what a lower one wished.
    pub generation: u32,
    /// From 1; the same attempt comes again after a crash.
    pub attempt: u32,
    /// Arguments as the effect's kind declares them; secrets by reference.
    pub payload: Value,
}

impl Call {
    /// What the effect acts on: the kind without its last part, `stripe.checkout` of `stripe.checkout.create`.
    pub fn resource(&self) -> &str {
        self.kind.rsplit_once('.').map_or("", |(resource, _)| resource)
    }

    /// Last part of the kind: `create` of `stripe.checkout.create`.
    pub fn verb(&self) -> &str {
        self.kind.rsplit_once('.').map_or(self.kind.as_str(), |(_, verb)| verb)
    }

    /// True for the four verbs of a resource, `database.ensure`. `secret.ensure` is none: what it makes is handed over
    /// once and never changed, observed or destroyed.
    pub fn is_resource_call(&self) -> bool {
        let resource = self.resource();
        matches!(self.verb(), "observe" | "ensure" | "change" | "destroy")
            && !resource.is_empty()
            && !resource.contains('.')
            && resource != "secret"
    }

    /// A text argument of the payload.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Done; the outputs as the kind declares them, an object without secrets.
    Ok(Value),
    /// Not done, and trying again may help.
    Retryable {
        /// For programs, for example `throttled`.
        code: String,
        /// For operators; without secrets.
        message: String,
    },
    /// Not done, and trying again cannot help.
    Final {
        /// For programs, for example `quota-exceeded`.
        code: String,
        /// For operators; without secrets.
        message: String,
    },
    /// The answer comes later.
    Late {
        /// Milliseconds after the call.
        after_ms: i64,
        /// What comes then; not `Late` again.
        then: Box<Answer>,
    },
    /// Done, but the answer was lost on its way.
    Lost,
    /// Nothing will ever come: nobody is there who could answer.
    Never,
}

impl Answer {
    /// A failure that trying again cannot help.
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Answer::Final { code: code.to_owned(), message: message.into() }
    }
}
