//! Buckets on S3 and on Backblaze B2, which supports most of the S3 API.

mod empty;
mod find;
mod marking;
mod measure;
mod settings;
mod sign;

use crate::aws::provider::aws::Aws;
use crate::aws::provider::errors::{InRequest, NoneIf, name_taken};
use crate::aws::provider::marks::{Marks, wanted_state};
use crate::aws::provider::payload::{adopts, bad, has_settings, output};
use crate::aws::provider::role::{TenantRoles, are_of_one_tenant};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag};
use host_provider_api::names::Rules;
use host_provider_api::{Call, CallOutcome, Held, Provider, ResourceId, Unlisted};
use serde_json::{Value, json};

/// Prefix of derived names.
const PREFIX: &str = "sbp-";
const RULES: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// B2 requires longer names.
const RULES_B2: Rules = Rules { shortest: 6, ..RULES };
/// The region that S3 does not accept as a location constraint.
const FIRST_REGION: &str = "us-east-1";
const ABSENT: &[&str] = &["NoSuchBucket"];
const TAKEN: &[&str] = &["BucketAlreadyExists"];
const DENIED: &[&str] = &["AccessDenied", "AllAccessDisabled", "PermanentRedirect", "AuthorizationHeaderMalformed"];
/// First delay before a bucket that is being emptied is polled, in milliseconds.
const POLL_MS: i64 = 1000;

/// The part of the S3 API that the server supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The whole S3 API. Ownership marks are tags, public access is blocked, and a policy applies.
    Aws,
    /// Object requests, CORS and encryption. The ownership marks are in the object `.provisioner.json`. B2 buckets are private unless made
    /// public. B2 has no policies, so `writes` is recorded but not enforced, and no lifecycles, so incomplete uploads remain.
    B2,
}

/// Settings that all buckets share.
#[derive(Clone, Debug)]
pub struct BucketConfig {
    /// Supported part of the S3 API.
    pub flavor: Flavor,
    /// Number of the AWS account whose distributions may read the buckets. None: no distribution may read them.
    pub cdn_account: Option<String>,
    /// Names of the platform's buckets. Every account may get signed URLs for the objects in them.
    pub shared: Vec<String>,
    /// The roles of functions, if each function has its own: a bucket on AWS then denies every principal except the roles of its tenant and
    /// the operator's. None: every principal with a right to the bucket may use it.
    pub tenants: Option<TenantRoles>,
}

/// The provider of buckets.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `bucket.ensure` | `name`, `cors` (a list of origins), `writes` (`allowed`, `refused`) | `id`, `bucket` |
/// | `bucket.change` | `state`, which is only recorded, and the members of `ensure` | `id`, `bucket` |
/// | `bucket.observe` | as `ensure`; with `adopt` and `outputs.bucket` | `exists`, `state`, `outputs`, and `bytes`, the size of the current objects, up to 100 000 objects |
/// | `bucket.destroy` | as `ensure`; deletes all objects | none |
/// | `object.sign` | `bucket`, `key` (or `object`), `ttl_s` | `url` |
pub struct Buckets {
    aws: Aws,
    client: Client,
    config: BucketConfig,
}

/// Result of looking up a resource's bucket.
enum Lookup {
    Ours(String, Marks),
    /// A bucket of this account has the name but no marks.
    Unmarked(String),
    Taken(String),
    Absent(String),
}

impl Buckets {
    /// Creates the provider for the buckets of this account and region.
    pub fn new(aws: &Aws, config: BucketConfig) -> Buckets {
        let mut settings = Builder::from(aws.sdk()).force_path_style(aws.has_endpoint());
        if config.flavor == Flavor::B2 {
            // B2 rejects the newer checksums where they are optional.
            settings = settings
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Buckets { aws: aws.clone(), client: Client::from_conf(settings.build()), config }
    }

    async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match (call.resource(), call.verb()) {
            ("object", "sign") => self.sign(call).await,
            ("object", _) => Ok(CallOutcome::unsupported(call)),
            (_, "ensure") => self.ensure(call).await,
            (_, "change") => self.change(call).await,
            (_, "observe") if adopts(call) => self.adopt(call).await,
            (_, "observe") => match self.seek(call).await? {
                Lookup::Ours(name, marks) => {
                    let mut found = observed(&name, &marks);
                    if let Some(bytes) = self.bytes(&name).await? {
                        found["bytes"] = json!(bytes);
                    }
                    Ok(CallOutcome::Done(found))
                }
                _ => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            (_, "destroy") => match self.seek(call).await? {
                Lookup::Ours(name, marks) => {
                    marks.admit(call)?;
                    self.destroy(call, &name).await
                }
                // The creation was interrupted before the bucket was marked, or the deletion after the marks were
                // removed.
                Lookup::Unmarked(name) if self.is_begun(call, &name).await? => self.destroy(call, &name).await,
                _ => Ok(CallOutcome::Done(json!({}))),
            },
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    /// Returns true if a bucket with this name exists and belongs to the same tenant as the resource.
    pub(crate) async fn are_of_one_tenant(&self, bucket: &str, id: &ResourceId) -> Result<bool, CallOutcome> {
        match self.marks(bucket).await? {
            Ownership::Marked(marks) => Ok(are_of_one_tenant(&marks.id, id)),
            _ => Ok(false),
        }
    }

    fn rules(&self) -> &'static Rules {
        match self.config.flavor {
            Flavor::Aws => &RULES,
            Flavor::B2 => &RULES_B2,
        }
    }

    async fn ensure(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let wanted = settings::Settings::of(call)?;
        match self.seek(call).await? {
            Lookup::Taken(name) => Err(name_taken(&name)),
            Lookup::Ours(name, marks) => {
                marks.admit(call)?;
                self.apply(&name, &marks, &marks.after(call), Some(&wanted)).await
            }
            Lookup::Unmarked(name) if self.is_begun(call, &name).await? => {
                self.apply(&name, &Marks::of(call)?, &Marks::of(call)?, Some(&wanted)).await
            }
            Lookup::Unmarked(name) => Err(name_taken(&name)),
            Lookup::Absent(name) => {
                let marks = Marks::of(call)?;
                self.create(&name, &marks).await?;
                self.apply(&name, &marks, &marks, Some(&wanted)).await
            }
        }
    }

    /// Returns true if an unmarked bucket was left by an interrupted call. This is so for a bucket with the derived name, because nobody
    /// else would choose that name. On B2, it is also so for an empty bucket of this account: there, creating and marking a bucket takes
    /// two requests, while a bucket on AWS is created with its tags.
    async fn is_begun(&self, call: &Call, name: &str) -> Result<bool, CallOutcome> {
        if self.rules().derive(PREFIX, &call.resource_id())? == name {
            return Ok(true);
        }
        Ok(self.config.flavor == Flavor::B2 && self.is_empty(name).await?)
    }

    async fn create(&self, name: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let mut with = CreateBucketConfiguration::builder();
        let is_first = self.aws.region() == FIRST_REGION;
        let is_aws = self.config.flavor == Flavor::Aws;
        if is_aws && !is_first {
            with = with.location_constraint(BucketLocationConstraint::from(self.aws.region()));
        }
        if is_aws {
            with = with.set_tags(Some(tags(marks)?));
        }
        let create = self.client.create_bucket().bucket(name);
        let create = if is_aws { create.create_bucket_configuration(with.build()) } else { create };
        match create.send().await.in_request("s3:CreateBucket").none_if(TAKEN)? {
            Some(_) => Ok(()),
            None => Err(name_taken(name)),
        }
    }

    /// Applies the settings to our bucket and finally writes the marks `after`. After the first write, calls of older generations fail.
    async fn apply(
        &self,
        name: &str,
        before: &Marks,
        after: &Marks,
        wanted: Option<&settings::Settings>,
    ) -> Result<CallOutcome, CallOutcome> {
        let mut marks = after.clone();
        if let Some(wanted) = wanted {
            let policy = self.policy(name, &after.id, wanted).await?;
            let print = wanted.fingerprint(policy.as_ref());
            if before.get(settings::TAG) != Some(&print) {
                // From here on, the bucket may have some old and some new settings.
                let had = marks.more.remove(settings::TAG);
                if had.is_some() || before.generation != after.generation {
                    self.mark(name, &marks).await?;
                }
                self.apply_settings(name, wanted, policy.as_ref()).await?;
                marks = marks.with(settings::TAG, &print);
            }
        }
        if marks != *before {
            self.mark(name, &marks).await?;
        }
        Ok(CallOutcome::Done(outputs(name)))
    }

    async fn change(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let state = wanted_state(call)?;
        match self.seek(call).await? {
            Lookup::Ours(name, marks) => {
                marks.admit(call)?;
                let wanted = match has_settings(call) {
                    true => Some(settings::Settings::of(call)?),
                    false => None,
                };
                let mut after = marks.after(call);
                if let Some(state) = state {
                    after.state = state.to_owned();
                }
                self.apply(&name, &marks, &after, wanted.as_ref()).await
            }
            Lookup::Taken(name) | Lookup::Unmarked(name) => Err(name_taken(&name)),
            Lookup::Absent(name) => Err(CallOutcome::refused("not-found", format!("there is no bucket `{name}`"))),
        }
    }

    /// Adopts a bucket that a person created: it must exist, be empty and not belong to another resource.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let name = output(call, "bucket").ok_or_else(|| bad("outputs.bucket", "", "the name of a bucket"))?;
        let name = self.rules().check(name)?;
        let marks = match self.marks(name).await? {
            Ownership::Marked(marks) => {
                marks.check_owner(call, name)?;
                marks.admit(call)?;
                marks.after(call)
            }
            Ownership::Unmarked if self.is_empty(name).await? => Marks::of(call)?,
            Ownership::Unmarked => {
                return Err(CallOutcome::refused("not-empty", format!("bucket `{name}` has objects")));
            }
            Ownership::Inaccessible => {
                return Err(CallOutcome::refused("access-denied", format!("bucket `{name}` can't be accessed")));
            }
            Ownership::NoBucket => {
                return Err(CallOutcome::refused("not-found", format!("there is no bucket `{name}`")));
            }
        };
        self.mark(name, &marks).await?;
        Ok(CallOutcome::Done(observed(name, &marks)))
    }

    async fn all(&self) -> Result<Vec<Held>, CallOutcome> {
        let listed = self.listed().await?.into_iter();
        let mut held: Vec<Held> = listed
            .map(|(name, marks)| {
                let state = marks.state.clone();
                marks.held(&name, &state)
            })
            .collect();
        held.sort();
        Ok(held)
    }
}

/// Ownership of a bucket.
enum Ownership {
    /// There is no such bucket.
    NoBucket,
    Marked(Box<Marks>),
    Unmarked,
    /// Access is denied: the bucket belongs to another account or region.
    Inaccessible,
}

impl Provider for Buckets {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.aws.list(self.all()).map(Some)
    }
}

fn outputs(name: &str) -> Value {
    json!({"id": name, "bucket": name})
}

fn observed(name: &str, marks: &Marks) -> Value {
    json!({"exists": true, "state": marks.state, "outputs": outputs(name)})
}

fn tags(marks: &Marks) -> Result<Vec<Tag>, CallOutcome> {
    let ours = marks.tags().into_iter().filter(|(name, _)| !name.starts_with("aws:"));
    let built = ours.map(|(name, value)| Tag::builder().key(name).value(value).build());
    built.collect::<Result<_, _>>().map_err(|error| crate::aws::provider::errors::unbuilt(&error))
}
