//! Buckets on S3, and on Backblaze B2, which speaks most of it.

mod empty;
mod find;
mod marking;
mod settings;
mod sign;

use crate::aws::Aws;
use crate::errors::{Told, Unless, name_taken};
use crate::marks::{Marks, wanted_state};
use crate::payload::{adopts, bad, has_settings, output};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag};
use host_provider_api::names::Rules;
use host_provider_api::{Call, CallOutcome, Held, Provider, Unlisted};
use serde_json::{Value, json};

/// Before a derived name.
const PREFIX: &str = "sbp-";
const RULES: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// B2's names are longer.
const RULES_B2: Rules = Rules { shortest: 6, ..RULES };
/// The region that must not be named when a bucket is made in it.
const FIRST_REGION: &str = "us-east-1";
const ABSENT: &[&str] = &["NoSuchBucket"];
const OTHERS: &[&str] = &["BucketAlreadyExists"];
const DENIED: &[&str] = &["AccessDenied", "AllAccessDisabled", "PermanentRedirect", "AuthorizationHeaderMalformed"];
/// A look at a bucket that is being emptied follows after this long.
const LOOK_MS: i64 = 1000;

/// Which calls the other side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// All of them: tags, which also say whose a bucket is; public access is blocked; policies.
    Aws,
    /// Object calls, CORS and encryption. Whose a bucket is stands in its object `.provisioner.json`. Buckets of B2 are private
    /// unless they are made public; they have no policies, so `writes` is noted and not enforced, and no lifecycles, so what was
    /// uploaded in part stays.
    B2,
}

/// What all buckets have in common.
#[derive(Clone, Debug)]
pub struct BucketConfig {
    /// Which calls are made.
    pub flavor: Flavor,
    /// Number of the AWS account whose distributions may read the buckets; none may if there is none.
    pub cdn_account: Option<String>,
    /// Buckets of the platform's own, whose objects are signed for every account.
    pub shared: Vec<String>,
}

/// The provider of buckets.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `bucket.ensure` | `name`, `cors` (a list of origins), `writes` (`allowed`, `refused`) | `id`, `bucket` |
/// | `bucket.change` | `state`, which is only noted; and what `ensure` takes | `id`, `bucket` |
/// | `bucket.observe` | as `ensure`; with `adopt` and `outputs.bucket` | `exists`, `state`, `outputs` |
/// | `bucket.destroy` | as `ensure`; everything in it goes | none |
/// | `object.sign` | `bucket`, `key` (or `object`), `ttl_s` | `url` |
pub struct Buckets {
    aws: Aws,
    client: Client,
    config: BucketConfig,
}

/// What became of looking for a bucket.
enum Sought {
    Ours(String, Marks),
    /// There is one of this name in this account that nobody has marked.
    Unmarked(String),
    Taken(String),
    Absent(String),
}

impl Buckets {
    /// Buckets of this account and region.
    pub fn new(aws: &Aws, config: BucketConfig) -> Buckets {
        let mut settings = Builder::from(aws.sdk()).force_path_style(aws.has_endpoint());
        if config.flavor == Flavor::B2 {
            // B2 refuses the newer checksums where they are not needed.
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
                Sought::Ours(name, marks) => Ok(seen(&name, &marks)),
                _ => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            (_, "destroy") => match self.seek(call).await? {
                Sought::Ours(name, marks) => {
                    marks.admit(call)?;
                    self.destroy(call, &name).await
                }
                // What was begun and not marked, or what marked it is deleted and the bucket is not.
                Sought::Unmarked(name) if self.is_begun(call, &name).await? => self.destroy(call, &name).await,
                _ => Ok(CallOutcome::Done(json!({}))),
            },
            _ => Ok(CallOutcome::unsupported(call)),
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
            Sought::Taken(name) => Err(name_taken(&name)),
            Sought::Ours(name, marks) => {
                marks.admit(call)?;
                self.bring(&name, &marks, &marks.after(call), Some(&wanted)).await
            }
            Sought::Unmarked(name) if self.is_begun(call, &name).await? => {
                self.bring(&name, &Marks::of(call)?, &Marks::of(call)?, Some(&wanted)).await
            }
            Sought::Unmarked(name) => Err(name_taken(&name)),
            Sought::Absent(name) => {
                let marks = Marks::of(call)?;
                self.create(&name, &marks).await?;
                self.bring(&name, &marks, &marks, Some(&wanted)).await
            }
        }
    }

    /// True if a bucket without marks is what an earlier call made before it could mark it. On AWS the tags come with the
    /// bucket, so only a name that nobody else has the idea of counts; B2 has no way to do both at once, so there an empty
    /// bucket of this account counts, too.
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
        match create.send().await.told("s3:CreateBucket").unless(OTHERS)? {
            Some(_) => Ok(()),
            None => Err(name_taken(name)),
        }
    }

    /// Brings a bucket of ours to its settings; what it bears in the end are the marks `after`. An older call is refused from
    /// the first write on.
    async fn bring(
        &self,
        name: &str,
        before: &Marks,
        after: &Marks,
        wanted: Option<&settings::Settings>,
    ) -> Result<CallOutcome, CallOutcome> {
        let mut marks = after.clone();
        if let Some(wanted) = wanted {
            let print = wanted.fingerprint(&self.config);
            if before.says(settings::TAG) != Some(&print) {
                // From here on it has neither the settings before nor those after.
                let had = marks.more.remove(settings::TAG);
                if had.is_some() || before.generation != after.generation {
                    self.mark(name, &marks).await?;
                }
                self.settle(name, wanted).await?;
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
            Sought::Ours(name, marks) => {
                marks.admit(call)?;
                let wanted = match has_settings(call) {
                    true => Some(settings::Settings::of(call)?),
                    false => None,
                };
                let mut after = marks.after(call);
                if let Some(state) = state {
                    after.state = state.to_owned();
                }
                self.bring(&name, &marks, &after, wanted.as_ref()).await
            }
            Sought::Taken(name) | Sought::Unmarked(name) => Err(name_taken(&name)),
            Sought::Absent(name) => Err(CallOutcome::refused("not-found", format!("there is no bucket `{name}`"))),
        }
    }

    /// Takes in what a person made: it must be there, be empty, and be nobody else's.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let name = output(call, "bucket").ok_or_else(|| bad("outputs.bucket", "", "the name of a bucket"))?;
        let name = self.rules().check(name)?;
        let marks = match self.marks(name).await? {
            Whose::Marked(marks) => {
                marks.belongs(call, name)?;
                marks.admit(call)?;
                marks.after(call)
            }
            Whose::Unmarked if self.is_empty(name).await? => Marks::of(call)?,
            Whose::Unmarked => return Err(CallOutcome::refused("not-empty", format!("bucket `{name}` has objects"))),
            Whose::Another => {
                return Err(CallOutcome::refused("access-denied", format!("bucket `{name}` can't be reached")));
            }
            Whose::Nobodys => return Err(CallOutcome::refused("not-found", format!("there is no bucket `{name}`"))),
        };
        self.mark(name, &marks).await?;
        Ok(seen(name, &marks))
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

/// What the marks of a bucket say.
enum Whose {
    /// There is no such bucket.
    Nobodys,
    Marked(Box<Marks>),
    Unmarked,
    /// It can't be looked into: another account's, or another region's.
    Another,
}

impl Provider for Buckets {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn held(&self) -> Result<Vec<Held>, Unlisted> {
        self.aws.list(self.all())
    }
}

fn outputs(name: &str) -> Value {
    json!({"id": name, "bucket": name})
}

fn seen(name: &str, marks: &Marks) -> CallOutcome {
    CallOutcome::Done(json!({"exists": true, "state": marks.state, "outputs": outputs(name)}))
}

fn tags(marks: &Marks) -> Result<Vec<Tag>, CallOutcome> {
    let ours = marks.tags().into_iter().filter(|(name, _)| !name.starts_with("aws:"));
    let built = ours.map(|(name, value)| Tag::builder().key(name).value(value).build());
    built.collect::<Result<_, _>>().map_err(|error| crate::errors::unbuilt(&error))
}
