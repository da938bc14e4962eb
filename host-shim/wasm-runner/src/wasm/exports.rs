//! The world's exports: found by name once, looked up in an instance when first called.

use crate::bindings as wire;
use crate::inspect::{PACKAGE, WIT_VERSION};
use wasmtime::AsContextMut;
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};

/// One exported function of a component, and of an instance once it was called there.
pub(super) struct Export<P, R> {
    index: ComponentExportIndex,
    func: Option<TypedFunc<P, R>>,
}

impl<P, R> Clone for Export<P, R> {
    fn clone(&self) -> Self {
        Export { index: self.index, func: self.func }
    }
}

impl<P, R> Export<P, R>
where
    P: ComponentNamedList + Lower + 'static,
    R: ComponentNamedList + Lift + 'static,
{
    /// The function of this instance. Only the one that is called is looked up: a fresh instance needs just one.
    pub fn of(&mut self, instance: &Instance, store: impl AsContextMut) -> wasmtime::Result<TypedFunc<P, R>> {
        match self.func {
            Some(func) => Ok(func),
            None => Ok(*self.func.insert(instance.get_typed_func(store, self.index)?)),
        }
    }
}

/// Parameters and results of the exports, in the order of the WIT.
pub(super) type Asked<T> = (Result<T, wire::Problem>,);
pub(super) type Done<T> = (Result<T, wire::Failure>,);

/// Arguments of `queries.list`: question, kind, filter, page.
pub(super) type ListArguments = (wire::Question, String, Option<String>, wire::Page);

/// Picks an export.
pub(super) type Pick<P, R> = fn(&mut Exports) -> &mut Export<P, R>;

/// Every export of the world.
#[derive(Clone)]
pub(super) struct Exports {
    pub declare: Export<(), (wire::Declarations,)>,
    pub validate: Export<(wire::Candidate,), Asked<wire::ProductValues>>,
    pub handle: Export<(wire::Event,), Done<wire::Decision>>,
    pub catalog: Export<(wire::Question,), Asked<Vec<wire::Offer>>>,
    pub entitlements: Export<(wire::Question,), Asked<Vec<wire::Entitlement>>>,
    pub usage: Export<(wire::Question, i64, i64), Asked<Vec<wire::UsageTotal>>>,
    pub balances: Export<(wire::Question,), Asked<Vec<wire::Balance>>>,
    pub list: Export<ListArguments, Asked<Vec<wire::Listed>>>,
}

impl Exports {
    /// Find them; the error names what is missing.
    pub fn find(component: &Component) -> Result<Self, Vec<String>> {
        let mut missing = Vec::new();
        let mut index = |interface: &str, function: &str| {
            let name = format!("{PACKAGE}/{interface}@{WIT_VERSION}");
            let found = component
                .get_export_index(None, name.as_str())
                .and_then(|instance| component.get_export_index(Some(&instance), function));
            if found.is_none() {
                missing.push(format!("{name}#{function}"));
            }
            found
        };
        let found = (
            index("manifest", "declare"),
            index("schemas", "validate"),
            index("events", "handle"),
            index("queries", "catalog"),
            index("queries", "entitlements"),
            index("queries", "usage"),
            index("queries", "balances"),
            index("queries", "list"),
        );
        let (
            Some(declare),
            Some(validate),
            Some(handle),
            Some(catalog),
            Some(entitlements),
            Some(usage),
            Some(balances),
            Some(list),
        ) = found
        else {
            return Err(missing);
        };
        Ok(Exports {
            declare: Export { index: declare, func: None },
            validate: Export { index: validate, func: None },
            handle: Export { index: handle, func: None },
            catalog: Export { index: catalog, func: None },
            entitlements: Export { index: entitlements, func: None },
            usage: Export { index: usage, func: None },
            balances: Export { index: balances, func: None },
            list: Export { index: list, func: None },
        })
    }

    /// Look all of them up in an instance; the error names those of another type.
    pub fn check_types(&mut self, instance: &Instance, mut store: impl AsContextMut) -> Result<(), Vec<String>> {
        let checks = [
            ("manifest", "declare", self.declare.of(instance, &mut store).is_ok()),
            ("schemas", "validate", self.validate.of(instance, &mut store).is_ok()),
            ("events", "handle", self.handle.of(instance, &mut store).is_ok()),
            ("queries", "catalog", self.catalog.of(instance, &mut store).is_ok()),
            ("queries", "entitlements", self.entitlements.of(instance, &mut store).is_ok()),
            ("queries", "usage", self.usage.of(instance, &mut store).is_ok()),
            ("queries", "balances", self.balances.of(instance, &mut store).is_ok()),
            ("queries", "list", self.list.of(instance, &mut store).is_ok()),
        ];
        let wrong: Vec<String> = checks
            .iter()
            .filter(|(_, _, fits)| !fits)
            .map(|(interface, function, _)| format!("{PACKAGE}/{interface}@{WIT_VERSION}#{function}"))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}
