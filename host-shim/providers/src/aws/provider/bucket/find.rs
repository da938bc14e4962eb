//! Finds the bucket of a resource.

use super::{Buckets, Lookup, Ownership, PREFIX};
use crate::aws::provider::errors::InRequest;
use crate::aws::provider::marks::Marks;
use crate::aws::provider::payload::{has_outputs, output, text};
use host_provider_api::{Call, CallOutcome};

impl Buckets {
    pub(super) async fn seek(&self, call: &Call) -> Result<Lookup, CallOutcome> {
        let id = call.resource_id();
        let wanted = self.rules().name(text(call, "name")?, PREFIX, &id)?;
        let mut lookup = Lookup::Absent(wanted.clone());
        let known = output(call, "bucket").filter(|known| *known != wanted);
        for name in [Some(wanted.as_str()), known].into_iter().flatten() {
            match self.marks(name).await? {
                Ownership::NoBucket => {}
                Ownership::Marked(marks) if marks.id == id => return Ok(Lookup::Ours(name.to_owned(), *marks)),
                Ownership::Unmarked if name == wanted => lookup = Lookup::Unmarked(wanted.clone()),
                _ if name == wanted => lookup = Lookup::Taken(wanted.clone()),
                _ => {}
            }
        }
        // At its first `ensure`, the resource can't have a bucket under another name, so the list is not needed.
        if (call.verb() != "ensure" || call.generation > 1) && !has_outputs(call) {
            for (name, marks) in self.listed().await? {
                if marks.id == id {
                    return Ok(Lookup::Ours(name, marks));
                }
            }
        }
        Ok(lookup)
    }

    /// Returns all marked buckets of the account.
    pub(super) async fn listed(&self) -> Result<Vec<(String, Marks)>, CallOutcome> {
        let (mut out, mut after) = (Vec::new(), None);
        loop {
            let list = self.client.list_buckets().set_continuation_token(after);
            let page = list.send().await.in_request("s3:ListAllMyBuckets")?;
            for name in page.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name) {
                if let Ownership::Marked(marks) = self.marks(&name).await? {
                    out.push((name, *marks));
                }
            }
            after = page.continuation_token.filter(|token| !token.is_empty());
            if after.is_none() {
                return Ok(out);
            }
        }
    }
}
