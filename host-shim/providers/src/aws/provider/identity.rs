//! The principal whose credentials the host uses, and whether the operator listed it.

use crate::aws::provider::aws::Aws;
use crate::aws::provider::errors::{InRequest, incomplete};
use aws_sdk_sts::Client;
use host_provider_api::CallOutcome;

/// The name of the request in errors. It needs no permission.
const REQUEST: &str = "sts:GetCallerIdentity";
/// Number of parts of an ARN, separated by colons.
const PARTS: usize = 6;
/// The prefix of the last part of an assumed role's ARN.
const ASSUMED: &str = "assumed-role/";
/// The prefix of the last part of a role's ARN.
const ROLE: &str = "role/";

/// An AWS principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Partition, for example `aws`.
    pub partition: String,
    /// Number of the account.
    pub account: String,
    /// The principal's ARN. For an assumed role, it contains the role and the session.
    pub arn: String,
}

impl Identity {
    /// Asks AWS for the principal of the host's credentials.
    pub(crate) async fn of_host(aws: &Aws) -> Result<Identity, CallOutcome> {
        let found = Client::new(aws.sdk()).get_caller_identity().send().await.in_request(REQUEST)?;
        let arn = found.arn.ok_or_else(|| incomplete(REQUEST, "an ARN"))?;
        Identity::read(arn).ok_or_else(|| incomplete(REQUEST, "the ARN of a principal"))
    }

    fn read(arn: String) -> Option<Identity> {
        let parts: Vec<&str> = arn.splitn(PARTS, ':').collect();
        let [_, partition, _, _, account, _] = parts[..] else { return None };
        let (partition, account) = (partition.to_owned(), account.to_owned());
        Some(Identity { partition, account, arn })
    }

    /// Returns true if the principal matches one of these ARNs, which may contain `*` and `?`. The ARN of an assumed
    /// role does not contain the role's path, so any path matches; the name of a role is unique in its account.
    pub(crate) fn is_among(&self, arns: &[String]) -> bool {
        arns.iter().any(|arn| {
            let (is, wanted): (Vec<&str>, Vec<&str>) =
                (self.arn.splitn(PARTS, ':').collect(), arn.splitn(PARTS, ':').collect());
            let ([_, partition, service, _, account, name], [_, of, by, _, at, who]) = (&is[..], &wanted[..]) else {
                return false;
            };
            if !fits(of, partition) || !fits(at, account) {
                return false;
            }
            let role = name.strip_prefix(ASSUMED).and_then(|session| session.split('/').next());
            match (role, who.strip_prefix(ROLE).and_then(|role| role.rsplit('/').next())) {
                (Some(role), Some(pattern)) => fits(by, "iam") && fits(pattern, role),
                (Some(_), None) => *who == "*",
                (None, _) => fits(by, service) && fits(who, name),
            }
        })
    }
}

/// Returns true if the text matches a pattern in which `*` stands for any characters and `?` for one.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // The last `*`, and the end of the text that it matches.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => (at, seen) = (at + 1, seen + 1),
            _ => match star {
                Some((place, end)) => {
                    star = Some((place, end + 1));
                    (at, seen) = (place + 1, end + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_among(principal: &str, arns: &[&str]) -> bool {
        let arns: Vec<String> = arns.iter().map(|arn| (*arn).to_owned()).collect();
        Identity::read(principal.to_owned()).expect("an ARN").is_among(&arns)
    }

    #[test]
    fn an_assumed_role_fits_its_role_at_any_path() {
        let host = "arn:aws:sts::123456789012:assumed-role/host/i-0123";
        for arn in [
            "arn:aws:iam::123456789012:role/host",
            "arn:aws:iam::123456789012:role/services/host",
            "arn:aws:iam::123456789012:role/ho*",
            "arn:aws:iam::123456789012:*",
        ] {
            assert!(is_among(host, &["arn:aws:iam::1:user/x", arn]), "{arn}");
        }
        for arn in [
            "arn:aws:iam::123456789012:role/hos",
            "arn:aws:iam::123456789012:role/host/other",
            "arn:aws:iam::210987654321:role/host",
            "arn:aws:iam::123456789012:user/host",
            "arn:aws-cn:iam::123456789012:role/host",
        ] {
            assert!(!is_among(host, &[arn]), "{arn}");
        }
    }

    #[test]
    fn a_user_fits_its_own_arn_and_patterns_of_it() {
        let user = "arn:aws:iam::123456789012:user/staff/anna";
        for arn in [user, "arn:aws:iam::123456789012:user/staff/*", "arn:aws:iam::??3456789012:user/*/anna"] {
            assert!(is_among(user, &[arn]), "{arn}");
        }
        for arn in ["arn:aws:iam::123456789012:user/anna", "arn:aws:iam::123456789012:role/staff/anna"] {
            assert!(!is_among(user, &[arn]), "{arn}");
        }
        assert!(!is_among(user, &[]));
        assert_eq!(Identity::read("nobody".to_owned()), None);
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text) in [("*", ""), ("a*b*c", "a1b2b3c"), ("**", "x"), ("?b*", "ab"), ("*b", "bab")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "x"), ("a*b", "abc"), ("?", ""), ("*b?", "b")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
