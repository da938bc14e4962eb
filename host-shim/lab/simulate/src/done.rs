//! Counts the effects that providers carried out for an account, for comparison with the oracle.

use host_provider_api::Call;
use std::collections::BTreeMap;

/// A sent mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mail {
    /// Template of the mail.
    pub template: String,
    /// Scope and payload (JSON) of the mail.
    pub words: String,
}

/// Counts of the effects of one account. The caller notes a repeated call of an effect only once.
#[derive(Clone, Debug, Default)]
pub struct Done {
    mails: BTreeMap<Mail, usize>,
    /// Counts by `mail:TEMPLATE` or kind of effect.
    times: BTreeMap<String, usize>,
    campaigns: BTreeMap<String, usize>,
    /// Credits for lost days: the key of the effect, which ends with the time of the failure, and the amount.
    pub credits: Vec<(String, i64)>,
    /// Invoiced amounts of usage by month, in minor units, in order.
    pub invoices: Vec<i64>,
}

impl Done {
    /// Counts a call that was carried out.
    pub fn note(&mut self, call: &Call) {
        match call.kind.as_str() {
            "mail.send" => {
                let template = call.text("template").unwrap_or_default().to_owned();
                *self.times.entry(format!("mail:{template}")).or_default() += 1;
                if let Some(campaign) = call.payload["values"]["campaign"].as_str() {
                    *self.campaigns.entry(campaign.to_owned()).or_default() += 1;
                }
                let mail = Mail { template, words: format!("{} {}", call.scope, call.payload) };
                *self.mails.entry(mail).or_default() += 1;
            }
            "stripe.invoice.create" => {
                self.invoices.push(call.payload["total_minor"].as_i64().unwrap_or_default());
            }
            "stripe.credit.create" => {
                self.credits.push((call.key.clone(), call.payload["amount_minor"].as_i64().unwrap_or_default()));
            }
            kind => *self.times.entry(kind.to_owned()).or_default() += 1,
        }
    }

    /// Mails with their counts.
    pub fn mails(&self) -> impl Iterator<Item = (&Mail, usize)> {
        self.mails.iter().map(|(mail, times)| (mail, *times))
    }

    /// Count of `mail:TEMPLATE` or of a kind of effect.
    pub fn times(&self, what: &str) -> usize {
        self.times.get(what).copied().unwrap_or(0)
    }

    /// Number of mails of a campaign.
    pub fn of_campaign(&self, name: &str) -> usize {
        self.campaigns.get(name).copied().unwrap_or(0)
    }
}
