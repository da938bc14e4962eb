//! The views in PostgreSQL 15 or newer, in a separate schema for each business and mode, and the row-level security of the store's
//! tables. Views run with the rights of their reader (`security_invoker`), so the tables' policies decide which rows a reader sees. Data
//! from rows of all kinds, or from the payloads of events and effects, which no grant includes, is read through views with the rights of
//! their owner: `host_accounts`, `host_measurements` and `host_effects`. They call the function `host_sees` for each row.

use crate::tables::kind::Kind;
use crate::tables::space;
use crate::tables::sql::{self, Sql, claim_keys, key_conditions, measurements, name, text};
use crate::tables::view::{Tables, View, Wanted};
use host_store::Partition;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The names of the roles in a database. Users see the rows of their own accounts, administrators and services all rows of the business,
/// and everybody what the catalog sells. Of these, policies show the kinds that have views, and grants list columns. Nothing is granted
/// to a role that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Callers without an account.
    pub anonymous: String,
    /// Users. `request.jwt.claims` identifies the user.
    pub user: String,
    /// Administrators.
    pub admin: String,
    /// Trusted programs.
    pub service: String,
}

impl Default for Roles {
    /// Supabase's names, and one for administrators, for whom it has none.
    fn default() -> Roles {
        let [anonymous, user, admin, service] =
            ["anon", "authenticated", "host_admin", "service_role"].map(str::to_owned);
        Roles { anonymous, user, admin, service }
    }
}

/// The tables of a store. They all get row-level security.
pub const STORE_TABLES: [&str; 12] = [
    "claims",
    "effects",
    "events",
    "facts",
    "partitions",
    "refs",
    "replies",
    "rows",
    "runs",
    "schema_version",
    "scopes",
    "waits",
];

/// The columns that readers of views need.
const GRANTS: [(&str, &str); 2] =
    [("scopes", "id, partition, account"), ("rows", "scope, key, body, value, shown, written, created_at, updated_at")];
/// The columns of claims that readers need for their own rows.
const CLAIM_GRANTS: &str = "key, holder";
/// The columns of events that administrators and services may read; none contains a payload.
const EVENT_GRANTS: &str =
    "seq, partition, source, id, kind, received_at, account, state, at, failures, error, outcome, runs, run";
/// Key of the lock under which one host at a time creates views.
const LOCK: i64 = 0x7072_6f76_6973_0002;

/// A mistake in the names of a business or a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// PostgreSQL shortens longer names.
    #[error("the schema `{0}` has {1} bytes: expected at most {SPACE_BYTES_MAX}; give the business a shorter name")]
    Long(String, usize),
    /// PostgreSQL has no such role.
    #[error("the role `{0}`: expected 1 to 63 bytes without a NUL")]
    Role(String),
}

/// Maximum length of a schema's name in bytes, so that the names of its policies fit.
const SPACE_BYTES_MAX: usize = 50;

/// Returns the beginning of a schema's comment, which identifies its business and mode.
fn whose(partition: &Partition) -> String {
    let mode = host_store::mode(partition.livemode);
    format!("views of tables.yml: {} ({mode}), ", partition.business)
}

/// A script that creates views, and the comment that their schema gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Up {
    /// Name of the schema.
    pub schema: String,
    /// Comment of the schema. It differs between scripts.
    pub comment: String,
    /// The script, one transaction.
    pub script: String,
}

/// Returns a script that creates the views, replaces the earlier ones of the business, and secures the tables. The tables of the store
/// must be in the search path.
///
/// # Errors
/// Fails if a name is too long.
pub fn up(tables: &Tables, partition: &Partition, roles: &Roles) -> Result<Up, NameError> {
    let space = checked_space(partition, roles)?;
    let schema = name(&space);
    let sql = Sql::Postgres(&schema, partition);
    let mut script = vec![
        "BEGIN".to_owned(),
        format!("SELECT pg_advisory_xact_lock({LOCK})"),
        remove_schema(partition, &space),
        secure(),
        format!("CREATE SCHEMA {schema}"),
    ];
    script.extend(functions(&schema, &space, partition, roles));
    let kinds = kinds(tables);
    script.extend(definer_views(&schema, tables));
    for view in &tables.views {
        script.push(format!(
            "CREATE VIEW {schema}.{} WITH (security_invoker = true) AS {}",
            name(&view.name),
            sql::query(sql, view)
        ));
    }
    script.extend(policies(&schema, partition, &kinds, roles));
    script.extend(grants(&schema, tables, roles));
    let comment = format!("{}{}", whose(partition), hex::encode(Sha256::digest(joined(&script))));
    script.push(format!("COMMENT ON SCHEMA {schema} IS {}", text(&comment)));
    script.push("COMMIT".to_owned());
    Ok(Up { schema: space, comment, script: joined(&script) })
}

/// Returns a script that removes the views and policies of a business. The tables stay secured: after the last business, only their
/// owner can read them.
///
/// # Errors
/// Fails if a name is too long.
pub fn down(partition: &Partition, roles: &Roles) -> Result<String, NameError> {
    let space = checked_space(partition, roles)?;
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    let others =
        "SELECT FROM pg_namespace AS n WHERE obj_description(n.oid, 'pg_namespace') LIKE 'views of tables.yml: %'";
    let revoke = |role: &String| {
        let of_role = |table: &str| format!("EXECUTE format('REVOKE ALL ON {table} FROM %I', {});", text(role));
        let tables: String = ["claims", "events", "rows", "scopes"].map(of_role).join(" ");
        format!("IF EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN {tables} END IF;", text(role))
    };
    let revokes: String = each(roles).map(revoke).join("\n    ");
    let cleared = block(&format!("BEGIN\n  IF NOT EXISTS ({others}) THEN\n    {revokes}\n  END IF;\nEND"));
    Ok(joined(&["BEGIN".to_owned(), lock, remove_schema(partition, &space), cleared, "COMMIT".to_owned()]))
}

/// Returns a block of PL/pgSQL between tags that its text does not contain.
fn block(body: &str) -> String {
    let mut tag = "$do$".to_owned();
    while body.contains(&tag) {
        tag.insert(3, 'o');
    }
    format!("DO {tag} {body} {tag}")
}

fn joined(script: &[String]) -> String {
    format!("{};\n", script.join(";\n"))
}

fn each(roles: &Roles) -> [&String; 4] {
    [&roles.anonymous, &roles.user, &roles.admin, &roles.service]
}

fn checked_space(partition: &Partition, roles: &Roles) -> Result<String, NameError> {
    let is_role = |role: &String| (1..=63).contains(&role.len()) && !role.contains('\0');
    if let Some(role) = each(roles).into_iter().find(|role| !is_role(role)) {
        return Err(NameError::Role(role.clone()));
    }
    let space = space(partition);
    match space.len() > SPACE_BYTES_MAX {
        true => Err(NameError::Long(space.clone(), space.len())),
        false => Ok(space),
    }
}

/// Removes the schema of a business, if there is one, with its policies. Refuses a schema that belongs to somebody else, or one with
/// views that somebody else's objects use.
fn remove_schema(partition: &Partition, space: &str) -> String {
    let (schema, whose, policies) = (text(space), text(&whose(partition)), text(&format!("{space}:%")));
    block(&format!(
        "DECLARE
  o record;
  space oid := (SELECT oid FROM pg_namespace WHERE nspname = {schema});
BEGIN
  IF space IS NULL THEN RETURN; END IF;
  IF NOT starts_with(coalesce(obj_description(space, 'pg_namespace'), ''), {whose}) THEN
    RAISE EXCEPTION 'the schema % is not that of %', {schema}, {whose} USING HINT = 'Rename the schema or the business.';
  END IF;
  FOR o IN SELECT polname, polrelid::regclass AS of FROM pg_policy WHERE polname LIKE {policies} LOOP
    EXECUTE format('DROP POLICY %I ON %s', o.polname, o.of);
  END LOOP;
  FOR o IN SELECT oid::regclass AS of FROM pg_class WHERE relnamespace = space AND relkind = 'v' ORDER BY oid DESC LOOP
    EXECUTE format('DROP VIEW %s', o.of);
  END LOOP;
  FOR o IN SELECT oid::regprocedure AS of FROM pg_proc WHERE pronamespace = space ORDER BY oid DESC LOOP
    EXECUTE format('DROP FUNCTION %s', o.of);
  END LOOP;
  EXECUTE format('DROP SCHEMA %I', {schema});
END"
    ))
}

/// Turns on row-level security for all tables of the store. Their owner, which the host is, is not subject to it.
fn secure() -> String {
    let tables = STORE_TABLES.map(text).join(", ");
    block(&format!(
        "DECLARE
  o record;
BEGIN
  FOR o IN SELECT c.oid::regclass AS of FROM pg_class AS c
      WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'rows'::regclass) AND c.relkind = 'r'
        AND NOT c.relrowsecurity AND c.relname IN ({tables}) LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', o.of);
  END LOOP;
END"
    ))
}

/// The functions of a schema: the partition, the catalog's scope, whether the reader sees all rows, and the reader's own scopes.
fn functions(schema: &str, space: &str, partition: &Partition, roles: &Roles) -> Vec<String> {
    let (business, livemode) = (text(&partition.business), partition.livemode);
    let (admin, service, space) = (text(&roles.admin), text(&roles.service), text(space));
    vec![
        format!(
            "CREATE FUNCTION {schema}.host_partition() RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
BEGIN ATOMIC SELECT p.id FROM partitions AS p WHERE p.business = {business} AND p.livemode = {livemode}; END"
        ),
        format!(
            "CREATE FUNCTION {schema}.host_catalog() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
BEGIN ATOMIC SELECT s.id FROM scopes AS s WHERE s.partition = {schema}.host_partition() AND s.account = 'platform'; END"
        ),
        // The claims are a setting of the session, which every role can write: a reader must not be able to log in with a role for
        // users.
        format!(
            "CREATE FUNCTION {schema}.host_own() RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
BEGIN ATOMIC SELECT coalesce(array_agg(s.id), '{{}}') FROM scopes AS s
    CROSS JOIN (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb AS own) AS c
  WHERE s.partition = {schema}.host_partition() AND (s.account = 'user:' || (c.own ->> 'sub')
    OR s.account LIKE 'organization:%' AND c.own -> 'organizations' ? substr(s.account, 14)); END"
        ),
        format!(
            "CREATE FUNCTION {schema}.host_sees_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC SELECT EXISTS (SELECT FROM pg_roles AS r WHERE (r.rolname IN ({admin}, {service})
    OR r.oid = (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = {space})) AND pg_has_role(current_user, r.oid, 'USAGE'));
END"
        ),
        format!(
            "CREATE FUNCTION {schema}.host_sees(scope bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC SELECT (SELECT {schema}.host_sees_all()) OR host_sees.scope = ANY ((SELECT {schema}.host_own())::bigint[]); END"
        ),
    ]
}

/// Returns the kinds of rows that the views read.
fn kinds(tables: &Tables) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for view in &tables.views {
        for kind in std::iter::once(&view.kind).chain(view.lookups.iter().map(|lookup| &lookup.kind)) {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
    }
    kinds
}

/// The views with the rights of their owner, over tables that no reader may read.
fn definer_views(schema: &str, tables: &Tables) -> Vec<String> {
    let with = "WITH (security_barrier = true) AS";
    let mut views = Vec::new();
    if tables.views.iter().any(|view| view.kind == Kind::Measurement) {
        views.push(format!("CREATE VIEW {schema}.host_measurements {with} {}", measurements(schema)));
    }
    if tables.views.iter().any(|view| view.kind == Kind::Account) {
        let time = |which: &str, name: &str| {
            format!("(SELECT {which}(r.{name}) FROM rows AS r WHERE r.scope = s.id) AS {name}")
        };
        views.push(format!(
            "CREATE VIEW {schema}.host_accounts {with} SELECT s.id, s.account, {}, {} FROM scopes AS s \
             WHERE s.partition = {schema}.host_partition() AND {schema}.host_sees(s.id)",
            time("min", "created_at"),
            time("max", "updated_at")
        ));
    }
    let kinds: BTreeSet<&str> = tables.views.iter().flat_map(effect_kinds).collect();
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds.into_iter().map(text).collect();
        views.push(format!(
            "CREATE VIEW {schema}.host_effects {with} SELECT e.scope, e.key, e.generation, e.kind, e.state, e.attempts, e.created_at, \
             CASE WHEN NOT e.erased THEN e.payload::jsonb END AS payload FROM effects AS e \
             WHERE e.partition = {schema}.host_partition() AND e.kind IN ({}) AND {schema}.host_sees(e.scope)",
            kinds.join(", ")
        ));
    }
    views
}

fn effect_kinds(view: &View) -> impl Iterator<Item = &str> {
    let conditions = view.conditions.iter().filter(|condition| view.kind == Kind::Effect && condition.path.is_kind());
    conditions.flat_map(|condition| &condition.wanted).filter_map(|wanted| match wanted {
        Wanted::Text(kind) => Some(kind.as_str()),
        _ => None,
    })
}

/// The policies of the tables for the rows shown by the views of a business.
fn policies(schema: &str, business: &Partition, kinds: &[Kind], roles: &Roles) -> Vec<String> {
    let space = space(business);
    let users = [&roles.user];
    let everybody = [&roles.anonymous, &roles.user];
    let trusted = [&roles.admin, &roles.service];
    let own = format!("(SELECT {schema}.host_own())::bigint[]");
    let partition = format!("(SELECT {schema}.host_partition())");
    let catalog = format!("(SELECT {schema}.host_catalog())");
    let any_of = |kinds: Vec<&Kind>| {
        let conditions = kinds.into_iter().map(|kind| format!("({})", key_conditions(kind, "rows").join(" AND ")));
        conditions.collect::<Vec<_>>().join(" OR ")
    };
    let mut policies = Vec::new();
    let mut add = |table: &str, what: &str, roles: &[&String], using: String| {
        policies.push(policy(&name(&format!("{space}:{what}")), table, roles, &using));
    };
    add("scopes", "own", &users, format!("id = ANY ({own})"));
    add("scopes", "all", &trusted, format!("partition = {partition}"));
    // Whether an account is closed determines whether its rows are hidden, even if a view shows nothing else of the account.
    let mut of_accounts: Vec<&Kind> = kinds.iter().filter(|kind| kind.is_row() && !kind.is_catalog()).collect();
    let closed = Kind::Record("account".to_owned());
    if !of_accounts.contains(&&closed) {
        of_accounts.push(&closed);
    }
    add("rows", "own", &users, format!("scope = ANY ({own}) AND ({})", any_of(of_accounts)));
    add("rows", "all", &trusted, format!("scope IN (SELECT s.id FROM scopes AS s WHERE s.partition = {partition})"));
    let of_catalog: Vec<&Kind> = kinds.iter().filter(|kind| kind.is_catalog()).collect();
    if !of_catalog.is_empty() {
        add("scopes", "catalog", &everybody, format!("id = {catalog}"));
        // A product's values are in the member `values`, a price's are at the top level.
        let is_active = "coalesce(body -> 'values' ->> 'active', body ->> 'active') = 'true'";
        let using = format!("scope = {catalog} AND ({}) AND {is_active}", any_of(of_catalog));
        add("rows", "catalog", &everybody, using);
    }
    let claims: Vec<String> = kinds
        .iter()
        .filter_map(|kind| match kind {
            Kind::Claim(name) => Some(claim_keys(business, name, "claims")),
            _ => None,
        })
        .collect();
    if !claims.is_empty() {
        let claims = claims.join(" OR ");
        let holders = format!("SELECT s.account FROM scopes AS s WHERE s.id = ANY ({own})");
        add("claims", "own", &users, format!("({claims}) AND holder IN ({holders})"));
        add("claims", "all", &trusted, claims);
    }
    if kinds.contains(&Kind::Event) {
        add("events", "all", &trusted, format!("partition = {partition}"));
    }
    policies
}

/// Creates a policy for those of the roles that exist.
fn policy(policy: &str, table: &str, roles: &[&String], using: &str) -> String {
    let roles: Vec<String> = roles.iter().map(|role| text(role)).collect();
    block(&format!(
        "DECLARE
  roles text := (SELECT string_agg(quote_ident(rolname), ', ') FROM pg_roles WHERE rolname IN ({}));
BEGIN
  IF roles IS NOT NULL THEN
    EXECUTE {} || roles || {};
  END IF;
END",
        roles.join(", "),
        text(&format!("CREATE POLICY {policy} ON {table} FOR SELECT TO ")),
        text(&format!(" USING ({using})"))
    ))
}

/// The grants to each role.
fn grants(schema: &str, tables: &Tables, roles: &Roles) -> Vec<String> {
    let is_public = |view: &View| view.kind.is_catalog() && view.lookups.iter().all(|lookup| lookup.kind.is_catalog());
    let views = |shows: &dyn Fn(&View) -> bool| -> Vec<String> {
        let shown = tables.views.iter().filter(|view| shows(view));
        shown.map(|view| format!("SELECT ON {schema}.{}", name(&view.name))).collect()
    };
    let of_tables = || GRANTS.map(|(table, columns)| format!("SELECT ({columns}) ON {table}")).to_vec();
    let of_owner: Vec<String> = [Kind::Account, Kind::Measurement, Kind::Effect]
        .into_iter()
        .zip(["host_accounts", "host_measurements", "host_effects"])
        .filter(|(kind, _)| tables.views.iter().any(|view| view.kind == *kind))
        .map(|(_, view)| format!("SELECT ON {schema}.{view}"))
        .collect();
    let always = [format!("USAGE ON SCHEMA {schema}"), format!("EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema}")];
    let claims = vec![format!("SELECT ({CLAIM_GRANTS}) ON claims")];
    let anonymous = [always.to_vec(), of_tables(), views(&is_public)].concat();
    let user =
        [always.to_vec(), of_tables(), claims.clone(), of_owner.clone(), views(&|view| view.kind != Kind::Event)]
            .concat();
    let events = vec![format!("SELECT ({EVENT_GRANTS}) ON events")];
    let trusted = [always.to_vec(), of_tables(), claims, of_owner, events, views(&|_| true)].concat();
    let mut script = vec![format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC")];
    // A platform may grant its roles all rights on a new table.
    script.push(revoke_tables(&[&roles.anonymous, &roles.user, &roles.admin]));
    for (role, grants) in
        [(&roles.anonymous, &anonymous), (&roles.user, &user), (&roles.admin, &trusted), (&roles.service, &trusted)]
    {
        let granted: Vec<String> = grants
            .iter()
            .map(|grant| format!("    EXECUTE format({}, {});", text(&format!("GRANT {grant} TO %I")), text(role)))
            .collect();
        script.push(block(&format!(
            "BEGIN\n  IF EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN\n{}\n  END IF;\nEND",
            text(role),
            granted.join("\n")
        )));
    }
    script
}

/// Revokes all rights on whole tables from roles. The rights on columns that another business's views need are kept.
fn revoke_tables(roles: &[&String]) -> String {
    let roles: Vec<String> = roles.iter().map(|role| text(role)).collect();
    let tables = STORE_TABLES.map(text).join(", ");
    block(&format!(
        "DECLARE
  o record;
BEGIN
  FOR o IN SELECT DISTINCT c.oid::regclass AS of, r.rolname FROM pg_class AS c, aclexplode(c.relacl) AS a
      JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'rows'::regclass) AND c.relkind = 'r'
        AND c.relname IN ({tables}) AND r.rolname IN ({}) AND r.oid <> c.relowner LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %I', o.of, o.rolname);
  END LOOP;
END",
        roles.join(", ")
    ))
}
