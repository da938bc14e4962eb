//! The records of a distribution's host in a hosted zone of Route 53: A and AAAA, aliases of the distribution's domain.

use super::Distributions;
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken, unbuilt};
use crate::aws::provider::payload::bad;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use host_provider_api::CallOutcome;

/// The hosted zone of all CloudFront domains, from AWS's documentation.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
const KINDS: [RrType; 2] = [RrType::A, RrType::Aaaa];
const NO_ZONE: &[&str] = &["NoSuchHostedZone"];
/// Maximum characters of a zone's id: Route 53's limit.
const ID_MAX: usize = 32;
/// Number of records read for one name: more than there are types.
const PAGE: i32 = 40;
/// Seconds for which resolvers may keep a validation record.
const TTL_S: i64 = 300;

/// Checks the id of a hosted zone: `Z0123456789ABC`, optionally with AWS's prefix `/hostedzone/`.
pub(super) fn zone_id(text: &str) -> Result<&str, CallOutcome> {
    let id = text.strip_prefix("/hostedzone/").unwrap_or(text);
    let is_id = (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { Ok(id) } else { Err(bad("zone", text, "the id of a hosted zone of Route 53")) }
}

/// Returns the part of a host after its first label.
pub(super) fn parent(host: &str) -> &str {
    host.split_once('.').map_or("", |(_, parent)| parent)
}

/// Returns true if the host equals the zone's name or lies below it.
pub(super) fn is_within(host: &str, zone: &str) -> bool {
    host == zone || host.strip_suffix(zone).is_some_and(|before| before.ends_with('.'))
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Distributions {
    /// Checks that the host lies within the public zone with this id. If a certificate is needed, its parent must lie
    /// there too.
    pub(super) async fn check_zone(&self, zone: &str, host: &str, with_parent: bool) -> Result<(), CallOutcome> {
        let response = self.dns.get_hosted_zone().id(zone).send().await;
        let found = response.in_request("route53:GetHostedZone").none_if(NO_ZONE)?.and_then(|found| found.hosted_zone);
        let Some(found) = found else { return Err(bad("zone", zone, "the id of a hosted zone of this account")) };
        if found.config.is_some_and(|config| config.private_zone) {
            return Err(bad("zone", zone, "a public hosted zone"));
        }
        let name = plain(&found.name);
        if !is_within(host, &name) {
            return Err(bad("host", host, &format!("a host within `{name}`, the name of the zone `{zone}`")));
        }
        if with_parent && !is_within(parent(host), &name) {
            let expected = format!("a host below `{name}`, or the setting `aws.certificate_arn`");
            return Err(bad("host", host, &expected));
        }
        Ok(())
    }

    /// Returns the records of a host that a distribution's records would replace.
    async fn records(&self, zone: &str, host: &str) -> Result<Vec<ResourceRecordSet>, CallOutcome> {
        let list = self.dns.list_resource_record_sets().hosted_zone_id(zone).start_record_name(host).max_items(PAGE);
        let page = list.send().await.in_request("route53:ListResourceRecordSets").none_if(NO_ZONE)?;
        let found = page.map(|page| page.resource_record_sets).unwrap_or_default().into_iter();
        Ok(found
            .filter(|one| plain(&one.name) == host && (KINDS.contains(&one.r#type) || one.r#type == RrType::Cname))
            .collect())
    }

    /// Returns true if both records of the host point to this domain.
    pub(super) async fn has_records(&self, zone: &str, host: &str, domain: &str) -> Result<bool, CallOutcome> {
        let there = self.records(zone, host).await?;
        Ok(KINDS.iter().all(|kind| there.iter().any(|one| one.r#type == *kind && points_to(one, &[domain]))))
    }

    /// Refuses a host with a record that points to none of these domains.
    pub(super) async fn check_records(&self, zone: &str, host: &str, ours: &[&str]) -> Result<(), CallOutcome> {
        match self.records(zone, host).await?.iter().all(|one| points_to(one, ours)) {
            true => Ok(()),
            false => Err(name_taken(host)),
        }
    }

    /// Ensures that the host points to the domain. Returns the id of the change if a record had to be written. Refuses
    /// a host with a record that points neither there nor to one of `before`.
    pub(super) async fn point(
        &self,
        zone: &str,
        host: &str,
        domain: &str,
        before: &[&str],
    ) -> Result<Option<String>, CallOutcome> {
        if self.has_records(zone, host, domain).await? {
            return Ok(None);
        }
        let ours: Vec<&str> = before.iter().copied().chain([domain]).collect();
        self.check_records(zone, host, &ours).await?;
        let change = |kind| change(ChangeAction::Upsert, alias(host, domain, kind)?);
        let changes = KINDS.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
        self.write(zone, changes).await.map(Some)
    }

    /// Deletes the records of the host that point to the domain.
    pub(super) async fn unpoint(&self, zone: &str, host: &str, domain: &str) -> Result<(), CallOutcome> {
        let ours = self.records(zone, host).await?.into_iter().filter(|one| points_to(one, &[domain]));
        let changes = ours.map(|one| change(ChangeAction::Delete, one)).collect::<Result<Vec<_>, _>>()?;
        if !changes.is_empty() {
            self.write(zone, changes).await?;
        }
        Ok(())
    }

    /// Ensures that the CNAME record with which ACM validates a certificate exists.
    pub(super) async fn validate(&self, zone: &str, name: &str, value: &str) -> Result<(), CallOutcome> {
        let list = self.dns.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name).max_items(PAGE);
        let page = list.send().await.in_request("route53:ListResourceRecordSets")?;
        let is_there = page.resource_record_sets.iter().any(|one| {
            let values = one.resource_records.as_deref().unwrap_or_default();
            plain(&one.name) == plain(name)
                && one.r#type == RrType::Cname
                && values.iter().any(|has| plain(&has.value) == plain(value))
        });
        if is_there {
            return Ok(());
        }
        let record = ResourceRecord::builder().value(value).build().map_err(|error| unbuilt(&error))?;
        let record = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(TTL_S).resource_records(record);
        let record = record.build().map_err(|error| unbuilt(&error))?;
        self.write(zone, vec![change(ChangeAction::Upsert, record)?]).await?;
        Ok(())
    }

    async fn write(&self, zone: &str, changes: Vec<Change>) -> Result<String, CallOutcome> {
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(|error| unbuilt(&error))?;
        let write = self.dns.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
        let made = write.send().await.in_request("route53:ChangeResourceRecordSets")?.change_info;
        let made = made.ok_or_else(|| incomplete("route53:ChangeResourceRecordSets", "a change"))?;
        Ok(made.id.trim_start_matches("/change/").to_owned())
    }

    /// Returns true if all name servers of Route 53 have the change.
    pub(super) async fn is_in_sync(&self, change: &str) -> Result<bool, CallOutcome> {
        let got = self.dns.get_change().id(change).send().await.in_request("route53:GetChange")?;
        Ok(got.change_info.is_some_and(|info| info.status == ChangeStatus::Insync))
    }
}

fn change(action: ChangeAction, record: ResourceRecordSet) -> Result<Change, CallOutcome> {
    Change::builder().action(action).resource_record_set(record).build().map_err(|error| unbuilt(&error))
}

fn alias(host: &str, domain: &str, kind: RrType) -> Result<ResourceRecordSet, CallOutcome> {
    let target = AliasTarget::builder().hosted_zone_id(CLOUDFRONT_ZONE).dns_name(domain).evaluate_target_health(false);
    let target = target.build().map_err(|error| unbuilt(&error))?;
    let record = ResourceRecordSet::builder().name(host).r#type(kind).alias_target(target);
    record.build().map_err(|error| unbuilt(&error))
}

/// Returns true if the record is an alias of one of these domains.
fn points_to(record: &ResourceRecordSet, domains: &[&str]) -> bool {
    let target = record.alias_target.as_ref().map(|target| plain(&target.dns_name));
    target.is_some_and(|target| domains.iter().any(|domain| plain(domain) == target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_lies_within_a_zone_by_whole_labels() {
        assert!(is_within("a.shop.example", "shop.example") && is_within("shop.example", "shop.example"));
        for other in ["ashop.example", "shop.example.org", "example", ""] {
            assert!(!is_within(other, "shop.example"), "{other}");
        }
        assert_eq!((parent("a.shop.example"), parent("localhost")), ("shop.example", ""));
    }

    #[test]
    fn the_id_of_a_zone_is_checked_before_a_request() {
        assert_eq!(zone_id("Z0123ABC"), Ok("Z0123ABC"));
        assert_eq!(zone_id("/hostedzone/Z0123ABC"), Ok("Z0123ABC"));
        for wrong in ["", "zone-1", "Z/../x", "/hostedzone/", &"Z".repeat(33)] {
            assert!(
                matches!(zone_id(wrong), Err(CallOutcome::Refused { code, .. }) if code == "bad-payload"),
                "{wrong}"
            );
        }
    }
}
