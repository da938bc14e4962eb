//! Reads a contract and lists its names: interfaces with their functions and types.

use semver::Version;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wit_component::DecodedWasm;
use wit_parser::{Function, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, WorldId, WorldItem, WorldKey};

/// An error in reading a contract.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file can't be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// The file is not a contract.
    #[error("{}: {reason}; expected a .wit file, a folder with one, or a component", path.display())]
    Wrong {
        /// Path of the file or folder.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

/// A parsed contract.
pub struct Contract {
    /// Version of the contract's package. For a component, the most frequent version among its interfaces.
    pub version: Option<Version>,
    /// The bytes of the component; none if the contract is WIT.
    pub(crate) component: Option<Vec<u8>>,
    pub(crate) resolve: Resolve,
    pub(crate) world: WorldId,
}

/// The names on one side of a world, without versions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Functions as `interface.function`, with their signatures.
    pub functions: BTreeMap<String, Signature>,
    /// Types as `interface.type`, with their structures.
    pub types: BTreeMap<String, Shape>,
    /// Interfaces, with their versions.
    pub interfaces: BTreeMap<String, Option<Version>>,
}

/// The types of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Names and types of the arguments.
    pub params: Vec<(String, String)>,
    /// Type of the result; none if the function returns nothing.
    pub result: Option<String>,
}

/// The structure of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Fields with their types.
    Record(Vec<(String, String)>),
    /// Cases with their payload types. The payload type of an enum's case is empty.
    Cases(Vec<(String, String)>),
    /// Flags. Their types are empty.
    Flags(Vec<(String, String)>),
    /// A resource.
    Resource,
}

impl Shape {
    /// Returns the word for the type and the word for its parts.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Shape::Record(_) => ("a record", "field"),
            Shape::Cases(_) => ("a variant", "case"),
            Shape::Flags(_) => ("flags", "flag"),
            Shape::Resource => ("a resource", "part"),
        }
    }

    /// Returns the parts of the type with their types.
    pub fn parts(&self) -> &[(String, String)] {
        match self {
            Shape::Record(parts) | Shape::Cases(parts) | Shape::Flags(parts) => parts,
            Shape::Resource => &[],
        }
    }
}

impl Contract {
    /// Reads a WIT file or folder, or a component.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or is not a contract. The error contains the path and the expected content.
    pub fn read(path: &Path) -> Result<Contract, Unreadable> {
        let wrong = |reason: String| Unreadable::Wrong { path: path.to_owned(), reason };
        let file = |cause| Unreadable::File { path: path.to_owned(), cause };
        if !path.is_dir() {
            let bytes = std::fs::read(path).map_err(file)?;
            if bytes.starts_with(b"\0asm") {
                return Contract::of_component(bytes).map_err(wrong);
            }
            let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
            return Contract::of_text(&path.display().to_string(), &text).map_err(wrong);
        }
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(path).map_err(|error| wrong(lines(&error)))?;
        let world = resolve.select_world(&[package], None).map_err(|error| wrong(lines(&error)))?;
        Ok(Contract::of(resolve, world, None))
    }

    /// Parses a WIT text.
    ///
    /// # Errors
    ///
    /// Fails if the text is not valid WIT or does not have exactly one world.
    pub fn of_text(name: &str, text: &str) -> Result<Contract, String> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str(name, text).map_err(|error| lines(&error))?;
        let world = resolve.select_world(&[package], None).map_err(|error| lines(&error))?;
        Ok(Contract::of(resolve, world, None))
    }

    /// Reads the imports and exports of a component.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a component.
    pub fn of_component(bytes: Vec<u8>) -> Result<Contract, String> {
        match wit_component::decode(&bytes).map_err(|error| lines(&error))? {
            DecodedWasm::Component(resolve, world) => Ok(Contract::of(resolve, world, Some(bytes))),
            DecodedWasm::WitPackage(resolve, package) => {
                let world = resolve.select_world(&[package], None).map_err(|error| lines(&error))?;
                Ok(Contract::of(resolve, world, None))
            }
        }
    }

    fn of(resolve: Resolve, world: WorldId, component: Option<Vec<u8>>) -> Contract {
        let own = resolve.worlds[world].package.map(|package| &resolve.packages[package].name);
        let version = own.and_then(|name| name.version.clone());
        let mut contract = Contract { version, component, resolve, world };
        if contract.component.is_some() {
            let versions = contract.versions();
            let most = versions.iter().max_by_key(|(version, number)| (**number, version.to_owned()));
            contract.version = most.map(|(version, _)| version.clone());
        }
        contract
    }

    /// Returns the versions of the interfaces, with the number of interfaces of each version.
    fn versions(&self) -> BTreeMap<Version, usize> {
        let mut versions = BTreeMap::new();
        for names in [self.imports(), self.exports()] {
            for version in names.interfaces.into_values().flatten() {
                *versions.entry(version).or_default() += 1;
            }
        }
        versions
    }

    /// Returns the imports of the world.
    pub(crate) fn imports(&self) -> Names {
        self.names(self.resolve.worlds[self.world].imports.iter())
    }

    /// Returns the exports of the world.
    pub(crate) fn exports(&self) -> Names {
        self.names(self.resolve.worlds[self.world].exports.iter())
    }

    fn names<'r>(&'r self, items: impl Iterator<Item = (&'r WorldKey, &'r WorldItem)>) -> Names {
        let mut names = Names::default();
        for (key, item) in items {
            let (name, version) = self.name_of(key);
            match item {
                WorldItem::Interface { id, .. } => self.add(&name, *id, version, &mut names),
                WorldItem::Function(function) => drop(names.functions.insert(name, self.signature(function))),
                WorldItem::Type { id, .. } => self.add_type(&name, &self.resolve.types[*id], &mut names),
            }
        }
        names
    }

    /// Returns the name of an item and, if the item is an interface with a version, this version.
    fn name_of(&self, key: &WorldKey) -> (String, Option<Version>) {
        let name = self.resolve.name_world_key(key);
        match name.split_once('@') {
            Some((name, version)) => (name.to_owned(), Version::parse(version).ok()),
            None => (name, None),
        }
    }

    fn add(&self, name: &str, id: InterfaceId, version: Option<Version>, names: &mut Names) {
        let interface = &self.resolve.interfaces[id];
        names.interfaces.insert(name.to_owned(), version);
        for (function, found) in &interface.functions {
            names.functions.insert(format!("{name}.{function}"), self.signature(found));
        }
        for (type_name, id) in &interface.types {
            self.add_type(&format!("{name}.{type_name}"), &self.resolve.types[*id], names);
        }
    }

    /// Adds a named type. Aliases are not added.
    fn add_type(&self, name: &str, found: &TypeDef, names: &mut Names) {
        let shape = match &found.kind {
            TypeDefKind::Record(record) => {
                Shape::Record(record.fields.iter().map(|field| (field.name.clone(), self.text(&field.ty))).collect())
            }
            TypeDefKind::Variant(variant) => {
                let holds = |ty: &Option<Type>| ty.as_ref().map_or_else(String::new, |ty| self.text(ty));
                Shape::Cases(variant.cases.iter().map(|case| (case.name.clone(), holds(&case.ty))).collect())
            }
            TypeDefKind::Enum(cases) => {
                Shape::Cases(cases.cases.iter().map(|case| (case.name.clone(), String::new())).collect())
            }
            TypeDefKind::Flags(flags) => {
                Shape::Flags(flags.flags.iter().map(|flag| (flag.name.clone(), String::new())).collect())
            }
            TypeDefKind::Resource => Shape::Resource,
            _ => return,
        };
        names.types.insert(name.to_owned(), shape);
    }

    fn signature(&self, function: &Function) -> Signature {
        let params = function.params.iter().map(|param| (param.name.clone(), self.text(&param.ty)));
        Signature { params: params.collect(), result: function.result.as_ref().map(|ty| self.text(ty)) }
    }

    /// Returns a type in WIT syntax, with aliases resolved.
    fn text(&self, ty: &Type) -> String {
        let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
        let found = &self.resolve.types[*id];
        let optional = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), |ty| self.text(ty));
        match &found.kind {
            TypeDefKind::Type(ty) => self.text(ty),
            TypeDefKind::Option(ty) => format!("option<{}>", self.text(ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.text(ty)),
            TypeDefKind::Tuple(tuple) => {
                format!("tuple<{}>", tuple.types.iter().map(|ty| self.text(ty)).collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::Result(result) => format!("result<{}, {}>", optional(&result.ok), optional(&result.err)),
            kind => found.name.clone().unwrap_or_else(|| format!("{kind:?}")),
        }
    }
}

/// Returns an error with its causes, on one line.
pub(crate) fn lines(error: &impl std::fmt::Display) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
