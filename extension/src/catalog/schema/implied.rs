//! Fields that the clauses of a type imply, so that types need not declare them: the fields of provisioned products and
//! of products in the catalog.

use super::field::{Field, FieldType, Format, SetBy};
use super::type_decl::TypeDecl;
use crate::catalog::sale;
use crate::model::records::instance::InstanceStatus;

impl TypeDecl {
    /// Adds the implied fields to the type. If the type itself declares a field, its declaration is kept.
    pub fn complete(mut self) -> TypeDecl {
        let mut fields = Vec::new();
        if self.catalog {
            // Owners of listed products set their prices.
            fields.extend(sold(if self.listing.is_some() { SetBy::Owner } else { SetBy::Admin }));
        }
        if !self.provisions.is_empty() {
            fields.extend(provisioned(&self));
        }
        if let Some(link) = &self.plan {
            fields.push(Field { max_length: Some(255), ..field(&link.field, FieldType::String, SetBy::Owner) });
        }
        for field in fields {
            if self.field(&field.name).is_none() {
                self.fields.push(field);
            }
        }
        self
    }
}

fn field(name: &str, field_type: FieldType, set_by: SetBy) -> Field {
    Field { name: name.to_owned(), field_type, set_by, ..Field::default() }
}

/// Returns the fields of a product in the catalog: its ids at Stripe, its prices, their sync, how it is sold, and display options.
fn sold(prices_by: SetBy) -> Vec<Field> {
    let id = |name: &str| Field {
        min_length: Some(1),
        max_length: Some(255),
        ..field(name, FieldType::String, SetBy::Admin)
    };
    let states = ["local", "syncing", "synced", "failed"].map(str::to_owned).to_vec();
    vec![
        field("purchasable", FieldType::Bool, SetBy::Admin),
        field(sale::QUANTITY, FieldType::Object, SetBy::Admin),
        field(sale::TRIAL, FieldType::Object, SetBy::Admin),
        field(sale::REFUND, FieldType::Object, SetBy::Admin),
        field(sale::PAUSE, FieldType::Object, SetBy::Admin),
        field("highlight", FieldType::Bool, SetBy::Admin),
        Field { options: vec!["sales".to_owned()], ..field("contact", FieldType::Enum, SetBy::Admin) },
        Field { min: Some(0), ..field("display_order", FieldType::Int, SetBy::Admin) },
        id("stripe_product_id"),
        id("stripe_price_id"),
        field("prices", FieldType::Object, prices_by),
        Field { options: states, ..field("sync", FieldType::Enum, SetBy::Service) },
        Field { min: Some(1), ..field("sync_generation", FieldType::Int, SetBy::Service) },
    ]
}

/// Returns the fields of a provisioned product, with the statuses of requirements M12 and their older names as aliases.
fn provisioned(decl: &TypeDecl) -> Vec<Field> {
    let service = |name: &str, field_type: FieldType| field(name, field_type, SetBy::Service);
    let older = [("failed", "error"), ("stopped", "suspended"), ("deleted", "terminated")];
    let reasons = ["payment", "over_limit", "admin"].map(str::to_owned).to_vec();
    let mut out = vec![
        Field {
            options: InstanceStatus::ALL.map(|status| status.name().to_owned()).to_vec(),
            aliases: older.map(|(old, new)| (old.to_owned(), new.to_owned())).into_iter().collect(),
            ..service("status", FieldType::Enum)
        },
        service("resources", FieldType::Object),
        service("error", FieldType::Object),
        Field { format: Some(Format::DateTime), ..service("created_at", FieldType::String) },
        Field { options: reasons, ..service("suspend_reason", FieldType::Enum) },
        service("user_id", FieldType::String),
        service("purchase_id", FieldType::String),
        service("stripe_subscription_id", FieldType::String),
    ];
    if decl.watch.is_some() {
        let states = ["unknown", "healthy", "unhealthy"].map(str::to_owned).to_vec();
        out.push(Field { options: states, ..service("health_status", FieldType::Enum) });
    }
    if decl.plan.as_ref().is_some_and(|link| !link.quotas.is_empty()) {
        out.push(service("quotas", FieldType::Object));
    }
    out.extend(decl.views.keys().map(|name| service(name, FieldType::String)));
    if decl.measured().next().is_some() {
        out.extend(["usage", "usage_at"].map(|name| service(name, FieldType::Object)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::type_decl::TypeDecl;

    #[test]
    fn clauses_imply_fields_that_a_type_does_not_declare() {
        let text = r#"{"name": "site", "fields": [{"name": "status", "type": "string"}], "plan": {"field": "plan_id",
            "family": "plan"}, "provisions": [{"name": "files", "resource": "bucket"}]}"#;
        let decl: TypeDecl = extension_reader::from_str(text).expect("a type");
        let decl = decl.complete();
        for name in ["resources", "error", "created_at", "suspend_reason", "user_id", "plan_id"] {
            assert!(decl.field(name).is_some(), "{name}");
        }
        assert!(decl.field("status").is_some_and(|field| field.options.is_empty()), "the declared field is kept");
        assert!(decl.field("health_status").is_none() && decl.field("usage").is_none());
        assert!(decl.field("stripe_price_id").is_none());
    }
}
