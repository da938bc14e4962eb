//! Dedicated databases on RDS, each in its own instance.

mod backup;
mod find;
mod settings;

pub use settings::{DatabaseConfig, DatabaseSize};

use crate::aws::provider::aws::Aws;
use crate::aws::provider::errors::{Failure, InRequest, NoneIf, incomplete};
use crate::aws::provider::marks::{Marks, RUNNING, SUSPENDED, wanted_state};
use crate::aws::provider::payload::{adopts, bad, check_region, has_settings, output};
use crate::aws::provider::poll::poll_later;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, Tag};
use host_provider_api::names::Rules;
use host_provider_api::{BackupSchedule, Call, CallOutcome, Held, Provider, Restriction, SECRET_BYTES_MIN, Unlisted};
use serde_json::{Value, json};
use settings::Settings;

const RULES: Rules = Rules { what: "database instance", shortest: 1, longest: 63, others: b"-" };
/// Prefix of derived names, which must begin with a letter.
const PREFIX: &str = "sbp-";
const ABSENT: &[&str] = &["DBInstanceNotFound", "DBInstanceNotFoundFault"];
/// First delay before a poll, in milliseconds. An instance is created or changed within minutes.
const POLL_MS: i64 = 5000;
/// Key of the tag with the reference to the password.
const SECRET: &str = "secret";

const AVAILABLE: &str = "available";
const STOPPED: &str = "stopped";
/// Status that an instance has for hours after its storage has grown. The instance is usable.
const OPTIMIZING: &str = "storage-optimization";
/// Statuses that only a person can resolve.
const LOST: [&str; 4] = ["failed", "restore-error", "inaccessible-encryption-credentials", "storage-full"];

/// The provider of dedicated databases.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `ensure` | `name` of the database, `tier`, `quota_gb`, `backups.keep_days` | `id`, `endpoint`, `name`, `user`, `secret_ref` |
/// | `change` | `state` (`suspended` stops the instance) and the members of `ensure`; storage only grows | as `ensure` |
/// | `observe` | as `ensure`; with `adopt` and `outputs.id` | `exists`, `state`, `outputs` |
/// | `backup` | as `ensure` | `backup_id`, `verified` |
/// | `backup` with a schedule | `schedule` | `backup_id`, `made_at_s`, `verified` of the newest backup that RDS made by itself |
/// | `restore` | as `ensure`, and `backup`: the outputs of `backup`, or its id | as `ensure` |
/// | `destroy` | as `ensure`; keeps backups | none |
///
/// AWS automatically starts a stopped instance after seven days. `ensure` creates the password, and `destroy` deletes it.
pub struct Databases {
    aws: Aws,
    client: Client,
    config: DatabaseConfig,
}

struct ExistingInstance {
    id: String,
    arn: String,
    status: String,
    marks: Option<Marks>,
    there: DbInstance,
}

impl Databases {
    /// Creates the provider with these settings.
    pub fn new(aws: &Aws, config: DatabaseConfig) -> Databases {
        Databases { aws: aws.clone(), client: Client::new(aws.sdk()), config }
    }

    async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match call.verb() {
            "ensure" => {
                check_region(call, self.aws.region())?;
                self.ensure(call).await
            }
            "change" => self.change(call).await,
            "observe" if adopts(call) => self.adopt(call).await,
            "observe" => match self.seek(call).await? {
                Some((found, marks)) => self.observed(&found, &marks),
                None => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            "backup" => match BackupSchedule::of(call) {
                Some(schedule) => self.scheduled_backup(call, schedule).await,
                None => self.backup(call).await,
            },
            "restore" => self.restore(call).await,
            "destroy" => self.destroy(call).await,
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    async fn ensure(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let wanted = Settings::of(call, &self.config)?;
        if let Some((found, marks)) = self.seek(call).await? {
            marks.admit(call)?;
            let state = marks.state.clone();
            return self.apply(call, found, &marks, Some(&wanted), &state).await;
        }
        let marks = Marks::of(call)?;
        let made = call.make_secret(&secret_name(call), SECRET_BYTES_MIN)?;
        let marks = marks.with(SECRET, &made.reference);
        let name = RULES.derive(PREFIX, &marks.id)?;
        let create = self.client.create_db_instance().db_instance_identifier(&name);
        let create = wanted.create(create, &self.config).set_tags(Some(tags(&marks)));
        let response = create.master_user_password(call.secret(&made.reference)?.expose()).send().await;
        let done = response.in_request("rds:CreateDBInstance").map_err(Failure::without_aws_message)?;
        let found = done.db_instance.and_then(read).ok_or_else(|| incomplete("rds:CreateDBInstance", "an instance"))?;
        match found.status.as_str() {
            AVAILABLE => Ok(CallOutcome::Done(outputs(&found, &marks)?)),
            _ => Ok(poll_later(call, &found.id, POLL_MS)),
        }
    }

    async fn change(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let state = wanted_state(call)?;
        let wanted = match has_settings(call) {
            true => Some(Settings::of(call, &self.config)?),
            false => None,
        };
        let Some((found, marks)) = self.seek(call).await? else {
            return Err(CallOutcome::refused("not-found", "there is no database of this resource"));
        };
        marks.admit(call)?;
        let state = state.unwrap_or(&marks.state).to_owned();
        self.apply(call, found, &marks, wanted.as_ref(), &state).await
    }

    /// Applies these settings and this state to our instance. Settings are applied only while the instance runs.
    async fn apply(
        &self,
        call: &Call,
        found: ExistingInstance,
        marks: &Marks,
        wanted: Option<&Settings>,
        state: &str,
    ) -> Result<CallOutcome, CallOutcome> {
        let mut after = marks.after(call);
        after.state = state.to_owned();
        if after != *marks {
            self.tag(&found.arn, &after).await?;
        }
        let is_lost = LOST.contains(&found.status.as_str()) || found.status.starts_with("incompatible-");
        match (state, found.status.as_str()) {
            (_, status) if is_lost => {
                Err(CallOutcome::refused("failed", format!("database `{}` is {status}", found.id)))
            }
            (SUSPENDED, STOPPED) => Ok(CallOutcome::Done(outputs(&found, &after)?)),
            (SUSPENDED, AVAILABLE) => {
                let stop = self.client.stop_db_instance().db_instance_identifier(&found.id);
                let done = stop.send().await.in_request("rds:StopDBInstance")?;
                self.done_if_status(call, done.db_instance, &after, STOPPED)
            }
            (RUNNING, STOPPED) => {
                let start = self.client.start_db_instance().db_instance_identifier(&found.id);
                let done = start.send().await.in_request("rds:StartDBInstance")?;
                // The settings are applied once the instance runs, so a poll must follow.
                match wanted {
                    Some(_) => Ok(poll_later(call, &found.id, POLL_MS)),
                    None => self.done_if_status(call, done.db_instance, &after, AVAILABLE),
                }
            }
            (RUNNING, AVAILABLE | OPTIMIZING) => match wanted.and_then(|wanted| wanted.changes(&found.there)) {
                Some(changes) => {
                    let modify = self.client.modify_db_instance().db_instance_identifier(&found.id);
                    let done = changes.put_into(modify).send().await.in_request("rds:ModifyDBInstance")?;
                    // AWS briefly reports "available" before "modifying".
                    let is_done = done.db_instance.as_ref().is_some_and(|there| changes.are_set_on(there));
                    match is_done {
                        true => self.done_if_status(call, done.db_instance, &after, AVAILABLE),
                        false => Ok(poll_later(call, &found.id, POLL_MS)),
                    }
                }
                None if settings::is_pending(&found.there) => Ok(poll_later(call, &found.id, POLL_MS)),
                None => Ok(CallOutcome::Done(outputs(&found, &after)?)),
            },
            _ => Ok(poll_later(call, &found.id, POLL_MS)),
        }
    }

    /// Returns the outputs if the instance has this status; otherwise asks for a poll.
    fn done_if_status(
        &self,
        call: &Call,
        there: Option<DbInstance>,
        marks: &Marks,
        status: &str,
    ) -> Result<CallOutcome, CallOutcome> {
        let found = there.and_then(read).ok_or_else(|| incomplete("rds", "an instance"))?;
        match found.status == status {
            true => Ok(CallOutcome::Done(outputs(&found, marks)?)),
            false => Ok(poll_later(call, &found.id, POLL_MS)),
        }
    }

    async fn tag(&self, arn: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let add = self.client.add_tags_to_resource().resource_name(arn).set_tags(Some(tags(marks)));
        add.send().await.in_request("rds:AddTagsToResource")?;
        Ok(())
    }

    fn observed(&self, found: &ExistingInstance, marks: &Marks) -> Result<CallOutcome, CallOutcome> {
        let outputs = outputs(found, marks).unwrap_or(Value::Null);
        Ok(CallOutcome::Done(json!({"exists": true, "state": state_of(&found.status), "outputs": outputs})))
    }

    /// Adopts an instance that a person created: it must exist and not belong to another resource. Its data is not
    /// checked.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let id = output(call, "id").ok_or_else(|| bad("outputs.id", "", "the name of a database instance"))?;
        let Some(found) = self.get(RULES.check(id)?).await? else {
            return Err(CallOutcome::refused("not-found", format!("there is no database instance `{id}`")));
        };
        let marks = match &found.marks {
            Some(marks) => {
                marks.check_owner(call, id)?;
                marks.admit(call)?;
                marks.after(call)
            }
            None => {
                let marks = Marks::of(call)?;
                output(call, "secret_ref").map_or_else(|| marks.clone(), |secret| marks.clone().with(SECRET, secret))
            }
        };
        let marks = Marks { state: state_of(&found.status).to_owned(), ..marks };
        self.tag(&found.arn, &marks).await?;
        self.observed(&found, &marks)
    }

    async fn destroy(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if let Some((found, marks)) = self.seek(call).await? {
            marks.admit(call)?;
            if found.status != "deleting" {
                let delete = self.client.delete_db_instance().db_instance_identifier(&found.id);
                let delete = delete.skip_final_snapshot(true).delete_automated_backups(true);
                delete.send().await.in_request("rds:DeleteDBInstance").none_if(ABSENT)?;
            }
            return Ok(poll_later(call, &found.id, POLL_MS));
        }
        // The password is found by its name, because the tag with its reference was deleted together with the instance.
        let made = call.make_secret(&secret_name(call), SECRET_BYTES_MIN)?;
        call.forget_secret(&made.reference)?;
        Ok(CallOutcome::Done(json!({})))
    }

    async fn all(&self) -> Result<Vec<Held>, CallOutcome> {
        let listed = self.list().await?.into_iter();
        let mut held: Vec<Held> =
            listed.filter_map(|found| Some(found.marks.clone()?.held(&found.id, state_of(&found.status)))).collect();
        held.sort();
        Ok(held)
    }
}

impl Provider for Databases {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn restrictions(&self, _: &str) -> Vec<Restriction> {
        let mut all = vec![Restriction::one_of("region", vec![self.aws.region().to_owned()])];
        if !self.config.tiers.is_empty() {
            all.push(Restriction::one_of("tier", self.config.tiers.keys().cloned().collect()));
        }
        all
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.aws.list(self.all()).map(Some)
    }
}

/// Returns the name of the password among the account's secrets.
fn secret_name(call: &Call) -> String {
    format!("database/{}", call.resource_id().id)
}

fn read(there: DbInstance) -> Option<ExistingInstance> {
    let tags = there.tag_list.clone().unwrap_or_default();
    let texts = tags.iter().filter_map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref()?)));
    Some(ExistingInstance {
        id: there.db_instance_identifier.clone()?,
        arn: there.db_instance_arn.clone()?,
        status: there.db_instance_status.clone()?,
        marks: Marks::read(texts),
        there,
    })
}

fn state_of(status: &str) -> &'static str {
    if matches!(status, STOPPED | "stopping") { SUSPENDED } else { RUNNING }
}

fn outputs(found: &ExistingInstance, marks: &Marks) -> Result<Value, CallOutcome> {
    let missing = || incomplete("rds:DescribeDBInstances", "an endpoint");
    let endpoint = found.there.endpoint.as_ref().ok_or_else(missing)?;
    let address = endpoint.address.as_deref().ok_or_else(missing)?;
    let port = endpoint.port.ok_or_else(missing)?;
    Ok(json!({
        "id": found.id,
        "endpoint": format!("{address}:{port}"),
        "name": found.there.db_name,
        "user": found.there.master_username,
        "secret_ref": marks.get(SECRET),
    }))
}

fn tags(marks: &Marks) -> Vec<Tag> {
    let tag = |(name, value): (String, String)| Tag::builder().key(name).value(value).build();
    marks.tags().into_iter().map(tag).collect()
}
