//! Reads the address of a store's database, and opens connections to it.

use crate::error::OpenError;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Schema of the store's tables, unless the address specifies another.
const SCHEMA: &str = "provisioner";
/// The parameters of the address that are durations, for messages.
const STATEMENT: &str = "statement_timeout";
const LOCK: &str = "lock_timeout";
const IDLE: &str = "idle_in_transaction_session_timeout";
/// How long a host in the address may take to accept a connection, and after how long the operating system closes a silent one.
const CONNECT_TIME: Duration = Duration::from_secs(5);
const KEEPALIVES_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVES_RETRIES: u32 = 3;
const TCP_USER_TIME: Duration = Duration::from_secs(30);
/// Port of PostgreSQL.
const PORT: u16 = 5432;
/// The setting that marks a session as used. A new session does not have it.
const MARK: &str = "provisioner.session";
/// Timeout of a statement on a small table that somebody is waiting for.
const QUICK: Duration = Duration::from_secs(5);

/// How long PostgreSQL may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TimeLimits {
    /// A statement.
    statement: Duration,
    /// A statement's wait for a lock.
    lock: Duration,
    /// A transaction without a statement: a host that hangs must not hold up others forever.
    idle: Duration,
}

/// Limits of a server's own statements.
const USUAL: TimeLimits =
    TimeLimits { statement: Duration::from_secs(15), lock: Duration::from_secs(10), idle: Duration::from_secs(60) };
/// Limits for work that nobody waits for, such as a migration or a copy.
const PATIENT: TimeLimits =
    TimeLimits { statement: Duration::from_hours(1), lock: Duration::from_mins(10), idle: Duration::from_hours(1) };

/// The address of a store: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME&sslmode=MODE`.
///
/// `sslmode` is `disable`, `prefer` or `require`; on TCP the default is `require`, with a certificate for the host name. On a Unix
/// socket there is no TLS. If there are several hosts, the first that accepts writes is used; `target_session_attrs=any` also accepts a
/// standby. `statement_timeout`, `lock_timeout` and `idle_in_transaction_session_timeout` are durations with a unit.
#[derive(Clone)]
pub struct Settings {
    /// The address with all its hosts.
    config: Config,
    /// One for each host.
    hosts: Vec<Config>,
    schema: String,
    limits: TimeLimits,
    /// PEM file with certificate authorities to trust in addition to the machine's.
    ca: Option<std::path::PathBuf>,
}

/// Writes the hosts, the database and the schema, but no password.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres {} at {}", self.config.get_dbname().unwrap_or_default(), names(&self.config).join(","))?;
        if self.schema == SCHEMA { Ok(()) } else { write!(f, ", schema {}", self.schema) }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Settings {
    type Err = OpenError;

    fn from_str(address: &str) -> Result<Self, OpenError> {
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut schema, mut ca, mut mode, mut kept) = (SCHEMA.to_owned(), None, None, Vec::new());
        let mut limits = USUAL;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("schema", name)) => name.clone_into(&mut schema),
                Some(("sslrootcert", file)) => ca = Some(file.into()),
                Some(("sslmode", name)) => mode = Some(name),
                Some((STATEMENT, time)) => limits.statement = duration(STATEMENT, time)?,
                Some((LOCK, time)) => limits.lock = duration(LOCK, time)?,
                Some((IDLE, time)) => limits.idle = duration(IDLE, time)?,
                // The library takes one host from each such parameter.
                Some(("host", hosts)) => kept.extend(hosts.split(',').map(|host| format!("host={host}"))),
                _ => kept.push(pair.to_owned()),
            }
        }
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            let is_first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
            is_first && name.len() <= 63 && bytes.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        };
        if !is_name(&schema) {
            return Err(OpenError::Address(format!(
                "schema `{schema}`: expected a name of at most 63 lower case letters, digits and `_`"
            )));
        }
        let is_given = |name: &str| kept.iter().any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name));
        let address = if kept.is_empty() { rest.to_owned() } else { format!("{rest}?{}", kept.join("&")) };
        // The library's error would quote the address, which may contain a password.
        let mut config: Config = address
            .parse()
            .map_err(|_| OpenError::Address("expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`".to_owned()))?;
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let mode = match mode {
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            Some("require" | "verify-full") => SslMode::Require,
            None if is_local => SslMode::Disable,
            None => SslMode::Require,
            Some(other) => {
                let text = format!("sslmode `{other}`: expected `disable`, `prefer`, `require` or `verify-full`");
                return Err(OpenError::Address(text));
            }
        };
        config.ssl_mode(mode);
        if !is_given("connect_timeout") {
            config.connect_timeout(CONNECT_TIME);
        }
        if !is_given("keepalives_idle") {
            config.keepalives_idle(KEEPALIVES_IDLE);
        }
        if !is_given("keepalives_interval") {
            config.keepalives_interval(KEEPALIVES_INTERVAL);
        }
        if !is_given("keepalives_retries") {
            config.keepalives_retries(KEEPALIVES_RETRIES);
        }
        if !is_given("tcp_user_timeout") {
            config.tcp_user_timeout(TCP_USER_TIME);
        }
        if !is_given("target_session_attrs") {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let hosts = of_each_host(&config)?;
        Ok(Settings { config, hosts, schema: String::new(), limits, ca }.in_schema(&schema))
    }
}

/// Parses a duration with a unit.
fn duration(name: &str, text: &str) -> Result<Duration, OpenError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "min" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = number.parse::<u64>().ok().zip(unit_ms).and_then(|(number, unit_ms)| number.checked_mul(unit_ms));
    // PostgreSQL stores milliseconds in 31 bits, and 0 means no limit.
    match ms.filter(|ms| (1..=u64::from(i32::MAX.unsigned_abs())).contains(ms)) {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => {
            Err(OpenError::Address(format!("{name} `{text}`: expected a time with a unit, such as `15s` or `500ms`")))
        }
    }
}

/// Returns the settings for each host of an address.
fn of_each_host(config: &Config) -> Result<Vec<Config>, OpenError> {
    let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    let is_one_for_each = |given: usize| given == count || given == 0;
    if count == 0 || names.iter().any(|name| matches!(name, Host::Tcp(name) if name.is_empty())) {
        return Err(OpenError::Address("a host has no name: expected `postgres://…@HOST/…` or `host=HOST`".to_owned()));
    }
    if !is_one_for_each(names.len()) || !is_one_for_each(addresses.len()) {
        let text = format!("{} hosts and {} of `hostaddr`: expected as many", names.len(), addresses.len());
        return Err(OpenError::Address(text));
    }
    if ports.len() > 1 && ports.len() != count {
        let text = format!("{} ports for {count} hosts: expected one port, or one for each host", ports.len());
        return Err(OpenError::Address(text));
    }
    let one = |at: usize| {
        let mut one = without_hosts(config);
        match names.get(at) {
            Some(Host::Tcp(name)) => _ = one.host(name),
            Some(Host::Unix(path)) => _ = one.host_path(path),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    Ok((0..count).map(one).collect())
}

/// Returns a copy without hosts and ports; a host added to it is the only one.
fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(time) = config.get_connect_timeout() {
        one.connect_timeout(*time);
    }
    if let Some(time) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*time);
    }
    if let Some(time) = config.get_keepalives_interval() {
        one.keepalives_interval(time);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    one.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
    one.channel_binding(config.get_channel_binding());
    one
}

impl Settings {
    /// Returns the schema of the store's tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the settings for another schema of the database. The name must not contain spaces, quotes or backslashes.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Settings {
        let mut settings = Settings { schema: schema.to_owned(), ..self.clone() };
        let name = self.config.get_application_name().map_or_else(|| format!("provisioner {schema}"), str::to_owned);
        settings.hosts.iter_mut().for_each(|host| _ = host.application_name(&name));
        settings
    }

    /// Returns the settings for work that nobody waits for, such as a migration or a copy: its statements may take an hour.
    #[must_use]
    pub fn patient(&self) -> Settings {
        Settings { limits: PATIENT, ..self.clone() }
    }

    /// Returns the settings for statements that look up a few rows while a request waits.
    #[must_use]
    pub fn quick(&self) -> Settings {
        let statement = if self.limits == PATIENT { PATIENT.statement } else { self.limits.statement.min(QUICK) };
        Settings { limits: TimeLimits { statement, ..self.limits }, ..self.clone() }
    }

    /// Returns how long the answer to a statement is awaited: a third longer than PostgreSQL's own limit, and at least two seconds
    /// longer. Even a busy server must have time to report that it has ended the statement.
    pub(crate) fn answer_time(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(2);
        self.limits.statement + (self.limits.statement / 3).max(MARGIN)
    }

    /// Returns the statements that prepare a session. They are statements and not connection options, because a pooler
    /// does not pass options on. Settings in the address's options take precedence.
    fn prepare(&self) -> String {
        let own = self.config.get_options().unwrap_or_default();
        let TimeLimits { statement, lock, idle } = self.limits;
        // Plans are made once: plans for the values of a call would be no better, and making one costs more than running it. The
        // server's default would let a host that disappears without closing its connection keep its locks for hours.
        let all = [
            (STATEMENT, statement.as_millis().to_string()),
            (LOCK, lock.as_millis().to_string()),
            (IDLE, idle.as_millis().to_string()),
            ("jit", "off".to_owned()),
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("default_transaction_isolation", "'read committed'".to_owned()),
            ("client_min_messages", "warning".to_owned()),
            ("tcp_keepalives_idle", KEEPALIVES_IDLE.as_secs().to_string()),
            ("tcp_keepalives_interval", KEEPALIVES_INTERVAL.as_secs().to_string()),
            ("tcp_keepalives_count", KEEPALIVES_RETRIES.to_string()),
        ];
        let set = all.iter().filter(|(name, _)| !own.contains(&format!("{name}=")));
        let set: String = set.map(|(name, value)| format!("SET {name} = {value};")).collect();
        format!(
            "SELECT current_setting('transaction_read_only'), current_setting('{MARK}', true); \
             {set} {} SET {MARK} = 'used'",
            self.search_path("SET")
        )
    }

    /// Returns the statement that sets the search path: for the session, or with `SET LOCAL` for a transaction.
    pub fn search_path(&self, set: &str) -> String {
        format!("{set} search_path = \"{}\";", self.schema)
    }

    /// Opens a connection to the first host that accepts writes, and returns it with the task that drives it.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        let mut problems = Vec::new();
        for host in &self.hosts {
            let time = host.get_connect_timeout().copied().unwrap_or(CONNECT_TIME);
            let no_answer = || format!("no answer within {} s", time.as_secs());
            let name = if self.hosts.len() == 1 { String::new() } else { format!("{}: ", names(host).join(",")) };
            let found = tokio::time::timeout(time, addresses(host)).await.unwrap_or_else(|_| Err(no_answer()));
            let found = found.unwrap_or_else(|problem| {
                problems.push(format!("{name}{problem}"));
                Vec::new()
            });
            for address in found {
                match tokio::time::timeout(time, self.session(&address)).await {
                    Ok(Ok(opened)) => return Ok(opened),
                    Ok(Err(OpenError::Unreachable(problem))) => problems.push(format!("{name}{problem}")),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => problems.push(format!("{name}{}", no_answer())),
                }
            }
        }
        Err(OpenError::Unreachable(problems.join("; ")))
    }

    /// Opens a connection to one host, checks that it is the right one, and prepares the session.
    async fn session(&self, host: &Config) -> Result<(Client, JoinHandle<()>), OpenError> {
        let (client, task) = self.connect_to(host).await?;
        let found = match client.simple_query(&self.prepare()).await {
            Ok(found) => found,
            Err(error) => {
                task.abort();
                return Err(unreachable(error));
            }
        };
        let row = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0).map(str::to_owned), row.get(1).map(str::to_owned))),
            _ => None,
        });
        let (read_only, mark) = row.unwrap_or_default();
        let is_read_only = read_only.as_deref() == Some("on");
        let problem = match self.config.get_target_session_attrs() {
            _ if mark.as_deref().is_some_and(|mark| !mark.is_empty()) => OpenError::SharedSession,
            TargetSessionAttrs::ReadWrite if is_read_only => {
                OpenError::Unreachable("the server is read-only, as a standby is".to_owned())
            }
            TargetSessionAttrs::ReadOnly if !is_read_only => {
                OpenError::Unreachable("the server takes writes".to_owned())
            }
            _ => return Ok((client, task)),
        };
        task.abort();
        Err(problem)
    }

    async fn connect_to(&self, host: &Config) -> Result<(Client, JoinHandle<()>), OpenError> {
        if host.get_ssl_mode() != SslMode::Disable {
            return self.connect_by_tls(host).await;
        }
        let (client, connection) = host.connect(NoTls).await.map_err(unreachable)?;
        // An error of the connection also fails the next request, so it is ignored here.
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }

    async fn connect_by_tls(&self, host: &Config) -> Result<(Client, JoinHandle<()>), OpenError> {
        let tls = crate::tls::settings(self.ca.as_deref())?;
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
        let (client, connection) = host.connect(tls).await.map_err(unreachable)?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }
}

/// Returns a host once for each of its addresses, so that each gets the full time for an attempt.
async fn addresses(host: &Config) -> Result<Vec<Config>, String> {
    let [Host::Tcp(name)] = host.get_hosts() else { return Ok(vec![host.clone()]) };
    if !host.get_hostaddrs().is_empty() {
        return Ok(vec![host.clone()]);
    }
    let port = host.get_ports().first().copied().unwrap_or(PORT);
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found = found.map_err(|error| format!("the host has no address: {error}"))?;
    let at = |address: std::net::SocketAddr| {
        let mut one = host.clone();
        one.hostaddr(address.ip());
        one
    };
    Ok(found.map(at).collect())
}

/// Returns the names of hosts.
fn names(config: &Config) -> Vec<String> {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    hosts.collect()
}

fn unreachable(error: tokio_postgres::Error) -> OpenError {
    use std::error::Error;
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    OpenError::Unreachable(format!("{error}{cause}"))
}
