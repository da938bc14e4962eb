//! Moves about the end of an account.

use super::AccountDriver;
use crate::closing::Closing;
use crate::customer::session_of;
use crate::moves::Move;
use crate::oracle::Verdict;
use crate::sandbox::GOOD_CARD;
use crate::trade::MoveKind;
use serde_json::json;

impl AccountDriver<'_> {
    /// Closes the account, perhaps with an open checkout.
    pub(super) fn close_account(&mut self) {
        let operator = json!({"kind": "admin", "id": "operator"});
        let command = self.customer.command_by(&operator, "account.close", json!({}));
        self.must(command, Verdict::Applied);
        let open = self.open.iter().map(|(purchase, ..)| session_of(purchase)).collect();
        self.oracle.closing = Some(Closing::of(&self.customer.stripe, open));
        self.oracle.mark_unsure();
    }

    /// Notes that the host does not know all events from before the closing.
    pub(crate) fn close_before_told(&mut self) {
        if let Some(closing) = &mut self.oracle.closing {
            closing.is_told_late();
        }
    }

    /// Plays a move after the closing: decides a dispute, repeats the last event, or tries to buy by our command or at
    /// Stripe. Other moves do nothing.
    pub(super) fn act_after_closing(&mut self, each: &Move<MoveKind>) {
        match each.kind {
            MoveKind::Decide => self.decide(each),
            MoveKind::Twin => self.customer.twin(),
            MoveKind::Buy => {
                let choice = self.choice();
                let Some(ware) = each.of(choice.len()).map(|index| choice[index]) else { return };
                let offer = self.catalog.wares[ware].offer.clone();
                if offer.interval.is_some() && each.flag(3) {
                    return self.customer.subscribe(ware, GOOD_CARD, false, None);
                }
                let interval = offer.interval.as_deref().unwrap_or("once");
                let payload = json!({"product_id": offer.product, "interval": interval});
                let command = self.customer.command("purchase.create", payload);
                self.must(command, Verdict::Refused);
            }
            _ => {}
        }
    }
}
