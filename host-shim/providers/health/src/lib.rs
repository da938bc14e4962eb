//! Watches the health of an address: `probe.watch` asks it again and again until its health changes.
//!
//! Each look is one request. What was counted so far stands in the token, so a host that starts again goes on counting.

mod ask;
mod count;

pub use ask::{BODY_BYTES_MAX, Config};

use ask::{Asked, Asker};
use count::{Counted, Wish};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;

/// The provider of `probe.watch`.
///
/// Payload: `url` (`http` or `https`), `every_s` (seconds between requests, 1 to 86 400), `fail_after` and `recover_after` (how
/// many bad or good answers in a row change the health, 1 to 1000), `health` (what it was when the watch began: `healthy`,
/// `unhealthy` or anything else for what nobody knows yet). CallOutcome: `{"health": "healthy"|"unhealthy"}` once it is another one.
///
/// Good is an answer below 400 that comes whole in time; a redirect is good and is not followed.
pub struct Probe {
    asker: Asker,
}

impl Probe {
    /// A provider with these limits. The machine's certificates are read now; that there are none shows with the first `https`.
    pub fn new(config: Config) -> Probe {
        Probe { asker: Asker::new(config) }
    }
}

impl Provider for Probe {
    /// A watch lasts until the health is another one.
    fn ends(&self) -> bool {
        false
    }

    fn call(&self, call: &Call) -> CallOutcome {
        if call.kind != "probe.watch" {
            return CallOutcome::unsupported(call);
        }
        let wish = match Wish::of(&call.payload) {
            Ok(wish) => wish,
            Err(error) => return CallOutcome::refused("bad-payload", error.to_string()),
        };
        let counted = match &call.token {
            Some(token) => match Counted::parse(token) {
                Some(counted) => counted,
                None => return CallOutcome::refused("bad-token", "the token is none of this provider's"),
            },
            None => Counted::begin(&wish),
        };
        let is_good = match self.asker.ask(&wish.url) {
            Asked::Good => true,
            Asked::Bad => false,
            Asked::NotAllowed(why) => return CallOutcome::refused("address-refused", why),
        };
        let counted = counted.and(is_good);
        match counted.change(&wish) {
            Some(health) => CallOutcome::Done(json!({"health": health})),
            None => CallOutcome::InProgress { after_ms: wish.every_ms, token: counted.token() },
        }
    }
}
