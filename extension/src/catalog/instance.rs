//! An instance being worked on: its product row, its type, its metadata and its record, saved together.

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

/// Fingerprint of an instance that was brought nowhere yet.
const NOT_DRIVEN: &str = "new";

/// A product that provisions resources.
pub(crate) struct Instance {
    /// Product id.
    pub id: String,
    /// The product row; its metadata is `metadata`, whatever the text in it says.
    pub values: Shared<ProductValues>,
    pub decl: Rc<TypeDecl>,
    pub metadata: Shared<Object>,
    pub record: Shared<InstanceRecord>,
    /// Whether it is ours to drive; a row that somebody else wrote is not before it was accepted (SOL-23).
    pub is_adopted: bool,
    /// Whether the account's summary has it.
    is_counted: bool,
}

impl Instance {
    /// A product row of the account as an instance; none if there is no such row, or if this business has no such type.
    pub fn find(desk: &mut Desk<'_>, id: &str) -> Ruled<Option<Instance>> {
        let Some(row) = desk.account.get::<ProductRow>(id)? else { return Ok(None) };
        let Some(decl) = desk.catalog.type_named(row.product_type())? else { return Ok(None) };
        let (values, mut metadata) = row.parts(id)?;
        decl.modernise(&mut metadata);
        let record = desk.account.get::<InstanceRecord>(id)?;
        let is_counted = record.is_some();
        let record: Shared<InstanceRecord> = record.unwrap_or_default().into();
        let is_adopted = is_counted && !record.foreign;
        Ok(Some(Instance { id: id.to_owned(), values, decl, metadata, record, is_adopted, is_counted }))
    }

    /// An instance of this account by its id.
    pub fn load(desk: &mut Desk<'_>, id: &str) -> Ruled<Instance> {
        Instance::find(desk, id)?.ok_or_else(|| Refusal::NotFound(id.to_owned()).into())
    }

    /// `metadata.status`; none where it is no status of an instance.
    pub fn status(&self) -> Option<InstanceStatus> {
        self.metadata.get("status").and_then(Value::as_str).and_then(InstanceStatus::parse)
    }

    /// Whether it has a status.
    pub fn is(&self, status: InstanceStatus) -> bool {
        self.status() == Some(status)
    }

    /// The status as it stands in the metadata.
    pub fn status_text(&self) -> &str {
        self.text("status").unwrap_or_default()
    }

    /// Set `metadata.status`.
    pub fn set_status(&mut self, status: InstanceStatus) {
        self.set("status", json!(status.name()));
    }

    /// Set a member of the metadata.
    pub fn set(&mut self, key: &str, value: Value) {
        if self.metadata.get(key) != Some(&value) {
            self.metadata.insert(key.to_owned(), value);
        }
    }

    /// Remove a member of the metadata.
    pub fn unset(&mut self, key: &str) {
        if self.metadata.contains_key(key) {
            self.metadata.remove(key);
        }
    }

    /// A text of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }

    /// Whether it uses up what its type consumes: everything but what is gone or fully undone.
    pub fn counts(&self) -> bool {
        match self.status() {
            Some(InstanceStatus::Terminated) => false,
            Some(InstanceStatus::Error) => !self.record.is_compensated(),
            _ => true,
        }
    }

    /// End it: nothing new begins, what is there is freed.
    pub fn end(&mut self, final_backup: bool) {
        let anything = !self.record.is_compensated();
        self.record.final_backup = final_backup && anything;
        self.record.unblock();
        self.set_status(InstanceStatus::Deleting);
    }

    /// Begin anew after everything was undone.
    pub fn begin_again(&mut self) {
        let before = std::mem::take(&mut *self.record);
        let failed = before.failed.filter(|_| before.credit_due);
        // Generations go on rising, so that nothing of the first attempt is taken for the second.
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

    /// Claim keys of its unique fields.
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

    /// Write row and record, and keep the account's summary.
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
                // Whoever looks next looks at it, also if it can't be driven now.
                summary.reached = String::new();
            }
            account.put(Summary::ID, summary);
            self.record.adds = adds;
        }
        match (self.is(InstanceStatus::Terminated), self.record.reached.is_empty()) {
            // What is gone is brought nowhere any more.
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

/// What a product of a type with this metadata uses up, by entitlement.
pub(crate) fn consumed(decl: &TypeDecl, metadata: &Object) -> BTreeMap<String, i64> {
    let scope = Scope::default().object("instance", metadata);
    let of = |(key, amount): (&String, &Amount)| Some((key.clone(), amount.of(metadata, &scope)?));
    gather(decl.consumes.iter().filter_map(of))
}

/// Claim keys of a product's unique fields.
pub(crate) fn names(decl: &TypeDecl, metadata: &Object) -> Vec<String> {
    let unique = decl.fields.iter().filter_map(|field| {
        let (space, value) = (field.space(&decl.name)?, metadata.get(&field.name)?.as_str()?);
        Some(String::from(ClaimKey::Name { space: &space, value }))
    });
    unique.collect()
}
