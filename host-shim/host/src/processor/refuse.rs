//! Events that the intake refuses: stored and recorded as `rejected`, without asking the extension.

use super::run::{Decided, Work};
use super::{Processor, Report, wrong_mode};
use host_store::{Inserted, NewInboxRow};
use products_contract::{Event, Outcome, Refusal, Stored};

impl Processor {
    /// Take in an event that is authentic but must not be applied, for example because a part is missing.
    ///
    /// An event of another mode is `ignored` whatever it holds, and a known id is `duplicate`, as in
    /// [`Processor::accept`].
    pub fn accept_refused(&mut self, event: Event, raw: Vec<u8>, refusal: Refusal) -> Stored<Vec<Report>> {
        self.grouped(|processor| {
            let row = NewInboxRow { event, livemode: processor.business.livemode, raw };
            match processor.store_mut().accept(&row)? {
                Inserted::Known(known) => Ok(vec![Report::duplicate(&known)]),
                Inserted::New(seq) => {
                    let outcome = wrong_mode(&row.event, processor.business.livemode);
                    let decided = Decided::by_host(outcome.unwrap_or(Outcome::Rejected(refusal)));
                    let now = row.event.received_at;
                    let work = Work::first(seq, row.event);
                    Ok(vec![processor.settle(work, decided, now, &mut Vec::new())?])
                }
            }
        })
    }
}
