//! Keys of facts.

use extension_contract::Timestamp;

keys! {
    /// The key of a fact. A fact is recorded once, even if several events report it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum FactKey<'a> {
        /// An invoice was paid.
        Paid(id: &'a str) = "paid:{id}";
        /// An invoice was paid beyond its amount due.
        Overpaid(id: &'a str) = "overpaid:{id}";
        /// An invoice that was booked as paid at Stripe was paid outside of it.
        OutOfBand(id: &'a str) = "out-of-band:{id}";
        /// The object of a thin event was retrieved and processed, by the event's id.
        Told(event: &'a str) = "told:{event}";
        /// The session of the subscription names no organization.
        OwnSubscription(id: &'a str) = "own-subscription:{id}";
        /// A session of a purchase was paid.
        PaidSession { purchase: &'a str, payment: &'a str } = "paid:{purchase}:{payment}";
        /// The tax in the payment of a purchase's session was booked.
        TaxOfSession { purchase: &'a str, session: &'a str } = "tax:{purchase}:{session}";
        /// A session has already booked the payment of an invoice.
        BookedBySession(invoice: &'a str) = "booked-by-session:{invoice}";
        /// The booking of an invoice was reversed, because a session had booked its payment.
        Unbooked(invoice: &'a str) = "unbooked:{invoice}";
        /// A refund was paid out.
        Refund(id: &'a str) = "refund:{id}";
        /// A refund failed and its amount returned.
        RefundFailed(id: &'a str) = "refund-failed:{id}";
        /// The nth change of the tax in the refunds of a payment.
        TaxOfRefunds { payment: &'a str, entry: i64 } = "tax-of-refunds:{payment}:{entry}";
        /// The nth change of the tax in the lost disputes of a payment.
        TaxOfDisputes { payment: &'a str, entry: i64 } = "tax-of-disputes:{payment}:{entry}";
        /// A dispute withdrew its amount.
        Dispute(id: &'a str) = "dispute:{id}";
        /// A dispute returned its amount.
        DisputeReturned(id: &'a str) = "dispute-returned:{id}";
        /// A balance transaction of a dispute had a fee.
        DisputeFee(movement: &'a str) = "dispute-fee:{movement}";
        /// A second session of a purchase, or a subscription that the account may not have, was refused and is being refunded.
        Refused(id: &'a str) = "refused:{id}";
        /// The nth change of the spendable credits of a purchase.
        Credits { purchase: &'a str, entry: i64 } = "credits:{purchase}:{entry}";
        /// The nth change of the share of a sale.
        Split { sale: &'a str, entry: i64 } = "split:{sale}:{entry}";
        /// The nth message about a share in a sale of another account was received.
        Earned { sale: &'a str, told: i64 } = "earned:{sale}:{told}";
        /// The nth transfer in a currency was made.
        Transferred { currency: &'a str, number: i64 } = "transferred:{currency}:{number}";
        /// A transfer was taken back, up to a sum.
        TransferReversed { transfer: &'a str, minor: i64 } = "transfer-reversed:{transfer}:{minor}";
        /// The account was registered and its customer requested.
        Registered = "registered";
        /// A subscription ended permanently.
        Ended(id: &'a str) = "ended:{id}";
        /// An add-on is not renewed, because its required plan has ended.
        NotRenewed { subscription: &'a str, plan_subscription: &'a str } = "not-renewed:{subscription}:{plan_subscription}";
        /// A customer was deleted at Stripe.
        CustomerDeleted(id: &'a str) = "customer-deleted:{id}";
        /// The account has begun a trial of a plan of this family, or of this add-on. It gets no second one.
        Trial(sold_as: &'a str) = "trial:{sold_as}";
        /// The account got the first period of a plan of this family, or of this add-on, refunded. It gets no second one.
        FirstPeriodRefunded(sold_as: &'a str) = "first-period-refunded:{sold_as}";
        /// The account has stayed with the coupon of `cancel_offer`. It gets no second one.
        StayedWithOffer = "stayed-with-offer";
        /// The upcoming end of a trial was reported.
        TrialWillEnd { subscription: &'a str, end: Timestamp } = "trial-will-end:{subscription}:{end}";
        /// A measurement was counted.
        Usage { meter: &'a str, id: &'a str } = "usage:{meter}:{id}";
        /// A product event was processed, by the hash of its id.
        ProductEvent(hash: &'a str) = "product-event:{hash}";
        /// A reconciliation requested a retrieval that no event waits for.
        Asked(key: &'a str) = "asked:{key}";
        /// A retrieval failed permanently, by its generation.
        RetrieveFailed { key: &'a str, generation: u32 } = "retrieve-failed:{key}:{generation}";
        /// An event stopped waiting for a retrieval that failed several times.
        Unanswered { key: &'a str, failures: u32, event: &'a str } = "unanswered:{key}:{failures}:{event}";
    }
}
