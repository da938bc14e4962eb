//! Requests to Supabase's management API.

use crate::http::{Body, Client, Method, Redacted, Reply, Request, retry_after_ms};
use crate::supabase::config::Config;
use crate::supabase::failure::Failed;
use crate::supabase::project::{Project, ProjectState};
use host_provider_api::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

/// Prefixes of tokens. Words with these prefixes are removed from all outcomes.
const TOKEN_PREFIXES: [&str; 2] = ["sbp_", "sba_"];
/// Projects per page, Supabase's maximum.
const PAGE: usize = 100;
/// Maximum pages of a search.
const PAGES_MAX: usize = 20;

/// The management API with a token.
pub(crate) struct Api<'a> {
    client: &'a Client,
    token: &'a Secret,
}

#[derive(Deserialize)]
struct Page {
    projects: Vec<Project>,
}

/// Settings of a new project.
pub(crate) struct NewProject<'w> {
    pub name: &'w str,
    pub organization: &'w str,
    pub region: &'w str,
    pub instance_size: Option<&'w str>,
    pub password: &'w Secret,
}

impl<'a> Api<'a> {
    pub fn new(config: &'a Config, client: &'a Client) -> Result<Api<'a>, Failed> {
        let token = config.token.as_ref().filter(|token| !token.expose().is_empty());
        Ok(Api { client, token: token.ok_or(Failed::NotConfigured)? })
    }

    /// Returns the redactor that removes tokens from texts.
    pub fn redacted(&self) -> Redacted<'a> {
        Redacted { key: self.token, prefixes: &TOKEN_PREFIXES }
    }

    /// Returns the organization's oldest existing project that `wanted` accepts.
    pub fn find(&self, organization: &str, wanted: &dyn Fn(&Project) -> bool) -> Result<Option<Project>, Failed> {
        for page in 0..PAGES_MAX {
            let offset = page * PAGE;
            // The search by name is not used: its matching rules are undocumented.
            let path =
                format!("/v1/organizations/{organization}/projects?offset={offset}&limit={PAGE}&sort=created_asc");
            let found: Page = self.object(Method::Get, &path, None, "a page of projects")?;
            let is_last = found.projects.len() < PAGE;
            let mut projects = found.projects.into_iter();
            if let Some(project) = projects.find(|one| one.state() != ProjectState::Gone && wanted(one)) {
                return Ok(Some(project));
            }
            if is_last {
                return Ok(None);
            }
        }
        Err(Failed::TooMany(PAGES_MAX * PAGE))
    }

    /// Returns a project; none if it does not exist or was removed.
    pub fn project(&self, reference: &str) -> Result<Option<Project>, Failed> {
        let path = format!("/v1/projects/{reference}");
        match self.object::<Project>(Method::Get, &path, None, "a project") {
            Ok(project) => Ok(Some(project).filter(|project| project.state() != ProjectState::Gone)),
            Err(Failed::Error { status: 404, .. }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    pub fn create(&self, wanted: &NewProject<'_>) -> Result<Project, Failed> {
        let mut body = json!({
            "name": wanted.name, "organization_slug": wanted.organization, "db_pass": wanted.password.expose(),
            "region_selection": {"type": "specific", "code": wanted.region},
        });
        if let Some(size) = wanted.instance_size {
            body["desired_instance_size"] = json!(size);
        }
        self.object(Method::Post, "/v1/projects", Some(&body), "a project")
    }

    pub fn rename(&self, reference: &str, name: &str) -> Result<(), Failed> {
        self.send(Method::Patch, &format!("/v1/projects/{reference}"), Some(&json!({"name": name}))).map(drop)
    }

    pub fn pause(&self, reference: &str) -> Result<(), Failed> {
        self.send(Method::Post, &format!("/v1/projects/{reference}/pause"), None).map(drop)
    }

    pub fn restore(&self, reference: &str) -> Result<(), Failed> {
        self.send(Method::Post, &format!("/v1/projects/{reference}/restore"), None).map(drop)
    }

    /// Deletes a project; succeeds if it does not exist.
    pub fn delete(&self, reference: &str) -> Result<(), Failed> {
        match self.send(Method::Delete, &format!("/v1/projects/{reference}"), None) {
            Ok(_) | Err(Failed::Error { status: 404, .. }) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    /// Counts the tables in the database, excluding Supabase's own.
    pub fn tables(&self, reference: &str) -> Result<i64, Failed> {
        let query = "select count(*)::int as tables from information_schema.tables where table_schema = 'public'";
        let body = json!({"query": query, "read_only": true});
        let path = format!("/v1/projects/{reference}/database/query");
        let rows: Value = self.object(Method::Post, &path, Some(&body), "rows")?;
        let tables = rows.pointer("/0/tables").and_then(Value::as_i64);
        tables.ok_or(Failed::Unreadable { status: 201, expected: "a row with `tables`" })
    }

    fn object<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        expected: &'static str,
    ) -> Result<T, Failed> {
        let reply = self.send(method, path, body)?;
        serde_json::from_slice(&reply.body).map_err(|_| Failed::Unreadable { status: reply.status, expected })
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Failed> {
        let body = body.map(|body| Body::Json(body.to_string()));
        let request = Request { method, path, bearer: self.token.expose(), headers: &[], body };
        let reply = self.client.send(&request)?;
        match reply.status {
            200..300 => Ok(reply),
            300..=399 => Err(Failed::Unreadable { status: reply.status, expected: "no redirect" }),
            401 => Err(Failed::Unauthorized),
            _ => Err(self.error(&reply)),
        }
    }

    fn error(&self, reply: &Reply) -> Failed {
        let told = serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
        let message = match told.get("message") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "no message".to_owned(),
        };
        let message = self.redacted().text(&message);
        let words = message.to_lowercase();
        let is_limit = words.contains("limit") || words.contains("quota") || words.contains("exceeded");
        match reply.status {
            402 => Failed::Quota(message),
            // Supabase sends no error code when a limit is reached.
            400 | 403 | 422 if is_limit => Failed::Quota(message),
            status => Failed::Error { status, message, after_ms: retry_after_ms(reply) },
        }
    }
}
