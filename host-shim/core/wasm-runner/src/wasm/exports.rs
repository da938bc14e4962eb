//! The exports of the world. They are found by name once per component, and looked up in an instance at their first
//! call.

use crate::bindings as wire;
use crate::inspect::{PACKAGE, WIT_VERSION};
use wasmtime::AsContextMut;
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};

/// An exported function of a component and, after its first call, of an instance.
pub(super) struct Export<P, R> {
    index: ComponentExportIndex,
    function: Option<TypedFunc<P, R>>,
    /// Whether the type of the component's function was checked.
    is_checked: bool,
}

impl<P, R> Clone for Export<P, R> {
    fn clone(&self) -> Self {
        Export { index: self.index, function: self.function, is_checked: self.is_checked }
    }
}

impl<P, R> Export<P, R>
where
    P: ComponentNamedList + Lower + 'static,
    R: ComponentNamedList + Lift + 'static,
{
    /// Returns the export with a checked type, for any instance.
    fn checked(&self) -> Self {
        Export { index: self.index, function: None, is_checked: true }
    }

    /// Returns the function of an instance. Looks the function up at its first call, since a fresh instance calls only
    /// one function. Does not compare the type of a checked export, since this takes a large part of the time of a
    /// short call.
    pub fn of(&mut self, instance: &Instance, mut store: impl AsContextMut) -> wasmtime::Result<TypedFunc<P, R>> {
        if let Some(function) = self.function {
            return Ok(function);
        }
        let function = match instance.get_func(&mut store, self.index) {
            // SAFETY: the type of this export was compared with these parameters and results in another instance of the
            // same component, and all instances of a component have functions of the same types.
            #[allow(unsafe_code)]
            Some(function) if self.is_checked => unsafe { TypedFunc::new_unchecked(function) },
            _ => instance.get_typed_func(store, self.index)?,
        };
        Ok(*self.function.insert(function))
    }
}

/// The result of a query.
pub(super) type QueryResult<T> = (Result<T, wire::Problem>,);
/// The result of `events.handle`.
pub(super) type HandleResult<T> = (Result<T, wire::Failure>,);

/// Arguments of `queries.list`: question, kind, filter, page.
pub(super) type ListArguments = (wire::Question, String, Option<String>, wire::Page);

/// Selects an export.
pub(super) type Pick<P, R> = fn(&mut Exports) -> &mut Export<P, R>;

/// All exports of the world.
#[derive(Clone)]
pub(super) struct Exports {
    pub declare: Export<(), (wire::Declarations,)>,
    pub validate: Export<(wire::Candidate,), QueryResult<wire::ProductValues>>,
    pub handle: Export<(wire::Event,), HandleResult<wire::Decision>>,
    pub catalog: Export<(wire::Question,), QueryResult<Vec<wire::Offer>>>,
    pub entitlements: Export<(wire::Question,), QueryResult<Vec<wire::Entitlement>>>,
    pub usage: Export<(wire::Question, i64, i64), QueryResult<Vec<wire::UsageTotal>>>,
    pub balances: Export<(wire::Question,), QueryResult<Vec<wire::Balance>>>,
    pub list: Export<ListArguments, QueryResult<Vec<wire::Listed>>>,
}

impl Exports {
    /// Finds all exports. The error lists the missing exports.
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
            declare: Export { index: declare, function: None, is_checked: false },
            validate: Export { index: validate, function: None, is_checked: false },
            handle: Export { index: handle, function: None, is_checked: false },
            catalog: Export { index: catalog, function: None, is_checked: false },
            entitlements: Export { index: entitlements, function: None, is_checked: false },
            usage: Export { index: usage, function: None, is_checked: false },
            balances: Export { index: balances, function: None, is_checked: false },
            list: Export { index: list, function: None, is_checked: false },
        })
    }

    /// Checks the types of all exports in an instance. The error lists exports with another type. The returned exports
    /// need no further type checks in any instance of the component.
    pub fn check_types(&mut self, instance: &Instance, mut store: impl AsContextMut) -> Result<Exports, Vec<String>> {
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
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Exports {
            declare: self.declare.checked(),
            validate: self.validate.checked(),
            handle: self.handle.checked(),
            catalog: self.catalog.checked(),
            entitlements: self.entitlements.checked(),
            usage: self.usage.checked(),
            balances: self.balances.checked(),
            list: self.list.checked(),
        })
    }
}
