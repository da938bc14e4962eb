//! Health provider: `probe.watch` polls a URL until its health changes, and `probe.answer` until it answers.
//!
//! Each poll is one request. The token stores the number of consecutive equal results, so a restarted host continues
//! counting.

mod answer;
mod open;
mod request;
mod watch;

pub use crate::http::Reach;
pub use open::HttpSettings;
pub use request::{BODY_BYTES_MAX, Config};

use answer::Failed;
use host_provider_api::{Call, CallOutcome, Provider};
use request::{HttpProbe, ProbeResult};
use serde_json::json;
use watch::{Streak, WatchSettings};

/// The provider of `probe.watch` and `probe.answer`.
///
/// Payload of `probe.answer`: `url`. The call is done when the address returns a good result, and refused with `no-answer` after about an
/// hour.
///
/// Payload of `probe.watch`: `url` (`http` or `https`), `every_s` (seconds between requests, 1 to 86 400), `fail_after` and
/// `recover_after` (the numbers of consecutive bad and good results that change the health, 1 to 1000), `health` (the
/// health at the start of the watch: `healthy`, `unhealthy`, or anything else for unknown). Output, when the health has
/// changed: `health` (`healthy` or `unhealthy`).
///
/// A result is good if the response has a status below 400 and is complete within the timeout. At most [`BODY_BYTES_MAX`] bytes of a body
/// are read. Redirects are not followed.
pub struct Probe {
    http: HttpProbe,
}

impl Probe {
    /// Creates the provider with these limits. If the machine has no root certificates, `https` requests fail.
    pub fn new(config: Config) -> Probe {
        Probe { http: HttpProbe::new(config) }
    }
}

impl Provider for Probe {
    /// Returns false: a watch has no deadline, because it lasts until the health changes.
    fn ends(&self) -> bool {
        false
    }

    fn call(&self, call: &Call) -> CallOutcome {
        match call.kind.as_str() {
            "probe.watch" => self.watch(call),
            "probe.answer" => self.answer(call),
            _ => CallOutcome::unsupported(call),
        }
    }
}

impl Probe {
    fn answer(&self, call: &Call) -> CallOutcome {
        let url = match watch::url(&call.payload) {
            Ok(url) => url,
            Err(error) => return CallOutcome::refused("bad-payload", error.to_string()),
        };
        let Some(failed) = call.token.as_deref().map_or(Some(Failed::default()), Failed::parse) else {
            return foreign_token();
        };
        match self.http.send(url) {
            ProbeResult::Good => CallOutcome::Done(json!({})),
            ProbeResult::NotAllowed(why) => CallOutcome::refused("address-refused", why),
            ProbeResult::Bad => match failed.once_more() {
                Some(failed) => CallOutcome::InProgress { after_ms: failed.wait_ms(), token: failed.token() },
                None => CallOutcome::refused("no-answer", "the address did not answer with a status below 400"),
            },
        }
    }

    fn watch(&self, call: &Call) -> CallOutcome {
        let settings = match WatchSettings::of(&call.payload) {
            Ok(settings) => settings,
            Err(error) => return CallOutcome::refused("bad-payload", error.to_string()),
        };
        let streak = match &call.token {
            Some(token) => match Streak::parse(token) {
                Some(streak) => streak,
                None => return foreign_token(),
            },
            None => Streak::begin(&settings),
        };
        let is_good = match self.http.send(&settings.url) {
            ProbeResult::Good => true,
            ProbeResult::Bad => false,
            ProbeResult::NotAllowed(why) => return CallOutcome::refused("address-refused", why),
        };
        let streak = streak.and(is_good);
        match streak.change(&settings) {
            Some(health) => CallOutcome::Done(json!({"health": health})),
            None => CallOutcome::InProgress { after_ms: settings.every_ms, token: streak.token() },
        }
    }
}

fn foreign_token() -> CallOutcome {
    CallOutcome::refused("bad-token", "the token was not created by this provider")
}
