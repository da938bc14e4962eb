//! How many calls of each provider run? A call begins, and an effect is leased, only if its provider has room: so a lease is as long as
//! its call, and the calls of a slow provider hold up no other.

use extension_contract::EffectDecl;
use host_provider_api::Registry;
use std::collections::BTreeMap;

/// The running calls, by the number of the provider. Calls of simulations are not counted, since they take no time.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms(BTreeMap<usize, Running>);

#[derive(Clone, Debug, Default)]
struct Running {
    all: usize,
    of_scope: BTreeMap<String, usize>,
}

impl Rooms {
    /// Counts a call that begins. Returns the number of its provider, for [`Rooms::leave`].
    pub(super) fn enter(&mut self, registry: &Registry, kind: &str, scope: &str) -> Option<usize> {
        let (number, _) = registry.room(kind)?;
        let running = self.0.entry(number).or_default();
        running.all += 1;
        *running.of_scope.entry(scope.to_owned()).or_default() += 1;
        Some(number)
    }

    /// Counts a call of a provider that has ended.
    pub(super) fn leave(&mut self, number: usize, scope: &str) {
        let Some(running) = self.0.get_mut(&number) else { return };
        running.all = running.all.saturating_sub(1);
        if let Some(of_scope) = running.of_scope.get_mut(scope) {
            *of_scope = of_scope.saturating_sub(1);
            if *of_scope == 0 {
                running.of_scope.remove(scope);
            }
        }
    }

    /// Returns true if a call may begin.
    pub(super) fn has_room(&self, registry: &Registry, kind: &str, scope: &str) -> bool {
        let Some((number, room)) = registry.room(kind) else { return true };
        self.0.get(&number).is_none_or(|running| {
            let of_scope = running.of_scope.get(scope).copied().unwrap_or_default();
            running.all < room.at_once && of_scope < room.per_account
        })
    }

    /// Returns the kinds whose providers have no room, and how many effects of the other kinds may be leased together.
    pub(super) fn busy(&self, registry: &Registry, declared: &[EffectDecl]) -> (Vec<String>, usize) {
        let (mut busy, mut free_min) = (Vec::new(), usize::MAX);
        for decl in declared {
            let Some((number, room)) = registry.room(&decl.kind) else { continue };
            let running = self.0.get(&number).map_or(0, |running| running.all);
            match room.at_once.saturating_sub(running) {
                0 => busy.push(decl.kind.clone()),
                free => free_min = free_min.min(free),
            }
        }
        (busy, free_min)
    }
}
