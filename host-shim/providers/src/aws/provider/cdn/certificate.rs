//! The certificate of all hosts with the same parent: requested from ACM once, validated by a record in the zone, found
//! again by its tags, and never deleted by the provider.

use super::Distributions;
use super::records::parent;
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, unbuilt};
use crate::aws::provider::marks::{MANAGED_BY, OWNER};
use crate::aws::provider::payload::fingerprint;
use crate::aws::provider::poll::poll_later;
use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, Tag, ValidationMethod};
use host_provider_api::{Call, CallOutcome};

/// Key of the tag with the parent of the hosts.
const PARENT: &str = "hosts-below";
/// First delay before a poll, in milliseconds. A validation takes minutes.
const POLL_MS: i64 = 5000;
const ABSENT: &[&str] = &["ResourceNotFoundException"];

impl Distributions {
    /// Returns the ARN of the issued certificate for `host`. Ends the call with a poll until it is issued, and with a
    /// refusal if ACM does not issue it.
    pub(super) async fn issued(&self, call: &Call, zone: &str, host: &str) -> Result<String, CallOutcome> {
        let parent = parent(host);
        let arn = match self.certificate(parent).await? {
            Some(arn) => arn,
            None => self.request(parent).await?,
        };
        let response = self.certificates.describe_certificate().certificate_arn(&arn).send().await;
        let found = response.in_request("acm:DescribeCertificate").none_if(ABSENT)?.and_then(|found| found.certificate);
        // ACM does not show a new certificate everywhere immediately.
        let Some(found) = found else { return Err(poll_later(call, "", POLL_MS)) };
        match &found.status {
            Some(CertificateStatus::Issued) => Ok(arn),
            Some(CertificateStatus::PendingValidation) | None => {
                let options = found.domain_validation_options.as_deref().unwrap_or_default();
                for record in options.iter().filter_map(|option| option.resource_record.as_ref()) {
                    self.validate(zone, &record.name, &record.value).await?;
                }
                Err(poll_later(call, "", POLL_MS))
            }
            Some(status) => Err(not_issued(&arn, status, &found)),
        }
    }

    /// Finds our certificate for the hosts below `parent`. Prefers an issued one to one that is being validated, and
    /// both to one that ACM has not issued.
    async fn certificate(&self, parent: &str) -> Result<Option<String>, CallOutcome> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let response = self.certificates.list_certificates().set_next_token(token).send().await;
            let page = response.in_request("acm:ListCertificates")?;
            for one in page.certificate_summary_list.unwrap_or_default() {
                if let Some(arn) = one.certificate_arn.filter(|_| one.domain_name == Some(wildcard(parent))) {
                    found.push((order(one.status.as_ref()), arn));
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        found.sort();
        for (_, arn) in found {
            if self.is_ours(&arn, parent).await? {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn is_ours(&self, arn: &str, parent: &str) -> Result<bool, CallOutcome> {
        let response = self.certificates.list_tags_for_certificate().certificate_arn(arn).send().await;
        let tags = response.in_request("acm:ListTagsForCertificate").none_if(ABSENT)?.and_then(|found| found.tags);
        let tags = tags.unwrap_or_default();
        let has = |key: &str, value: &str| tags.iter().any(|tag| tag.key == key && tag.value.as_deref() == Some(value));
        Ok(has(MANAGED_BY, OWNER) && has(PARENT, parent))
    }

    async fn request(&self, parent: &str) -> Result<String, CallOutcome> {
        let tag =
            |key: &str, value: &str| Tag::builder().key(key).value(value).build().map_err(|error| unbuilt(&error));
        let tags = vec![tag(MANAGED_BY, OWNER)?, tag(PARENT, parent)?];
        let request = self
            .certificates
            .request_certificate()
            .domain_name(wildcard(parent))
            .validation_method(ValidationMethod::Dns)
            // Concurrent calls for hosts of this parent request the same certificate.
            .idempotency_token(fingerprint(parent))
            .set_tags(Some(tags));
        let made = request.send().await.in_request("acm:RequestCertificate")?;
        made.certificate_arn.ok_or_else(|| incomplete("acm:RequestCertificate", "an ARN"))
    }
}

fn wildcard(parent: &str) -> String {
    format!("*.{parent}")
}

fn order(status: Option<&CertificateStatus>) -> u8 {
    match status {
        Some(CertificateStatus::Issued) => 0,
        Some(CertificateStatus::PendingValidation) | None => 1,
        Some(_) => 2,
    }
}

fn not_issued(arn: &str, status: &CertificateStatus, found: &CertificateDetail) -> CallOutcome {
    let failure = found.failure_reason.as_ref().map(|reason| reason.as_str());
    let reason = failure.or(found.revocation_reason.as_ref().map(|reason| reason.as_str()));
    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    let problem = format!("certificate `{arn}` is {}{reason}", status.as_str());
    let remedy = "delete it, and the next call requests another, or set `aws.certificate_arn`";
    CallOutcome::refused("no-certificate", format!("{problem}: {remedy}"))
}
