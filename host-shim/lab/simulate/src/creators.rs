//! The creators who get shares of sales: they join, are onboarded at Stripe and get transfers. All of them are at one
//! local Stripe, whose balance pays the transfers.

use crate::catalog::Catalog;
use crate::judge::{Difference, Ledgers};
use crate::person::Batch;
use crate::rates::REVERSALS;
use crate::sales::Sale;
use crate::sandbox::{SandboxError, Stripe, step_minor};
use crate::story::{Incoming, VERSIONS};
use extension_contract::Account;
use host_replay::shuffle::Random;
use local_stripe::object::Object;
use serde_json::{Value, json};

/// Creators join within this many days.
const JOIN_DAYS: usize = 40;
/// The largest amount of a top-up, in minor units, and the number of top-ups: enough for all transfers.
const TOP_UP: &str = "99999990";
const TOP_UPS: usize = 9;
/// Time for which a transfer may be outstanding although nothing is at work, in seconds.
const SLACK_S: i64 = 3_600;

/// A creator.
pub(crate) struct Creator {
    pub account: Account,
    /// Day on which the creator asks to be paid, from 0.
    joins: i64,
    has_asked: bool,
}

/// The creators of a shard.
pub(crate) struct Creators {
    pub stripe: Stripe,
    pub all: Vec<Creator>,
    /// API version of all bodies.
    pub version: &'static str,
}

impl Creators {
    /// Creates the creators of a catalog.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an event type.
    pub(crate) fn new(catalog: &Catalog, random: &mut Random) -> Result<Self, SandboxError> {
        let stripe =
            Stripe::selling_in(&catalog.currency, "platform", &["transfer.created", "transfer.reversed"], &[])?;
        stripe.listen(&["account.updated"], true)?;
        for _ in 0..TOP_UPS {
            stripe.post("/v1/topups", &[("amount", TOP_UP), ("currency", &catalog.currency)]);
        }
        let account = |name: &&str| match name.split_once(':') {
            Some(("organization", id)) => Some(Account::Organization(id.to_owned())),
            Some(("user", id)) => Some(Account::User(id.to_owned())),
            _ => None,
        };
        let accounts: Vec<Account> = catalog.creators().iter().filter_map(account).collect();
        let mut creator = |account| Creator { account, joins: random.below(JOIN_DAYS) as i64, has_asked: false };
        let all = accounts.into_iter().map(&mut creator).collect();
        Ok(Creators { stripe, all, version: VERSIONS[random.below(VERSIONS.len())] })
    }

    /// True if a creator acts on a day, or Stripe has events for the host.
    pub(crate) fn has_due(&self, day: i64) -> bool {
        self.stripe.has_new()
            || self.all.iter().any(|creator| !creator.has_asked && creator.joins <= day)
            || self.stripe.all("account").iter().any(|account| !account.is("payouts_enabled"))
    }

    /// Advances the clock to `now_s`, and lets creators act. Returns the bodies to deliver.
    pub(crate) fn pass(&mut self, day: i64, now_s: i64) -> Vec<Batch> {
        self.stripe.advance_to(now_s);
        for account in self.stripe.all("account").iter().filter(|account| !account.is("payouts_enabled")) {
            self.stripe.post(&format!("/_sandbox/accounts/{}/onboard", account.id()), &[]);
        }
        let mut batch = Batch::default();
        for event in self.stripe.take_events() {
            let body = |version: &str| self.stripe.event_body(&event, version);
            batch.events.push(Incoming::of(&event.id, &[self.version], body));
        }
        for creator in self.all.iter_mut().filter(|creator| !creator.has_asked && creator.joins <= day) {
            creator.has_asked = true;
            let account = creator.account.to_string();
            let id = format!("connect_{}", account.replace(':', "_"));
            let body = json!({
                "id": id, "command": "account.connect", "account": account, "timestamp": now_s,
                "actor": creator.actor(), "payload": {},
            });
            batch.commands.push(Incoming::of(&id, &[self.version], |_| body.to_string()));
        }
        vec![batch]
    }

    /// Takes back a transfer at Stripe, in part or completely, as an operator does.
    pub(crate) fn reverse(&self, random: &mut Random) {
        let transfers = self.stripe.all("transfer").into_iter();
        let open: Vec<_> = transfers.filter(|transfer| transfer.int("amount_reversed") == 0).collect();
        if !(0..REVERSALS).contains(&random.below(100)) || open.is_empty() {
            return;
        }
        let transfer = &open[random.below(open.len())];
        let amount = if random.below(2) == 0 { transfer.int("amount") } else { (transfer.int("amount") / 2).max(1) };
        let path = format!("/v1/transfers/{}/reversals", transfer.id());
        self.stripe.post(&path, &[("amount", &amount.to_string())]);
    }

    /// Returns the actor of a creator's commands; None while the creator can't be paid.
    pub(crate) fn actor_ready_for_payouts(&self, creator: &str) -> Option<Value> {
        let creator = self.all.iter().find(|known| known.account.to_string() == creator)?;
        let accounts = self.stripe.all("account");
        let is_ready = accounts.iter().any(|account| creator.owns(account) && account.is("payouts_enabled"));
        (is_ready && !self.stripe.has_new()).then(|| creator.actor())
    }

    /// Checks the transfers to each creator: the host's books have Stripe's balance transactions, and the transfers are
    /// the shares that could be paid out. Call it only if nothing is outstanding.
    ///
    /// # Errors
    ///
    /// Returns the first difference.
    pub(crate) fn check(&self, ledgers: &Ledgers, sales: &[Sale], now_s: i64) -> Result<(), Difference> {
        let (accounts, transfers) = (self.stripe.all("account"), self.stripe.all("transfer"));
        let differs = |what: String, should_be: String, is: i64| Err(Difference::new(what, should_be, is.to_string()));
        let mut booked = 0;
        for creator in &self.all {
            let name = creator.account.to_string();
            let own: Vec<&Object> =
                accounts.iter().filter(|account| creator.owns(account)).map(AsRef::as_ref).collect();
            let of_creator =
                transfers.iter().filter(|it| own.iter().any(|account| account.id() == it.text("destination")));
            let (mut paid, mut reversed) = (0, 0);
            for transfer in of_creator {
                paid += transfer.int("amount") - transfer.int("amount_reversed");
                reversed += transfer.int("amount_reversed");
            }
            let in_books = -ledgers.amount(&name, "cash:stripe", self.stripe.currency());
            booked += in_books;
            if in_books != paid {
                return differs(format!("transfers to {name} in the books"), paid.to_string(), in_books);
            }
            let shares = |until_s: i64, of: fn(&Sale) -> i64| -> i64 {
                let due = sales.iter().filter(|sale| sale.creator == name && sale.available_s <= until_s);
                due.map(of).sum()
            };
            let is_ready = own.iter().any(|account| account.is("payouts_enabled"));
            let least = if is_ready { shares(now_s - SLACK_S, |sale| sale.share.0) } else { 0 };
            let most = shares(now_s, |sale| sale.whole);
            // What an operator took back is owed again; whether and when it is sent again is up to the business.
            // Less than a step can't be sent.
            let unsent = step_minor(self.stripe.currency()) - 1;
            if paid + reversed + unsent < least || paid > most {
                return differs(format!("transfers to {name}"), format!("{least} to {most}"), paid);
            }
        }
        let movements = self.stripe.all("balance_transaction");
        let of_transfers = movements.iter().filter(|it| it.text("type").starts_with("transfer"));
        let moved = -of_transfers.map(|movement| movement.int("net")).sum::<i64>();
        if moved != booked {
            return differs("transfers of Stripe's balance transactions".to_owned(), moved.to_string(), booked);
        }
        Ok(())
    }
}

impl Creator {
    /// True if a connected account at Stripe belongs to the creator, by its metadata.
    fn owns(&self, connected: &Object) -> bool {
        let (key, id) = match &self.account {
            Account::Organization(id) => ("organization_id", id.as_str()),
            Account::User(id) => ("user_id", id.as_str()),
            Account::Platform => return false,
        };
        connected.get("metadata")[key] == id
    }

    /// The actor of the creator's commands.
    fn actor(&self) -> Value {
        match &self.account {
            Account::Organization(id) => json!({"kind": "user", "id": id, "roles": ["owner"]}),
            Account::User(id) => json!({"kind": "user", "id": id}),
            Account::Platform => json!({"kind": "system", "id": "platform"}),
        }
    }
}
