//! One route: what a request to it may contain, and what it does.

use crate::routes::errors::ErrorMap;
use crate::routes::form::Form;
use crate::routes::path::{Method, Pattern};
use crate::routes::reads::Read;
use crate::routes::types::{Field, Type};
use crate::yaml::bad_input::Place;
use std::collections::BTreeSet;

/// Who may use a route. The extension decides what a user may do in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, even without logging in.
    Public,
    /// Users, in their own account; operators and services, for an account named in the query.
    User,
    /// Members of an organization, which `account` gives. `may` in business.yml defines what each of their roles may do.
    OrgAdmin,
    /// Operators.
    Admin,
    /// Services and operators.
    Service,
    /// The bearer of a token created by the command `token.issue`: `ID.SECRET`. The account is the token's.
    Token,
}

impl Who {
    /// All of them, with their names in `routes.yml`.
    pub const ALL: [(Who, &'static str); 6] = [
        (Who::Public, "public"),
        (Who::User, "user"),
        (Who::OrgAdmin, "org-admin"),
        (Who::Admin, "admin"),
        (Who::Service, "service"),
        (Who::Token, "token"),
    ];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        Who::ALL.iter().find(|(known, _)| *known == self).map_or("admin", |(_, name)| name)
    }
}

/// The command that redeems a token.
const REDEEM: &str = "token.redeem";

/// A route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Name, for clients: `getConfig`.
    pub name: String,
    /// Description, for readers of the API.
    pub about: String,
    /// Name of the group it belongs to.
    pub tag: String,
    /// Method.
    pub method: Method,
    /// Path.
    pub pattern: Pattern,
    /// Who may use it.
    pub who: Who,
    /// The account; by default, the caller's own.
    pub account: Option<Form>,
    /// The claim whose holder is the account: `subdomain:{path.id}`. Only operators and services can find accounts in this
    /// way.
    pub holder: Option<Form>,
    /// Values in the path.
    pub path: Vec<Field>,
    /// Query parameters.
    pub query: Vec<Field>,
    /// Members of the body.
    pub body: Vec<Field>,
    /// Secrets that are put into the vault: each value becomes a reference.
    pub secrets: Vec<(String, Form)>,
    /// Queries before the command.
    pub reads: Vec<Read>,
    /// Kind of the command.
    pub command: Option<String>,
    /// Payload of the command.
    pub payload: Form,
    /// Queries after the command.
    pub then: Vec<Read>,
    /// Member of the reply whose secret is shown once.
    pub reveal: Option<String>,
    /// Status of the answer.
    pub status: u16,
    /// Type of the answer.
    pub answer: Type,
    /// Form of the answer; by default, the reply to the command.
    pub give: Option<Form>,
    /// Answers to refusals; they take precedence over those of the whole file.
    pub errors: ErrorMap,
    /// Position of the command's name.
    pub(crate) command_at: Place,
    /// Position of the route.
    pub(crate) place: Place,
}

impl Route {
    /// Returns true if the command redeems the caller's token. The command then decides whether the token is still valid.
    pub fn redeems_token(&self) -> bool {
        let Form::Map(members) = &self.payload else { return false };
        let is_callers = |name: &str| {
            let of_caller = format!("caller.token.{name}");
            members
                .iter()
                .any(|(own, form)| own == name && matches!(form, Form::Value(it) if it.text().trim() == of_caller))
        };
        self.command.as_deref() == Some(REDEEM) && is_callers("id") && is_callers("sha256")
    }

    /// Returns the names that the expressions of the route use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let secrets = self.secrets.iter().map(|(_, form)| form);
        let forms = self.account.iter().chain(&self.holder).chain(&self.give).chain([&self.payload]).chain(secrets);
        let reads = self.reads.iter().chain(&self.then);
        forms.flat_map(Form::names).chain(reads.flat_map(Read::names)).collect()
    }
}
