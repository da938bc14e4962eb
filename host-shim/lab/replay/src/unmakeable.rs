//! Finds the resources of a business that the live providers cannot create, by comparing the values that the catalog can request with those
//! that the providers declare.
//!
//! A value that is known only during a call, such as a customer's text, is not compared; if necessary, the provider refuses it during the
//! call.

use crate::live::LiveProviders;
use extension_contract::pointer::escaped;
use host_business::folder::{BusinessFolder, RequestedEffect};
use host_business::yaml::Node;
use host_provider_api::Restriction;
use host_scenario::error::BadInput;
use std::collections::{BTreeMap, BTreeSet};

/// Suffix of the effect kinds that create a resource.
const ENSURE: &str = ".ensure";

/// Returns the mistakes in the catalog, in the order of its types: values with which no provider can create the resource. `config` is the
/// configuration.
///
/// A resource that a person creates if the provider refuses (`or_manual`), or that the configuration leaves out, is not compared.
pub fn unmakeable(business: &BusinessFolder, config: &BTreeMap<String, String>, live: &LiveProviders) -> Vec<BadInput> {
    let catalog = Catalog { lines: &business.lines, config };
    let mut found = Vec::new();
    for provision in catalog.provisions() {
        for restriction in live.restrictions(&provision.resource) {
            let pointer = format!("{}/with/{}", provision.pointer, restriction.member);
            // A text with placeholders counts as present, because its value is known only during a call.
            let other = restriction.unless.map(|other| format!("{}/with/{other}", provision.pointer));
            if other.is_some_and(|other| !catalog.values(&provision, &other, true).is_empty()) {
                continue;
            }
            let never = restriction.allowed.is_empty();
            for value in catalog.values(&provision, &pointer, never) {
                if !restriction.allowed.contains(&value.text) {
                    found.push(bad_value(&provision.resource, &restriction, &value, &catalog));
                }
            }
        }
    }
    found.dedup();
    found
}

/// Returns the business's own resources that its catalog provisions but that none of the live providers creates. In a replay, the scripted
/// provider creates them.
pub fn scripted_instead(
    business: &BusinessFolder,
    config: &BTreeMap<String, String>,
    live: &LiveProviders,
) -> Vec<BadInput> {
    let own: BTreeSet<&str> =
        business.own.effects.iter().filter_map(|effect| Some(effect.kind.split_once('.')?.0)).collect();
    let mut told = BTreeSet::new();
    let unmade = live.without_provider(business, config).into_iter().filter_map(|effect| {
        let resource = effect.kind.strip_suffix(ENSURE)?.to_owned();
        (own.contains(&*resource) && told.insert(resource)).then_some(effect)
    });
    unmade.map(|effect| no_provider(business, &effect, ", so the scripted provider answers")).collect()
}

/// Returns the mistakes in the catalog: effects that its clauses request but that none of the live providers carries out, one for each
/// clause.
pub fn unmade(business: &BusinessFolder, config: &BTreeMap<String, String>, live: &LiveProviders) -> Vec<BadInput> {
    let mut found = live.without_provider(business, config);
    found.dedup_by(|next, first| next.pointer == first.pointer);
    found.iter().map(|effect| no_provider(business, effect, "")).collect()
}

/// Returns the mistake of an effect without a provider. `consequence` ends the sentence.
fn no_provider(business: &BusinessFolder, effect: &RequestedEffect, consequence: &str) -> BadInput {
    let RequestedEffect { kind, pointer } = effect;
    let problem = match kind.strip_suffix(ENSURE) {
        Some(resource) => format!("none of the providers makes a `{resource}`{consequence}"),
        None => format!("none of the providers carries out `{kind}`{consequence}"),
    };
    BadInput::new(business.lines.nearest(pointer).place().at(pointer), problem, "another provider as well")
}

fn bad_value(resource: &str, restriction: &Restriction, value: &Requested, catalog: &Catalog<'_>) -> BadInput {
    let (member, text) = (restriction.member, &value.text);
    let written = catalog.text(&value.pointer).filter(|written| written != text && !written.contains('{'));
    let found = written.map_or_else(|| format!("`{text}`"), |written| format!("`{written}`, read as `{text}`,"));
    let problem = format!("{found} is a `{member}` that the provider of `{resource}` can't make");
    BadInput::new(catalog.lines.nearest(&value.pointer).place().at(&value.pointer), problem, &restriction.expected)
}

/// A catalog with the configuration.
struct Catalog<'c> {
    lines: &'c Node,
    config: &'c BTreeMap<String, String>,
}

/// A resource that the providers are asked to create.
struct Provision {
    /// JSON Pointer of its product type.
    of_type: String,
    /// JSON Pointer of the provision.
    pointer: String,
    /// Kind of resource.
    resource: String,
}

/// A value that the catalog can request.
struct Requested {
    /// JSON Pointer of the place that sets the value.
    pointer: String,
    text: String,
}

impl Catalog<'_> {
    fn text(&self, pointer: &str) -> Option<String> {
        self.lines.at(pointer).ok().and_then(Node::scalar)
    }

    /// Returns the pointers of the values of a list.
    fn items(&self, pointer: &str) -> Vec<String> {
        let length = self.lines.at(pointer).ok().and_then(Node::items).map_or(0, <[Node]>::len);
        (0..length).map(|index| format!("{pointer}/{index}")).collect()
    }

    /// Returns all resources that only a provider can create and that the configuration does not leave out.
    fn provisions(&self) -> Vec<Provision> {
        let mut found = Vec::new();
        for of_type in self.items("/product_types") {
            for pointer in self.items(&format!("{of_type}/provisions")) {
                let Some(resource) = self.text(&format!("{pointer}/resource")) else { continue };
                let needed = self.text(&format!("{pointer}/if"));
                let needed = needed.as_deref().and_then(|needed| needed.strip_prefix("config."));
                let is_left_out = needed.is_some_and(|key| self.set(key, &pointer).is_none());
                let is_by_hand = self.lines.at(&format!("{pointer}/or_manual")).is_ok();
                if !is_left_out && !is_by_hand {
                    found.push(Provision { of_type: of_type.clone(), pointer, resource });
                }
            }
        }
        found
    }

    /// Returns the values that a member of a provision can have, as far as the catalog and the configuration determine them. With
    /// `as_written`, returns the member's text, even if it contains placeholders.
    fn values(&self, provision: &Provision, pointer: &str, as_written: bool) -> Vec<Requested> {
        let Some(template) = self.text(pointer).filter(|text| !text.is_empty()) else { return Vec::new() };
        let fixed = |text: &str| vec![Requested { pointer: pointer.to_owned(), text: text.to_owned() }];
        if as_written || !template.contains('{') {
            return fixed(&template);
        }
        // A text with more than one placeholder can have any value.
        let place = template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(place) = place.filter(|place| !place.contains(['{', '}'])) else { return Vec::new() };
        match place.split_once('.') {
            Some(("config", key)) => self.set(key, pointer).into_iter().collect(),
            Some(("plan", field)) => self.values_of_plans(&provision.of_type, field),
            Some(("instance", field)) => self.values_of_field(&provision.of_type, field),
            _ => Vec::new(),
        }
    }

    /// Returns the value of the configuration key to which the catalog refers at the pointer. A default has its own place.
    fn set(&self, key: &str, pointer: &str) -> Option<Requested> {
        let at_default = format!("/config/{key}/default");
        let (pointer, text) = match self.config.get(key) {
            Some(value) => (pointer.to_owned(), value.clone()),
            None => (at_default.clone(), self.text(&at_default)?),
        };
        (!text.is_empty()).then_some(Requested { pointer, text })
    }

    /// Returns the values of a field in all plans that can pay for an instance of the type.
    fn values_of_plans(&self, of_type: &str, field: &str) -> Vec<Requested> {
        let Some(family) = self.text(&format!("{of_type}/plan/family")) else { return Vec::new() };
        let is_of_family = |of_type: &String| self.text(&format!("{of_type}/family")).as_ref() == Some(&family);
        let mut found = Vec::new();
        for plan in self.items("/product_types").into_iter().filter(is_of_family) {
            let default = self.field(&plan, field).map(|at| format!("{at}/default"));
            for product in self.items("/products").into_iter().filter(|product| self.is_of_type(product, &plan)) {
                let own = format!("{product}/metadata/{field}");
                let places = [Some(own), default.clone()];
                let set = places.into_iter().flatten().find_map(|pointer| Some((self.text(&pointer)?, pointer)));
                found.extend(set.map(|(text, pointer)| self.option(&plan, field, text, pointer)));
            }
        }
        found
    }

    /// Returns true if the product has this type, by its name or, without one, by the type's identifying field.
    fn is_of_type(&self, product: &str, of_type: &str) -> bool {
        match self.text(&format!("{product}/product_type")) {
            Some(named) => {
                let names = self.items(&format!("{of_type}/aliases")).into_iter().chain([format!("{of_type}/name")]);
                names.filter_map(|pointer| self.text(&pointer)).any(|name| name == named)
            }
            None => {
                let by = self.text(&format!("{of_type}/infer_by"));
                by.is_some_and(|by| self.lines.at(&format!("{product}/metadata/{by}")).is_ok())
            }
        }
    }

    /// Returns the options of a field that customers set.
    fn values_of_field(&self, of_type: &str, field: &str) -> Vec<Requested> {
        let Some(at) = self.field(of_type, field) else { return Vec::new() };
        let options = self.items(&format!("{at}/options")).into_iter();
        options.filter_map(|pointer| Some(Requested { text: self.text(&pointer)?, pointer })).collect()
    }

    /// Returns the value as which a field is read: an older value of an `enum` is read as a different one.
    fn option(&self, of_type: &str, field: &str, text: String, pointer: String) -> Requested {
        let at = self.field(of_type, field);
        let read_as = at.and_then(|at| self.text(&format!("{at}/aliases/{}", escaped(&text))));
        Requested { pointer, text: read_as.unwrap_or(text) }
    }

    /// Returns the pointer of a type's field.
    fn field(&self, of_type: &str, name: &str) -> Option<String> {
        let fields = self.items(&format!("{of_type}/fields")).into_iter();
        fields.into_iter().find(|at| self.text(&format!("{at}/name")).as_deref() == Some(name))
    }
}
