//! The pages of a site. In local mode they are read again when their files change.

use crate::away::hosts::InstanceHosts;
use host_business::folder::BusinessFolder;
use host_business::pages::{PageSet, files_below};
use host_business::yaml::bad_input::Mistakes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The files of pages with the times of their last changes.
type Changes = Vec<(Option<SystemTime>, PathBuf)>;

/// The pages of a site.
pub struct SitePages {
    pub(super) business: BusinessFolder,
    current: Mutex<(Changes, Arc<PageSet>)>,
    instance_hosts: InstanceHosts,
    /// True if changed files are read again, in local mode.
    is_reloaded: bool,
}

impl SitePages {
    /// Reads the pages of a business. With `is_reloaded`, a page reflects changes in its files.
    ///
    /// # Errors
    /// Fails with the mistakes in the pages.
    pub fn new(business: &BusinessFolder, is_reloaded: bool) -> Result<SitePages, Mistakes> {
        let set = Arc::new(business.pages()?);
        let current = Mutex::new((changes(business), set));
        let instance_hosts = InstanceHosts::of(&business.catalog);
        Ok(SitePages { business: business.clone(), current, instance_hosts, is_reloaded })
    }

    /// Returns the host names that the catalog gives to instances.
    pub(crate) fn instance_hosts(&self) -> &InstanceHosts {
        &self.instance_hosts
    }

    /// Returns the current pages. If a file has a mistake, they stay as they were.
    pub(super) fn current(&self) -> Arc<PageSet> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_reloaded {
            let changes = changes(&self.business);
            if changes != current.0 {
                match self.business.pages() {
                    Ok(set) => current.1 = Arc::new(set),
                    Err(mistakes) => tracing::error!(%mistakes, "the changed pages are not shown"),
                }
                current.0 = changes;
            }
        }
        current.1.clone()
    }
}

/// Returns the files of pages with the times of their last changes.
fn changes(business: &BusinessFolder) -> Changes {
    let found = business.page_folders().into_iter().filter_map(|folder| files_below(&folder).ok());
    found.flatten().map(|file| (file.metadata().and_then(|found| found.modified()).ok(), file)).collect()
}
