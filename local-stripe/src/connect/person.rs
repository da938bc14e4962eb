//! The persons behind a connected account. They belong to the connected account's own objects.

use serde_json::{Value, json};

use crate::connect::external::account;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{ADDRESS, Args, Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;

const DOB: ParamKind = ParamKind::Map(&[
    req("day", ParamKind::Int(1, 31)),
    req("month", ParamKind::Int(1, 12)),
    req("year", ParamKind::Int(1_900, 2_100)),
]);
const RELATIONSHIP: ParamKind = ParamKind::Map(&[
    opt("authorizer", ParamKind::Bool),
    opt("director", ParamKind::Bool),
    opt("executive", ParamKind::Bool),
    opt("legal_guardian", ParamKind::Bool),
    opt("owner", ParamKind::Bool),
    opt("percent_ownership", ParamKind::Decimal),
    opt("representative", ParamKind::Bool),
    opt("title", ParamKind::Text),
]);
macro_rules! person_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("address", ADDRESS),
            opt("dob", DOB),
            opt("email", ParamKind::Email),
            opt("first_name", ParamKind::Text),
            opt("gender", ParamKind::OneOf(&["female", "male"])),
            opt("id_number", ParamKind::Text),
            opt("last_name", ParamKind::Text),
            opt("maiden_name", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("phone", ParamKind::Text),
            opt("political_exposure", ParamKind::OneOf(&["existing", "none"])),
            opt("ssn_last_4", ParamKind::Text),
            $($more),*
        ]
    };
}

/// The parameters of a person.
pub const FIELDS: &[Field] = person_fields![opt("nationality", ParamKind::Text), opt("relationship", RELATIONSHIP)];
/// The parameter `individual` of an account: the person behind it.
pub const INDIVIDUAL: ParamKind = ParamKind::Map(person_fields![opt(
    "relationship",
    ParamKind::Map(&[
        opt("director", ParamKind::Bool),
        opt("executive", ParamKind::Bool),
        opt("owner", ParamKind::Bool),
        opt("percent_ownership", ParamKind::Decimal),
        opt("title", ParamKind::Text),
    ]),
)]);

/// Applies the parameters of a request to a person. The numbers of identity documents are not stored.
fn apply(person: &mut Object, args: &Args) -> Result<(), ApiError> {
    for name in args.names().filter(|name| !matches!(*name, "address" | "dob" | "metadata" | "relationship")) {
        match name {
            "id_number" => person.set("id_number_provided", args.given(name).is_some()),
            "ssn_last_4" => person.set("ssn_last_4_provided", args.given(name).is_some()),
            _ => person.set(name, args.value(name)),
        }
    }
    for member in ["address", "dob", "relationship"] {
        for (name, value) in args.map(member).into_members() {
            let value = match (name.as_str(), value.as_str().and_then(|text| text.parse::<f64>().ok())) {
                ("percent_ownership", Some(number)) => json!(number),
                _ => value,
            };
            person.set_at(&format!("{member}.{name}"), value);
        }
    }
    person.set("metadata", merge_metadata(person.get("metadata"), args)?);
    Ok(())
}

/// Creates a person of an account and emits `person.created`.
///
/// # Errors
/// The account is unknown, or a parameter is invalid.
pub fn create(st: &mut State, id: &str, args: &Args) -> Result<Object, ApiError> {
    account(st, id)?;
    let mut person = model::account::person(st.new_id("person"), st.clock_s(), id);
    apply(&mut person, args)?;
    Ok(st.acting_for(id, |st| {
        let person = st.put(person);
        st.emit("person.created", &person);
        Object::clone(&person)
    }))
}

/// Returns the persons of an account, newest first.
///
/// # Errors
/// The account is unknown.
pub fn list(st: &mut State, id: &str) -> Result<Vec<Object>, ApiError> {
    account(st, id)?;
    Ok(st.acting_for(id, |st| st.newest("person", None).map(|person| Object::clone(&person)).collect()))
}

/// Returns a person of an account.
///
/// # Errors
/// The account or the person is unknown.
pub fn load(st: &mut State, id: &str, person: &str) -> Result<Object, ApiError> {
    account(st, id)?;
    st.acting_for(id, |st| st.load("person", person, "id").map(|found| Object::clone(&found)))
}

/// Changes a person and emits `person.updated`.
///
/// # Errors
/// The account or the person is unknown, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, person: &str, args: &Args) -> Result<Object, ApiError> {
    let mut next = load(st, id, person)?;
    apply(&mut next, args)?;
    let changed = st.acting_for(id, |st| {
        let changed = st.change_and_emit(person, "person.updated", |p| *p = next);
        Object::clone(&changed)
    });
    show(st, id, person, changed.value());
    Ok(changed)
}

/// Updates `individual` of the account, if it is the changed person.
fn show(st: &mut State, id: &str, person: &str, shown: Value) {
    st.acting_for("", |st| {
        if st.copy(id).text_at("individual.id") == Some(person) {
            st.change(id, |account| account.set("individual", shown));
        }
    });
}

/// Deletes a person and emits `person.deleted`.
///
/// # Errors
/// The account or the person is unknown.
pub fn delete(st: &mut State, id: &str, person: &str) -> Result<Value, ApiError> {
    let gone = load(st, id, person)?;
    st.acting_for(id, |st| {
        st.emit("person.deleted", &gone);
        st.remove(person);
    });
    show(st, id, person, Value::Null);
    Ok(json!({ "id": person, "object": "person", "deleted": true }))
}
