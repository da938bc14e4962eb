//! What a manifest permits an extension to do: its permissions, the kinds of its effects, and the events that reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A permission of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// To read rows of the account, and the catalog.
    ProductsRead,
    /// To write products, prices and purchases.
    ProductsWrite,
    /// To write subscriptions.
    SubscriptionsWrite,
    /// To read, take and release claims.
    ClaimsTake,
    /// To request effects that a provider carries out.
    EffectsEnqueue,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Permission; 5] = [
        Permission::ProductsRead,
        Permission::ProductsWrite,
        Permission::SubscriptionsWrite,
        Permission::ClaimsTake,
        Permission::EffectsEnqueue,
    ];

    /// Returns the name, as a manifest writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Permission::ProductsRead => "products.read",
            Permission::ProductsWrite => "products.write",
            Permission::SubscriptionsWrite => "subscriptions.write",
            Permission::ClaimsTake => "claims.take",
            Permission::EffectsEnqueue => "effects.enqueue",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The part of a manifest that restricts decisions and events. A part that is none restricts nothing, so the default permits
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permitted {
    /// The permissions, each with its description.
    pub permissions: Option<BTreeMap<Permission, String>>,
    /// Kinds of effects for providers.
    pub effects: Option<BTreeSet<String>>,
    /// Events that reach the extension: `product.created`, `product.updated`, `product.deleted` and `webhook.stripe`.
    pub hooks: Option<BTreeSet<String>>,
}

impl Permitted {
    /// Returns true if the extension has the permission.
    pub fn has(&self, permission: Permission) -> bool {
        self.permissions.as_ref().is_none_or(|permissions| permissions.contains_key(&permission))
    }

    /// Returns true if the extension may request effects of this kind, with [`Permission::EffectsEnqueue`].
    pub fn permits_effect(&self, kind: &str) -> bool {
        self.effects.as_ref().is_none_or(|effects| effects.contains(kind))
    }

    /// Returns true if events of this hook reach the extension.
    pub fn has_hook(&self, event: &str) -> bool {
        self.hooks.as_ref().is_none_or(|hooks| hooks.contains(event))
    }

    /// Permits further kinds of effects, in addition to those of the manifest.
    #[must_use]
    pub fn with_effects<'k>(mut self, kinds: impl IntoIterator<Item = &'k str>) -> Self {
        if let Some(effects) = &mut self.effects {
            effects.extend(kinds.into_iter().map(str::to_owned));
        }
        self
    }
}
