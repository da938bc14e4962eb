//! Fields that come with a clause and that no type has to write down: what every provisioned product shows, and what
//! every product that is sold has.

use super::{Field, FieldType, Format, SetBy, TypeDecl};
use crate::model::gather::gather;
use crate::model::records::instance::InstanceStatus;

impl TypeDecl {
    /// The type with the fields that its clauses bring. A field that it has itself stays as it is.
    pub fn complete(mut self) -> TypeDecl {
        let mut fields = Vec::new();
        if self.catalog {
            fields.extend(sold());
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

/// What a product of the catalog has: its match at the provider, its prices, and how it is shown.
fn sold() -> Vec<Field> {
    let id = |name: &str| Field {
        min_length: Some(1),
        max_length: Some(255),
        ..field(name, FieldType::String, SetBy::Admin)
    };
    let states = ["local", "syncing", "synced", "failed"].map(str::to_owned).to_vec();
    vec![
        field("purchasable", FieldType::Bool, SetBy::Admin),
        Field { min: Some(0), ..field("display_order", FieldType::Int, SetBy::Admin) },
        id("stripe_product_id"),
        id("stripe_price_id"),
        field("prices", FieldType::Object, SetBy::Admin),
        Field { options: states, ..field("sync", FieldType::Enum, SetBy::Service) },
        Field { min: Some(1), ..field("sync_generation", FieldType::Int, SetBy::Service) },
    ]
}

/// What a product with resources shows of them: the states of requirements M12, with older names for some.
fn provisioned(decl: &TypeDecl) -> Vec<Field> {
    let service = |name: &str, field_type: FieldType| field(name, field_type, SetBy::Service);
    let older = [("failed", "error"), ("stopped", "suspended"), ("deleted", "terminated")];
    let reasons = ["payment", "over_limit", "admin"].map(str::to_owned).to_vec();
    let mut out = vec![
        Field {
            options: InstanceStatus::ALL.map(|status| status.name().to_owned()).to_vec(),
            aliases: gather(older.map(|(old, new)| (old.to_owned(), new.to_owned()))),
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
    if !decl.meters.is_empty() {
        out.extend(["usage", "usage_at"].map(|name| service(name, FieldType::Object)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::TypeDecl;

    #[test]
    fn a_type_that_says_nothing_of_them_has_the_fields_of_its_clauses() {
        let text = r#"{"name": "site", "fields": [{"name": "status", "type": "string"}], "plan": {"field": "plan_id",
            "family": "plan"}, "provisions": [{"name": "files", "resource": "bucket"}]}"#;
        let decl: TypeDecl = extension_reader::from_str(text).expect("a type");
        let decl = decl.complete();
        for name in ["resources", "error", "created_at", "suspend_reason", "user_id", "plan_id"] {
            assert!(decl.field(name).is_some(), "{name}");
        }
        assert!(decl.field("status").is_some_and(|field| field.options.is_empty()), "its own stays");
        assert!(decl.field("health_status").is_none() && decl.field("usage").is_none());
        assert!(decl.field("stripe_price_id").is_none());
    }
}
