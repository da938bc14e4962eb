//! Finds the distribution of a resource.

use super::{ABSENT, AND, DEPLOYED, Distributions, ExistingDistribution, ListEntry, comment};
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::marks::{Marks, OWNER};
use crate::aws::provider::payload::{has_outputs, output};
use crate::aws::provider::poll::subject;
use aws_sdk_cloudfront::types::Distribution;
use host_provider_api::{Call, CallOutcome};

const NO_TAGS: &[&str] = &["NoSuchResource"];

impl Distributions {
    pub(super) async fn get(&self, id: &str) -> Result<Option<ExistingDistribution>, CallOutcome> {
        let response = self.client.get_distribution().id(id).send().await;
        let Some(got) = response.in_request("cloudfront:GetDistribution").none_if(ABSENT)? else { return Ok(None) };
        let missing = |what| incomplete("cloudfront:GetDistribution", what);
        let there = got.distribution.ok_or_else(|| missing("a distribution"))?;
        let etag = got.e_tag.ok_or_else(|| missing("an ETag"))?;
        let marks = self.marks(&there.arn).await?;
        Ok(Some(found(there, etag, marks).ok_or_else(|| missing("a configuration"))?))
    }

    pub(super) async fn marks(&self, arn: &str) -> Result<Option<Marks>, CallOutcome> {
        let response = self.client.list_tags_for_resource().resource(arn).send().await;
        let Some(got) = response.in_request("cloudfront:ListTagsForResource").none_if(NO_TAGS)? else {
            return Ok(None);
        };
        let items = got.tags.and_then(|tags| tags.items).unwrap_or_default();
        Ok(Marks::read(items.iter().map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()))))
    }

    pub(super) async fn lines(&self) -> Result<Vec<ListEntry>, CallOutcome> {
        let (mut lines, mut marker) = (Vec::new(), None);
        loop {
            let response = self.client.list_distributions().set_marker(marker).send().await;
            let page = response.in_request("cloudfront:ListDistributions")?.distribution_list;
            let Some(page) = page else { return Ok(lines) };
            lines.extend(page.items.unwrap_or_default().into_iter().map(|one| ListEntry {
                hosts: one.aliases.and_then(|aliases| aliases.items).unwrap_or_default(),
                id: one.id,
                arn: one.arn,
                domain: one.domain_name,
                comment: one.comment,
                is_enabled: one.enabled,
            }));
            marker = page.next_marker.filter(|marker| page.is_truncated && !marker.is_empty());
            if marker.is_none() {
                return Ok(lines);
            }
        }
    }

    /// Finds the distribution of the call's resource by the call's token, by the recorded outputs, or in the list of
    /// distributions. Refuses the call if another distribution serves the host `wanted`.
    pub(super) async fn seek(
        &self,
        call: &Call,
        wanted: Option<&str>,
    ) -> Result<Option<(ExistingDistribution, Marks)>, CallOutcome> {
        let id = call.resource_id();
        let ours = |found: ExistingDistribution| {
            let marks = found.marks.clone().filter(|marks| marks.id == id);
            marks.map(|marks| (found, marks))
        };
        let polled = subject(call).and_then(|subject| subject.split(AND).next());
        for known in [polled, output(call, "id")].into_iter().flatten() {
            if let Some(found) = self.get(known).await?.and_then(ours) {
                return Ok(Some(found));
            }
        }
        let (comment, lines) = (comment(&id), self.lines().await?);
        for line in lines.iter().filter(|line| line.comment == comment) {
            if let Some(found) = self.get(&line.id).await?.and_then(ours) {
                return Ok(Some(found));
            }
        }
        // An adopted distribution keeps its creator's comment; only its tags identify the resource.
        if call.verb() != "ensure" && !has_outputs(call) {
            for line in lines.iter().filter(|line| !line.comment.starts_with(OWNER)) {
                let is_ours = self.marks(&line.arn).await?.is_some_and(|marks| marks.id == id);
                if is_ours && let Some(found) = self.get(&line.id).await?.and_then(ours) {
                    return Ok(Some(found));
                }
            }
        }
        match wanted {
            Some(host) if lines.iter().any(|line| line.hosts.iter().any(|has| has == host)) => Err(name_taken(host)),
            _ => Ok(None),
        }
    }
}

fn found(there: Distribution, etag: String, marks: Option<Marks>) -> Option<ExistingDistribution> {
    Some(ExistingDistribution {
        id: there.id,
        arn: there.arn,
        domain: there.domain_name,
        etag,
        is_deployed: there.status == DEPLOYED,
        config: there.distribution_config?,
        marks,
    })
}
