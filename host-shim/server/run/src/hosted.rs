//! Starts one business of a server: its providers, its store, its site, its sweep, its drift search and its backups.

use crate::background::Work;
use crate::backups::{self, BackupWork, Backups, Ledger};
use crate::data::{DataError, DataFolder, PROVIDERS, STORE};
use crate::drift::DriftWork;
use crate::identity::{self, IdentityStartError};
use crate::inspect::Inspector;
use crate::invites::Invites;
use crate::mails::Previews;
use crate::measuring::{MeasuringWork, Told};
use crate::presence::PresenceWork;
use crate::recipients::Recipients;
use crate::records::Records;
use crate::reports::Reports;
use crate::sweep::SweepWork;
use crate::views::{self, ViewsError};
use crate::webhooks::{Mailing, Marked, WebhookWork};
use host_api::site::{MakeRunner, Site, SiteError, SiteLimits, SiteSetup};
use host_api::webhooks::{HttpSender, Sender, Webhooks, WebhooksError};
use host_api::{
    BackupList, BusinessRoutes, Changes, HostedSite, LocalClock, Makers, Metrics, SitePages, SiteUsers, SiteWebhooks,
    Tools, member_roles,
};
use host_business::Setup;
use host_business::folder::{BusinessFolder, Recorder};
use host_business::manifest::Manifest;
use host_business::tables::postgres::Roles;
use host_engine::clock::Clock;
use host_engine::outbox::Recorded;
use host_identity::access::Keys;
use host_identity::issuers::{Issuer, IssuerSettings};
use host_intake::request::Endpoints;
use host_intake::signature::{ConfigError, TOLERANCE_S_DEFAULT};
use host_intake::webhook::{Key, KeyError};
use host_intake::{EndpointSecrets, SecretConfig};
use host_provider_api::Registry;
use host_provider_api::scripted::Scripted;
use host_providers::{Directory, ForeignVault, OpenError, Opened, Options, SECRETS, check_vault};
use host_store::{Partition, SqliteStore, Store, StoreError, mode};
use host_store_postgres::{PostgresStore, Presence, PresenceError};
use host_verify::StripeAccess;
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The effect that watches the health of an instance.
const WATCH: &str = "probe.watch";
/// Name of Stripe's webhook.
const STRIPE: &str = "stripe";
/// Time between two measurements of the sizes of resources (SOL-31).
const MEASURE_EVERY: Duration = Duration::from_mins(5);
/// The same on a laptop, where somebody is waiting for it.
const MEASURE_EVERY_LOCAL: Duration = Duration::from_secs(5);

/// Everything that one business of a server needs. No two businesses of a server may share a folder.
pub struct HostedSetup {
    /// The business.
    pub business: BusinessFolder,
    /// Host names, in lower case and without a port. The business is also found by its name as the first segment of a path.
    pub names: Vec<String>,
    /// Address for browsers, without a trailing slash.
    pub url: String,
    /// The issuers that the business trusts.
    pub issuers: Vec<IssuerSettings>,
    /// True for real money.
    pub livemode: bool,
    /// Configuration values; they override those of the business.
    pub config: Vec<(String, String)>,
    /// The folder with the store and the providers, and the database that several hosts may share.
    pub data: DataFolder,
    /// The database roles that may read the views of `tables.yml`; none if the views are left unchanged.
    pub views: Option<Roles>,
    /// The providers; their folder is inside the data folder.
    pub providers: Options,
    /// Simulates the effects that no provider carries out, instead of refusing to start.
    pub simulate: bool,
    /// The secrets of Stripe's webhook endpoint. Without one, Stripe's webhooks are not served.
    pub stripe: Vec<SecretConfig>,
    /// A further path of Stripe's webhook endpoint.
    pub stripe_path: Option<String>,
    /// The secrets of the business's other webhooks, by name. A webhook without a secret is not served.
    pub webhooks: BTreeMap<String, String>,
    /// The clock.
    pub clock: Clock,
    /// Makes the clock movable, in local mode.
    pub local_clock: Option<Arc<dyn LocalClock>>,
}

/// The reason why a business does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostedError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The store cannot be opened.
    #[error("store.db: {0}")]
    Store(#[from] host_store::OpenError),
    /// The database of the store cannot be used.
    #[error("the database of the store: {0}")]
    Database(#[from] host_store_postgres::OpenError),
    /// Another server on the database has the same name as this one, or the store is being copied.
    #[error(transparent)]
    Presence(#[from] PresenceError),
    /// The store cannot be read.
    #[error("the records cannot be read: {0}")]
    Unread(#[from] StoreError),
    /// The secrets to which the records refer are missing.
    #[error(transparent)]
    Vault(#[from] ForeignVault),
    /// The views of `tables.yml` cannot be created.
    #[error("the views of tables.yml: {0}; --no-tables leaves them as they are")]
    Views(#[from] ViewsError),
    /// The providers cannot be opened.
    #[error(transparent)]
    Providers(#[from] OpenError),
    /// No provider carries out some effects.
    #[error(
        "no provider carries out {}: add one with --providers, or try the business with --simulate",
        kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
    )]
    Uncovered {
        /// Kinds of the effects.
        kinds: Vec<String>,
    },
    /// The secrets of Stripe's endpoint cannot be used.
    #[error(transparent)]
    Secrets(#[from] ConfigError),
    /// The secret of another webhook cannot be used.
    #[error("the webhook `{name}`: {error}")]
    Webhook {
        /// Name of the webhook.
        name: String,
        /// The mistake.
        error: KeyError,
    },
    /// The pages cannot be shown.
    #[error("{0}")]
    Pages(host_business::yaml::bad_input::Mistakes),
    /// The users cannot be served.
    #[error(transparent)]
    Identity(#[from] IdentityStartError),
    /// The webhooks cannot be sent.
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
    /// The site does not start.
    #[error(transparent)]
    Site(#[from] SiteError),
}

/// The parts that the businesses of a server share.
pub(crate) struct SharedParts {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) runner: MakeRunner,
    pub(crate) keys: Arc<Keys>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) drift_every: Duration,
    pub(crate) backups_every: Duration,
}

/// A started business, as its callers see it.
#[derive(Clone, Debug)]
pub struct StartedBusiness {
    /// Name of the business.
    pub name: String,
    /// Address at which its local provider serves databases, buckets and functions.
    pub serves: Option<SocketAddr>,
    /// API key of its operator in local mode, unless it was revoked.
    pub operator_key: Option<String>,
    /// Link with which the first operator sets a password, in local mode.
    pub first_operator: Option<String>,
    /// Kinds of effects that are simulated.
    pub simulated: Vec<String>,
}

/// The running parts of a started business.
pub(crate) struct StartedParts {
    pub(crate) hosted: HostedSite,
    /// The background work.
    pub(crate) works: Vec<Box<dyn Work>>,
    pub(crate) held: Held,
}

/// What a business holds until it has ended.
pub(crate) struct Held {
    pub(crate) opened: Opened,
    /// Keeps other servers from using this one's name in the database; none without a database.
    pub(crate) presence: Option<Box<dyn Work>>,
    /// Keeps other servers away from the data folder.
    pub(crate) lock: File,
}

/// Starts a business: opens its store and its providers, and loads its catalog.
pub(crate) fn start(setup: HostedSetup, shared: &SharedParts) -> Result<(StartedBusiness, StartedParts), HostedError> {
    let HostedSetup { business, names, livemode, data, simulate, mut clock, local_clock, .. } = setup;
    let is_local = local_clock.is_some();
    let lock = data.lock()?;
    let configured = business.filled(&setup.config);
    // In local mode, the pages belong to the server itself.
    let origin = configured.origins().into_iter().next().filter(|_| !is_local);
    let base = origin.unwrap_or_else(|| setup.url.clone());
    let users = identity::users(&business, &data)?;
    let recipients = Arc::new(Recipients { users: users.clone(), livemode, records: OnceLock::new() });
    let providers = Options {
        folder: Some(data.path(PROVIDERS)),
        secrets: data.database().map(|_| data.place(SECRETS, &business.name)),
        templates: business.template_folders(),
        site: Some(configured.mail_site(&base, &setup.url).map_err(HostedError::Pages)?),
        directory: Some(Directory(recipients.clone())),
        ..setup.providers
    };
    let mails = Previews { templates: providers.mail_templates(), own: business.templates.clone() };
    let mut opened = host_providers::open(&providers)?;
    let host = data.host_id()?;
    let partition = Partition { business: business.name.clone(), livemode };
    let taken = data.database().map(|settings| Presence::take(settings, &host)).transpose()?;
    let presence = taken.map(|taken| Box::new(PresenceWork::new(taken, partition.clone())) as Box<dyn Work>);
    // A refused start must not leave a store that did not exist before.
    let known_store =
        (data.database().is_some() || data.path(STORE).is_file()).then(|| open_store(&data)).transpose()?;
    if let Some(store) = &known_store
        && !opened.vault.was_used()
        && !opened.vault.is_begun_anew()
    {
        // Only then are all results read. Creating the first session creates a secret, so this is asked before.
        check_vault(&opened.vault, &Recorded::of(&**store, Some(&partition))?.secrets())?;
    }
    let business = if is_local { business.with_checkouts_at(&setup.url) } else { business };
    let business = match origin_of(&setup.url) {
        Some(origin) if is_local || origin.starts_with("https://") => business.with_origin(origin),
        _ => business,
    };
    let links = identity::open(&configured, livemode, users.clone(), &opened.vault, base)?;
    let keys = shared.keys.clone();
    let makers = Makers { keys, users, partition: Partition { business: business.name.clone(), livemode } };
    let roles = member_roles(&configured);
    let known = recipients.clone();
    let invites = Invites {
        links: links.clone(),
        cause: Box::new(move |account, call| known.records()?.user_behind(account, call)),
        clock: clock.source().clone(),
        roles,
    };
    opened.registry.register(&["user"], Arc::new(invites));
    // A provider that the operator names for such an effect takes precedence.
    let recorded = business.own.recorded.iter().map(|effect| effect.kind.as_str());
    let recorded: Vec<&str> = recorded.filter(|kind| !opened.registry.takes(kind)).collect();
    opened.registry.register(&recorded, Arc::new(Recorder));
    let declarations = business.own.beside((shared.runner)().declarations());
    let simulated = business.uncovered(&business.config_with(&setup.config), &declarations, &opened.registry);
    // Only the application of a business creates what the business declares itself, and only a program with an HTTP client
    // watches health. In local mode both are simulated, as the server reports when it starts.
    let is_own = |kind: &str| kind == WATCH || business.own.effects.iter().any(|own| own.kind == kind);
    let is_missing = |kind: &&String| !is_local || !is_own(kind.as_str());
    let missing: Vec<String> = simulated.iter().filter(is_missing).cloned().collect();
    if !simulate && !missing.is_empty() {
        return Err(HostedError::Uncovered { kinds: missing });
    }
    let is_measured = backups::is_measured(&business.catalog);
    let endpoints = endpoints(&business, setup.stripe, &setup.webhooks)?;
    let (now, now_s) = (clock.now(), clock.source().signatures().div_euclid(1_000));
    let paths = business.own.webhook_paths.iter().map(|own| (own.path.clone(), own.webhook.clone()));
    let aliases: BTreeMap<String, String> =
        paths.chain(setup.stripe_path.map(|path| (path, STRIPE.to_owned()))).collect();
    let has_platform_paths = business.own.has_platform_paths;
    let (costs, measured) = (business.own.costs.clone(), business.own.measured.clone());
    let answers = business.own.webhook_answers.iter().map(|own| (own.webhook.clone(), own.clone()));
    let webhook_answers = answers.collect();
    let cors = host_api::cors(&configured.origins());
    identity::end_first_operator(links.identity().users(), livemode, is_local, now)
        .map_err(IdentityStartError::from)?;
    if !is_local {
        data.end_vault_key()?;
    }
    let first_operator = match is_local {
        true => identity::first_operator(&links, &opened.vault, now)?,
        false => None,
    };
    let users = SiteUsers::new(links, &configured);
    let routes = {
        let config = business.config_with(&setup.config);
        BusinessRoutes::new(&business, &config, Some(opened.vault.clone()))
    };
    let pages = SitePages::new(&business.filled(&setup.config), is_local).map_err(HostedError::Pages)?;
    let store = known_store.map_or_else(|| open_store(&data), Ok)?;
    let has_events = !store.inbox_after(Some(&partition), 0, 1)?.is_empty();
    let first_s = crate::sweep::first_s(now_s, has_events);
    if let Some(roles) = &setup.views {
        views::make(&data.path(STORE), data.database(), &business.tables, &partition, roles)?;
    }
    let marked = Marked::default();
    let site = Site::start(SiteSetup {
        setup: Setup::new(business, livemode, &setup.config, shared.manifest.clone()).owned_by(&host),
        store,
        runner: shared.runner.clone(),
        registry: with_simulated(&opened.registry, &simulated),
        clock,
        endpoints,
        limits: SiteLimits::default(),
        observers: vec![
            shared.metrics.observer(partition.clone()),
            shared.changes.observer(partition),
            Arc::new(marked.clone()),
        ],
    })?;
    let own_webhooks = own_webhooks(&site, &data, &opened, is_local)?;
    let sends = sends(&site, &own_webhooks, marked, makers);
    let sweep = opened
        .events
        .as_ref()
        .map(|list| SweepWork::new(site.sweeper(), list.clone(), shared.metrics.clone(), first_s));
    let records = Arc::new(Records::new(site.partition().clone(), site.questioner().clone()));
    // This is the only place that sets them.
    let _ = recipients.records.set(Arc::downgrade(&records));
    let inspector = Arc::new(Inspector::new(records.clone(), opened.registry.clone(), opened.vault.clone()));
    let drift = drift(site.partition(), &inspector, shared);
    let measured_records = records.clone();
    let (file, owner) = backups_of(site.partition());
    let ledger_place = data.place(&file, &owner);
    let backups = (!shared.backups_every.is_zero()).then(|| BackupWork {
        records,
        registry: opened.registry.clone(),
        backups: Arc::new(Backups::new(site.clock().clone())),
        ledger: Ledger::new(ledger_place, &host),
        metrics: shared.metrics.clone(),
        reports: is_measured.then(|| reports(&site)),
        every: shared.backups_every,
        expired_s: None,
        late: 0,
    });
    let measuring = (!measured.is_empty()).then(|| MeasuringWork {
        records: measured_records,
        registry: opened.registry.clone(),
        sizes: measured,
        reports: reports(&site),
        every: if is_local { MEASURE_EVERY_LOCAL } else { MEASURE_EVERY },
        told: Told::default(),
    });
    let mut tools = Tools::new(stripe_access(&opened), Some(inspector));
    tools.mails = Some(Arc::new(mails));
    tools.backups = backups.as_ref().map(|setup| setup.backups.clone() as Arc<dyn BackupList>);
    let started = StartedBusiness {
        name: site.partition().business.clone(),
        serves: opened.serves,
        operator_key: match is_local {
            true => data.operator_key(&shared.keys, site.partition(), now)?,
            false => data.end_operator_key(&shared.keys, site.partition(), now).map(|()| None)?,
        },
        first_operator,
        simulated,
    };
    let (users, webhooks) = (Some(users), Some(own_webhooks));
    let registry = opened.registry_tokens.clone();
    let issuers = setup.issuers.into_iter().map(|settings| Arc::new(Issuer::new(settings))).collect();
    let hosted = HostedSite {
        site,
        names,
        aliases,
        has_platform_paths,
        webhook_answers,
        local_clock,
        costs,
        routes,
        users,
        url: setup.url,
        issuers,
        tools,
        pages,
        webhooks,
        registry,
        cors,
    };
    let mut works: Vec<Box<dyn Work>> = vec![Box::new(sends)];
    works.extend(sweep.map(|work| Box::new(work) as Box<dyn Work>));
    works.extend(drift.map(|work| Box::new(work) as Box<dyn Work>));
    works.extend(backups.map(|work| Box::new(work) as Box<dyn Work>));
    works.extend(measuring.map(|work| Box::new(work) as Box<dyn Work>));
    Ok((started, StartedParts { hosted, works, held: Held { opened, presence, lock } }))
}

/// Opens the store of a business.
fn open_store(data: &DataFolder) -> Result<Box<dyn Store>, HostedError> {
    if let Some(settings) = data.database() {
        return Ok(Box::new(PostgresStore::open(settings)?));
    }
    let mut store = SqliteStore::open(data.path(STORE))?;
    store.checkpoint_beside()?;
    Ok(Box::new(store))
}

/// Returns the origin of an address, which is the address without its path.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + "://".len();
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.get(..end)
}

/// Returns the file of the webhooks that a business sends in a mode, and their owner in a database.
pub fn webhooks_of(partition: &Partition) -> (String, String) {
    let mode = mode(partition.livemode);
    (format!("webhooks-{mode}.db"), format!("{}:{mode}", partition.business))
}

/// Returns the file with the state of the backups of a business in a mode, and their owner in a database.
pub fn backups_of(partition: &Partition) -> (String, String) {
    let mode = mode(partition.livemode);
    (format!("backups-{mode}.db"), format!("{}:{mode}", partition.business))
}

/// Opens the webhooks that a business sends.
fn own_webhooks(site: &Site, data: &DataFolder, opened: &Opened, is_local: bool) -> Result<SiteWebhooks, HostedError> {
    let (file, owner) = webhooks_of(site.partition());
    let webhooks = Arc::new(Webhooks::open(data.place(&file, &owner))?);
    Ok(SiteWebhooks { webhooks, secrets: opened.vault.clone(), is_local })
}

/// Returns the work that notifies webhook endpoints of changes.
fn sends(site: &Site, own: &SiteWebhooks, marked: Marked, makers: Makers) -> WebhookWork {
    let (partition, clock) = (site.partition().clone(), site.clock().clone());
    let notices = Mailing { partition: partition.clone(), jobs: site.jobs().clone(), clock: clock.clone(), makers };
    let (secrets, transport) = ((own.secrets.clone(), SiteWebhooks::scope(&partition)), HttpSender::new(own.is_local));
    WebhookWork {
        partition,
        questioner: site.questioner().clone(),
        webhooks: own.webhooks.clone(),
        sender: Sender::new(own.webhooks.clone(), secrets, Arc::new(transport), Arc::new(notices)),
        marked,
        clock,
        is_caught_up: false,
        cleaned_at: i64::MIN,
        put_off: BTreeMap::new(),
        checked_at: i64::MIN,
    }
}

/// Returns the object that accepts measurements of a site's resources.
fn reports(site: &Site) -> Reports {
    Reports { jobs: site.jobs().clone(), partition: site.partition().clone(), clock: site.clock().clone() }
}

/// Returns the scheduled comparison, unless there is to be none.
fn drift(partition: &Partition, inspector: &Arc<Inspector>, shared: &SharedParts) -> Option<DriftWork> {
    let (every, metrics) = (shared.drift_every, shared.metrics.clone());
    (!every.is_zero()).then(|| DriftWork { partition: partition.clone(), inspector: inspector.clone(), metrics, every })
}

/// Returns the access to Stripe; none without the provider `stripe`.
fn stripe_access(opened: &Opened) -> Option<StripeAccess> {
    let (objects, events) = (opened.objects.clone()?, opened.events.clone()?);
    Some(StripeAccess { objects, events, registry: opened.registry.clone() })
}

/// Returns the endpoints of a business with these secrets.
pub(crate) fn endpoints(
    business: &BusinessFolder,
    stripe: Vec<SecretConfig>,
    secrets: &BTreeMap<String, String>,
) -> Result<Endpoints, HostedError> {
    let stripe = match stripe.is_empty() {
        true => None,
        false => Some(EndpointSecrets::new(stripe, TOLERANCE_S_DEFAULT)?),
    };
    Ok(Endpoints { business: business.name.clone(), stripe, webhooks: webhooks(business, secrets)? })
}

/// Returns the webhooks that have a secret.
fn webhooks(
    business: &BusinessFolder,
    secrets: &BTreeMap<String, String>,
) -> Result<Vec<(host_intake::webhook::Webhook, Key)>, HostedError> {
    let declared = business.own.webhooks.iter().filter_map(|own| Some((own, secrets.get(&own.webhook.name)?)));
    declared
        .map(|(own, secret)| match Key::new(&own.webhook.scheme, secret) {
            Ok(key) => Ok((own.webhook.clone(), key)),
            Err(error) => Err(HostedError::Webhook { name: own.webhook.name.clone(), error }),
        })
        .collect()
}

/// Returns the providers, and a scripted provider that simulates some kinds.
fn with_simulated(registry: &Registry, kinds: &[String]) -> Registry {
    let mut registry = registry.clone();
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        registry.register(&kinds, Arc::new(Scripted::new()));
    }
    registry
}
