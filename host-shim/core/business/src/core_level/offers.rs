//! The clauses `plans`, `addons` and `packs`: what is sold, each offer in one line. Each clause becomes one product type, and each
//! offer a product of it.

pub(super) use super::features::SEATS;
use super::features::{Features, Kind, check_name, unknown_member};
use super::money::Currencies;
use super::place::{From, entry};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};
use std::collections::BTreeSet;

/// The intervals of a price that is paid again and again.
const INTERVALS: [&str; 3] = ["month", "year", "week"];

/// A clause with offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// An account has one plan at a time.
    Plans,
    /// What is paid regularly beside a plan.
    Addons,
    /// What is paid once.
    Packs,
}

/// A clause in the full level.
pub(super) struct Translated {
    pub product_type: Node,
    /// Whether one of the offers adds credits.
    pub adds_credits: bool,
    pub products: Vec<Node>,
}

/// One offer.
struct Offer {
    product: Node,
    /// The features that it names.
    gives: BTreeSet<String>,
    /// Whether it adds credits.
    adds_credits: bool,
    /// Whether accounts have it without paying.
    is_free: bool,
}

impl Section {
    pub const ALL: [Section; 3] = [Section::Plans, Section::Addons, Section::Packs];

    /// Returns the name of the clause.
    pub fn clause(self) -> &'static str {
        match self {
            Section::Plans => super::PLANS,
            Section::Addons => super::ADDONS,
            Section::Packs => super::PACKS,
        }
    }

    /// Returns the name of the product type.
    fn product_type(self) -> &'static str {
        match self {
            Section::Plans => "plan",
            Section::Addons => "addon",
            Section::Packs => "pack",
        }
    }

    /// Returns the members of an offer beside its features.
    fn words(self) -> &'static [&'static str] {
        match self {
            Section::Plans => {
                &["name", "description", "highlight", "contact", "price", "trial", "credits", "refund", "pause", SEATS]
            }
            Section::Addons => &["name", "description", "highlight", "price", "trial", "credits", "refund", "quantity"],
            Section::Packs => &["name", "description", "highlight", "price", "quantity", "credits", "refund"],
        }
    }

    /// Translates the clause, with the number of offers before it. Plans are ranked in the order of the file.
    pub fn read(
        self,
        check: &Checker,
        clause: &Entry,
        features: &mut Features,
        currencies: &Currencies,
        before: usize,
    ) -> Checked<Translated> {
        let listed = entries_of(check, clause)?;
        if self == Section::Plans && listed.iter().any(|offer| offer.value.member(SEATS).is_some()) {
            features.declare_seats(&clause.value);
        }
        let offers = check.each(listed.iter().enumerate(), |(rank, offer)| {
            self.offer(check, (rank, before + rank), offer, features, currencies)
        });
        let offers: Vec<Offer> = offers?;
        if self == Section::Plans {
            let mut free = offers.iter().zip(&listed).filter(|(offer, _)| offer.is_free).map(|(_, entry)| entry);
            if let (Some(first), Some(second)) = (free.next(), free.next()) {
                let problem = format!("`{}` has no price, and neither has `{}`", second.key, first.key);
                let expected = "one plan without a price, for everybody who pays for no other; or `contact: sales`";
                return Err(check.bad(second.place(), problem, expected));
            }
        }
        offers.iter().flat_map(|offer| &offer.gives).for_each(|feature| features.include(feature));
        Ok(Translated {
            adds_credits: offers.iter().any(|offer| offer.adds_credits),
            product_type: self.decl(&clause.value, &offers, features, currencies),
            products: offers.into_iter().map(|offer| offer.product).collect(),
        })
    }

    /// Returns the product type, with a field for each feature that one of the offers gives.
    fn decl(self, clause: &Node, offers: &[Offer], features: &Features, currencies: &Currencies) -> Node {
        let at = From(clause);
        let gives: BTreeSet<&String> = offers.iter().flat_map(|offer| &offer.gives).collect();
        let mut fields = Vec::new();
        let mut grants = Vec::new();
        let text_of = |members: &[(&str, &str)]| {
            at.map(members.iter().map(|(name, text)| entry(*name, at.text(*text))).collect::<Vec<_>>())
        };
        let whole = |name: &str| {
            let mut field = text_of(&[("name", name), ("type", "int")]);
            field.push(entry("min", at.int(0)));
            field
        };
        for feature in features.names().iter().filter(|name| gives.contains(name)) {
            let place = format!("{{product.{feature}}}");
            let once = self == Section::Plans && feature != SEATS;
            fields.push(match features.kind(feature) {
                Some(Kind::Flag) => text_of(&[("name", feature), ("type", "bool")]),
                _ => {
                    let mut field = whole(feature);
                    field.push(entry("unlimited", at.truth(true)));
                    field
                }
            });
            let grant = if once { text_of(&[("amount", &place), ("per", "purchase")]) } else { at.text(place) };
            grants.push(entry(feature, grant));
        }
        let mut members = vec![entry("name", at.text(self.product_type())), entry("catalog", at.truth(true))];
        if self == Section::Plans {
            fields.push(whole("rank"));
            members.extend([entry("family", at.text("plan")), entry("rank_by", at.text("rank"))]);
        }
        if offers.iter().any(|offer| offer.adds_credits) {
            fields.push(whole("credits"));
            let mut paid = vec![text_of(&[("credit", "{product.credits}")])];
            for code in currencies.others() {
                let field = credits_in(code);
                paid.push(text_of(&[("credit", &format!("{{product.{field}}}")), ("currency", code)]));
                fields.push(whole(&field));
            }
            members.push(entry("on_paid", at.list(paid)));
        }
        members.extend([entry("fields", at.list(fields)), entry("grants", at.map(grants))]);
        at.map(members)
    }

    fn offer(
        self,
        check: &Checker,
        (rank, position): (usize, usize),
        offer: &Entry,
        features: &Features,
        currencies: &Currencies,
    ) -> Checked<Offer> {
        let what = format!("{} `{}`", self.product_type(), offer.key);
        check_name(check, offer, &format!("a {}", self.product_type()))?;
        let of = |name: &str| format!("{}.{}.{name}", self.clause(), offer.key);
        let given = match &offer.value.value {
            Tree::Null => &[][..],
            _ => check.map(&format!("{}.{}", self.clause(), offer.key), &offer.value)?,
        };
        let at = From(&offer.value);
        let number = |count: usize| at.int(i64::try_from(count).unwrap_or(i64::MAX));
        let mut metadata = Vec::new();
        if self == Section::Plans {
            metadata.push(entry("rank", number(rank)));
        }
        let mut members = vec![
            entry("id", at.text(&offer.key)),
            entry("product_type", at.text(self.product_type())),
            entry(
                "name",
                offer.value.member("name").cloned().unwrap_or_else(|| at.text(crate::template::words(&offer.key))),
            ),
            entry("display_order", number(position)),
        ];
        let mut gives = BTreeSet::new();
        let chosen = offer.value.member(SEATS).filter(|seats| seats.entries().is_some());
        let is_per_seat = offer.value.member("price").and_then(|price| price.member("per")).is_some();
        check.every(given, |member| {
            let at = From(&member.value);
            match member.key.as_str() {
                word if !self.words().contains(&word) => match features.kind(word) {
                    Some(kind) => {
                        if let Some(by) = features.priced_by(word) {
                            let problem = format!("`{}`: its units have prices by `{by}`", of(word));
                            let expected = "no amount, since it does not say which units are free; or one price";
                            return Err(check.bad(member.place(), problem, expected));
                        }
                        metadata.push(entry(word, amount(check, &of(word), &member.value, kind)?));
                        gives.insert(word.to_owned());
                        Ok(())
                    }
                    None => Err(unknown_member(check, member, &what, self.words(), features.given())),
                },
                "name" => Ok(()),
                "price" => {
                    members.push(entry("prices", self.prices(check, &of("price"), &member.value, currencies)?));
                    Ok(())
                }
                "contact" => {
                    check.word(&of("contact"), &member.value, &["sales"])?;
                    members.extend([entry("contact", member.value.clone()), entry("purchasable", at.truth(false))]);
                    Ok(())
                }
                SEATS => {
                    gives.insert(SEATS.to_owned());
                    match chosen {
                        Some(chosen) => {
                            metadata.push(entry(SEATS, at.int(1)));
                            members.push(entry("quantity", range(check, &of(SEATS), chosen)?));
                        }
                        None => metadata.push(entry(SEATS, amount(check, &of(SEATS), &member.value, Kind::Amount)?)),
                    }
                    Ok(())
                }
                "credits" => {
                    let given = currencies.minor(check, &of("credits"), &member.value, |_, _, minor| Ok(minor))?;
                    let in_each = given.entries().is_some();
                    let default = if in_each { given.member(currencies.default()) } else { Some(&given) };
                    let mut all = vec![(currencies.default(), "credits".to_owned(), default)];
                    all.extend(currencies.others().map(|code| (code, credits_in(code), given.member(code))));
                    for (code, field, amount) in all {
                        let Some(amount) = amount else {
                            let problem =
                                format!("`{}` has no amount in {code}, in which customers can pay", of("credits"));
                            return Err(check.bad(member.place(), problem, format!("`{code}: …`, beside the others")));
                        };
                        metadata.push(entry(field, amount.clone()));
                    }
                    match features.takes_credits {
                        true => Ok(()),
                        false => {
                            let expected = "a feature with a price, such as {use: minute, price: 0.01, pay: credits}";
                            Err(check.bad(member.place(), "nothing is paid from credits", expected))
                        }
                    }
                }
                "quantity" => {
                    members.push(entry("quantity", range(check, &of("quantity"), &member.value)?));
                    Ok(())
                }
                "trial" if !matches!(member.value.value, Tree::Map(..)) && !is_days(&member.value) => {
                    let text = member.value.scalar().unwrap_or_else(|| member.value.kind().to_owned());
                    let problem = format!("`{}: {text}` is not a number of days", of("trial"));
                    Err(check.bad(member.place(), problem, "1d to 730d, such as 14d, or {for: 14d, card: optional}"))
                }
                // The product has the member under the same name.
                _ => {
                    members.push(member.clone());
                    Ok(())
                }
            }
        })?;
        if chosen.is_some() != is_per_seat && self == Section::Plans {
            let (problem, expected) = match is_per_seat {
                true => (
                    format!("`{}` is per seat, but the number of seats is missing", of("price")),
                    "`seats: {at_least: 1, at_most: 100}`",
                ),
                false => (
                    format!("`{}` can be chosen, and the price is for all of them", of(SEATS)),
                    "`per: seat` in the price, or a number of seats",
                ),
            };
            return Err(check.bad(offer.place(), problem, expected));
        }
        let has_price = offer.value.member("price").is_some();
        let is_free = self == Section::Plans && !has_price && offer.value.member("contact").is_none();
        match (has_price, self) {
            (false, Section::Plans) if is_free => members.push(entry("default", at.truth(true))),
            (_, Section::Plans) | (true, _) => {}
            (false, _) => {
                let expected = if self == Section::Packs { "`price: 10.00`" } else { "`price: {month: 4.00}`" };
                return Err(check.bad(offer.place(), format!("{what} has no `price`"), expected));
            }
        }
        if self != Section::Plans && gives.is_empty() && offer.value.member("credits").is_none() {
            let expected = "`credits`, or a feature";
            return Err(check.bad(offer.place(), format!("{what} gives nothing"), expected));
        }
        members.push(entry("metadata", at.map(metadata)));
        let adds_credits = offer.value.member("credits").is_some();
        Ok(Offer { product: at.map(members), gives, adds_credits, is_free })
    }

    /// Reads a price: an amount that is paid once, or amounts by interval.
    fn prices(self, check: &Checker, path: &str, node: &Node, currencies: &Currencies) -> Checked<Node> {
        let at = From(node);
        if self == Section::Packs {
            return Ok(at.map([entry("once", price(check, path, node, currencies)?)]));
        }
        let Some(entries) = node.entries() else {
            let text = node.written().unwrap_or_default();
            let expected = format!("the interval, such as `{{month: {text}}}`");
            return Err(check.bad(node.place(), format!("`{path}: {text}` has no interval"), expected));
        };
        let mut prices = Vec::new();
        check.every(entries, |member| match member.key.as_str() {
            interval if INTERVALS.contains(&interval) => {
                let path = format!("{path}.{interval}");
                prices.push(entry(interval, price(check, &path, &member.value, currencies)?));
                Ok(())
            }
            "per" if self == Section::Plans => check.word(&format!("{path}.per"), &member.value, &["seat"]).map(drop),
            _ => {
                let seats: &[&str] = if self == Section::Plans { &["per"] } else { &[] };
                let known = [&INTERVALS, seats].concat();
                check.only_known(path, std::slice::from_ref(member), &known)
            }
        })?;
        match prices.is_empty() {
            true => Err(check.bad(node.place(), format!("`{path}` has no interval"), "`month` or `year`")),
            false => Ok(at.map(prices)),
        }
    }
}

/// Returns the field of a product with the credits that a payment in another currency gives.
fn credits_in(code: &str) -> String {
    format!("credits_{code}")
}

/// Checks the quantities between which a customer chooses: `{at_least: 3, at_most: 100}`.
fn range(check: &Checker, path: &str, node: &Node) -> Checked<Node> {
    let expected = "{at_least, at_most} with whole numbers, such as {at_least: 3, at_most: 100}";
    let entries = node.entries().ok_or_else(|| check.wrong(path, node, expected))?;
    check.only_known(&format!("`{path}`"), entries, &["at_least", "at_most"])?;
    let number = |name: &str, usual: i64| match node.member(name).map(|value| &value.value) {
        None => Some(usual),
        Some(Tree::Int(number)) => Some(*number),
        Some(Tree::Text(text)) if is_placeholder(text) => Some(usual),
        Some(_) => None,
    };
    match (node.member("at_most").is_some(), number("at_least", 1), number("at_most", i64::MAX)) {
        (true, Some(least), Some(most)) if (1..=most).contains(&least) => Ok(node.clone()),
        _ => Err(check.bad(node.place(), format!("`{path}` is not a range"), expected)),
    }
}

/// Returns whether a text begins with a value of the configuration, which is filled in later.
fn is_placeholder(text: &str) -> bool {
    text.starts_with("${")
}

/// Returns whether a value is a number of days, or a place for one.
fn is_days(node: &Node) -> bool {
    let Tree::Text(text) = &node.value else { return false };
    let days = text.strip_suffix('d').is_some_and(|days| !days.is_empty() && days.bytes().all(|c| c.is_ascii_digit()));
    days || is_placeholder(text)
}

/// Reads one price: an amount, or the full form with Stripe's id of it.
fn price(check: &Checker, path: &str, node: &Node, currencies: &Currencies) -> Checked<Node> {
    let at = From(node);
    match &node.value {
        Tree::Map(..) if node.member("amount").is_some() => Ok(node.clone()),
        Tree::Text(text) if is_placeholder(text) => Ok(at.map([entry("amount", node.clone())])),
        _ => {
            let amount = currencies.minor(check, path, node, |path, node, minor| match minor {
                0 => Err(check.bad(
                    node.place(),
                    format!("`{path}` is nothing"),
                    "an amount; a plan without `price` is free",
                )),
                minor => Ok(minor),
            })?;
            Ok(at.map([entry("amount", amount)]))
        }
    }
}

/// Reads how much of a feature an offer gives.
fn amount(check: &Checker, path: &str, node: &Node, kind: Kind) -> Checked<Node> {
    match (&node.value, kind) {
        (Tree::Bool(_), Kind::Flag) => Ok(node.clone()),
        (Tree::Int(number), Kind::Amount | Kind::Use) if *number >= 0 => Ok(node.clone()),
        (Tree::Text(text), Kind::Amount | Kind::Use) if text == "unlimited" || is_placeholder(text) => Ok(node.clone()),
        (_, Kind::Flag) => Err(check.wrong(path, node, "true or false")),
        (_, Kind::Use) => {
            let problem = format!("`{path}` is not an amount");
            let expected = "the whole number of units that are included, or `unlimited`";
            Err(check.bad(node.place(), problem, expected))
        }
        (_, Kind::Amount) => {
            let text = node.scalar().unwrap_or_else(|| node.kind().to_owned());
            let range = if path.ends_with(SEATS) { ", or a range such as {at_least: 3, at_most: 100}" } else { "" };
            let expected = format!("a whole number or `unlimited`{range}");
            Err(check.bad(node.place(), format!("`{path}: {text}` is not an amount"), expected))
        }
    }
}

/// Returns the offers of a clause: a mapping, or a list of mappings with one offer each.
fn entries_of(check: &Checker, clause: &Entry) -> Checked<Vec<Entry>> {
    match clause.value.items() {
        None => check.map(&clause.key, &clause.value).map(<[Entry]>::to_vec),
        Some(items) => check.each(items, |item| match item.entries() {
            Some([only]) => Ok(only.clone()),
            _ => Err(check.wrong(&clause.key, item, "one offer an entry, such as `- studio: {price: {month: 12.00}}`")),
        }),
    }
}
