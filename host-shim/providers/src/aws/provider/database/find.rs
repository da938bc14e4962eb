//! Finds the database instance of a resource.

use super::{ABSENT, Databases, ExistingInstance, PREFIX, RULES, read};
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::marks::Marks;
use crate::aws::provider::payload::{has_outputs, output};
use host_provider_api::{Call, CallOutcome};

impl Databases {
    pub(super) async fn get(&self, id: &str) -> Result<Option<ExistingInstance>, CallOutcome> {
        let response = self.client.describe_db_instances().db_instance_identifier(id).send().await;
        let Some(got) = response.in_request("rds:DescribeDBInstances").none_if(ABSENT)? else { return Ok(None) };
        let there = got.db_instances.unwrap_or_default().into_iter().next();
        there.map(|there| read(there).ok_or_else(|| incomplete("rds:DescribeDBInstances", "an instance"))).transpose()
    }

    /// Finds the instance under the derived name, or the adopted instance.
    pub(super) async fn seek(&self, call: &Call) -> Result<Option<(ExistingInstance, Marks)>, CallOutcome> {
        let id = call.resource_id();
        let name = RULES.derive(PREFIX, &id)?;
        let known = output(call, "id").filter(|known| *known != name);
        for wanted in [Some(name.as_str()), known].into_iter().flatten() {
            let Some(found) = self.get(wanted).await? else { continue };
            match found.marks.clone() {
                Some(marks) if marks.id == id => return Ok(Some((found, marks))),
                _ if wanted == name && matches!(call.verb(), "ensure" | "change") => return Err(name_taken(wanted)),
                _ => {}
            }
        }
        if call.verb() != "ensure" && !has_outputs(call) {
            for found in self.list().await? {
                if let Some(marks) = found.marks.clone().filter(|marks| marks.id == id) {
                    return Ok(Some((found, marks)));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn list(&self) -> Result<Vec<ExistingInstance>, CallOutcome> {
        let (mut out, mut marker) = (Vec::new(), None);
        loop {
            let response = self.client.describe_db_instances().set_marker(marker).send().await;
            let page = response.in_request("rds:DescribeDBInstances")?;
            out.extend(page.db_instances.unwrap_or_default().into_iter().filter_map(read));
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(out);
            }
        }
    }
}
