//! Reports measurements of resources, as events of the business's own services.

use host_engine::clock::ClockSource;
use host_engine::writer::{JobError, Jobs};
use host_intake::raw::{self, InputError};
use host_provider_api::ResourceId;
use host_store::Partition;
use serde_json::{Value, json};

/// The reason why a measurement was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReported {
    /// The measurement cannot be read.
    #[error(transparent)]
    Unread(#[from] InputError),
    /// The site does not accept it.
    #[error(transparent)]
    NotAccepted(#[from] JobError),
}

/// A measurement of a resource.
#[derive(Clone, Copy)]
pub(crate) struct Measurement<'m> {
    /// The id: a second report with the same id changes nothing.
    pub(crate) id: &'m str,
    /// The resource. The instance is the first part of its id: `inst_1/database`.
    pub(crate) resource: &'m ResourceId,
    /// The meter.
    pub(crate) meter: &'m str,
    /// The quantity, in the unit of the meter.
    pub(crate) quantity: u64,
    /// Time of the measurement, in seconds since the epoch.
    pub(crate) at_s: i64,
}

/// Accepts measurements.
pub(crate) struct Reports {
    pub(crate) jobs: Jobs,
    pub(crate) partition: Partition,
    pub(crate) clock: ClockSource,
}

impl Reports {
    /// Sends a measurement, and waits until it is stored.
    pub(crate) fn send(&self, measurement: Measurement<'_>) -> Result<(), NotReported> {
        let body = body(measurement, self.partition.livemode).to_string();
        let decoded = raw::read(body.into_bytes(), &self.partition.business, self.clock.now())?;
        self.jobs.accept(decoded, Vec::new())?.wait()?;
        Ok(())
    }
}

fn body(Measurement { id, resource, meter, quantity, at_s }: Measurement<'_>, livemode: bool) -> Value {
    let account = resource.scope.rsplit_once('/').map_or("", |(_, account)| account);
    let instance = resource.id.split_once('/').map_or(resource.id.as_str(), |(instance, _)| instance);
    json!({
        "id": id,
        "account": account,
        "livemode": livemode,
        "usage": [{"id": id, "meter": meter, "quantity": quantity, "at": at_s, "attributes": {"instance": instance}}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{Account, Payload};

    #[test]
    fn a_measurement_is_about_the_instance_of_its_resource() {
        let resource =
            ResourceId { scope: "b/live/user:ada".into(), resource: "database".into(), id: "orch_1/database".into() };
        let measurement =
            Measurement { id: "backup:x:1", resource: &resource, meter: "backups", quantity: 1, at_s: 1_767_225_600 };
        let decoded = raw::read(body(measurement, true).to_string().into_bytes(), "b", 0).expect("an event");
        assert_eq!((decoded.refusal, decoded.event.livemode), (None, Some(true)));
        assert_eq!(decoded.event.id, "backup:x:1", "a second report has the same id");
        assert_eq!(decoded.event.account, Some(Account::User("ada".to_owned())));
        let Payload::Usage(batch) = decoded.event.payload else { panic!("expected a measurement") };
        assert_eq!((batch.len(), batch[0].meter.as_str(), batch[0].quantity), (1, "backups", 1));
        assert_eq!((batch[0].at, batch[0].id.as_str()), (1_767_225_600_000, decoded.event.id.as_str()));
        assert_eq!(batch[0].attributes, [("instance".to_owned(), "orch_1".to_owned())]);
    }
}
