//! Settings of a distribution, from the configuration and the payload.

use super::records::zone_id;
use crate::aws::provider::errors::unbuilt;
use crate::aws::provider::payload::{bad, needed, text};
use aws_sdk_cloudfront::types::{
    Aliases, AllowedMethods, CachedMethods, CustomOriginConfig, DefaultCacheBehavior, DistributionConfig, HttpVersion,
    Method, MinimumProtocolVersion, Origin, OriginProtocolPolicy, OriginSslProtocols, Origins, PriceClass,
    S3OriginConfig, SslProtocol, SslSupportMethod, ViewerCertificate, ViewerProtocolPolicy,
};
use host_provider_api::names::Rules;
use host_provider_api::{Call, CallOutcome};

// Ids of CloudFront's managed policies, from its documentation. `CACHE` caches for as long as the origin states, or for
// a day; `NO_CACHE` does not cache; `ALL_BUT_HOST` forwards everything in a request except its host.
const CACHE: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
const NO_CACHE: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
const ALL_BUT_HOST: &str = "b689b0a8-53d0-40ab-baf2-68738e2966ac";

const HOST: Rules = Rules { what: "host", shortest: 4, longest: 253, others: b"-." };
const BUCKET: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// Id of the only origin of a distribution.
const ORIGIN: &str = "origin";

/// Settings that all distributions share.
#[derive(Clone, Debug, Default)]
pub struct CdnConfig {
    /// ARN of the certificate for the payload's `host`, in `us-east-1`. Without it, a distribution is created only with
    /// a `zone`, in which a certificate can be validated; otherwise its host could not be reached.
    pub certificate_arn: Option<String>,
    /// Id of the origin access control that lets distributions read private buckets. Without it, they read only public
    /// buckets.
    pub origin_access_control_id: Option<String>,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All` (default).
    pub price_class: Option<String>,
}

/// Origin of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OriginAddress {
    domain: String,
    is_bucket: bool,
}

/// Settings of one distribution.
pub(super) struct Settings<'c> {
    host: String,
    origin: OriginAddress,
    zone: Option<String>,
    certificate: Option<String>,
    config: &'c CdnConfig,
}

/// The setting that distributions with a host need, as text for operators.
pub(super) const CERTIFICATE: &str =
    "the setting `aws.certificate_arn`, a certificate in us-east-1 for this host, or a `zone`";

impl<'c> Settings<'c> {
    pub(super) fn of(call: &Call, config: &'c CdnConfig, region: &str) -> Result<Self, CallOutcome> {
        let host = HOST.check(needed(call, "host")?)?.to_owned();
        let origin = origin(needed(call, "origin")?, region)?;
        let zone = text(call, "zone")?.map(zone_id).transpose()?.map(str::to_owned);
        // CloudFront accepts a host only with a certificate for it. Without one, nobody could reach the host.
        if config.certificate_arn.is_none() && zone.is_none() {
            let problem = format!("`host` is `{host}`: expected {CERTIFICATE}");
            return Err(CallOutcome::refused("no-certificate", problem));
        }
        Ok(Settings { host, origin, zone, certificate: config.certificate_arn.clone(), config })
    }

    /// Returns the id of the hosted zone that gets the host's records.
    pub(super) fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns the zone in which to validate the certificate; none if there is already a certificate.
    pub(super) fn zone_of_certificate(&self) -> Option<&str> {
        self.zone().filter(|_| self.certificate.is_none())
    }

    /// Sets the certificate that was found or requested.
    pub(super) fn set_certificate(&mut self, arn: String) {
        self.certificate = Some(arn);
    }

    /// Returns the host that the distribution serves in addition to its own domain.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Builds the whole configuration of a new distribution.
    pub(super) fn build(
        &self,
        reference: &str,
        comment: &str,
        is_enabled: bool,
    ) -> Result<DistributionConfig, CallOutcome> {
        let price = self.config.price_class.as_deref().map(PriceClass::from);
        let config = DistributionConfig::builder()
            .caller_reference(reference)
            .comment(comment)
            .enabled(is_enabled)
            .origins(self.origins()?)
            .default_cache_behavior(self.behaviour()?)
            .http_version(HttpVersion::Http2and3)
            .is_ipv6_enabled(true)
            .set_price_class(price)
            .set_viewer_certificate(self.certificate())
            .set_aliases(self.aliases()?);
        config.build().map_err(|error| unbuilt(&error))
    }

    /// Puts these settings into an existing configuration, whose other settings stay unchanged.
    pub(super) fn put_into(&self, config: &mut DistributionConfig) -> Result<(), CallOutcome> {
        if !self.are_set_on(config) {
            config.origins = Some(self.origins()?);
            config.default_cache_behavior = Some(self.behaviour()?);
            config.aliases = self.aliases()?;
            config.viewer_certificate = self.certificate();
        }
        Ok(())
    }

    /// Returns true if the configuration already has these settings.
    pub(super) fn are_set_on(&self, config: &DistributionConfig) -> bool {
        let origins = config.origins.as_ref().map(|origins| origins.items.as_slice()).unwrap_or_default();
        let hosts = config.aliases.as_ref().and_then(|aliases| aliases.items.as_deref()).unwrap_or_default();
        let certificate = config.viewer_certificate.as_ref().and_then(|has| has.acm_certificate_arn.as_deref());
        matches!(origins, [origin] if origin.domain_name == self.origin.domain)
            && hosts.iter().map(String::as_str).eq([self.host()])
            && certificate.filter(|arn| !arn.is_empty()) == self.certificate.as_deref()
    }

    fn origins(&self) -> Result<Origins, CallOutcome> {
        let origin = Origin::builder().id(ORIGIN).domain_name(&self.origin.domain);
        let origin = match self.origin.is_bucket {
            true => origin
                .s3_origin_config(S3OriginConfig::builder().origin_access_identity("").build())
                .set_origin_access_control_id(self.config.origin_access_control_id.clone()),
            false => {
                let tls = OriginSslProtocols::builder().quantity(1).items(SslProtocol::TlSv12).build();
                let custom = CustomOriginConfig::builder()
                    .http_port(80)
                    .https_port(443)
                    .origin_protocol_policy(OriginProtocolPolicy::HttpsOnly)
                    .origin_ssl_protocols(tls.map_err(|error| unbuilt(&error))?)
                    .build();
                origin.custom_origin_config(custom.map_err(|error| unbuilt(&error))?)
            }
        };
        let origin = origin.build().map_err(|error| unbuilt(&error))?;
        Origins::builder().quantity(1).items(origin).build().map_err(|error| unbuilt(&error))
    }

    /// Builds the cache behaviour: reads from a bucket are cached; other origins get each request, with their own host.
    fn behaviour(&self) -> Result<DefaultCacheBehavior, CallOutcome> {
        let read = [Method::Get, Method::Head];
        let all =
            [Method::Delete, Method::Get, Method::Head, Method::Options, Method::Patch, Method::Post, Method::Put];
        let allowed = if self.origin.is_bucket { read.to_vec() } else { all.to_vec() };
        let cached = CachedMethods::builder().quantity(2).set_items(Some(read.to_vec())).build();
        let methods = AllowedMethods::builder()
            .quantity(i32::try_from(allowed.len()).unwrap_or(i32::MAX))
            .set_items(Some(allowed))
            .cached_methods(cached.map_err(|error| unbuilt(&error))?)
            .build();
        let behaviour = DefaultCacheBehavior::builder()
            .target_origin_id(ORIGIN)
            .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
            .allowed_methods(methods.map_err(|error| unbuilt(&error))?)
            .compress(true)
            .cache_policy_id(if self.origin.is_bucket { CACHE } else { NO_CACHE });
        let behaviour = match self.origin.is_bucket {
            true => behaviour,
            false => behaviour.origin_request_policy_id(ALL_BUT_HOST),
        };
        behaviour.build().map_err(|error| unbuilt(&error))
    }

    fn aliases(&self) -> Result<Option<Aliases>, CallOutcome> {
        let aliases = Aliases::builder().quantity(1).items(&self.host).build();
        aliases.map(Some).map_err(|error| unbuilt(&error))
    }

    fn certificate(&self) -> Option<ViewerCertificate> {
        let arn = self.certificate.as_ref()?;
        let certificate = ViewerCertificate::builder().acm_certificate_arn(arn);
        let certificate = certificate.ssl_support_method(SslSupportMethod::SniOnly);
        Some(certificate.minimum_protocol_version(MinimumProtocolVersion::TlSv122021).build())
    }
}

/// Parses an address, a host name or a bucket name. A name without a dot is a bucket name.
fn origin(text: &str, region: &str) -> Result<OriginAddress, CallOutcome> {
    let expected = "an address, a host name or the name of a bucket";
    let without = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = without.unwrap_or(text).split(['/', '?', '#']).next().unwrap_or_default();
    let is_bucket = without.is_none() && !host.contains('.') && host == text;
    if is_bucket {
        let bucket = BUCKET.check(text)?;
        return Ok(OriginAddress { domain: format!("{bucket}.s3.{region}.amazonaws.com"), is_bucket });
    }
    match HOST.check(host) {
        Ok(domain) if domain.contains('.') => Ok(OriginAddress { domain: domain.to_owned(), is_bucket }),
        _ => Err(bad("origin", text, expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_origin_is_an_address_a_host_or_a_bucket() {
        let of = |text| origin(text, "eu-central-1").map(|from| (from.domain, from.is_bucket));
        let url = "https://abc123.lambda-url.eu-central-1.on.aws/";
        assert_eq!(of(url), Ok(("abc123.lambda-url.eu-central-1.on.aws".to_owned(), false)));
        assert_eq!(of("app.example"), Ok(("app.example".to_owned(), false)));
        assert_eq!(of("site-x"), Ok(("site-x.s3.eu-central-1.amazonaws.com".to_owned(), true)));
        for wrong in ["https://", "https://localhost/", "http://a b.example", "Site", "user@host.example"] {
            assert!(matches!(of(wrong), Err(CallOutcome::Refused { .. })), "{wrong}");
        }
    }

    #[test]
    fn different_settings_are_detected_and_applied() {
        let config = CdnConfig { certificate_arn: Some("arn:cert".to_owned()), ..CdnConfig::default() };
        let of = |payload| {
            let call = Call { payload, ..Call::default() };
            Settings::of(&call, &config, "eu-central-1").expect("settings")
        };
        let one = of(json!({"host": "a.example", "origin": "one"}));
        let there = one.build("ref", "comment", true).expect("a configuration");
        assert!(one.are_set_on(&there));
        for other in [json!({"host": "b.example", "origin": "one"}), json!({"host": "a.example", "origin": "two"})] {
            let other = of(other);
            assert!(!other.are_set_on(&there));
            let mut changed = there.clone();
            other.put_into(&mut changed).expect("valid settings");
            assert!(other.are_set_on(&changed) && changed.caller_reference == "ref" && changed.comment == "comment");
        }
        let without = CdnConfig::default();
        let call = Call { payload: json!({"host": "a.example", "origin": "one"}), ..Call::default() };
        let refused = Settings::of(&call, &without, "eu-central-1").err();
        assert!(matches!(refused, Some(CallOutcome::Refused { code, .. }) if code == "no-certificate"));
        let payload = json!({"host": "a.example", "origin": "one", "zone": "/hostedzone/Z1"});
        let with_zone = Settings::of(&Call { payload, ..call }, &without, "eu-central-1").expect("settings");
        assert_eq!((with_zone.zone(), with_zone.zone_of_certificate()), (Some("Z1"), Some("Z1")));
    }
}
