//! A test double of the project endpoints of Supabase's management API, built from the API's published schema (OpenAPI,
//! `api_v1`). It checks the token and request bodies; a change of a project takes several polls.

pub(crate) mod http;

use crate::postgres::Postgres;
use serde_json::{Map, Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

/// Allowed members of a body that creates a project.
const CREATE: [&str; 9] = [
    "db_pass",
    "name",
    "organization_id",
    "organization_slug",
    "plan",
    "region",
    "region_selection",
    "desired_instance_size",
    "template_url",
];
/// Maximum length of a name, in characters.
const NAME_CHARS_MAX: usize = 256;
/// Maximum number of projects per page.
const LIMIT_MAX: usize = 100;
/// Supabase's message when the project limit is reached.
const NO_MORE: &str = "The following organization members have reached their maximum limits for the number of active free projects within organizations where they are an administrator or owner: somebody (2 project limit).";

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Id, 20 letters from a to z.
    pub reference: String,
    /// Slug of its organization.
    pub organization: String,
    /// Name, not necessarily unique.
    pub name: String,
    /// Region, for example `eu-central-1`.
    pub region: String,
    /// Status: `ACTIVE_HEALTHY`, …
    pub status: String,
    /// Password of the database.
    pub password: String,
    /// Number of tables in the database.
    pub tables: u32,
    /// The number of polls until the next status, and the next status.
    becomes: Option<(usize, &'static str)>,
}

impl Project {
    /// Password of projects that a person created.
    pub const PASSWORD: &str = "the-password-of-who-made-it-by-hand";

    /// A running project that a person created.
    pub fn ready(reference: &str, organization: &str, name: &str) -> Project {
        Project {
            reference: reference.to_owned(),
            organization: organization.to_owned(),
            name: name.to_owned(),
            region: "eu-central-1".to_owned(),
            status: "ACTIVE_HEALTHY".to_owned(),
            password: Project::PASSWORD.to_owned(),
            tables: 0,
            becomes: None,
        }
    }

    /// Counts a poll, which advances pending changes.
    fn poll(&mut self) {
        match self.becomes {
            Some((0, status)) => {
                self.status = status.to_owned();
                self.becomes = None;
            }
            Some((left, status)) => self.becomes = Some((left - 1, status)),
            None => {}
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.reference, "ref": self.reference, "organization_id": self.organization,
            "organization_slug": self.organization, "name": self.name, "region": self.region,
            "created_at": "2026-01-01T00:00:00Z", "status": self.status,
        })
    }
}

#[derive(Default)]
struct State {
    token: String,
    organization: String,
    projects: Vec<Project>,
    made: u64,
    polls: usize,
    most: Option<usize>,
    next_fails: bool,
    refuses_pause: Option<u16>,
    /// Weak, because the double's thread outlives its test, and a server is stopped and deleted on drop.
    database: Weak<Postgres>,
}

/// A management API with one organization and one token.
pub struct Supabase {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// HTTP status and JSON body.
type Answer = (u16, Value);

impl Supabase {
    /// Starts an API with this token for this organization.
    pub fn start(token: &str, organization: &str) -> Supabase {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let state = State { token: token.to_owned(), organization: organization.to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let threads = Arc::clone(&state);
        // The thread ends with the test process: accepting connections can't be interrupted.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&threads);
                thread::spawn(move || {
                    http::serve(&client, |request| lock(&state).answer(request));
                });
            }
        });
        Supabase { address, state }
    }

    /// Returns the API's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Uses a server as the database of the latest project. The double sets the project's password on the server, drops
    /// the schema `app` when a project is created, and sets a different password while the project is paused.
    pub fn set_database(&self, server: &Arc<Postgres>) {
        lock(&self.state).database = Arc::downgrade(server);
    }

    /// Sets the number of polls that every later change takes.
    pub fn set_polls(&self, polls: usize) {
        lock(&self.state).polls = polls;
    }

    /// Sets the maximum number of projects that aren't paused.
    pub fn set_most(&self, most: usize) {
        lock(&self.state).most = Some(most);
    }

    /// Makes the next created project end with the status `INIT_FAILED`.
    pub fn fail_next(&self) {
        lock(&self.state).next_fails = true;
    }

    /// Refuses the next pause with this HTTP status.
    pub fn refuse_next_pause(&self, status: u16) {
        lock(&self.state).refuses_pause = Some(status);
    }

    /// Adds a project as if a person had created it.
    pub fn put(&self, project: Project) {
        let mut state = lock(&self.state);
        state.set_database_password(Some(&project.password));
        state.projects.push(project);
    }

    /// Changes a project directly, bypassing the API.
    pub fn change(&self, reference: &str, change: impl FnOnce(&mut Project)) {
        let mut state = lock(&self.state);
        change(state.projects.iter_mut().find(|one| one.reference == reference).expect("a project of this reference"));
    }

    /// Returns all projects.
    pub fn projects(&self) -> Vec<Project> {
        lock(&self.state).projects.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(status: u16, message: &str) -> Answer {
    (status, json!({"message": message}))
}

impl State {
    fn set_database_password(&self, password: Option<&str>) {
        if let Some(server) = self.database.upgrade() {
            server.set_password(password.unwrap_or("it is paused"));
        }
    }

    fn answer(&mut self, request: &http::Request) -> Answer {
        if request.authorization != format!("Bearer {}", self.token) {
            return refuse(401, &format!("Unauthorized: {}", request.authorization));
        }
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["v1", "organizations", slug, "projects"]) => self.list(slug, request),
            ("POST", ["v1", "projects"]) => self.create(&request.body),
            (method, ["v1", "projects", reference, rest @ ..]) => {
                self.of_project(method, reference, rest, &request.body)
            }
            _ => refuse(404, "Cannot find it"),
        }
    }

    fn list(&mut self, slug: &str, request: &http::Request) -> Answer {
        if slug != self.organization {
            return refuse(403, "Forbidden resource");
        }
        let number = |name: &str, default: usize| request.query(name).map_or(Ok(default), |text| text.parse());
        let (Ok(offset), Ok(limit)) = (number("offset", 0), number("limit", LIMIT_MAX)) else {
            return refuse(400, "offset and limit are numbers");
        };
        if !(1..=LIMIT_MAX).contains(&limit) {
            return refuse(400, "limit is from 1 to 100");
        }
        self.projects.iter_mut().for_each(Project::poll);
        let mut all: Vec<&Project> = self.projects.iter().filter(|one| one.organization == slug).collect();
        if request.query("sort").is_none_or(|sort| sort == "name_asc") {
            all.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let shown = |one: &&Project| {
            json!({"ref": one.reference, "name": one.name, "cloud_provider": "AWS", "region": one.region,
                "is_branch": false, "status": one.status, "inserted_at": "2026-01-01T00:00:00Z", "databases": []})
        };
        let projects: Vec<Value> = all.iter().skip(offset).take(limit).map(shown).collect();
        (200, json!({"projects": projects, "pagination": {"count": all.len(), "limit": limit, "offset": offset}}))
    }

    fn create(&mut self, body: &Value) -> Answer {
        let none = Map::new();
        let members = body.as_object().unwrap_or(&none);
        if let Some(unknown) = members.keys().find(|name| !CREATE.contains(&name.as_str())) {
            return refuse(400, &format!("Unrecognized key: {unknown}"));
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (password, name, organization) = (text("db_pass"), text("name"), text("organization_slug"));
        if password.is_empty() || name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            return refuse(400, "db_pass, name: expected a text");
        }
        if organization != self.organization {
            return refuse(403, "Forbidden resource");
        }
        let selection = &body["region_selection"];
        let region = match (body.get("region"), selection["type"].as_str()) {
            (None, Some("specific")) => selection["code"].as_str().unwrap_or_default().to_owned(),
            (Some(region), None) => region.as_str().unwrap_or_default().to_owned(),
            _ => return refuse(400, "Only one of region or region_selection can be specified"),
        };
        if region.is_empty() {
            return refuse(400, "region: expected a code");
        }
        let active = self.projects.iter().filter(|one| one.status != "INACTIVE").count();
        if self.most.is_some_and(|most| active >= most) {
            return refuse(400, NO_MORE);
        }
        self.made += 1;
        let reference: String =
            format!("{:020}", self.made).bytes().map(|byte| char::from(byte - b'0' + b'a')).collect();
        let ends = if std::mem::take(&mut self.next_fails) { "INIT_FAILED" } else { "ACTIVE_HEALTHY" };
        let project = Project {
            region,
            password,
            status: "COMING_UP".to_owned(),
            becomes: Some((self.polls, ends)),
            ..Project::ready(&reference, &organization, &name)
        };
        let shown = project.to_json();
        self.set_database_password(Some(&project.password));
        if let Some(server) = self.database.upgrade() {
            server.sql("postgres", "DROP SCHEMA IF EXISTS app CASCADE");
        }
        self.projects.push(project);
        (201, shown)
    }

    fn of_project(&mut self, method: &str, reference: &str, rest: &[&str], body: &Value) -> Answer {
        let (polls, most) = (self.polls, self.most);
        let active = self.projects.iter().filter(|one| one.status != "INACTIVE").count();
        let Some(at) = self.projects.iter().position(|one| one.reference == reference) else {
            return refuse(404, "Project not found");
        };
        let project = &mut self.projects[at];
        let named = json!({"id": 1, "ref": reference, "name": project.name});
        match (method, rest) {
            ("GET", []) => {
                project.poll();
                let mut shown = project.to_json();
                shown["database"] = json!({"host": format!("db.{reference}.supabase.co"), "version": "17.4",
                    "postgres_engine": "17", "release_channel": "ga"});
                (200, shown)
            }
            ("PATCH", []) => match body["name"].as_str().filter(|name| !name.is_empty()) {
                Some(name) => {
                    project.name = name.to_owned();
                    (200, json!({"id": 1, "ref": reference, "name": name}))
                }
                None => refuse(400, "name: expected a text"),
            },
            ("DELETE", []) => {
                self.projects.remove(at);
                (200, named)
            }
            ("POST", ["pause"]) if self.refuses_pause.is_some() => {
                refuse(self.refuses_pause.take().unwrap_or_default(), "It can't be paused")
            }
            ("POST", ["pause"]) if project.status == "ACTIVE_HEALTHY" => {
                (project.status, project.becomes) = ("PAUSING".to_owned(), Some((polls, "INACTIVE")));
                self.set_database_password(None);
                (200, json!({}))
            }
            ("POST", ["restore"]) if project.status == "INACTIVE" => {
                if most.is_some_and(|most| active >= most) {
                    return refuse(400, NO_MORE);
                }
                (project.status, project.becomes) = ("RESTORING".to_owned(), Some((polls, "ACTIVE_HEALTHY")));
                let password = project.password.clone();
                self.set_database_password(Some(&password));
                (200, json!({}))
            }
            ("POST", ["pause" | "restore"]) => refuse(400, &format!("Project is {}", project.status)),
            ("POST", ["database", "query"]) if project.status == "ACTIVE_HEALTHY" => {
                match (body["query"].as_str(), &body["read_only"]) {
                    (Some(_), Value::Bool(true)) => (201, json!([{"tables": project.tables}])),
                    _ => refuse(400, "the double only reads"),
                }
            }
            _ => refuse(404, "Cannot find it"),
        }
    }
}
