//! The built-in effects, each as one entry: its kind, the members that its payload and its result must have, and its retries. The
//! manifest, the checks of catalogs and the table of `docs/reference/effects.md` come from it. `model/keys/effect.rs` has the key of each
//! request, `model/correlation.rs` the rows that a result is for.

/// Delays after failed attempts, in milliseconds.
type Delays = &'static [u32];
/// Ten attempts in about 45 minutes, the length of an ordinary provider outage.
const PATIENT: Delays = &[5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000];
/// Five attempts in little more than a minute, for effects that a person waits for.
const PROMPT: Delays = &[5_000, 10_000, 20_000, 40_000];
/// Three attempts (requirements M13).
const MAIL: Delays = &[60_000, 120_000];

/// A built-in effect.
pub(crate) struct BuiltIn {
    /// Kind, for example `mail.send`.
    pub kind: &'static str,
    /// Members that the payload must have.
    pub payload: &'static [&'static str],
    /// Members that the result must have.
    pub result: &'static [&'static str],
    /// Delays after failed attempts, in milliseconds.
    pub retry: Delays,
    /// Whether a repeated effect could move money twice.
    pub moves_money: bool,
}

/// Declares the effects. An effect that the extension requests by itself has a name; the others come from the clauses of product
/// types.
macro_rules! effects {
    ($(
        $(#[doc = $does:literal])*
        $kind:literal $(as $name:ident)? [$($payload:literal),*] -> [$($result:literal),*], $retry:ident $(, moves $money:ident)?;
    )*) => {
        $($(
            /// Kind of the effect.
            pub(crate) const $name: &str = $kind;
        )?)*

        /// All built-in effects, in the order of their kinds.
        pub(crate) const EFFECTS: &[BuiltIn] = &[$(BuiltIn {
            kind: $kind,
            payload: &[$($payload),*],
            result: &[$($result),*],
            retry: $retry,
            moves_money: effects!(@moves $($money)?),
        }),*];

        /// What each effect does, in the words of the document.
        #[cfg(test)]
        pub(crate) const DOES: &[&[&str]] = &[$(&[$($does),*]),*];

        /// The name of each kind that has one.
        #[cfg(test)]
        pub(crate) const NAMED: &[(&str, &str)] = &[$($((stringify!($name), $name),)?)*];
    };
    (@moves) => { false };
    (@moves money) => { true };
}

effects! {
    /// Changes a bucket: its settings, and whether it takes writes.
    "bucket.change" [] -> [], PROMPT;
    /// Deletes a bucket and its objects.
    "bucket.destroy" [] -> [], PATIENT;
    /// Creates a bucket.
    "bucket.ensure" [] -> [], PROMPT;
    /// Reports whether a bucket exists.
    "bucket.observe" [] -> [], PROMPT;
    /// Changes a distribution, suspends or resumes it.
    "cdn.change" [] -> [], PROMPT;
    /// Deletes a distribution.
    "cdn.destroy" [] -> [], PATIENT;
    /// Creates a distribution of a content delivery network.
    "cdn.ensure" [] -> [], PROMPT;
    /// Reports whether a distribution exists.
    "cdn.observe" [] -> [], PROMPT;
    /// Makes a backup of a database. Only a verified one counts.
    "database.backup" [] -> ["verified"], PROMPT;
    /// Changes a database, suspends or resumes it.
    "database.change" [] -> [], PROMPT;
    /// Deletes a database.
    "database.destroy" [] -> [], PATIENT;
    /// Creates a database.
    "database.ensure" [] -> [], PROMPT;
    /// Runs the migrations of a database (a step).
    "database.migrate" [] -> [], PROMPT;
    /// Reports whether a database exists.
    "database.observe" [] -> [], PROMPT;
    /// Restores a database from a backup: `backup` has all outputs of the backup.
    "database.restore" ["backup"] -> [], PROMPT;
    /// Fills a database with its first data (a step).
    "database.seed" [] -> [], PROMPT;
    /// Changes a domain name, suspends or resumes it.
    "domain.change" [] -> [], PROMPT;
    /// Deletes a domain name.
    "domain.destroy" [] -> [], PATIENT;
    /// Creates a domain name.
    "domain.ensure" [] -> [], PROMPT;
    /// Reports whether a domain name exists.
    "domain.observe" [] -> [], PROMPT;
    /// Changes a function, suspends or resumes it.
    "function.change" [] -> [], PROMPT;
    /// Deletes a function.
    "function.destroy" [] -> [], PATIENT;
    /// Creates a function.
    "function.ensure" [] -> [], PROMPT;
    /// Reports whether a function exists.
    "function.observe" [] -> [], PROMPT;
    /// Sends a mail.
    "mail.send" as MAIL_SEND ["template", "to", "values"] -> [], MAIL;
    /// Signs the address of an object, for a token that is redeemed.
    "object.sign" as OBJECT_SIGN ["ttl_s", "expires_at"] -> [], PROMPT;
    /// Waits until an address answers (a step).
    "probe.answer" as PROBE_ANSWER ["url"] -> [], PROMPT;
    /// Watches the health of an instance until it changes.
    "probe.watch" as PROBE_WATCH ["url", "every_s", "fail_after", "recover_after"] -> ["health"], PATIENT;
    /// Creates a secret and shows it once to the caller.
    "secret.ensure" as SECRET_ENSURE ["bytes"] -> ["ref", "sha256"], PROMPT;
    /// Creates the connected account of a creator.
    "stripe.account.create" as ACCOUNT_CREATE ["metadata"] -> ["id"], PROMPT;
    /// Creates a link to the onboarding of a connected account.
    "stripe.account.link" as ACCOUNT_LINK ["account", "return_url", "refresh_url"] -> ["url"], PROMPT;
    /// Opens a checkout session.
    "stripe.checkout.create" as CHECKOUT_CREATE ["mode", "price", "quantity"] -> [], PROMPT;
    /// Ends an open checkout session.
    "stripe.checkout.expire" as CHECKOUT_EXPIRE ["session_id"] -> ["session_id", "status"], PATIENT;
    /// Credits a customer's balance for lost days.
    "stripe.credit.create" as CREDIT_CREATE ["customer", "amount_minor", "currency"] -> [], PATIENT;
    /// Creates a customer.
    "stripe.customer.create" as CUSTOMER_CREATE ["metadata"] -> ["id"], PATIENT;
    /// Gives a customer the address of today.
    "stripe.customer.update" as CUSTOMER_UPDATE ["customer", "email"] -> [], PATIENT;
    /// Invoices a month of usage.
    "stripe.invoice.create" as INVOICE_CREATE ["customer", "month", "currency", "lines", "total_minor"] -> [], PATIENT, moves money;
    /// Calculates what a change of a subscription (`item`, `price`) or the end of its pause (`resume`) would cost; changes nothing. `at` and `proration_behavior` are those of `stripe.subscription.update`.
    "stripe.invoice.preview" as INVOICE_PREVIEW ["subscription"] -> ["currency", "due_minor", "next_minor"], PROMPT;
    /// Reports a quantity of usage to a meter.
    "stripe.meter_event.create" as METER_EVENT_CREATE ["event_name", "customer", "value", "at"] -> [], PATIENT, moves money;
    /// Charges a saved card off session, for a purchase that the customer has authorized in advance.
    "stripe.payment.create" as PAYMENT_CREATE ["customer", "amount_minor", "currency", "metadata"] -> ["id"], PATIENT, moves money;
    /// Creates a session of the customer portal.
    "stripe.portal.create" as PORTAL_CREATE ["customer", "return_url"] -> ["url"], PROMPT;
    /// Creates a price of the catalog.
    "stripe.price.create" as PRICE_CREATE ["stripe_product_id", "unit_amount", "currency"] -> ["id"], PATIENT;
    /// Creates a product of the catalog.
    "stripe.product.create" as PRODUCT_CREATE ["name"] -> ["id"], PATIENT;
    /// Creates a coupon with a promotion code, which takes the place of the former promotion code with this code.
    "stripe.promotion_code.create" as PROMOTION_CODE_CREATE ["code", "duration"] -> ["promotion_code"], PATIENT;
    /// Deactivates a promotion code. Discounts that were given stay.
    "stripe.promotion_code.update" as PROMOTION_CODE_UPDATE ["promotion_code", "active"] -> [], PATIENT;
    /// Refunds a payment.
    "stripe.refund.create" as REFUND_CREATE ["reason"] -> [], PATIENT, moves money;
    /// Retrieves an object.
    "stripe.retrieve" as RETRIEVE ["object", "id"] -> ["date_ms", "object"], PATIENT;
    /// Cancels a subscription, at once or at the end of its period.
    "stripe.subscription.cancel" as SUBSCRIPTION_CANCEL ["subscription", "at_period_end"] -> [], PATIENT;
    /// Takes back the planned end of a subscription, and its planned change.
    "stripe.subscription.keep" as SUBSCRIPTION_KEEP ["subscription"] -> [], PATIENT;
    /// Pauses the payments of a subscription until a time. The period that is paid for stays.
    "stripe.subscription.pause" as SUBSCRIPTION_PAUSE ["subscription", "resumes_at_ms"] -> [], PATIENT;
    /// Ends the pause of a subscription. A new period begins and is paid for, unless the current one is paid.
    "stripe.subscription.resume" as SUBSCRIPTION_RESUME ["subscription"] -> [], PATIENT;
    /// Moves the end of a subscription's trial, or ends the trial now.
    "stripe.subscription.trial" as SUBSCRIPTION_TRIAL ["subscription"] -> [], PATIENT;
    /// Changes the price or quantity of a subscription.
    "stripe.subscription.update" as SUBSCRIPTION_UPDATE ["subscription", "item", "price"] -> [], PATIENT;
    /// Pays out shares to a connected account.
    "stripe.transfer.create" as TRANSFER_CREATE ["destination", "amount_minor", "currency", "transfer_group"] -> [], PATIENT, moves money;
    /// Reads a page of the log of a usage source, such as a proxy of models: the requests of a user between two times, the oldest first.
    "usage.pull" as USAGE_PULL ["user", "from", "to", "page", "size", "quantities", "attributes"] -> ["requests", "more"], PROMPT;
    /// Makes a link by which an address's owner becomes the user of a new account, or a member of an organization (a step).
    "user.invite" ["email"] -> ["link"], PROMPT;
}

/// Kind of a message to another account. The host itself carries out this effect and the next three.
pub(crate) const ACCOUNT_SEND: &str = "account.send";
/// Kind of the erasure of a closed account.
pub(crate) const ACCOUNT_ERASE: &str = "account.erase";
/// Kind of the injection of a Stripe event.
pub(crate) const PAYMENT_EVENT: &str = "payment.event";
/// Kind of a timer.
pub(crate) const TIMER_AT: &str = "timer.at";

/// Returns whether the result of effects of this kind is awaited. The host carries out its own effects at once, a watch lasts as long
/// as nothing changes, a mail about a mail would not arrive either, and an event that needs a retrieval asks for it again.
pub(crate) fn is_awaited(kind: &str) -> bool {
    ![ACCOUNT_SEND, ACCOUNT_ERASE, PAYMENT_EVENT, TIMER_AT, PROBE_WATCH, MAIL_SEND, RETRIEVE].contains(&kind)
}

/// Returns the built-in effect of a kind.
pub(crate) fn built_in(kind: &str) -> Option<&'static BuiltIn> {
    EFFECTS.iter().find(|effect| effect.kind == kind)
}

/// Returns whether effects of this kind move money, so that a repeated effect could move it twice.
pub(crate) fn moves_money(kind: &str) -> bool {
    EFFECTS.iter().any(|effect| effect.moves_money && effect.kind == kind)
}
