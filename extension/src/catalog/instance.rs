//! An instance during a decision: its product row, type, metadata and record. Row and record are saved together.

use super::amount::Amount;
use super::desk::Desk;
use super::schema::TypeDecl;
use super::template::Scope;
use crate::model::account::Account;
use crate::model::gather::gather;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::{InstanceRecord, InstanceStatus, ResourceState};
use crate::model::records::product::ProductRow;
use crate::model::records::summary::{Contribution, Summary};
use crate::model::shared::Shared;
use extension_contract::{ProductValues, Refusal};
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
        let record: Shared<InstanceRecord> = record.unwrap_or_default().into();
        let is_adopted = is_counted && !record.foreign;
        Ok(Some(Instance { id: id.to_owned(), values, decl, metadata, record, is_adopted, is_counted }))
    }

    /// Returns an instance of this account by its id. Refuses the event if the instance does not exist.
    pub fn load(desk: &mut Desk<'_>, id: &str) -> Ruled<Instance> {
        Instance::find(desk, id)?.ok_or_else(|| Refusal::NotFound(id.to_owned()).into())
    }

    /// Returns `metadata.status`; `None` if it is not an instance status.
    pub fn status(&self) -> Option<InstanceStatus> {
        self.metadata.get("status").and_then(Value::as_str).and_then(InstanceStatus::parse)
    }

    /// Returns whether the instance has this status.
    pub fn is(&self, status: InstanceStatus) -> bool {
        self.status() == Some(status)
    }

    /// Returns the text of `metadata.status`.
    pub fn status_text(&self) -> &str {
        self.text("status").unwrap_or_default()
    }

    /// Sets `metadata.status`.
    pub fn set_status(&mut self, status: InstanceStatus) {
        self.set("status", json!(status.name()));
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

    /// Returns whether the instance consumes entitlements. It does unless it is terminated, or failed with all its
    /// resources destroyed.
    pub fn counts(&self) -> bool {
        match self.status() {
            Some(InstanceStatus::Terminated) => false,
            Some(InstanceStatus::Error) => !self.record.is_compensated(),
            _ => true,
        }
    }

    /// Begins the deletion of the instance: no new work begins, and its resources are destroyed.
    pub fn end(&mut self, final_backup: bool) {
        let anything = !self.record.is_compensated();
        self.record.final_backup = final_backup && anything;
        self.record.unblock();
        self.set_status(InstanceStatus::Deleting);
    }

    /// Restarts the creation of the instance after all its resources were destroyed.
    pub fn begin_again(&mut self) {
        let before = std::mem::take(&mut *self.record);
        let failed = before.failed.filter(|_| before.credit_due);
        // Generations continue to rise, so that a result of the first attempt is not mistaken for a result of the
        // second.
        self.record = InstanceRecord {
            product_type: before.product_type,
            made_at: before.made_at,
            credit_due: before.credit_due,
            failed,
            watching: before.watching,
            generation: before.generation,
            resources: before.resources,
            holds_names: before.holds_names,
            measured_at: before.measured_at,
            adds: before.adds,
            schedule: before.schedule,
            reached: before.reached,
            ..InstanceRecord::default()
        }
        .into();
        self.unset("error");
        self.set_status(InstanceStatus::Provisioning);
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
            for key in self.decl.provisions.iter().filter_map(|decl| decl.quota.as_ref()) {
                if let Some(amount) = usage.and_then(|usage| usage.get(key)?.as_i64()) {
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
            let mut summary: Summary = account.fetch(Summary::ID)?.unwrap_or_default();
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
        self.is_adopted = !self.record.foreign;
        account.put_shared(&self.id, self.record.share());
        match account.get_here::<ProductRow>(&self.id)?.filter(|row| row.has(&self.values, &self.metadata)) {
            Some(row) => account.put_shared(&self.id, row),
            None => account.put(&self.id, ProductRow::with(self.values.clone(), self.metadata.clone())),
        }
        Ok(())
    }
}

/// Returns the consumption of a product with this type and metadata, by entitlement.
pub(crate) fn consumed(decl: &TypeDecl, metadata: &Object) -> BTreeMap<String, i64> {
    let scope = Scope::default().object("instance", metadata);
    let of = |(key, amount): (&String, &Amount)| Some((key.clone(), amount.of(metadata, &scope)?));
    gather(decl.consumes.iter().filter_map(of))
}

/// Returns the claim keys of a product's unique fields.
pub(crate) fn names(decl: &TypeDecl, metadata: &Object) -> Vec<String> {
    let unique = decl.fields.iter().filter_map(|field| {
        let (space, value) = (field.space(&decl.name)?, metadata.get(&field.name)?.as_str()?);
        Some(String::from(ClaimKey::Name { space: &space, value }))
    });
    unique.collect()
}
