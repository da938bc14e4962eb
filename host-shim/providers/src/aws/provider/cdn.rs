//! CDN distributions on CloudFront: each serves a host name from an origin. With a hosted zone, the host's records and its certificate are
//! also created.

mod certificate;
mod find;
mod records;
mod settings;

pub use settings::CdnConfig;

use crate::aws::provider::aws::Aws;
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::marks::{Marks, OWNER, RUNNING, SUSPENDED, wanted_state};
use crate::aws::provider::payload::{adopts, bad, has_settings, output, text};
use crate::aws::provider::poll::{poll_later, subject};
use aws_sdk_acm::config::Region;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{DistributionConfig, DistributionConfigWithTags, Tag, Tags};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome, Held, Provider, ResourceId, Restriction, Unlisted};
use serde_json::{Value, json};
use settings::Settings;

/// First delay before a poll, in milliseconds. A deployment takes minutes.
const POLL_MS: i64 = 5000;
const ABSENT: &[&str] = &["NoSuchDistribution"];
const DEPLOYED: &str = "Deployed";
/// Region of all CloudFront certificates.
const CERTIFICATES: &str = "us-east-1";
/// Key of the tag with the id of the zone that contains the host's records.
const ZONE: &str = "zone";
/// State of a distribution whose records are missing in the zone.
const LOST: &str = "record-lost";
/// Separates the distribution from the change to its records in a token.
const AND: char = '+';

/// The provider of distributions.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `ensure` | `host`; `origin`: an address (`https://…`), a host name or the name of a bucket; `zone`: the id of a hosted zone | `id`, `domain` |
/// | `change` | `state` (`suspended` disables the distribution) and the members of `ensure` | `id`, `domain` |
/// | `observe` | as `ensure`; with `adopt` and `outputs.id` | `exists`, `state`, `outputs` (also during a deployment) |
/// | `destroy` | as `ensure` | none |
///
/// A suspended distribution is disabled, so its host does not respond. With a `zone`, the host's records A and AAAA in it point to the
/// distribution until the distribution is deleted. Without a configured certificate, one for all hosts with the same parent is requested
/// from ACM, validated in the zone, and shared. It is not deleted with a distribution.
pub struct Distributions {
    aws: Aws,
    client: Client,
    dns: aws_sdk_route53::Client,
    certificates: aws_sdk_acm::Client,
    config: CdnConfig,
}

/// An existing distribution, with the ETag that a request to change it must include.
struct ExistingDistribution {
    id: String,
    arn: String,
    domain: String,
    etag: String,
    is_deployed: bool,
    config: DistributionConfig,
    marks: Option<Marks>,
}

/// An entry in the list of all distributions.
struct ListEntry {
    id: String,
    arn: String,
    comment: String,
    hosts: Vec<String>,
    domain: String,
    is_enabled: bool,
}

impl Distributions {
    /// Creates the provider with these settings.
    pub fn new(aws: &Aws, config: CdnConfig) -> Distributions {
        let of_acm = aws_sdk_acm::config::Builder::from(aws.sdk()).region(Region::new(CERTIFICATES)).build();
        let (dns, certificates) = (aws_sdk_route53::Client::new(aws.sdk()), aws_sdk_acm::Client::from_conf(of_acm));
        Distributions { aws: aws.clone(), client: Client::new(aws.sdk()), dns, certificates, config }
    }

    async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match call.verb() {
            "ensure" => self.ensure(call).await,
            "change" => self.change(call).await,
            "observe" if adopts(call) => self.adopt(call).await,
            "observe" => match self.seek(call, None).await? {
                Some((found, _)) => self.observed(&found).await,
                None => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            "destroy" => self.destroy(call).await,
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    /// Returns the settings of the call, including a certificate. Ends the call with a poll until the certificate is issued.
    async fn settings(&self, call: &Call) -> Result<Settings<'_>, CallOutcome> {
        let mut wanted = Settings::of(call, &self.config, self.aws.region())?;
        let validated_in = wanted.zone_of_certificate().map(str::to_owned);
        if let Some(zone) = wanted.zone() {
            self.check_zone(zone, wanted.host(), validated_in.is_some()).await?;
        }
        if let Some(zone) = validated_in {
            let arn = self.issued(call, &zone, wanted.host()).await?;
            wanted.set_certificate(arn);
        }
        Ok(wanted)
    }

    async fn ensure(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let wanted = self.settings(call).await?;
        if let Some((found, marks)) = self.seek(call, Some(wanted.host())).await? {
            marks.admit(call)?;
            // Use the recorded state, because an abandoned removal may have disabled the distribution.
            let is_enabled = marks.state == RUNNING;
            return self.apply(call, found, &marks, Some(&wanted), is_enabled).await;
        }
        let mut marks = Marks::of(call)?;
        if let Some(zone) = wanted.zone() {
            // This comes before the distribution incurs any costs.
            self.check_records(zone, wanted.host(), &before(call)).await?;
            marks = marks.with(ZONE, zone);
        }
        // A repeated call has the same reference, so CloudFront does not create a second distribution. A call of a later generation has a
        // different reference.
        let reference = format!("{}-{}", letters(&marks.id), call.generation);
        let config = wanted.build(&reference, &comment(&marks.id), true)?;
        let with = DistributionConfigWithTags::builder().distribution_config(config).tags(tags(&marks)?).build();
        let response = self.client.create_distribution_with_tags().distribution_config_with_tags(with).send().await;
        let made = match response.in_request("cloudfront:CreateDistribution") {
            Ok(made) => made,
            Err(failure) if failure.is(&["CNAMEAlreadyExists"]) => {
                return Err(name_taken(wanted.host()));
            }
            // The distribution exists, but the list does not contain it yet.
            Err(failure) if failure.is(&["DistributionAlreadyExists"]) => {
                return Err(CallOutcome::retry("conflict", failure.aws_message()));
            }
            Err(failure) => return Err(failure.into()),
        };
        let there = made.distribution.ok_or_else(|| incomplete("cloudfront:CreateDistribution", "a distribution"))?;
        let change = match wanted.zone() {
            Some(zone) => self.point(zone, wanted.host(), &there.domain_name, &before(call)).await?,
            None => None,
        };
        self.progress(call, &there.id, &there.domain_name, there.status == DEPLOYED, change).await
    }

    /// Asks for polls until the distribution is deployed and all Route 53 servers have the changed records.
    async fn progress(
        &self,
        call: &Call,
        id: &str,
        domain: &str,
        is_deployed: bool,
        change: Option<String>,
    ) -> Result<CallOutcome, CallOutcome> {
        let polled = subject(call).and_then(|subject| subject.split_once(AND)).map(|(_, change)| change.to_owned());
        let change = change.or(polled);
        let is_in_sync = match &change {
            Some(change) => self.is_in_sync(change).await?,
            None => true,
        };
        match (is_deployed && is_in_sync, change) {
            (true, _) => Ok(CallOutcome::Done(outputs(id, domain))),
            (false, Some(change)) if !is_in_sync => Ok(poll_later(call, &format!("{id}{AND}{change}"), POLL_MS)),
            (false, _) => Ok(poll_later(call, id, POLL_MS)),
        }
    }

    async fn change(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let state = wanted_state(call)?;
        let wanted = match has_settings(call) {
            true => Some(self.settings(call).await?),
            false => None,
        };
        let Some((found, marks)) = self.seek(call, None).await? else {
            return Err(CallOutcome::refused("not-found", "there is no distribution of this resource"));
        };
        marks.admit(call)?;
        let is_enabled = state.unwrap_or(&marks.state) == RUNNING;
        self.apply(call, found, &marks, wanted.as_ref(), is_enabled).await
    }

    /// Applies these settings to our distribution, and asks for polls until they are deployed.
    async fn apply(
        &self,
        call: &Call,
        found: ExistingDistribution,
        marks: &Marks,
        wanted: Option<&Settings<'_>>,
        is_enabled: bool,
    ) -> Result<CallOutcome, CallOutcome> {
        let mut after = marks.after(call);
        after.state = state_of(is_enabled).to_owned();
        let zone = wanted.and_then(|wanted| wanted.zone().or(marks.get(ZONE)));
        if let (Some(zone), Some(wanted)) = (zone, wanted) {
            let mut ours = before(call);
            ours.push(&found.domain);
            self.check_records(zone, wanted.host(), &ours).await?;
            // This comes before the distribution forgets its old host and zone.
            let old_zone = marks.get(ZONE).unwrap_or(zone);
            for old in hosts(&found.config) {
                if old != wanted.host() || old_zone != zone {
                    self.unpoint(old_zone, &old, &found.domain).await?;
                }
            }
            after = after.with(ZONE, zone);
        }
        if after != *marks {
            self.tag(&found.arn, &after).await?;
        }
        let mut config = found.config.clone();
        config.enabled = is_enabled;
        if let Some(wanted) = wanted {
            wanted.put_into(&mut config)?;
        }
        let is_same =
            config.enabled == found.config.enabled && wanted.is_none_or(|wanted| wanted.are_set_on(&found.config));
        let is_deployed = match is_same {
            true => found.is_deployed,
            false => self.update(&found, config).await?,
        };
        let mut change = None;
        if let (Some(zone), Some(wanted)) = (zone, wanted) {
            change = self.point(zone, wanted.host(), &found.domain, &before(call)).await?;
        }
        self.progress(call, &found.id, &found.domain, is_deployed, change).await
    }

    /// Updates the distribution. Returns true if the update is already deployed.
    async fn update(&self, found: &ExistingDistribution, config: DistributionConfig) -> Result<bool, CallOutcome> {
        let update = self.client.update_distribution().id(&found.id).if_match(&found.etag).distribution_config(config);
        let done = match update.send().await.in_request("cloudfront:UpdateDistribution") {
            Ok(done) => done,
            Err(failure) if failure.is(&["CNAMEAlreadyExists"]) => return Err(name_taken("the host")),
            Err(failure) => return Err(failure.into()),
        };
        Ok(done.distribution.is_some_and(|there| there.status == DEPLOYED))
    }

    async fn tag(&self, arn: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let response = self.client.tag_resource().resource(arn).tags(tags(marks)?).send().await;
        response.in_request("cloudfront:TagResource")?;
        Ok(())
    }

    /// Adopts a distribution that a person created: it must exist, serve the wanted host and not belong to another
    /// resource.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let id = output(call, "id").ok_or_else(|| bad("outputs.id", "", "the id of a distribution"))?;
        let Some(mut found) = self.get(id).await? else {
            return Err(CallOutcome::refused("not-found", format!("there is no distribution `{id}`")));
        };
        let hosts = hosts(&found.config);
        if let Some(host) = text(call, "host")?
            && !hosts.iter().any(|has| has == host)
        {
            return Err(CallOutcome::refused("not-reachable", format!("distribution `{id}` does not serve `{host}`")));
        }
        let marks = match &found.marks {
            Some(marks) => {
                marks.check_owner(call, id)?;
                marks.admit(call)?;
                marks.after(call)
            }
            None => Marks { state: state_of(found.config.enabled).to_owned(), ..Marks::of(call)? },
        };
        self.tag(&found.arn, &marks).await?;
        found.marks = Some(marks);
        self.observed(&found).await
    }

    /// Deletes the host's records, disables the distribution, asks for polls until that is deployed, and deletes the
    /// distribution. CloudFront deletes only disabled distributions.
    async fn destroy(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let Some((found, marks)) = self.seek(call, None).await? else { return Ok(CallOutcome::Done(json!({}))) };
        marks.admit(call)?;
        if let Some(zone) = marks.get(ZONE) {
            for host in hosts(&found.config) {
                self.unpoint(zone, &host, &found.domain).await?;
            }
        }
        if found.config.enabled {
            if marks.generation < call.generation {
                self.tag(&found.arn, &marks.after(call)).await?;
            }
            let mut config = found.config.clone();
            config.enabled = false;
            self.update(&found, config).await?;
            return Ok(poll_later(call, &found.id, POLL_MS));
        }
        if !found.is_deployed {
            return Ok(poll_later(call, &found.id, POLL_MS));
        }
        let delete = self.client.delete_distribution().id(&found.id).if_match(&found.etag);
        delete.send().await.in_request("cloudfront:DeleteDistribution").none_if(ABSENT)?;
        Ok(CallOutcome::Done(json!({})))
    }

    async fn observed(&self, found: &ExistingDistribution) -> Result<CallOutcome, CallOutcome> {
        let state = match &found.marks {
            Some(marks) => self.state(marks, &hosts(&found.config), &found.domain, found.config.enabled).await?,
            None => state_of(found.config.enabled),
        };
        let outputs = outputs(&found.id, &found.domain);
        Ok(CallOutcome::Done(json!({"exists": true, "state": state, "outputs": outputs})))
    }

    /// Returns the state of a distribution. A distribution whose records are gone counts as lost, because its visitors cannot find it.
    async fn state(
        &self,
        marks: &Marks,
        hosts: &[String],
        domain: &str,
        is_enabled: bool,
    ) -> Result<&'static str, CallOutcome> {
        if let Some(zone) = marks.get(ZONE) {
            for host in hosts {
                if !self.has_records(zone, host, domain).await? {
                    return Ok(LOST);
                }
            }
        }
        Ok(state_of(is_enabled))
    }

    async fn all(&self) -> Result<Vec<Held>, CallOutcome> {
        let mut held = Vec::new();
        for line in self.lines().await? {
            if let Some(marks) = self.marks(&line.arn).await? {
                let state = self.state(&marks, &line.hosts, &line.domain, line.is_enabled).await?;
                held.push(marks.held(&line.id, state));
            }
        }
        held.sort();
        Ok(held)
    }
}

impl Provider for Distributions {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn restrictions(&self, _: &str) -> Vec<Restriction> {
        match self.config.certificate_arn {
            Some(_) => Vec::new(),
            None => vec![Restriction::never("host", settings::CERTIFICATE).unless(ZONE)],
        }
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.aws.list(self.all()).map(Some)
    }
}

/// Returns the comment of a distribution, which identifies its resource in lists.
fn comment(id: &ResourceId) -> String {
    format!("{OWNER} {}", letters(id))
}

fn state_of(is_enabled: bool) -> &'static str {
    if is_enabled { RUNNING } else { SUSPENDED }
}

fn outputs(id: &str, domain: &str) -> Value {
    json!({"id": id, "domain": domain})
}

/// Returns the hosts that a distribution serves besides its own domain.
fn hosts(config: &DistributionConfig) -> Vec<String> {
    config.aliases.as_ref().and_then(|aliases| aliases.items.clone()).unwrap_or_default()
}

/// Returns the previous domain of the resource, to which its records may still point.
fn before(call: &Call) -> Vec<&str> {
    output(call, "domain").into_iter().collect()
}

fn tags(marks: &Marks) -> Result<Tags, CallOutcome> {
    let built = marks.tags().into_iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
    let items = built.collect::<Result<Vec<_>, _>>().map_err(|error| crate::aws::provider::errors::unbuilt(&error))?;
    Ok(Tags::builder().set_items(Some(items)).build())
}
