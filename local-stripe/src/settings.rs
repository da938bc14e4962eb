//! The user's settings: seed, clock, dunning, version, branding, and webhook faults.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::colour::Colour;
use crate::version::{NEWEST, Version};

/// 2026-11-01T00:00:00Z: the default start of the sandbox's clock.
pub const START_S: i64 = 1_793_491_200;

/// What happens to a subscription after the last retry failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DunningEnd {
    /// The subscription is cancelled.
    Cancel,
    /// The subscription becomes `unpaid`; its later invoices stay drafts.
    Unpaid,
    /// The subscription stays `past_due`.
    PastDue,
}

/// The retry schedule of a failed renewal, and what happens after the last retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dunning {
    /// The number of days from each failed attempt to the next attempt.
    pub retry_days: Vec<i64>,
    /// What happens after the last retry.
    pub end: DunningEnd,
}

/// The maximum number of retries, Stripe's limit.
const RETRIES_MAX: usize = 8;

impl Default for Dunning {
    fn default() -> Self {
        Self { retry_days: vec![3, 5, 7], end: DunningEnd::Cancel }
    }
}

/// The reason why a setting can't be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The text is not a dunning schedule of the form `DAYS,DAYS,…:cancel|unpaid|past_due`.
    #[error(
        "invalid dunning {0:?}: expected DAYS,DAYS,…:cancel|unpaid|past_due with at most {RETRIES_MAX} retries of 1 to 60 days"
    )]
    Dunning(String),
    /// The text is not a settlement.
    #[error("invalid settlement {0:?}: expected `standard` or `at-once`")]
    Settlement(String),
    /// The text contains an unknown fault or an invalid number.
    #[error(
        "invalid faults {0:?}: expected duplicates, twins, shuffle=N, delay=MS, burst=N, lose=N, separated by commas"
    )]
    Faults(String),
}

impl std::str::FromStr for Dunning {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let wrong = || SettingsError::Dunning(text.into());
        let (days, end) = text.split_once(':').ok_or_else(wrong)?;
        let end = match end {
            "cancel" => DunningEnd::Cancel,
            "unpaid" => DunningEnd::Unpaid,
            "past_due" => DunningEnd::PastDue,
            _ => return Err(wrong()),
        };
        let days: Vec<&str> = days.split(',').filter(|d| !d.is_empty()).collect();
        let retry_days: Vec<i64> = days.iter().map(|d| d.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        if retry_days.len() > RETRIES_MAX || retry_days.iter().any(|d| !(1..=60).contains(d)) {
            return Err(wrong());
        }
        Ok(Self { retry_days, end })
    }
}

/// Faults of webhook delivery, as they may occur at Stripe. In the setting `faults`, numbers are 2 to 1 000, and the
/// delay is at most 60 000 ms. Here, 0 means that the fault is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Each event is delivered twice to an endpoint.
    pub duplicates: bool,
    /// Each change creates two events with different ids.
    pub twins: bool,
    /// Deliveries are shuffled within groups of this size. The order is derived from the endpoint's id and the number
    /// of events.
    pub shuffle: usize,
    /// The delay of each delivery in milliseconds.
    pub delay_ms: u64,
    /// Deliveries are held back until this number of them can be sent at once.
    pub burst: usize,
    /// Every nth delivery to an endpoint is lost. The event can be resent.
    pub lose: u64,
}

impl std::str::FromStr for Faults {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let mut faults = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let wrong = || SettingsError::Faults(text.into());
            let (name, number) = match word.split_once('=') {
                Some((name, number)) => (name, number.parse::<u64>().map_err(|_| wrong())?),
                None => (word, 0),
            };
            let small = usize::try_from(number).map_err(|_| wrong())?;
            match name {
                "duplicates" => faults.duplicates = true,
                "twins" => faults.twins = true,
                "shuffle" if (2..=1_000).contains(&number) => faults.shuffle = small,
                "delay" if number <= 60_000 => faults.delay_ms = number,
                "burst" if (2..=1_000).contains(&number) => faults.burst = small,
                "lose" if (2..=1_000).contains(&number) => faults.lose = number,
                _ => return Err(wrong()),
            }
        }
        Ok(faults)
    }
}

/// How the money of charges reaches the balance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settlement {
    /// Stripe's fee is taken, and the rest is pending for two days.
    Standard,
    /// No fee is taken, and the money is available immediately.
    #[default]
    AtOnce,
}

impl std::str::FromStr for Settlement {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        match text {
            "standard" => Ok(Self::Standard),
            "at-once" => Ok(Self::AtOnce),
            _ => Err(SettingsError::Settlement(text.into())),
        }
    }
}

/// The settings of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The seed of all ids.
    pub seed: u64,
    /// The start of the sandbox's clock, in Unix seconds.
    pub start_s: i64,
    /// The base of the URLs in objects, `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// The account's default API version, used for events to endpoints without a version.
    pub version: Version,
    /// The retry schedule of failed renewals.
    pub dunning: Dunning,
    /// The faults of webhook delivery.
    pub faults: Faults,
    /// How the money of charges reaches the balance.
    pub settlement: Settlement,
    /// The business's name on pages and invoices.
    pub business_name: String,
    /// The colour of the pages' main button.
    pub brand_colour: Colour,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            start_s: START_S,
            base_url: "http://127.0.0.1:12111".into(),
            version: NEWEST.into(),
            dunning: Dunning::default(),
            faults: Faults::default(),
            settlement: Settlement::default(),
            business_name: "Local sandbox".into(),
            brand_colour: Colour::new(0x63, 0x5b, 0xff),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dunning_and_faults_are_parsed_or_refused() {
        let dunning: Dunning = "1,2:unpaid".parse().unwrap();
        assert_eq!((dunning.retry_days, dunning.end), (vec![1, 2], DunningEnd::Unpaid));
        for wrong in ["", "1,2", "x:cancel", "0:cancel", "1:never", "1,1,1,1,1,1,1,1,1:cancel"] {
            assert!(wrong.parse::<Dunning>().is_err(), "{wrong}");
        }
        let faults: Faults = "duplicates,shuffle=4, lose=3".parse().unwrap();
        assert!(faults.duplicates && !faults.twins && faults.shuffle == 4 && faults.lose == 3);
        for wrong in ["chaos", "shuffle=1", "delay=x", "delay=60001", "lose=0"] {
            assert!(wrong.parse::<Faults>().is_err(), "{wrong}");
        }
    }
}
