//! Plays moves of one account of any business. Produces the story and, with the oracle, its expectations.

mod changes;
mod closing;
mod payments;

use crate::books::Books;
use crate::catalog::{Catalog, Ware};
use crate::catalogs::OnSale;
use crate::customer::{Checkout, Customer, id_after};
use crate::lots::Bought;
use crate::moves::Move;
use crate::oracle::{Expected, Instance, Oracle, Verdict};
use crate::rates::LITTLE_USE;
use crate::repricing::UsePrices;
use crate::sandbox::{BAD_CARD, GOOD_CARD, NO_REFUND_CARD, Offer, SandboxError};
use crate::story::{Story, VERSIONS};
use crate::trade::MoveKind;
use extension_contract::Account;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const HOUR_MS: i64 = 3_600_000;
/// Delays of late usage reports, in milliseconds: some within the month of the usage, some after the month is
/// closed. Usage is accepted for 35 days.
const LATE_MS: [i64; 4] = [HOUR_MS, 20 * HOUR_MS, 9 * 24 * HOUR_MS, 34 * 24 * HOUR_MS];
/// The most that a use costs that costs little, in minor units.
const LITTLE_MINOR: i64 = 400;
/// A card whose payment is disputed.
const DISPUTED_CARD: &str = "pm_card_createDispute";

/// A story with its expectations.
#[derive(Clone, Debug)]
pub struct CheckedStory {
    /// The story.
    pub story: Story,
    /// Expectations by the index of the segment after which they hold.
    pub checks: BTreeMap<usize, Expected>,
    /// Expected results by command id; a command without an entry may have any result.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// Plays moves of a new account, and returns the story with its expectations.
///
/// # Errors
///
/// Fails if the local Stripe refuses the offers of the catalog.
pub fn checked_story(catalog: &Catalog, name: &str, moves: &[Move<MoveKind>]) -> Result<CheckedStory, SandboxError> {
    let mut driver = AccountDriver::new(catalog, name, moves.first())?;
    driver.checks = Some(BTreeMap::new());
    for each in moves {
        driver.play(each);
    }
    driver.pause(0);
    let AccountDriver { customer, checks, verdicts, .. } = driver;
    let story = Story {
        business: catalog.name.clone(),
        account: customer.account.to_string(),
        books: Books::of(&customer.stripe),
        segments: customer.segments,
    };
    Ok(CheckedStory { story, checks: checks.unwrap_or_default(), verdicts })
}

/// Plays moves of one account, and updates its oracle.
pub struct AccountDriver<'c> {
    catalog: &'c Catalog,
    /// The customer with the story so far.
    pub customer: Customer,
    /// The oracle of the account.
    pub oracle: Oracle,
    /// Open purchases: id, ware and quantity.
    open: Vec<(String, usize, i64)>,
    /// The terms of the open purchases, by id.
    agreed: BTreeMap<String, Ware>,
    /// Wares of purchases that will not be paid.
    left_open: BTreeSet<usize>,
    /// True if all requests of the host are carried out at the local Stripe. Then there are coupons, and payments of
    /// subscriptions are disputed.
    is_simulated: bool,
    /// The terms on which wares are sold now.
    on_sale: OnSale,
    /// Prices of creators for the use of their products.
    use_prices: UsePrices,
    /// Number of created instances, and the number of the next instance.
    created: usize,
    /// Expectations by segment; None if they are not collected.
    checks: Option<BTreeMap<usize, Expected>>,
    /// Expected results by command id.
    pub verdicts: BTreeMap<String, Verdict>,
}

impl<'c> AccountDriver<'c> {
    /// Creates a new account. The flags of the first move determine its kind and the event types of the endpoint.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses the offers of the catalog.
    pub fn new(catalog: &'c Catalog, name: &str, first: Option<&Move<MoveKind>>) -> Result<Self, SandboxError> {
        let sells_to = |owner: &str| catalog.wares.iter().any(|ware| ware.sold_to.as_deref() == Some(owner));
        let is_organization = match (sells_to("user"), sells_to("organization")) {
            (true, true) => first.is_some_and(|first| first.flag(15)),
            (_, for_all) => for_all,
        };
        let (account, owner) = match is_organization {
            true => (Account::Organization(name.to_owned()), "organization"),
            false => (Account::User(name.to_owned()), "user"),
        };
        let offers: Vec<Offer> = catalog.wares.iter().map(|ware| ware.offer.clone()).collect();
        // With `customer.created` the host knows the Stripe customer, and does not create one before a checkout.
        let also = [
            "customer.created",
            "charge.dispute.created",
            "charge.dispute.updated",
            "charge.dispute.closed",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.funds_reinstated",
        ];
        let mut customer = Customer::new_in(&catalog.currency, account, &offers, first, &also)?;
        if let Some(behavior) = catalog.tax {
            customer.taxed(behavior);
        }
        let oracle = Oracle::new(owner);
        Ok(AccountDriver {
            catalog,
            customer,
            oracle,
            open: Vec::new(),
            agreed: BTreeMap::new(),
            left_open: BTreeSet::new(),
            is_simulated: false,
            on_sale: OnSale::of(catalog),
            use_prices: UsePrices::of(catalog),
            created: 0,
            checks: None,
            verdicts: BTreeMap::new(),
        })
    }

    /// Adds the moves for which the requests of the host must be carried out at the local Stripe, and the use of creators'
    /// products at these prices.
    pub(crate) fn simulated(mut self, use_prices: UsePrices, on_sale: OnSale) -> Self {
        self.is_simulated = true;
        self.use_prices = use_prices;
        self.on_sale = on_sale;
        self.create_coupons();
        self
    }

    /// Ends the segment, advances the clock, and ends the segment of the events in between.
    fn pause(&mut self, seconds: i64) {
        self.close();
        if seconds > 0 {
            self.customer.stripe.wait(seconds);
            self.close();
        }
    }

    /// Ends the segment and updates the oracle.
    pub fn close(&mut self) {
        self.customer.end_segment();
        self.oracle.update(self.catalog, &self.customer.stripe);
        if let Some(checks) = &mut self.checks {
            checks.insert(self.customer.segments.len() - 1, self.oracle.expects(self.catalog, &self.customer.stripe));
        }
    }

    /// The expectations now.
    pub fn expects(&self) -> Expected {
        self.oracle.expects(self.catalog, &self.customer.stripe)
    }

    /// True if it is open what the account has.
    pub(crate) fn is_on_credit(&self) -> bool {
        self.oracle.is_on_credit(self.catalog, &self.customer.stripe)
    }

    fn play(&mut self, each: &Move<MoveKind>) {
        // The pauses before moves of tokens are at most one day, since tokens live for hours.
        let is_of_tokens = matches!(each.kind, MoveKind::Issue | MoveKind::Redeem | MoveKind::Revoke);
        let pause = if is_of_tokens { each.pause % 3 } else { each.pause };
        self.pause(Move { pause, ..*each }.pause_s());
        self.act(each);
    }

    /// Plays one move without a pause.
    pub fn act(&mut self, each: &Move<MoveKind>) {
        if self.oracle.closing.is_some() {
            return self.act_after_closing(each);
        }
        match each.kind {
            MoveKind::Close => self.close_account(),
            MoveKind::Buy => self.buy(each),
            MoveKind::Renew => self.customer.renew(each),
            MoveKind::Retry => self.customer.retry(each),
            MoveKind::GiveUp if self.void_first(each) => {}
            MoveKind::GiveUp => self.customer.give_up(each),
            MoveKind::Expire => self.customer.expire(),
            MoveKind::ChangePlan => self.change_plan(each),
            MoveKind::ChangeTier => self.change_tier(each),
            MoveKind::ChangeQuantity => self.change_quantity(each),
            MoveKind::AddItem => self.add_item(each),
            MoveKind::RemoveItem => self.remove_item(each),
            MoveKind::PayBill => self.pay_bill(each),
            MoveKind::CancelAtEnd => self.customer.cancel_at_end(each),
            MoveKind::Undo => self.customer.undo(each),
            MoveKind::End => self.customer.end(each),
            MoveKind::Refund => self.refund(each),
            MoveKind::AskRefund => self.ask_refund(each),
            MoveKind::Decide => self.decide(each),
            MoveKind::Make => self.make(each),
            MoveKind::Delete => self.delete(each),
            MoveKind::ByHand => self.by_hand(each),
            MoveKind::AskAgain => self.ask_again(each),
            MoveKind::Use => self.consume(each),
            MoveKind::Count => self.count(each),
            MoveKind::Issue => self.issue(each),
            MoveKind::Redeem => self.redeem(each),
            MoveKind::Revoke => self.revoke(each),
            MoveKind::Tell => self.send_fact(each),
            MoveKind::Campaign => self.campaign(each),
            MoveKind::GiveBalance => self.give_balance(each),
            MoveKind::BuyAndLeave => _ = self.subscribe_yearly(each),
            MoveKind::Twin => self.customer.twin(),
            MoveKind::Wait => {}
        }
    }

    fn must(&mut self, command: String, verdict: Verdict) {
        self.verdicts.insert(command, verdict);
    }

    /// Expects the result of a command about a token, unless the state of the token depends on timing.
    fn must_of_token(&mut self, number: usize, command: String, verdict: Verdict) {
        if !self.oracle.tokens[number].is_unsure {
            self.must(command, verdict);
        }
    }

    // Purchases.

    /// The wares that the account can buy.
    fn choice(&self) -> Vec<usize> {
        let fits = |ware: &Ware| ware.sold_to.as_ref().is_none_or(|owner| *owner == self.oracle.owner);
        let of = |(index, ware): (usize, &Ware)| (fits(ware) && self.on_sale.ware(index).is_some()).then_some(index);
        self.catalog.wares.iter().enumerate().filter_map(of).collect()
    }

    /// The terms on which a ware is sold now, with the amount in the customer's currency.
    fn terms(&self, ware: usize) -> Option<Ware> {
        let terms = self.on_sale.ware(ware)?;
        Some(Ware { offer: self.catalog.wares[ware].offer.clone(), ..terms })
    }

    fn is_sold(&self, ware: usize) -> bool {
        let Some(terms) = self.on_sale.ware(ware) else { return false };
        terms
            .condition
            .as_ref()
            .is_none_or(|key| self.oracle.is_granted_by_plan(self.catalog, &self.customer.stripe, key))
    }

    /// True if nothing that the account has conflicts with a purchase of a ware. If a limit is new, the purchases from
    /// before count, too.
    fn is_free(&self, ware: usize) -> bool {
        let Some(terms) = self.on_sale.ware(ware) else { return false };
        let stripe = &self.customer.stripe;
        let is_limited = terms.item.is_some() && self.oracle.bought.iter().any(|bought| bought.ware == ware);
        !is_limited && self.oracle.is_free_of(self.catalog, stripe, &terms)
    }

    fn buy(&mut self, each: &Move<MoveKind>) {
        let choice = self.choice();
        let Some(ware) = each.of(choice.len()).map(|index| choice[index]) else { return };
        // An open purchase is paid before a new purchase starts.
        if let Some((purchase, ware, quantity)) = self.open.pop() {
            // Which terms an open purchase has after a change of the catalog is up to the host.
            let is_as_agreed = self.agreed.get(&purchase) == self.terms(ware).as_ref();
            if is_as_agreed && self.is_sold(ware) && self.is_free(ware) {
                self.pay(each, ware, quantity, &purchase);
            } else {
                self.left_open.insert(ware);
            }
            return;
        }
        if !self.is_free(ware) {
            return;
        }
        let Some(wanted) = self.terms(ware) else { return };
        let recurs = wanted.offer.interval.is_some();
        // Only our command checks the condition on plans.
        let is_sold = self.is_sold(ware);
        let ours = !recurs || !is_sold || each.flag(3);
        // A repeated purchase of an open ware returns the existing checkout.
        if ours && self.left_open.contains(&ware) {
            return;
        }
        if !ours {
            let (declined, trial) = (each.flag(1) && each.flag(2), self.is_tried(each, ware));
            if self.subscribe_specially(each, ware) {
                return;
            }
            match (declined, each.flag(4)) {
                (true, _) => self.customer.subscribe(ware, BAD_CARD, trial, self.coupon(each)),
                (false, true) => self.customer.subscribe(ware, GOOD_CARD, trial, self.coupon(each)),
                (false, false) => _ = self.check_out(each, ware, wanted.least, None),
            }
            return;
        }
        let quantity = wanted.least + i64::from(each.flags >> 13) % (wanted.most - wanted.least + 1);
        let mut payload = json!({"product_id": wanted.offer.product});
        payload["interval"] = json!(wanted.offer.interval.as_deref().unwrap_or("once"));
        if wanted.most > 1 {
            payload["quantity"] = json!(quantity);
        }
        if !self.catalog.is_one {
            payload["currency"] = json!(self.catalog.currency);
        }
        let command = self.customer.command("purchase.create", payload);
        let purchase = id_after("pur", &command);
        self.must(command, if is_sold { Verdict::Applied } else { Verdict::Refused });
        match (is_sold, each.flag(5) && each.flag(6)) {
            (false, _) => {}
            (true, true) => {
                self.agreed.insert(purchase.clone(), wanted);
                self.open.push((purchase, ware, quantity));
            }
            (true, false) => {
                self.close();
                self.pay(each, ware, quantity, &purchase);
            }
        }
    }

    fn pay(&mut self, each: &Move<MoveKind>, ware: usize, quantity: i64, purchase: &str) {
        let session = self.check_out(each, ware, quantity, Some(purchase));
        if self.catalog.wares[ware].offer.interval.is_some() {
            return;
        }
        let session = self.customer.stripe.shown(&session, VERSIONS[0]);
        if session["status"] != "complete" {
            return;
        }
        let charges = self.customer.stripe.all("charge");
        let of_session = charges.iter().find(|charge| session["payment_intent"] == charge.text("payment_intent"));
        // A checkout without a payment is free.
        let charge = of_session.map(|charge| charge.id().to_owned()).unwrap_or_default();
        let (purchase, at_s) = (purchase.to_owned(), self.customer.stripe.now_s());
        let terms = self.terms(ware).unwrap_or_else(|| self.catalog.wares[ware].clone());
        self.oracle.bought.push(Bought { purchase, ware, terms, quantity, charge, at_s });
    }

    /// True if the subscription begins with a trial.
    fn is_tried(&self, each: &Move<MoveKind>, ware: usize) -> bool {
        let wanted = &self.catalog.wares[ware];
        wanted.offer.interval.is_some() && wanted.share.is_none() && each.flag(0) && each.flag(1)
    }

    fn check_out(&mut self, each: &Move<MoveKind>, ware: usize, quantity: i64, purchase: Option<&str>) -> String {
        let trial = self.is_tried(each, ware);
        let recurs = self.catalog.wares[ware].offer.interval.is_some();
        let card = match (each.flag(11), each.flag(12)) {
            (true, true) => NO_REFUND_CARD,
            (true, false) if !recurs || self.is_simulated && each.flag(13) => DISPUTED_CARD,
            _ => GOOD_CARD,
        };
        let hands_on = purchase.is_some() || each.flag(14);
        let coupon = self.coupon(each);
        self.customer.check_out(&Checkout { ware, quantity, recurs, card, trial, hands_on, purchase, coupon })
    }

    // Instances.

    fn make(&mut self, each: &Move<MoveKind>) {
        let Some(instance_type) = each.of(self.catalog.instance_types.len()) else { return };
        let kind = &self.catalog.instance_types[instance_type];
        let (id, metadata) = kind.metadata(&self.customer.name, self.created);
        let name = metadata[&kind.id_by].as_str().unwrap_or_default().to_owned();
        let room = self.oracle.has_room(self.catalog, &self.customer.stripe, kind);
        let payload = json!({"product_type": kind.name, "name": name, "metadata": metadata});
        let command = self.customer.command("product.create", payload);
        if let Some(room) = room {
            self.must(command, if room { Verdict::Applied } else { Verdict::Refused });
        }
        if room != Some(false) {
            let by_hand = kind.by_hand.iter().map(|(step, _)| step.clone()).collect();
            let is_unsure = room.is_none();
            self.created += 1;
            self.oracle.instances.push(Instance {
                id,
                instance_type,
                confirm: name,
                deleted: false,
                by_hand,
                is_unsure,
            });
        }
    }

    fn delete(&mut self, each: &Move<MoveKind>) {
        let Some(index) = each.of(self.oracle.instances.len()) else { return };
        let own = &mut self.oracle.instances[index];
        own.deleted = true;
        let payload = json!({"id": own.id, "confirm": own.confirm});
        self.customer.command("instance.delete", payload);
    }

    fn by_hand(&mut self, each: &Move<MoveKind>) {
        let waiting = |own: &&Instance| !own.by_hand.is_empty() && !own.deleted && !own.is_unsure;
        let count = self.oracle.instances.iter().filter(waiting).count();
        let Some(index) = each.of(count) else { return };
        let Some(own) = self.oracle.instances.iter_mut().filter(|own| waiting(&&**own)).nth(index) else { return };
        let step = own.by_hand.remove(0);
        let asks = self.catalog.instance_types[own.instance_type].by_hand.iter().find(|(name, _)| *name == step);
        let outputs: serde_json::Map<String, Value> = asks
            .into_iter()
            .flat_map(|(_, asks)| asks)
            .map(|(name, kind)| match kind.as_str() {
                "secret-ref" => (name.clone(), json!(format!("secret:{}", own.confirm))),
                _ => (name.clone(), json!(format!("{}.db.example", own.confirm))),
            })
            .collect();
        let payload = json!({"id": own.id, "step": step, "outputs": outputs});
        let command = self.customer.command_by(&json!({"kind": "admin", "id": "operator"}), "step.complete", payload);
        self.must(command, Verdict::Applied);
    }

    /// Retries an instance that could not be created. Whether it still exists is up to the host.
    fn ask_again(&mut self, each: &Move<MoveKind>) {
        let failed: Vec<String> = self.oracle.failed_instances().map(str::to_owned).collect();
        if let Some(id) = each.of(failed.len()).map(|at| &failed[at]) {
            self.customer.command("instance.retry", json!({"id": id}));
        }
    }

    // Usage.

    /// Delay of a usage report, in milliseconds; None for an immediate report.
    fn late_ms(each: &Move<MoveKind>) -> Option<i64> {
        let which = usize::from(each.flags >> 4) % LATE_MS.len();
        (each.flag(2) && each.flag(3)).then(|| LATE_MS[which])
    }

    /// Sends a measurement.
    fn measure(&mut self, one: Value) {
        let account = self.customer.account.to_string();
        let incoming = self
            .customer
            .send(json!({"account": account, "actor": {"kind": "service", "id": "meter"}, "usage": [one]}));
        self.must(incoming, Verdict::Applied);
    }

    fn consume(&mut self, each: &Move<MoveKind>) {
        let Some(rate) = each.of(self.catalog.rates.len()).map(|index| &self.catalog.rates[index]) else { return };
        // Until an account pays, its usage is priced in the default currency.
        let has_paid = || self.customer.stripe.all("charge").iter().any(|charge| charge.is("paid"));
        if !self.catalog.is_default && !has_paid() {
            return;
        }
        let Some((value, tiers)) = usize::from(each.flags).checked_rem(rate.micros.len()).map(|at| &rate.micros[at])
        else {
            return;
        };
        let micros = tiers.first().map_or(0, |(_, micros)| *micros);
        let quantity = match self.is_simulated && each.chance("costs little", LITTLE_USE) {
            true => {
                1 + each.number("the use") as i64 % (LITTLE_MINOR * self.catalog.minor_micros() / micros.max(1)).max(1)
            }
            false => i64::from(each.flags) * 7,
        };
        let (by, by_credits) = (rate.by.clone(), rate.by_credits);
        let now_ms = self.customer.stripe.now_s() * 1_000;
        let at_ms = now_ms - Self::late_ms(each).unwrap_or(0);
        let number = self.customer.number();
        let mut attributes = if by.is_empty() { json!({}) } else { json!({by: value}) };
        let mut cost_micros = quantity * micros;
        // Two of three measurements are of a creator's product.
        if let Some(seller) = rate.seller.as_ref().filter(|_| self.is_simulated && !each.flags.is_multiple_of(3))
            && let Some(sold) = usize::from(each.flags >> 8).checked_rem(seller.products.len())
        {
            let sold = &seller.products[sold];
            attributes[&seller.by] = json!(sold.id);
            let of_creator = quantity * self.use_prices.at(&sold.id, at_ms);
            cost_micros += of_creator;
            self.oracle.record_use_of(sold, of_creator);
        }
        self.measure(json!({
            "id": format!("use_{}{number}", self.customer.name), "meter": rate.meter, "quantity": quantity,
            "at": host_engine::time::text(at_ms), "attributes": attributes,
        }));
        match rate.is_monthly(value) {
            true => self.oracle.record_units(&self.customer.stripe, rate, value, quantity, at_ms),
            false => self.oracle.record_usage(&self.customer.stripe, by_credits, cost_micros, at_ms),
        }
    }

    fn count(&mut self, each: &Move<MoveKind>) {
        let Some(key) = each.of(self.catalog.monthly.len()).map(|index| self.catalog.monthly[index].clone()) else {
            return;
        };
        let amount = i64::from(each.flags) + 1;
        let id = format!("count_{}{}", self.customer.name, self.customer.number());
        if let Some(late_ms) = Self::late_ms(each) {
            let at_ms = self.customer.stripe.now_s() * 1_000 - late_ms;
            let at = host_engine::time::text(at_ms);
            self.measure(json!({"id": id, "meter": key, "quantity": amount, "at": at}));
            self.oracle.record_counted_usage(&key, amount, at_ms);
            return;
        }
        let payload = json!({"key": key, "amount": amount, "id": id});
        let command = self.customer.command("usage.consume", payload);
        let verdict = self.oracle.count(self.catalog, &self.customer.stripe, &key, amount);
        self.must(command, verdict);
    }

    // Tokens.

    fn issue(&mut self, each: &Move<MoveKind>) {
        // Three of four are for what the account has paid for: by chance, few would be.
        let entitled = self.oracle.entitlements(self.catalog, &self.customer.stripe);
        let kinds = self.catalog.tokens.iter().enumerate();
        let own: Vec<usize> =
            kinds.filter(|(_, kind)| entitled.contains_key(&kind.entitlement)).map(|(kind, _)| kind).collect();
        let kind = match own.is_empty() || (each.flags >> 4) & 3 == 0 {
            true => each.of(self.catalog.tokens.len()),
            false => each.of(own.len()).map(|at| own[at]),
        };
        let Some(kind) = kind else { return };
        // One of eight moves issues more tokens than the limit allows.
        let times = if each.flags & 7 == 0 { self.catalog.tokens[kind].live + 1 } else { 1 };
        for _ in 0..times {
            let payload = json!({"product": self.catalog.tokens[kind].product, "name": self.catalog.tokens[kind].name});
            let command = self.customer.command("token.issue", payload);
            let verdict = self.oracle.issue(self.catalog, &self.customer.stripe, kind, id_after("tok", &command));
            self.must(command, verdict);
        }
    }

    /// One of the last few tokens.
    fn token(&self, each: &Move<MoveKind>) -> Option<usize> {
        let count = self.oracle.tokens.len();
        each.of(count.min(4)).map(|back| count - 1 - back)
    }

    fn redeem(&mut self, each: &Move<MoveKind>) {
        let Some(number) = self.token(each) else { return };
        let id = self.oracle.tokens[number].id.clone();
        let sha256: String =
            Sha256::digest(format!("token:{id}").as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let host = json!({"kind": "service", "id": "host"});
        let command = self.customer.command_by(&host, "token.redeem", json!({"id": id, "sha256": sha256}));
        let verdict = self.oracle.redeem(self.catalog, &self.customer.stripe, number);
        self.must_of_token(number, command, verdict);
    }

    fn revoke(&mut self, each: &Move<MoveKind>) {
        let Some(number) = self.token(each) else { return };
        let payload = json!({"id": self.oracle.tokens[number].id});
        let command = self.customer.command("token.revoke", payload);
        let verdict = self.oracle.revoke(self.catalog, &self.customer.stripe, number);
        self.must_of_token(number, command, verdict);
    }

    // Facts and campaigns.

    fn send_fact(&mut self, each: &Move<MoveKind>) {
        let Some((fact, fields)) = each.of(self.catalog.facts.len()).map(|index| &self.catalog.facts[index]) else {
            return;
        };
        let number = self.customer.number();
        let value = |(field, of): &(String, String)| {
            let value = match of.as_str() {
                "int" => json!(number),
                _ if field.contains("email") => json!(format!("{number}@example.com")),
                _ => json!(self.customer.name),
            };
            (field.clone(), value)
        };
        let data: serde_json::Map<String, Value> = fields.iter().map(value).collect();
        let account = self.customer.account.to_string();
        let incoming = self.customer.send(json!({
            "event": fact, "account": account, "actor": {"kind": "service", "id": "site"}, "data": data,
        }));
        self.oracle.record_fact(fact);
        self.must(incoming, Verdict::Applied);
    }

    fn campaign(&mut self, each: &Move<MoveKind>) {
        let Some(template) = self.catalog.campaign.clone() else { return };
        let subscriptions = self.customer.stripe.all("subscription");
        let has = |fits: &dyn Fn(&local_stripe::object::Object) -> bool| subscriptions.iter().any(|sub| fits(sub));
        let ware = each.of(self.catalog.wares.len()).map(|index| &self.catalog.wares[index]);
        let (audience, is_for) = match (each.flags & 3, self.catalog.facts.first(), ware) {
            (0, Some((fact, _)), _) => (json!({"event": fact}), self.oracle.has_fact(fact)),
            (1, _, _) => (json!({"status": "active"}), has(&|sub| sub.text("status") == "active")),
            (2, _, _) => (json!({"status": "canceled"}), has(&|sub| sub.text("status") == "canceled")),
            // The audience contains everybody who has bought something.
            _ => (json!({}), !subscriptions.is_empty() || !self.oracle.bought.is_empty()),
        };
        let operator = json!({"kind": "admin", "id": "operator"});
        let name = format!("Number {}", self.customer.number());
        let mut command = |kind: &str, payload: Value| {
            self.customer.send(json!({"command": kind, "account": "platform", "actor": operator, "payload": payload}))
        };
        let draft = command("campaign.create", json!({"name": name, "template": template, "audience": audience}));
        let sent = command("campaign.send", json!({"id": id_after("cmp", &draft)}));
        self.must(draft, Verdict::Applied);
        self.must(sent, Verdict::Applied);
        self.oracle.campaign(name, is_for);
    }
}
