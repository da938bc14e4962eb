//! Answers a webhook request. The writer decides and commits the event before it is acknowledged.

use super::Jobs;
use crate::processor::Report;
use extension_contract::Timestamp;
use host_intake::body::Quarantined;
use host_intake::request::{Endpoints, Request, Taken};

/// Status of an event that could not be stored; its sender sends it again.
const UNAVAILABLE: u16 = 503;

/// The response to a request, with its reports for operators.
#[derive(Debug)]
pub struct Delivered {
    /// HTTP status.
    pub status: u16,
    /// Value of the header `Allow`, for status 405.
    pub allow: Option<&'static str>,
    /// Reports of the event; empty if nothing was stored.
    pub reports: Vec<Report>,
    /// Authentic bytes that are not an event, for operators.
    pub quarantined: Option<Box<Quarantined>>,
    /// Reason why nothing was stored, as the name of a counter.
    pub counted: Option<&'static str>,
}

impl Jobs {
    /// Answers a webhook request received at `now`. Waits for the commit of its event, but not for the effects.
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
