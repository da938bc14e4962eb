//! An instance during a decision: its product row, type, metadata and record. Row and record are saved together.

use super::Desk;
use crate::catalog::amount::Amount;
use crate::catalog::schema::{Field, TypeDecl};
use crate::catalog::settings::Settings;
use crate::catalog::template::Scope;
use crate::model::account::Account;
use crate::model::halt::{Ruled, internal};
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::{
    Change, CreationError, Deletion, InstanceRecord, InstanceStatus, Names, ResourceState, State, SuspendReason,
};
use crate::model::records::product::ProductRow;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::summary::{Contribution, Summary};
use crate::model::shared::Shared;
use extension_contract::{ProductValues, Refusal, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Fingerprint of an instance that was never reconciled.
const NOT_DRIVEN: &str = "new";

/// A product that provisions resources.
pub(crate) struct Instance {
    /// Product id.
    pub id: String,
    /// The product row. `metadata` replaces the metadata text in it.
    pub values: Shared<ProductValues>,
    pub decl: Rc<TypeDecl>,
    pub metadata: Shared<Object>,
    pub record: Shared<InstanceRecord>,
    /// Whether this component manages the instance. A row from another service is not managed before it is accepted
    /// (SOL-23).
    pub is_adopted: bool,
    /// Whether the account's summary includes it.
    is_counted: bool,
    /// The policies, which say what meters measure.
    settings: Rc<Settings>,
}

impl Instance {
    /// Returns an instance by its id; `None` if the row does not exist or the business does not have the row's type.
    pub fn find(desk: &mut Desk<'_>, id: &str) -> Ruled<Option<Instance>> {
        let Some(row) = desk.account.get::<ProductRow>(id)? else { return Ok(None) };
        let Some(decl) = desk.catalog.type_named(row.product_type())? else { return Ok(None) };
        let (values, mut metadata) = row.parts(id)?;
        decl.apply_aliases(&mut metadata);
        let record = desk.account.get::<InstanceRecord>(id)?;
        let is_counted = record.is_some();
        let mut record: Shared<InstanceRecord> = record.unwrap_or_default().into();
        if !is_counted {
            record.state = State::with_status(status_in(&metadata));
        }
        let is_adopted = is_counted && !record.state.is_foreign();
        let settings = desk.catalog.settings()?;
        Ok(Some(Instance { id: id.to_owned(), values, decl, metadata, record, is_adopted, is_counted, settings }))
    }

    /// Returns an instance of this account by its id. Refuses the event if the instance does not exist.
    pub fn load(desk: &mut Desk<'_>, id: &str) -> Ruled<Instance> {
        Instance::find(desk, id)?.ok_or_else(|| Refusal::NotFound(id.to_owned()).into())
    }

    /// Returns the status; `None` if the instance has none. Another service's instance has its status in its row.
    pub fn status(&self) -> Option<InstanceStatus> {
        match self.record.state.is_foreign() {
            true => status_in(&self.metadata),
            false => self.record.state.status(),
        }
    }

    /// Returns whether the instance has this status.
    pub fn is(&self, status: InstanceStatus) -> bool {
        self.status() == Some(status)
    }

    /// Returns the name of the status; empty if the instance has none.
    pub fn status_text(&self) -> &'static str {
        self.status().map_or("", InstanceStatus::name)
    }

    /// Changes the state. Fails if the state does not allow the change.
    pub fn change(&mut self, change: Change) -> Ruled<()> {
        let Some(next) = self.record.state.after(change) else {
            let text = format!("{}: its status `{}` does not allow this change", self.id, self.status_text());
            return Err(internal(text));
        };
        if next != self.record.state {
            self.record.state = next;
        }
        let is_suspended_no_more = matches!(change, Change::Run | Change::Restore | Change::CompleteEnd);
        if is_suspended_no_more && self.record.suspend_reason.is_some() {
            self.record.suspend_reason = None;
        }
        self.show_state();
        Ok(())
    }

    /// Sets why the instance is suspended, or about to be.
    pub fn suspend_for(&mut self, reason: SuspendReason) {
        if self.record.suspend_reason != Some(reason) {
            self.record.suspend_reason = Some(reason);
        }
        self.show_state();
    }

    /// Sets why the instance could not be created.
    pub fn fail_with(&mut self, error: CreationError) {
        self.record.error = Some(error.into());
        self.show_state();
    }

    /// Writes the state into the metadata. An instance that another service manages has its own state there.
    fn show_state(&mut self) {
        let Some(status) = self.record.state.status() else { return };
        self.set("status", json!(status.name()));
        match self.record.suspend_reason {
            Some(reason) => self.set("suspend_reason", json!(reason)),
            None => self.unset("suspend_reason"),
        }
        if let Some(error) = self.record.error.clone() {
            self.set("error", json!(error));
        }
    }

    /// Takes over the status that a service or the platform wrote into the product row.
    pub fn take_report(&mut self) -> Ruled<()> {
        match status_in(&self.metadata) {
            Some(status) => self.change(Change::Report(status)),
            None => {
                self.show_state();
                Ok(())
            }
        }
    }

    /// Sets a member of the metadata.
    pub fn set(&mut self, key: &str, value: Value) {
        if self.metadata.get(key) != Some(&value) {
            self.metadata.insert(key.to_owned(), value);
        }
    }

    /// Removes a member of the metadata.
    pub fn unset(&mut self, key: &str) {
        if self.metadata.contains_key(key) {
            self.metadata.remove(key);
        }
    }

    /// Returns the text in a member of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }

    /// Returns the purchase that the instance waits or waited for.
    pub fn purchase(&self, desk: &mut Desk<'_>) -> Ruled<Option<PurchaseRow>> {
        match self.text("purchase_id") {
            Some(id) => desk.account.row::<PurchaseRow>(id),
            None => Ok(None),
        }
    }

    /// Frees the names that the instance holds, from `until` on or at once. An instance with abandoned resources keeps
    /// its names, because the resources still exist.
    pub fn release_names(&mut self, desk: &mut Desk<'_>, until: Option<Timestamp>) {
        let names = self.names();
        if !names.is_empty() && self.record.abandoned.is_empty() && self.record.names == Names::Held {
            self.record.names = Names::Free;
            desk.account.release_claims(names, until);
        }
    }

    /// Returns whether the instance consumes entitlements. It does unless it is terminated, or failed with all its
    /// resources destroyed.
    pub fn counts(&self) -> bool {
        match self.status() {
            Some(InstanceStatus::Terminated) => false,
            Some(InstanceStatus::Error) => !self.record.is_compensated(),
            _ => true,
        }
    }

    /// Returns when a step of the creation failed, if the instance is in `error` because of it.
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.record.state.failure()?.at
    }

    /// Returns whether the creation of a failed instance begins again once its resources are destroyed.
    pub fn begins_again(&self) -> bool {
        self.record.state.failure().is_some_and(|failure| failure.begins_again)
    }

    /// Begins the deletion of an instance that nobody pays for any more: its resources are destroyed.
    pub fn lapse(&mut self) -> Ruled<()> {
        self.end(Deletion::Lapsed)
    }

    /// Begins the deletion that the owner or the platform ordered: after a final backup, the resources are destroyed.
    pub fn end_by_order(&mut self) -> Ruled<()> {
        self.end(match self.record.is_compensated() {
            true => Deletion::Ordered,
            false => Deletion::OrderedWithBackup,
        })
    }

    fn end(&mut self, why: Deletion) -> Ruled<()> {
        self.record.unblock();
        self.change(Change::End(why))?;
        // The other service destroys its instance.
        if self.record.state.is_foreign() {
            self.set("status", json!(InstanceStatus::Deleting.name()));
        }
        Ok(())
    }

    /// Restarts the creation of the instance after all its resources were destroyed.
    pub fn begin_again(&mut self) -> Ruled<()> {
        self.change(Change::BeginAgain)?;
        let kept = self.record.kept();
        let before = std::mem::take(&mut *self.record);
        self.record = InstanceRecord {
            lost_since: before.lost_since,
            watching: before.watching,
            resources: before.resources,
            abandoned: before.abandoned,
            names: before.names,
            measured_at: before.measured_at,
            reached: before.reached,
            ..kept
        }
        .into();
        self.unset("error");
        Ok(())
    }

    /// Returns the claim keys of the instance's unique fields.
    pub fn names(&self) -> Vec<String> {
        names(&self.decl, &self.metadata)
    }

    fn contribution(&self) -> Contribution {
        let mut out = Contribution::default();
        let usage = self.metadata.get("usage").and_then(Value::as_object);
        for meter in &self.decl.meters {
            if let Some(amount) = usage.and_then(|usage| usage.get(&meter.meter)?.as_i64()) {
                out.measured.insert(meter.meter.clone(), amount);
            }
        }
        if self.counts() {
            out.consumed = consumed(&self.decl, &self.metadata);
            out.covered = covered(&self.decl, &self.metadata, &out.consumed);
            for key in self.decl.provisions.iter().filter_map(|decl| decl.quota.as_ref()) {
                let meter = self.settings.entitlements.get(key).and_then(|decl| decl.meter.as_ref());
                if let Some(amount) = meter.and_then(|meter| usage?.get(meter)?.as_i64()) {
                    out.held.insert(key.clone(), amount);
                }
            }
        }
        out
    }

    /// Writes row and record, and updates the account's summary.
    pub fn save(&mut self, account: &mut Account<'_>) -> Ruled<()> {
        if self.record.resources.values().any(ResourceState::is_traceless) {
            self.record.prune();
        }
        let is_new = !std::mem::replace(&mut self.is_counted, true);
        if self.record.product_type != self.values.product_type {
            self.record.product_type.clone_from(&self.values.product_type);
        }
        let adds = self.contribution();
        if is_new || adds != self.record.adds {
            let mut summary: Summary = account.row(Summary::ID)?.unwrap_or_default();
            summary.replace(&self.record.adds, &adds);
            if is_new {
                summary.count(&self.values.product_type);
                // The next reconciliation includes the new instance, even if this decision does not reconcile it.
                summary.reached = String::new();
            }
            account.put(Summary::ID, summary);
            self.record.adds = adds;
        }
        match (self.is(InstanceStatus::Terminated), self.record.reached.is_empty()) {
            // A terminated instance is not reconciled any more.
            (true, false) => self.record.reached = String::new(),
            (false, true) => NOT_DRIVEN.clone_into(&mut self.record.reached),
            _ => {}
        }
        self.show_state();
        self.is_adopted = !self.record.state.is_foreign();
        account.put_shared(&self.id, self.record.share());
        match account.get_here::<ProductRow>(&self.id)?.filter(|row| row.has(&self.values, &self.metadata)) {
            Some(row) => account.put_shared(&self.id, row),
            None => account.put(&self.id, ProductRow::with(self.values.clone(), self.metadata.clone())),
        }
        Ok(())
    }
}

/// Returns the status in the metadata of a product row; `None` if it is not an instance status.
pub(crate) fn status_in(metadata: &Object) -> Option<InstanceStatus> {
    metadata.get("status").and_then(Value::as_str).and_then(InstanceStatus::parse)
}

/// Returns the consumption of a product with this type and metadata, by entitlement.
pub(crate) fn consumed(decl: &TypeDecl, metadata: &Object) -> BTreeMap<String, i64> {
    let scope = Scope::default().object("instance", metadata);
    let of = |(key, amount): (&String, &Amount)| Some((key.clone(), amount.of(&scope)?));
    decl.consumes.iter().filter_map(of).collect()
}

/// Returns the consumption of a product that add-ons cover, by entitlement and source.
fn covered(decl: &TypeDecl, metadata: &Object, consumed: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let of = |field: &Field| {
        let (key, source) = (field.source_of.as_ref()?, metadata.get(&field.name)?.as_str()?);
        Some((covered_key(key, source), *consumed.get(key)?))
    };
    decl.fields.iter().filter_map(of).collect()
}

/// Returns the key of the summary for the consumption of an entitlement that a source covers.
pub(crate) fn covered_key(entitlement: &str, source: &str) -> String {
    format!("{entitlement} {source}")
}

/// Returns the claim keys of a product's unique fields.
pub(crate) fn names(decl: &TypeDecl, metadata: &Object) -> Vec<String> {
    unique_fields(decl, metadata).into_iter().map(|(_, key)| key).collect()
}

/// Returns the unique fields of a product that have a value, with their claim keys.
pub(crate) fn unique_fields<'d>(decl: &'d TypeDecl, metadata: &Object) -> Vec<(&'d Field, String)> {
    let unique = decl.fields.iter().filter_map(|field| {
        let (space, value) = (field.space(&decl.name)?, metadata.get(&field.name)?.as_str()?);
        Some((field, String::from(ClaimKey::Name { space: &space, value })))
    });
    unique.collect()
}
