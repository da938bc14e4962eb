//! From a webhook's request to its answer: what the intake takes is decided and committed by the writer, and only then is it
//! acknowledged.

use super::Jobs;
use crate::processor::Report;
use extension_contract::Timestamp;
use host_intake::body::Quarantined;
use host_intake::request::{Endpoints, Request, Taken};

/// The status of what could not be stored: the provider sends it again.
const UNAVAILABLE: u16 = 503;

/// How a request is answered, and what there is to tell operators.
#[derive(Debug)]
pub struct Delivered {
    /// The status.
    pub status: u16,
    /// The header `Allow`.
    pub allow: Option<&'static str>,
    /// What the event led to; none if nothing was stored.
    pub reports: Vec<Report>,
    /// Authentic bytes that are no event.
    pub quarantined: Option<Box<Quarantined>>,
    /// Why nothing is stored, as a word for a counter.
    pub counted: Option<&'static str>,
}

impl Jobs {
    /// JobResult a webhook's request that came at `now`. It waits for the commit of what it brings, and for nothing that follows
    /// from that.
    pub fn deliver(&self, endpoints: &Endpoints, request: Request<'_>, now: Timestamp) -> Delivered {
        let answer = endpoints.answer(request, now);
        let mut delivered = Delivered {
            status: answer.status,
            allow: answer.allow,
            reports: Vec::new(),
            quarantined: None,
            counted: None,
        };
        match answer.taken {
            Taken::Event(decoded, raw) => match self.try_accept(*decoded, raw).and_then(super::Ticket::wait) {
                Ok(reports) => delivered.reports = reports,
                Err(_) => (delivered.status, delivered.counted) = (UNAVAILABLE, Some("not-stored")),
            },
            Taken::Quarantined(quarantined) => delivered.quarantined = Some(quarantined),
            Taken::Nothing(counted) => delivered.counted = Some(counted),
        }
        delivered
    }
}
