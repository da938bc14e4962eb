// @generated from wit/products.wit by `cargo xtask bindings`. Do not edit.

/// Auto-generated bindings for a pre-instantiated version of a
/// component which implements the world `extension`.
///
/// This structure is created through [`ExtensionPre::new`] which
/// takes a [`InstancePre`](wasmtime::component::InstancePre) that
/// has been created through a [`Linker`](wasmtime::component::Linker).
///
/// For more information see [`Extension`] as well.
pub struct ExtensionPre<T: 'static> {
  instance_pre: wasmtime::component::InstancePre<T>,
  indices: ExtensionIndices,
}

impl<T: 'static> Clone for ExtensionPre<T> {
  fn clone(&self) -> Self {
    Self {
      instance_pre: self.instance_pre.clone(),
      indices: self.indices.clone(),
    }
  }
}

impl<_T: 'static> ExtensionPre<_T> {
  /// Creates a new copy of `ExtensionPre` bindings which can then
  /// be used to instantiate into a particular store.
  ///
  /// This method may fail if the component behind `instance_pre`
  /// does not have the required exports.
  pub fn new(instance_pre: wasmtime::component::InstancePre<_T>) -> wasmtime::Result<Self> {
    let indices = ExtensionIndices::new(&instance_pre)?;
    Ok(Self { instance_pre, indices })
  }
  
  pub fn engine(&self) -> &wasmtime::Engine {
    self.instance_pre.engine()
  }
  
  pub fn instance_pre(&self) -> &wasmtime::component::InstancePre<_T> {
    &self.instance_pre
  }
  
  /// Instantiates a new instance of [`Extension`] within the
  /// `store` provided.
  ///
  /// This function will use `self` as the pre-instantiated
  /// instance to perform instantiation. Afterwards the preloaded
  /// indices in `self` are used to lookup all exports on the
  /// resulting instance.
  pub fn instantiate(
  &self,
  mut store: impl wasmtime::AsContextMut<Data = _T>,
  ) -> wasmtime::Result<Extension> {
    let mut store = store.as_context_mut();
    let instance = self.instance_pre.instantiate(&mut store)?;
    self.indices.load(&mut store, &instance)
  }
}


/// Auto-generated bindings for index of the exports of
/// `extension`.
///
/// This is an implementation detail of [`ExtensionPre`] and can
/// be constructed if needed as well.
///
/// For more information see [`Extension`] as well.
#[derive(Clone)]
pub struct ExtensionIndices {
  interface0: exports::solobase::products::manifest::GuestIndices,
  interface1: exports::solobase::products::schemas::GuestIndices,
  interface2: exports::solobase::products::events::GuestIndices,
  interface3: exports::solobase::products::queries::GuestIndices,
}

/// Auto-generated bindings for an instance a component which
/// implements the world `extension`.
///
/// This structure can be created through a number of means
/// depending on your requirements and what you have on hand:
///
/// * The most convenient way is to use
///   [`Extension::instantiate`] which only needs a
///   [`Store`], [`Component`], and [`Linker`].
///
/// * Alternatively you can create a [`ExtensionPre`] ahead of
///   time with a [`Component`] to front-load string lookups
///   of exports once instead of per-instantiation. This
///   method then uses [`ExtensionPre::instantiate`] to
///   create a [`Extension`].
///
/// * If you've instantiated the instance yourself already
///   then you can use [`Extension::new`].
///
/// These methods are all equivalent to one another and move
/// around the tradeoff of what work is performed when.
///
/// [`Store`]: wasmtime::Store
/// [`Component`]: wasmtime::component::Component
/// [`Linker`]: wasmtime::component::Linker
pub struct Extension {
  interface0: exports::solobase::products::manifest::Guest,
  interface1: exports::solobase::products::schemas::Guest,
  interface2: exports::solobase::products::events::Guest,
  interface3: exports::solobase::products::queries::Guest,
}
const _: () = {
  impl ExtensionIndices {
    /// Creates a new copy of `ExtensionIndices` bindings which can then
    /// be used to instantiate into a particular store.
    ///
    /// This method may fail if the component does not have the
    /// required exports.
    pub fn new<_T>(_instance_pre: &wasmtime::component::InstancePre<_T>) -> wasmtime::Result<Self> {
      let _component = _instance_pre.component();
      let _instance_type = _instance_pre.instance_type();
      
      let interface0 = exports::solobase::products::manifest::GuestIndices::new(_instance_pre)?;
      let interface1 = exports::solobase::products::schemas::GuestIndices::new(_instance_pre)?;
      let interface2 = exports::solobase::products::events::GuestIndices::new(_instance_pre)?;
      let interface3 = exports::solobase::products::queries::GuestIndices::new(_instance_pre)?;
      Ok(ExtensionIndices {
        interface0,
        interface1,
        interface2,
        interface3,
      })
    }
    
    /// Uses the indices stored in `self` to load an instance
    /// of [`Extension`] from the instance provided.
    ///
    /// Note that at this time this method will additionally
    /// perform type-checks of all exports.
    pub fn load(
    &self,
    mut store: impl wasmtime::AsContextMut,
    instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Extension> {
      let _ = &mut store;
      let _instance = instance;
      
      let interface0 = self.interface0.load(&mut store, &_instance)?;
      let interface1 = self.interface1.load(&mut store, &_instance)?;
      let interface2 = self.interface2.load(&mut store, &_instance)?;
      let interface3 = self.interface3.load(&mut store, &_instance)?;
      Ok(Extension {
        interface0,
        interface1,
        interface2,
        interface3,
      })
    }
  }
  impl Extension{
    /// Convenience wrapper around [`ExtensionPre::new`] and
    /// [`ExtensionPre::instantiate`].
    pub fn instantiate<_T>(
    store: impl wasmtime::AsContextMut<Data = _T>,
    component: &wasmtime::component::Component,
    linker: &wasmtime::component::Linker<_T>,
    ) -> wasmtime::Result<Extension> {
      let pre = linker.instantiate_pre(component)?;
      ExtensionPre::new(pre)?.instantiate(store)
    }
    
    /// Convenience wrapper around [`ExtensionIndices::new`] and
    /// [`ExtensionIndices::load`].
    pub fn new(
    mut store: impl wasmtime::AsContextMut,
    instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Extension> {
      let indices = ExtensionIndices::new(&instance.instance_pre(&store))?;
      indices.load(&mut store, instance)
    }
    
    
    pub fn add_to_linker<T, D>(
    linker: &mut wasmtime::component::Linker<T>,
    
    host_getter: fn(&mut T) -> D::Data<'_>,
    ) -> wasmtime::Result<()>
    where
    D: solobase::products::types::HostWithStore<T> + solobase::products::rows::HostWithStore<T> + solobase::products::account::HostWithStore<T> + solobase::products::claims::HostWithStore<T> + solobase::products::catalog::HostWithStore<T> + solobase::products::log::HostWithStore<T> + solobase::products::effects::HostWithStore<T>,
    for<'a> D::Data<'a>: solobase::products::types::Host + solobase::products::rows::Host + solobase::products::account::Host + solobase::products::claims::Host + solobase::products::catalog::Host + solobase::products::log::Host + solobase::products::effects::Host,
    T: 'static 
    {
      
      solobase::products::types::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::rows::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::account::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::claims::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::catalog::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::log::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      solobase::products::effects::add_to_linker::<T, D>(
      linker , host_getter,
      )?;
      Ok(())
    }
    
    pub fn solobase_products_manifest(&self) -> &exports::solobase::products::manifest::Guest {
      &self.interface0
    }
    
    pub fn solobase_products_schemas(&self) -> &exports::solobase::products::schemas::Guest {
      &self.interface1
    }
    
    pub fn solobase_products_events(&self) -> &exports::solobase::products::events::Guest {
      &self.interface2
    }
    
    pub fn solobase_products_queries(&self) -> &exports::solobase::products::queries::Guest {
      &self.interface3
    }
  }
};
pub mod solobase {
  pub mod products {
    
    #[allow(clippy::all)]
    pub mod types {
      #[allow(unused_imports)]
      use wasmtime::component::__internal::Box;
      
      /// UTF-8 JSON text. The host checks that it is valid before it stores it.
      pub type Json = wasmtime::component::__internal::String;
      const _: () = {
        assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Milliseconds since the Unix epoch, UTC. The payment source's whole seconds are multiplied by 1000.
      pub type Timestamp = i64;
      const _: () = {
        assert!(8 == <Timestamp as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Timestamp as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Version of a row: 1 after the insert, one more with each save, 0 for a row that does not exist.
      pub type RowVersion = u64;
      const _: () = {
        assert!(8 == <RowVersion as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <RowVersion as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Name of a secret that the host holds, for example `secret:aws/db-7f3a`. The value never enters the component.
      pub type SecretRef = wasmtime::component::__internal::String;
      const _: () = {
        assert!(8 == <SecretRef as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <SecretRef as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Whose data a transaction is about. Text form in claim keys: `platform`, `user:ID`, `organization:ID`.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Account{
        /// The reserved account that owns the catalog and receives events that belong to nobody.
        #[component(name = "platform")] Platform,
        /// A user, by the id of the host's identity system.
        #[component(name = "user")] User(wasmtime::component::__internal::String),
        /// An organization, by the same.
        #[component(name = "organization")] Organization(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for Account {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Account::Platform => {
              f.debug_tuple("Account::Platform").finish()
            }
            Account::User(e) => {
              f.debug_tuple("Account::User").field(e).finish()
            }
            Account::Organization(e) => {
              f.debug_tuple("Account::Organization").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What kind of actor.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum ActorKind {
        /// A person acting for the account.
        #[component(name = "user")]User,
        /// An operator of the platform.
        #[component(name = "admin")]Admin,
        /// A program with a key of its own.
        #[component(name = "service")]Service,
        /// Another extension.
        #[component(name = "extension")]Extension,
        /// The payment source, a timer or the host itself.
        #[component(name = "system")]System,
      }
      impl core::fmt::Debug for ActorKind {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            ActorKind::User => {
              f.debug_tuple("ActorKind::User").finish()
            }
            ActorKind::Admin => {
              f.debug_tuple("ActorKind::Admin").finish()
            }
            ActorKind::Service => {
              f.debug_tuple("ActorKind::Service").finish()
            }
            ActorKind::Extension => {
              f.debug_tuple("ActorKind::Extension").finish()
            }
            ActorKind::System => {
              f.debug_tuple("ActorKind::System").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <ActorKind as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <ActorKind as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Who caused an event or asks a question.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Actor {
        /// Kind.
        #[component(name = "kind")]
        pub kind: ActorKind,
        /// Id in the host's identity system, or a name; empty for `system`.
        #[component(name = "subject")]
        pub subject: wasmtime::component::__internal::String,
        /// Roles in this account as the host asserted them at intake, for example `owner`.
        #[component(name = "roles")]
        pub roles: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
      }
      impl core::fmt::Debug for Actor {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Actor").field("kind", &self.kind).field("subject", &self.subject).field("roles", &self.roles).finish()
        }
      }
      const _: () = {
        assert!(20 == <Actor as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Actor as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// An amount of money; never a float.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Money {
        /// Amount in the currency's minor unit; negative where money flows back.
        #[component(name = "amount-minor")]
        pub amount_minor: i64,
        /// ISO 4217 code in lower case, for example `usd`.
        #[component(name = "currency")]
        pub currency: wasmtime::component::__internal::String,
      }
      impl core::fmt::Debug for Money {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Money").field("amount-minor", &self.amount_minor).field("currency", &self.currency).finish()
        }
      }
      const _: () = {
        assert!(16 == <Money as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Money as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Unit of a billing interval.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum IntervalUnit {
        /// Daily.
        #[component(name = "day")]Day,
        /// Weekly.
        #[component(name = "week")]Week,
        /// Monthly.
        #[component(name = "month")]Month,
        /// Yearly.
        #[component(name = "year")]Year,
      }
      impl core::fmt::Debug for IntervalUnit {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            IntervalUnit::Day => {
              f.debug_tuple("IntervalUnit::Day").finish()
            }
            IntervalUnit::Week => {
              f.debug_tuple("IntervalUnit::Week").finish()
            }
            IntervalUnit::Month => {
              f.debug_tuple("IntervalUnit::Month").finish()
            }
            IntervalUnit::Year => {
              f.debug_tuple("IntervalUnit::Year").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <IntervalUnit as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <IntervalUnit as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Recurring billing period.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone, Copy)]
      pub struct BillingInterval {
        /// Unit of the period.
        #[component(name = "unit")]
        pub unit: IntervalUnit,
        /// Units in a period, at least 1.
        #[component(name = "count")]
        pub count: u32,
      }
      impl core::fmt::Debug for BillingInterval {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("BillingInterval").field("unit", &self.unit).field("count", &self.count).finish()
        }
      }
      const _: () = {
        assert!(8 == <BillingInterval as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <BillingInterval as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What is wrong with one field.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum FieldErrorCode {
        /// A required value is absent.
        #[component(name = "missing")]Missing,
        /// The value has the wrong JSON type.
        #[component(name = "wrong-type")]WrongType,
        /// The value is outside its range or length.
        #[component(name = "out-of-range")]OutOfRange,
        /// The value does not match its pattern.
        #[component(name = "bad-format")]BadFormat,
        /// The value is not one of the allowed options, or is reserved.
        #[component(name = "not-allowed")]NotAllowed,
        /// Another row of this account already has the value.
        #[component(name = "taken")]Taken,
        /// This actor may not set or change the field.
        #[component(name = "read-only")]ReadOnly,
        /// The schema has no such field.
        #[component(name = "unknown-field")]UnknownField,
        /// More is wrong than the list says; only the last entry of a list.
        #[component(name = "more")]More,
      }
      impl core::fmt::Debug for FieldErrorCode {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            FieldErrorCode::Missing => {
              f.debug_tuple("FieldErrorCode::Missing").finish()
            }
            FieldErrorCode::WrongType => {
              f.debug_tuple("FieldErrorCode::WrongType").finish()
            }
            FieldErrorCode::OutOfRange => {
              f.debug_tuple("FieldErrorCode::OutOfRange").finish()
            }
            FieldErrorCode::BadFormat => {
              f.debug_tuple("FieldErrorCode::BadFormat").finish()
            }
            FieldErrorCode::NotAllowed => {
              f.debug_tuple("FieldErrorCode::NotAllowed").finish()
            }
            FieldErrorCode::Taken => {
              f.debug_tuple("FieldErrorCode::Taken").finish()
            }
            FieldErrorCode::ReadOnly => {
              f.debug_tuple("FieldErrorCode::ReadOnly").finish()
            }
            FieldErrorCode::UnknownField => {
              f.debug_tuple("FieldErrorCode::UnknownField").finish()
            }
            FieldErrorCode::More => {
              f.debug_tuple("FieldErrorCode::More").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <FieldErrorCode as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <FieldErrorCode as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// One field that is not valid, as data: the host makes a text of it only where people read it.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct FieldError {
        /// JSON Pointer into the validated document, for example `/metadata/subdomain`.
        #[component(name = "path")]
        pub path: wasmtime::component::__internal::String,
        /// Cause, for programs.
        #[component(name = "code")]
        pub code: FieldErrorCode,
        /// What is wrong, for people; empty if the value itself is wrong. No secret, no other tenant's data.
        #[component(name = "found")]
        pub found: wasmtime::component::__internal::String,
        /// The allowed values, or a description of them as the only entry; empty if no other value helps.
        #[component(name = "expected")]
        pub expected: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
        /// The allowed value that was probably meant.
        #[component(name = "suggestion")]
        pub suggestion: Option<wasmtime::component::__internal::String>,
      }
      impl core::fmt::Debug for FieldError {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("FieldError").field("path", &self.path).field("code", &self.code).field("found", &self.found).field("expected", &self.expected).field("suggestion", &self.suggestion).finish()
        }
      }
      const _: () = {
        assert!(40 == <FieldError as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <FieldError as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Why a host call has no answer. After `unavailable` the host throws the decision away, whatever it is.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum ImportError{
        /// The row does not have the expected version but this one.
        #[component(name = "conflict")] Conflict(RowVersion),
        /// A unique index already has the value; this is the name of the index.
        #[component(name = "taken")] Taken(wasmtime::component::__internal::String),
        /// The values do not fit the declared schema.
        #[component(name = "invalid")] Invalid(wasmtime::component::__internal::Vec<FieldError>),
        /// A write to another's catalog, an undeclared collection, a read-only transaction.
        #[component(name = "denied")] Denied(wasmtime::component::__internal::String),
        /// A limit of size or number; the text names it.
        #[component(name = "limit-exceeded")] LimitExceeded(wasmtime::component::__internal::String),
        /// The store failed; return it as a `failure`.
        #[component(name = "unavailable")] Unavailable(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for ImportError {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            ImportError::Conflict(e) => {
              f.debug_tuple("ImportError::Conflict").field(e).finish()
            }
            ImportError::Taken(e) => {
              f.debug_tuple("ImportError::Taken").field(e).finish()
            }
            ImportError::Invalid(e) => {
              f.debug_tuple("ImportError::Invalid").field(e).finish()
            }
            ImportError::Denied(e) => {
              f.debug_tuple("ImportError::Denied").field(e).finish()
            }
            ImportError::LimitExceeded(e) => {
              f.debug_tuple("ImportError::LimitExceeded").field(e).finish()
            }
            ImportError::Unavailable(e) => {
              f.debug_tuple("ImportError::Unavailable").field(e).finish()
            }
          }
        }
      }
      impl core::fmt::Display for ImportError {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          write!(f, "{:?}", self)
        }
      }
      impl core::error::Error for ImportError {}
      const _: () = {
        assert!(16 == <ImportError as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <ImportError as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A quota that a request would exceed.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct QuotaRefusal {
        /// Key of the quota, for example `instances`.
        #[component(name = "quota")]
        pub quota: wasmtime::component::__internal::String,
        /// Allowed amount.
        #[component(name = "allowed")]
        pub allowed: i64,
        /// Amount in use.
        #[component(name = "used")]
        pub used: i64,
        /// Price that would raise it, if one is on sale.
        #[component(name = "upgrade")]
        pub upgrade: Option<wasmtime::component::__internal::String>,
      }
      impl core::fmt::Debug for QuotaRefusal {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("QuotaRefusal").field("quota", &self.quota).field("allowed", &self.allowed).field("used", &self.used).field("upgrade", &self.upgrade).finish()
        }
      }
      const _: () = {
        assert!(40 == <QuotaRefusal as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <QuotaRefusal as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// An amount that is not the agreed one.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct AmountMismatch {
        /// What the purchase says.
        #[component(name = "expected")]
        pub expected: Money,
        /// What the event says.
        #[component(name = "actual")]
        pub actual: Money,
      }
      impl core::fmt::Debug for AmountMismatch {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("AmountMismatch").field("expected", &self.expected).field("actual", &self.actual).finish()
        }
      }
      const _: () = {
        assert!(32 == <AmountMismatch as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <AmountMismatch as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Why something authentic may not be done. Texts hold facts (an id, a JSON Pointer, a state), not sentences.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Refusal{
        /// A part of a payload is absent, of a wrong type or there twice: its JSON Pointer.
        #[component(name = "malformed")] Malformed(wasmtime::component::__internal::String),
        /// A shape that is not read, for example a thin event where nothing can be retrieved.
        #[component(name = "wrong-shape")] WrongShape(wasmtime::component::__internal::String),
        /// Fields are not valid.
        #[component(name = "invalid")] Invalid(wasmtime::component::__internal::Vec<FieldError>),
        /// A status that is not known.
        #[component(name = "unknown-status")] UnknownStatus(wasmtime::component::__internal::String),
        /// No product is sold at this price of the payment source.
        #[component(name = "unknown-price")] UnknownPrice(wasmtime::component::__internal::String),
        /// Parked to the end although it bears a mark of ours; the host says so.
        #[component(name = "unclaimed")] Unclaimed,
        /// The secret that matched and the event's mode contradict each other.
        #[component(name = "mode-mismatch")] ModeMismatch,
        /// Amount or currency differs from what was agreed.
        #[component(name = "amount-mismatch")] AmountMismatch(AmountMismatch),
        /// The event contradicts what is stored or itself: metadata, customer, owner.
        #[component(name = "inconsistent")] Inconsistent(wasmtime::component::__internal::String),
        /// The account has it and may have it once: the product or purchase.
        #[component(name = "already-owned")] AlreadyOwned(wasmtime::component::__internal::String),
        /// A condition of the product type, for example a plan with a pool.
        #[component(name = "requirement-unmet")] RequirementUnmet(wasmtime::component::__internal::String),
        /// The account's quota is used up.
        #[component(name = "quota-exceeded")] QuotaExceeded(QuotaRefusal),
        /// A balance does not suffice: the ledger's name.
        #[component(name = "insufficient-balance")] InsufficientBalance(wasmtime::component::__internal::String),
        /// Nothing entitles the account to it: the entitlement's key.
        #[component(name = "no-entitlement")] NoEntitlement(wasmtime::component::__internal::String),
        /// Another account holds the name, or it is blocked: the claim key.
        #[component(name = "name-taken")] NameTaken(wasmtime::component::__internal::String),
        /// The state of the thing does not allow it: the state.
        #[component(name = "bad-transition")] BadTransition(wasmtime::component::__internal::String),
        /// The actor may not do it.
        #[component(name = "forbidden")] Forbidden(wasmtime::component::__internal::String),
        /// The thing does not exist in this account.
        #[component(name = "not-found")] NotFound(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for Refusal {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Refusal::Malformed(e) => {
              f.debug_tuple("Refusal::Malformed").field(e).finish()
            }
            Refusal::WrongShape(e) => {
              f.debug_tuple("Refusal::WrongShape").field(e).finish()
            }
            Refusal::Invalid(e) => {
              f.debug_tuple("Refusal::Invalid").field(e).finish()
            }
            Refusal::UnknownStatus(e) => {
              f.debug_tuple("Refusal::UnknownStatus").field(e).finish()
            }
            Refusal::UnknownPrice(e) => {
              f.debug_tuple("Refusal::UnknownPrice").field(e).finish()
            }
            Refusal::Unclaimed => {
              f.debug_tuple("Refusal::Unclaimed").finish()
            }
            Refusal::ModeMismatch => {
              f.debug_tuple("Refusal::ModeMismatch").finish()
            }
            Refusal::AmountMismatch(e) => {
              f.debug_tuple("Refusal::AmountMismatch").field(e).finish()
            }
            Refusal::Inconsistent(e) => {
              f.debug_tuple("Refusal::Inconsistent").field(e).finish()
            }
            Refusal::AlreadyOwned(e) => {
              f.debug_tuple("Refusal::AlreadyOwned").field(e).finish()
            }
            Refusal::RequirementUnmet(e) => {
              f.debug_tuple("Refusal::RequirementUnmet").field(e).finish()
            }
            Refusal::QuotaExceeded(e) => {
              f.debug_tuple("Refusal::QuotaExceeded").field(e).finish()
            }
            Refusal::InsufficientBalance(e) => {
              f.debug_tuple("Refusal::InsufficientBalance").field(e).finish()
            }
            Refusal::NoEntitlement(e) => {
              f.debug_tuple("Refusal::NoEntitlement").field(e).finish()
            }
            Refusal::NameTaken(e) => {
              f.debug_tuple("Refusal::NameTaken").field(e).finish()
            }
            Refusal::BadTransition(e) => {
              f.debug_tuple("Refusal::BadTransition").field(e).finish()
            }
            Refusal::Forbidden(e) => {
              f.debug_tuple("Refusal::Forbidden").field(e).finish()
            }
            Refusal::NotFound(e) => {
              f.debug_tuple("Refusal::NotFound").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(48 == <Refusal as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Refusal as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Why a call could not be completed. Nothing is kept, and it is tried again, with backoff, until an operator must look.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Failure{
        /// A store said so; passed on as it came.
        #[component(name = "store")] Store(ImportError),
        /// An invariant that does not hold: a bug or damaged data.
        #[component(name = "internal")] Internal(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for Failure {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Failure::Store(e) => {
              f.debug_tuple("Failure::Store").field(e).finish()
            }
            Failure::Internal(e) => {
              f.debug_tuple("Failure::Internal").field(e).finish()
            }
          }
        }
      }
      impl core::fmt::Display for Failure {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          write!(f, "{:?}", self)
        }
      }
      impl core::error::Error for Failure {}
      const _: () = {
        assert!(24 == <Failure as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Failure as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Why a question or a validation has no answer.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Problem{
        /// It may not be done or seen.
        #[component(name = "refused")] Refused(Refusal),
        /// It could not be worked out.
        #[component(name = "failed")] Failed(Failure),
      }
      impl core::fmt::Debug for Problem {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Problem::Refused(e) => {
              f.debug_tuple("Problem::Refused").field(e).finish()
            }
            Problem::Failed(e) => {
              f.debug_tuple("Problem::Failed").field(e).finish()
            }
          }
        }
      }
      impl core::fmt::Display for Problem {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          write!(f, "{:?}", self)
        }
      }
      impl core::error::Error for Problem {}
      const _: () = {
        assert!(56 == <Problem as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Problem as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Window of a scan.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Page {
        /// Start after this id; none starts at the beginning.
        #[component(name = "after")]
        pub after: Option<wasmtime::component::__internal::String>,
        /// Most rows to return, 1 to 500.
        #[component(name = "limit")]
        pub limit: u32,
      }
      impl core::fmt::Debug for Page {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Page").field("after", &self.after).field("limit", &self.limit).finish()
        }
      }
      const _: () = {
        assert!(16 == <Page as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Page as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub trait HostWithStore<T>: wasmtime::component::HasData {
      }
      impl<H: ?Sized, T> HostWithStore<T> for H
      where H: wasmtime::component::HasData
      {}
      pub trait Host:  {
      }
      impl <_T: Host + ?Sized > Host for &mut _T {
      }
      
      pub fn add_to_linker_instance<T, D>(
      inst: &mut wasmtime::component::LinkerInstance<'_, T>,
      
      
      host_getter: fn(&mut T) -> D::Data<'_>,
      ) -> wasmtime::Result<()>
      where
      D: HostWithStore<T>,
      for<'a> D::Data<'a>: Host,
      T: 'static ,
      {
        
        Ok(())
      }
      
      pub fn add_to_linker<T, D>(
      linker: &mut wasmtime::component::Linker<T>,
      
      host_getter: fn(&mut T) -> D::Data<'_>,
      ) -> wasmtime::Result<()>
      where
      D: HostWithStore<T>,
      for<'a> D::Data<'a>: Host,
      T: 'static ,
      {
        let mut inst = linker.instance("solobase:products/types@0.2.0-dev")?;
        add_to_linker_instance::<T, D>(&mut inst, host_getter)
      }
      
      
    }
    
    
    #[allow(clippy::all)]
    pub mod rows {
      #[allow(unused_imports)]
      use wasmtime::component::__internal::Box;
      
      pub type Account = super::super::super::solobase::products::types::Account;
      const _: () = {
        assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type Json = super::super::super::solobase::products::types::Json;
      const _: () = {
        assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type Timestamp = super::super::super::solobase::products::types::Timestamp;
      const _: () = {
        assert!(8 == <Timestamp as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Timestamp as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type RowVersion = super::super::super::solobase::products::types::RowVersion;
      const _: () = {
        assert!(8 == <RowVersion as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <RowVersion as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type Money = super::super::super::solobase::products::types::Money;
      const _: () = {
        assert!(16 == <Money as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Money as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type BillingInterval = super::super::super::solobase::products::types::BillingInterval;
      const _: () = {
        assert!(8 == <BillingInterval as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <BillingInterval as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type SecretRef = super::super::super::solobase::products::types::SecretRef;
      const _: () = {
        assert!(8 == <SecretRef as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <SecretRef as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// The part of a product that can be written.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct ProductValues {
        /// Product type, for example `subscription_plan` or `instance`.
        #[component(name = "product-type")]
        pub product_type: wasmtime::component::__internal::String,
        /// Display name.
        #[component(name = "name")]
        pub name: wasmtime::component::__internal::String,
        /// Description, possibly empty.
        #[component(name = "description")]
        pub description: wasmtime::component::__internal::String,
        /// False once withdrawn.
        #[component(name = "active")]
        pub active: bool,
        /// Price; none when it is not sold by itself.
        #[component(name = "price")]
        pub price: Option<Money>,
        /// Billing period; none for what is sold once.
        #[component(name = "interval")]
        pub interval: Option<BillingInterval>,
        /// Filter slots and their values as text: `filter_numeric_1`, `12.5`.
        #[component(name = "filters")]
        pub filters: wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>,
        /// Object that is valid against the type's schema.
        #[component(name = "metadata")]
        pub metadata: Json,
      }
      impl core::fmt::Debug for ProductValues {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("ProductValues").field("product-type", &self.product_type).field("name", &self.name).field("description", &self.description).field("active", &self.active).field("price", &self.price).field("interval", &self.interval).field("filters", &self.filters).field("metadata", &self.metadata).finish()
        }
      }
      const _: () = {
        assert!(88 == <ProductValues as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <ProductValues as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A stored product.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Product {
        /// Id, chosen by who inserted it.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// Owner: the account, or `platform` for the catalog.
        #[component(name = "owner")]
        pub owner: Account,
        /// Values.
        #[component(name = "values")]
        pub values: ProductValues,
        /// Rises by one with each change.
        #[component(name = "version")]
        pub version: RowVersion,
        /// True after a soft delete.
        #[component(name = "deleted")]
        pub deleted: bool,
      }
      impl core::fmt::Debug for Product {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Product").field("id", &self.id).field("owner", &self.owner).field("values", &self.values).field("version", &self.version).field("deleted", &self.deleted).finish()
        }
      }
      const _: () = {
        assert!(128 == <Product as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Product as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What a price grants, already resolved from its product and type.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Grant {
        /// Entitlement, for example `instances` or `storage_gb`.
        #[component(name = "key")]
        pub key: wasmtime::component::__internal::String,
        /// Amount for one unit; -1 is unlimited.
        #[component(name = "amount")]
        pub amount: i64,
      }
      impl core::fmt::Debug for Grant {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Grant").field("key", &self.key).field("amount", &self.amount).finish()
        }
      }
      const _: () = {
        assert!(16 == <Grant as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Grant as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A price of the catalog. It is a small typed row, so that a webhook event need not parse a plan.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Price {
        /// The payment source's id, for example `price_pro`.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// Product that is sold.
        #[component(name = "product-id")]
        pub product_id: wasmtime::component::__internal::String,
        /// Type of that product.
        #[component(name = "product-type")]
        pub product_type: wasmtime::component::__internal::String,
        /// Of a family, for example `plan`, an account may have one price.
        #[component(name = "family")]
        pub family: Option<wasmtime::component::__internal::String>,
        /// Amount of one unit.
        #[component(name = "amount")]
        pub amount: Money,
        /// Billing period; none for what is sold once.
        #[component(name = "interval")]
        pub interval: Option<BillingInterval>,
        /// False when it is no longer sold; who has it keeps it.
        #[component(name = "active")]
        pub active: bool,
        /// What one unit grants.
        #[component(name = "grants")]
        pub grants: wasmtime::component::__internal::Vec<Grant>,
        /// The extension's own resolved terms, small; `{}` if none.
        #[component(name = "terms")]
        pub terms: Json,
      }
      impl core::fmt::Debug for Price {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Price").field("id", &self.id).field("product-id", &self.product_id).field("product-type", &self.product_type).field("family", &self.family).field("amount", &self.amount).field("interval", &self.interval).field("active", &self.active).field("grants", &self.grants).field("terms", &self.terms).finish()
        }
      }
      const _: () = {
        assert!(88 == <Price as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Price as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Status at the boundary; the finer steps of a purchase are in its metadata.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum PurchaseStatus {
        /// `pending`: created, not paid.
        #[component(name = "pending")]Pending,
        /// `requires_approval`: waits for an administrator before the payment.
        #[component(name = "requires-approval")]RequiresApproval,
        /// `paid_pending_approval`: paid, waits for an administrator.
        #[component(name = "paid-pending-approval")]PaidPendingApproval,
        /// `paid`: paid and released.
        #[component(name = "paid")]Paid,
        /// `cancelled`: ended without payment.
        #[component(name = "cancelled")]Cancelled,
        /// `refunded`: paid and given back in full.
        #[component(name = "refunded")]Refunded,
      }
      impl core::fmt::Debug for PurchaseStatus {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            PurchaseStatus::Pending => {
              f.debug_tuple("PurchaseStatus::Pending").finish()
            }
            PurchaseStatus::RequiresApproval => {
              f.debug_tuple("PurchaseStatus::RequiresApproval").finish()
            }
            PurchaseStatus::PaidPendingApproval => {
              f.debug_tuple("PurchaseStatus::PaidPendingApproval").finish()
            }
            PurchaseStatus::Paid => {
              f.debug_tuple("PurchaseStatus::Paid").finish()
            }
            PurchaseStatus::Cancelled => {
              f.debug_tuple("PurchaseStatus::Cancelled").finish()
            }
            PurchaseStatus::Refunded => {
              f.debug_tuple("PurchaseStatus::Refunded").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <PurchaseStatus as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <PurchaseStatus as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A line of a purchase.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct LineItem {
        /// Product bought.
        #[component(name = "product-id")]
        pub product_id: wasmtime::component::__internal::String,
        /// The payment source's price; none for a price made for this purchase.
        #[component(name = "price-id")]
        pub price_id: Option<wasmtime::component::__internal::String>,
        /// Name at the time of the purchase.
        #[component(name = "name")]
        pub name: wasmtime::component::__internal::String,
        /// Count, at least 1.
        #[component(name = "quantity")]
        pub quantity: u32,
        /// Price of one unit.
        #[component(name = "unit-price")]
        pub unit_price: Money,
      }
      impl core::fmt::Debug for LineItem {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("LineItem").field("product-id", &self.product_id).field("price-id", &self.price_id).field("name", &self.name).field("quantity", &self.quantity).field("unit-price", &self.unit_price).finish()
        }
      }
      const _: () = {
        assert!(48 == <LineItem as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <LineItem as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// The part of a purchase that can be written.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct PurchaseValues {
        /// Payment source: `stripe` or `manual`.
        #[component(name = "provider")]
        pub provider: wasmtime::component::__internal::String,
        /// Checkout session, once made; unique.
        #[component(name = "session-id")]
        pub session_id: Option<wasmtime::component::__internal::String>,
        /// Payment intent, once known; unique.
        #[component(name = "payment-intent-id")]
        pub payment_intent_id: Option<wasmtime::component::__internal::String>,
        /// Subscription it began, if any.
        #[component(name = "subscription-id")]
        pub subscription_id: Option<wasmtime::component::__internal::String>,
        /// Status.
        #[component(name = "status")]
        pub status: PurchaseStatus,
        /// Lines.
        #[component(name = "items")]
        pub items: wasmtime::component::__internal::Vec<LineItem>,
        /// Before tax.
        #[component(name = "amount")]
        pub amount: Money,
        /// Tax.
        #[component(name = "tax")]
        pub tax: Money,
        /// To be paid.
        #[component(name = "total")]
        pub total: Money,
        /// Given back so far.
        #[component(name = "refunded")]
        pub refunded: Money,
        /// Step, terms and reasons, as a JSON object.
        #[component(name = "metadata")]
        pub metadata: Json,
      }
      impl core::fmt::Debug for PurchaseValues {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("PurchaseValues").field("provider", &self.provider).field("session-id", &self.session_id).field("payment-intent-id", &self.payment_intent_id).field("subscription-id", &self.subscription_id).field("status", &self.status).field("items", &self.items).field("amount", &self.amount).field("tax", &self.tax).field("total", &self.total).field("refunded", &self.refunded).field("metadata", &self.metadata).finish()
        }
      }
      const _: () = {
        assert!(128 == <PurchaseValues as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <PurchaseValues as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A stored purchase.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Purchase {
        /// Id, chosen by who inserted it.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// Values.
        #[component(name = "values")]
        pub values: PurchaseValues,
        /// Rises by one with each change.
        #[component(name = "version")]
        pub version: RowVersion,
      }
      impl core::fmt::Debug for Purchase {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Purchase").field("id", &self.id).field("values", &self.values).field("version", &self.version).finish()
        }
      }
      const _: () = {
        assert!(144 == <Purchase as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Purchase as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Status: the payment source's own set.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum SubscriptionStatus {
        /// The first payment is not done.
        #[component(name = "incomplete")]Incomplete,
        /// The first payment never came; final.
        #[component(name = "incomplete-expired")]IncompleteExpired,
        /// In its trial.
        #[component(name = "trialing")]Trialing,
        /// In good standing.
        #[component(name = "active")]Active,
        /// A renewal payment failed and is tried again.
        #[component(name = "past-due")]PastDue,
        /// Ended; final. Upstream also writes `cancelled`.
        #[component(name = "canceled")]Canceled,
        /// The tries are used up.
        #[component(name = "unpaid")]Unpaid,
        /// The trial ended without a means of payment.
        #[component(name = "paused")]Paused,
      }
      impl core::fmt::Debug for SubscriptionStatus {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            SubscriptionStatus::Incomplete => {
              f.debug_tuple("SubscriptionStatus::Incomplete").finish()
            }
            SubscriptionStatus::IncompleteExpired => {
              f.debug_tuple("SubscriptionStatus::IncompleteExpired").finish()
            }
            SubscriptionStatus::Trialing => {
              f.debug_tuple("SubscriptionStatus::Trialing").finish()
            }
            SubscriptionStatus::Active => {
              f.debug_tuple("SubscriptionStatus::Active").finish()
            }
            SubscriptionStatus::PastDue => {
              f.debug_tuple("SubscriptionStatus::PastDue").finish()
            }
            SubscriptionStatus::Canceled => {
              f.debug_tuple("SubscriptionStatus::Canceled").finish()
            }
            SubscriptionStatus::Unpaid => {
              f.debug_tuple("SubscriptionStatus::Unpaid").finish()
            }
            SubscriptionStatus::Paused => {
              f.debug_tuple("SubscriptionStatus::Paused").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <SubscriptionStatus as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <SubscriptionStatus as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Rank of a snapshot among those of the same second.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum SnapshotRank {
        /// From a `created` event.
        #[component(name = "created")]Created,
        /// From an `updated` event.
        #[component(name = "updated")]Updated,
        /// Read from the payment source on request; which of it and an update came later, its time does not say.
        #[component(name = "retrieved")]Retrieved,
        /// From a `deleted` event.
        #[component(name = "deleted")]Deleted,
      }
      impl core::fmt::Debug for SnapshotRank {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            SnapshotRank::Created => {
              f.debug_tuple("SnapshotRank::Created").finish()
            }
            SnapshotRank::Updated => {
              f.debug_tuple("SnapshotRank::Updated").finish()
            }
            SnapshotRank::Retrieved => {
              f.debug_tuple("SnapshotRank::Retrieved").finish()
            }
            SnapshotRank::Deleted => {
              f.debug_tuple("SnapshotRank::Deleted").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <SnapshotRank as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <SnapshotRank as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Which view of an object at the payment source a row shows.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Snapshot {
        /// The source's time of the view.
        #[component(name = "at")]
        pub at: Timestamp,
        /// Rank within that second.
        #[component(name = "rank")]
        pub rank: SnapshotRank,
        /// Event that brought it; for people, never for ordering.
        #[component(name = "event-id")]
        pub event_id: wasmtime::component::__internal::String,
      }
      impl core::fmt::Debug for Snapshot {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Snapshot").field("at", &self.at).field("rank", &self.rank).field("event-id", &self.event_id).finish()
        }
      }
      const _: () = {
        assert!(24 == <Snapshot as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Snapshot as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// One item of a subscription.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct SubscriptionItem {
        /// The payment source's id, `si_…`.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// The payment source's price.
        #[component(name = "price-id")]
        pub price_id: wasmtime::component::__internal::String,
        /// Units.
        #[component(name = "quantity")]
        pub quantity: u32,
        /// Start of the paid period.
        #[component(name = "period-start")]
        pub period_start: Timestamp,
        /// End of the paid period.
        #[component(name = "period-end")]
        pub period_end: Timestamp,
      }
      impl core::fmt::Debug for SubscriptionItem {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("SubscriptionItem").field("id", &self.id).field("price-id", &self.price_id).field("quantity", &self.quantity).field("period-start", &self.period_start).field("period-end", &self.period_end).finish()
        }
      }
      const _: () = {
        assert!(40 == <SubscriptionItem as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <SubscriptionItem as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// The part of a subscription that can be written.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct SubscriptionValues {
        /// The payment source's customer.
        #[component(name = "customer-id")]
        pub customer_id: wasmtime::component::__internal::String,
        /// Status.
        #[component(name = "status")]
        pub status: SubscriptionStatus,
        /// Items, each with its own period.
        #[component(name = "items")]
        pub items: wasmtime::component::__internal::Vec<SubscriptionItem>,
        /// True when it ends with the period.
        #[component(name = "cancel-at-period-end")]
        pub cancel_at_period_end: bool,
        /// When it will end, if that is set.
        #[component(name = "cancel-at")]
        pub cancel_at: Option<Timestamp>,
        /// End of the trial.
        #[component(name = "trial-end")]
        pub trial_end: Option<Timestamp>,
        /// Until when service goes on although a payment failed.
        #[component(name = "grace-end")]
        pub grace_end: Option<Timestamp>,
        /// The view that these values show.
        #[component(name = "snapshot")]
        pub snapshot: Snapshot,
        /// The extension's own data, as a JSON object.
        #[component(name = "metadata")]
        pub metadata: Json,
      }
      impl core::fmt::Debug for SubscriptionValues {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("SubscriptionValues").field("customer-id", &self.customer_id).field("status", &self.status).field("items", &self.items).field("cancel-at-period-end", &self.cancel_at_period_end).field("cancel-at", &self.cancel_at).field("trial-end", &self.trial_end).field("grace-end", &self.grace_end).field("snapshot", &self.snapshot).field("metadata", &self.metadata).finish()
        }
      }
      const _: () = {
        assert!(104 == <SubscriptionValues as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <SubscriptionValues as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A stored subscription.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Subscription {
        /// The payment source's id, or the extension's own if there is none.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// Values.
        #[component(name = "values")]
        pub values: SubscriptionValues,
        /// Rises by one with each change.
        #[component(name = "version")]
        pub version: RowVersion,
      }
      impl core::fmt::Debug for Subscription {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Subscription").field("id", &self.id).field("values", &self.values).field("version", &self.version).finish()
        }
      }
      const _: () = {
        assert!(120 == <Subscription as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Subscription as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Where a record is.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct RecordKey {
        /// Collection.
        #[component(name = "collection")]
        pub collection: wasmtime::component::__internal::String,
        /// Id; what it is scanned by goes first: `ledger/USD/…`.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
      }
      impl core::fmt::Debug for RecordKey {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("RecordKey").field("collection", &self.collection).field("id", &self.id).finish()
        }
      }
      const _: () = {
        assert!(16 == <RecordKey as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <RecordKey as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A stored record: a row of one of the extension's own collections.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct StoredRecord {
        /// Collection, as the manifest declares it.
        #[component(name = "collection")]
        pub collection: wasmtime::component::__internal::String,
        /// Id; what it is listed by goes first: `USD/…`.
        #[component(name = "id")]
        pub id: wasmtime::component::__internal::String,
        /// Value, a JSON object.
        #[component(name = "value")]
        pub value: Json,
        /// Rises by one with each change.
        #[component(name = "version")]
        pub version: RowVersion,
      }
      impl core::fmt::Debug for StoredRecord {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("StoredRecord").field("collection", &self.collection).field("id", &self.id).field("value", &self.value).field("version", &self.version).finish()
        }
      }
      const _: () = {
        assert!(32 == <StoredRecord as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <StoredRecord as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Which row of an account.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum RowKey{
        /// A product of the account, by its id.
        #[component(name = "product")] Product(wasmtime::component::__internal::String),
        /// A price, by the payment source's id; only in account `platform`.
        #[component(name = "price")] Price(wasmtime::component::__internal::String),
        /// A purchase, by its id.
        #[component(name = "purchase")] Purchase(wasmtime::component::__internal::String),
        /// A subscription, by its id.
        #[component(name = "subscription")] Subscription(wasmtime::component::__internal::String),
        /// A record, by its collection and id.
        #[component(name = "record")] Record(RecordKey),
      }
      impl core::fmt::Debug for RowKey {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            RowKey::Product(e) => {
              f.debug_tuple("RowKey::Product").field(e).finish()
            }
            RowKey::Price(e) => {
              f.debug_tuple("RowKey::Price").field(e).finish()
            }
            RowKey::Purchase(e) => {
              f.debug_tuple("RowKey::Purchase").field(e).finish()
            }
            RowKey::Subscription(e) => {
              f.debug_tuple("RowKey::Subscription").field(e).finish()
            }
            RowKey::Record(e) => {
              f.debug_tuple("RowKey::Record").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(20 == <RowKey as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <RowKey as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What kind of row.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum RowKind{
        /// Products of the account.
        #[component(name = "product")] Product,
        /// Prices; only in account `platform`.
        #[component(name = "price")] Price,
        /// Purchases.
        #[component(name = "purchase")] Purchase,
        /// Subscriptions.
        #[component(name = "subscription")] Subscription,
        /// Records of this collection.
        #[component(name = "record")] Record(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for RowKind {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            RowKind::Product => {
              f.debug_tuple("RowKind::Product").finish()
            }
            RowKind::Price => {
              f.debug_tuple("RowKind::Price").finish()
            }
            RowKind::Purchase => {
              f.debug_tuple("RowKind::Purchase").finish()
            }
            RowKind::Subscription => {
              f.debug_tuple("RowKind::Subscription").finish()
            }
            RowKind::Record(e) => {
              f.debug_tuple("RowKind::Record").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(12 == <RowKind as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <RowKind as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A row as it stands.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Row{
        /// A product, also one that was deleted softly.
        #[component(name = "product")] Product(Product),
        /// A price.
        #[component(name = "price")] Price(Price),
        /// A purchase.
        #[component(name = "purchase")] Purchase(Purchase),
        /// A subscription.
        #[component(name = "subscription")] Subscription(Subscription),
        /// A record.
        #[component(name = "record")] Record(StoredRecord),
      }
      impl core::fmt::Debug for Row {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Row::Product(e) => {
              f.debug_tuple("Row::Product").field(e).finish()
            }
            Row::Price(e) => {
              f.debug_tuple("Row::Price").field(e).finish()
            }
            Row::Purchase(e) => {
              f.debug_tuple("Row::Purchase").field(e).finish()
            }
            Row::Subscription(e) => {
              f.debug_tuple("Row::Subscription").field(e).finish()
            }
            Row::Record(e) => {
              f.debug_tuple("Row::Record").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(152 == <Row as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Row as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A row with the format that it was written in.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct StoredRow {
        /// `data-version` of the component that wrote it. Older ones are read, a newer one is a failure that names it.
        #[component(name = "data-version")]
        pub data_version: u32,
        /// What is stored.
        #[component(name = "row")]
        pub row: Row,
      }
      impl core::fmt::Debug for StoredRow {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("StoredRow").field("data-version", &self.data_version).field("row", &self.row).finish()
        }
      }
      const _: () = {
        assert!(160 == <StoredRow as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <StoredRow as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A configuration value, with its default applied.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum ConfigValue{
        /// Text.
        #[component(name = "text")] Text(wasmtime::component::__internal::String),
        /// Whole number.
        #[component(name = "integer")] Integer(i64),
        /// `true` or `false`.
        #[component(name = "boolean")] Boolean(bool),
        /// A secret: only its reference.
        #[component(name = "secret")] Secret(SecretRef),
      }
      impl core::fmt::Debug for ConfigValue {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            ConfigValue::Text(e) => {
              f.debug_tuple("ConfigValue::Text").field(e).finish()
            }
            ConfigValue::Integer(e) => {
              f.debug_tuple("ConfigValue::Integer").field(e).finish()
            }
            ConfigValue::Boolean(e) => {
              f.debug_tuple("ConfigValue::Boolean").field(e).finish()
            }
            ConfigValue::Secret(e) => {
              f.debug_tuple("ConfigValue::Secret").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(16 == <ConfigValue as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <ConfigValue as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Which part of the catalog or of the configuration.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum CatalogKey{
        /// A product of the catalog; product types and policies are products, too.
        #[component(name = "product")] Product(wasmtime::component::__internal::String),
        /// A price, by the payment source's id.
        #[component(name = "price")] Price(wasmtime::component::__internal::String),
        /// A configuration value, by the key that the manifest declares.
        #[component(name = "setting")] Setting(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for CatalogKey {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            CatalogKey::Product(e) => {
              f.debug_tuple("CatalogKey::Product").field(e).finish()
            }
            CatalogKey::Price(e) => {
              f.debug_tuple("CatalogKey::Price").field(e).finish()
            }
            CatalogKey::Setting(e) => {
              f.debug_tuple("CatalogKey::Setting").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(12 == <CatalogKey as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <CatalogKey as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A part of the catalog or of the configuration.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum CatalogRow{
        /// A product of the catalog.
        #[component(name = "product")] Product(Product),
        /// A price.
        #[component(name = "price")] Price(Price),
        /// A configuration value.
        #[component(name = "setting")] Setting(ConfigValue),
      }
      impl core::fmt::Debug for CatalogRow {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            CatalogRow::Product(e) => {
              f.debug_tuple("CatalogRow::Product").field(e).finish()
            }
            CatalogRow::Price(e) => {
              f.debug_tuple("CatalogRow::Price").field(e).finish()
            }
            CatalogRow::Setting(e) => {
              f.debug_tuple("CatalogRow::Setting").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(136 == <CatalogRow as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <CatalogRow as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What a row refers to. A host follows references without knowing what they mean.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Reference{
        /// Another row of the account: a payment its invoice, an invoice its subscription.
        #[component(name = "row")] Row(RowKey),
        /// A part of the catalog: a subscription its prices.
        #[component(name = "catalog")] Catalog(CatalogKey),
        /// A word that a product of the catalog is found by: its slug, a key that it grants.
        #[component(name = "name")] Name(wasmtime::component::__internal::String),
      }
      impl core::fmt::Debug for Reference {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Reference::Row(e) => {
              f.debug_tuple("Reference::Row").field(e).finish()
            }
            Reference::Catalog(e) => {
              f.debug_tuple("Reference::Catalog").field(e).finish()
            }
            Reference::Name(e) => {
              f.debug_tuple("Reference::Name").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(24 == <Reference as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Reference as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What a change writes.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Write{
        /// Values of a product.
        #[component(name = "product")] Product(ProductValues),
        /// A price; only by an event of `platform`. It has no version, so `expected` is not looked at.
        #[component(name = "price")] Price(Price),
        /// Values of a purchase.
        #[component(name = "purchase")] Purchase(PurchaseValues),
        /// Values of a subscription.
        #[component(name = "subscription")] Subscription(SubscriptionValues),
        /// Value of a record, a JSON object.
        #[component(name = "record")] Record(Json),
        /// Nothing remains: a product is deleted softly, a record is gone; other rows stay for ever.
        #[component(name = "remove")] Remove,
      }
      impl core::fmt::Debug for Write {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Write::Product(e) => {
              f.debug_tuple("Write::Product").field(e).finish()
            }
            Write::Price(e) => {
              f.debug_tuple("Write::Price").field(e).finish()
            }
            Write::Purchase(e) => {
              f.debug_tuple("Write::Purchase").field(e).finish()
            }
            Write::Subscription(e) => {
              f.debug_tuple("Write::Subscription").field(e).finish()
            }
            Write::Record(e) => {
              f.debug_tuple("Write::Record").field(e).finish()
            }
            Write::Remove => {
              f.debug_tuple("Write::Remove").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(136 == <Write as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Write as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// A change of one row.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Change {
        /// Which row.
        #[component(name = "key")]
        pub key: RowKey,
        /// Version that it was read at; 0 inserts.
        #[component(name = "expected")]
        pub expected: RowVersion,
        /// What becomes of it.
        #[component(name = "write")]
        pub write: Write,
        /// True while later events of the account must see it; `open` gives what is settled only by reference.
        #[component(name = "live")]
        pub live: bool,
        /// What it refers to, at most 32; replaces what it referred to before.
        #[component(name = "references")]
        pub references: wasmtime::component::__internal::Vec<Reference>,
        /// What it was brought in line with, if rows that are behind are to be found.
        #[component(name = "fingerprint")]
        pub fingerprint: Option<wasmtime::component::__internal::String>,
      }
      impl core::fmt::Debug for Change {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Change").field("key", &self.key).field("expected", &self.expected).field("write", &self.write).field("live", &self.live).field("references", &self.references).field("fingerprint", &self.fingerprint).finish()
        }
      }
      const _: () = {
        assert!(192 == <Change as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <Change as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub trait HostWithStore<T>: wasmtime::component::HasData {
      }
      impl<H: ?Sized, T> HostWithStore<T> for H
      where H: wasmtime::component::HasData
      {}
      pub trait Host:  {
      }
      impl <_T: Host + ?Sized > Host for &mut _T {
      }
      
      pub fn add_to_linker_instance<T, D>(
      inst: &mut wasmtime::component::LinkerInstance<'_, T>,
      
      
      host_getter: fn(&mut T) -> D::Data<'_>,
      ) -> wasmtime::Result<()>
      where
      D: HostWithStore<T>,
      for<'a> D::Data<'a>: Host,
      T: 'static ,
      {
        
        Ok(())
      }
      
      pub fn add_to_linker<T, D>(
      linker: &mut wasmtime::component::Linker<T>,
      
      host_getter: fn(&mut T) -> D::Data<'_>,
      ) -> wasmtime::Result<()>
      where
      D: HostWithStore<T>,
      for<'a> D::Data<'a>: Host,
      T: 'static ,
      {
        let mut inst = linker.instance("solobase:products/rows@0.2.0-dev")?;
        add_to_linker_instance::<T, D>(&mut inst, host_getter)
      }
      
      
    }
    
    
    #[allow(clippy::all)]
    pub mod account {
      #[allow(unused_imports)]
      use wasmtime::component::__internal::Box;
      
      pub type Account = super::super::super::solobase::products::types::Account;
      const _: () = {
        assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type ImportError = super::super::super::solobase::products::types::ImportError;
      const _: () = {
        assert!(16 == <ImportError as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <ImportError as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type Reference = super::super::super::solobase::products::rows::Reference;
      const _: () = {
        assert!(24 == <Reference as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Reference as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type RowKey = super::super::super::solobase::products::rows::RowKey;
      const _: () = {
        assert!(20 == <RowKey as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <RowKey as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type RowKind = super::super::super::solobase::products::rows::RowKind;
      const _: () = {
        assert!(12 == <RowKind as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <RowKind as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type StoredRow = super::super::super::solobase::products::rows::StoredRow;
      const _: () = {
        assert!(160 == <StoredRow as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <StoredRow as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub type CatalogRow = super::super::super::solobase::products::rows::CatalogRow;
      const _: () = {
        assert!(136 == <CatalogRow as wasmtime::component::ComponentType>::SIZE32);
        assert!(8 == <CatalogRow as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Whether an object bears a mark of ours: a price or a metadata key.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(enum)]
      #[derive(Clone, Copy, Eq, PartialEq)]
      #[repr(u8)]
      pub enum Mark {
        /// It does.
        #[component(name = "ours")]Ours,
        /// It names prices: it does if `names` lists one that the catalog has, else it is somebody else's.
        #[component(name = "by-prices")]ByPrices,
        /// It does not tell.
        #[component(name = "unknown")]Unknown,
      }
      impl core::fmt::Debug for Mark {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Mark::Ours => {
              f.debug_tuple("Mark::Ours").finish()
            }
            Mark::ByPrices => {
              f.debug_tuple("Mark::ByPrices").finish()
            }
            Mark::Unknown => {
              f.debug_tuple("Mark::Unknown").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(1 == <Mark as wasmtime::component::ComponentType>::SIZE32);
        assert!(1 == <Mark as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// How to find an event's account, and what the event is about. For an event whose envelope names the account, and
      /// for a question, only `names` counts.
      /// 
      /// Keys are those of the event's connected account, but for `connected-account:ID`, which says whose such an account
      /// is and stands with our own account's keys.
      /// 
      /// Else the account is the holder of the keys; keys of two holders are `rejected(inconsistent)`. Where nobody holds
      /// one it is `account`. Where there is none, what names prices that are not ours is `ignored(not-ours)`, and the rest
      /// is parked under its keys until one of them is claimed.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Placement {
        /// Claim keys, strongest first: ids that we made, then the payment source's.
        #[component(name = "keys")]
        pub keys: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
        /// What metadata says, on events of our own account at the payment source only; `platform` for what is the catalog's.
        #[component(name = "account")]
        pub account: Option<Account>,
        /// What tells that it is ours.
        #[component(name = "mark")]
        pub mark: Mark,
        /// Rows and parts of the catalog that the event names.
        #[component(name = "names")]
        pub names: wasmtime::component::__internal::Vec<Reference>,
      }
      impl core::fmt::Debug for Placement {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Placement").field("keys", &self.keys).field("account", &self.account).field("mark", &self.mark).field("names", &self.names).finish()
        }
      }
      const _: () = {
        assert!(36 == <Placement as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Placement as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// What matters of the account.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Here {
        /// Its name.
        #[component(name = "account")]
        pub account: Account,
        /// Live rows, the named ones, and up to 32 that are reached from them: from the named ones along references in
        /// both directions, from the live ones along their own.
        #[component(name = "rows")]
        pub rows: wasmtime::component::__internal::Vec<StoredRow>,
        /// What of the catalog the placement and these rows refer to.
        #[component(name = "catalog")]
        pub catalog: wasmtime::component::__internal::Vec<CatalogRow>,
        /// For each fact that was asked for, however old, whether it is noted.
        #[component(name = "facts")]
        pub facts: wasmtime::component::__internal::Vec<bool>,
      }
      impl core::fmt::Debug for Here {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Here").field("account", &self.account).field("rows", &self.rows).field("catalog", &self.catalog).field("facts", &self.facts).finish()
        }
      }
      const _: () = {
        assert!(36 == <Here as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Here as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Where the event belongs.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Opened{
        /// To this account.
        #[component(name = "here")] Here(Here),
        /// Nowhere for now: the host parks, ignores or rejects it, and what `handle` returns is not looked at.
        #[component(name = "elsewhere")] Elsewhere,
      }
      impl core::fmt::Debug for Opened {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Opened::Here(e) => {
              f.debug_tuple("Opened::Here").field(e).finish()
            }
            Opened::Elsewhere => {
              f.debug_tuple("Opened::Elsewhere").finish()
            }
          }
        }
      }
      const _: () = {
        assert!(40 == <Opened as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Opened as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Rows of a kind by their ids.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Listing {
        /// Which kind.
        #[component(name = "kind")]
        pub kind: RowKind,
        /// Only ids that begin with it.
        #[component(name = "prefix")]
        pub prefix: wasmtime::component::__internal::String,
        /// Greatest id first.
        #[component(name = "descending")]
        pub descending: bool,
        /// Start beyond this id.
        #[component(name = "after")]
        pub after: Option<wasmtime::component::__internal::String>,
      }
      impl core::fmt::Debug for Listing {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Listing").field("kind", &self.kind).field("prefix", &self.prefix).field("descending", &self.descending).field("after", &self.after).finish()
        }
      }
      const _: () = {
        assert!(36 == <Listing as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Listing as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Rows that are behind.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(record)]
      #[derive(Clone)]
      pub struct Outdated {
        /// Which kind.
        #[component(name = "kind")]
        pub kind: RowKind,
        /// Rows with any other fingerprint than this one.
        #[component(name = "fingerprint")]
        pub fingerprint: wasmtime::component::__internal::String,
      }
      impl core::fmt::Debug for Outdated {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          f.debug_struct("Outdated").field("kind", &self.kind).field("fingerprint", &self.fingerprint).finish()
        }
      }
      const _: () = {
        assert!(20 == <Outdated as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Outdated as wasmtime::component::ComponentType>::ALIGN32);
      };
      /// Which rows to give.
      #[derive(wasmtime::component::ComponentType)]
      #[derive(wasmtime::component::Lift)]
      #[derive(wasmtime::component::Lower)]
      #[component(variant)]
      #[derive(Clone)]
      pub enum Selection{
        /// Of a kind, without products that were deleted softly.
        #[component(name = "listed")] Listed(Listing),
        /// Those that are behind, least recently written first.
        #[component(name = "outdated")] Outdated(Outdated),
      }
      impl core::fmt::Debug for Selection {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
          match self {
            Selection::Listed(e) => {
              f.debug_tuple("Selection::Listed").field(e).finish()
            }
            Selection::Outdated(e) => {
              f.debug_tuple("Selection::Outdated").field(e).finish()
            }
          }
        }
      }
      const _: () = {
        assert!(40 == <Selection as wasmtime::component::ComponentType>::SIZE32);
        assert!(4 == <Selection as wasmtime::component::ComponentType>::ALIGN32);
      };
      pub trait HostWithStore<T>: wasmtime::component::HasData {
      }
      impl<H: ?Sized, T> HostWithStore<T> for H
      where H: wasmtime::component::HasData
      {}
      pub trait Host:  {
        /// Place the event and read what matters, once a call and before the other functions. At most 256 facts.
        fn open(&mut self, placement: Placement,facts: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<Opened,ImportError>>;
        /// Read rows by their keys.
        fn load(&mut self, keys: wasmtime::component::__internal::Vec<RowKey>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Option<StoredRow>>,ImportError>>;
        /// Read rows beyond those that `open` gave, at most `limit`.
        fn more(&mut self, selection: Selection,limit: u32,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<StoredRow>,ImportError>>;
        /// Whether each of these facts is noted.
        fn known(&mut self, facts: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<bool>,ImportError>>;
        /// Whether each of these effects has begun, ended or not, so that it can't be called off any more.
        fn begun(&mut self, effects: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<bool>,ImportError>>;
      }
      impl <_T: Host + ?Sized > Host for &mut _T {
        /// Place the event and read what matters, once a call and before the other functions. At most 256 facts.
        fn open(&mut self, placement: Placement,facts: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<Opened,ImportError>>{
          Host::open(*self,placement,facts,)}
          /// Read rows by their keys.
          fn load(&mut self, keys: wasmtime::component::__internal::Vec<RowKey>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Option<StoredRow>>,ImportError>>{
            Host::load(*self,keys,)}
            /// Read rows beyond those that `open` gave, at most `limit`.
            fn more(&mut self, selection: Selection,limit: u32,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<StoredRow>,ImportError>>{
              Host::more(*self,selection,limit,)}
              /// Whether each of these facts is noted.
              fn known(&mut self, facts: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<bool>,ImportError>>{
                Host::known(*self,facts,)}
                /// Whether each of these effects has begun, ended or not, so that it can't be called off any more.
                fn begun(&mut self, effects: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<bool>,ImportError>>{
                  Host::begun(*self,effects,)}
                }
                
                pub fn add_to_linker_instance<T, D>(
                inst: &mut wasmtime::component::LinkerInstance<'_, T>,
                
                
                host_getter: fn(&mut T) -> D::Data<'_>,
                ) -> wasmtime::Result<()>
                where
                D: HostWithStore<T>,
                for<'a> D::Data<'a>: Host,
                T: 'static ,
                {
                  
                  inst.func_wrap("open", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,arg1,) : (Placement, wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>, )| {
                    let host = &mut host_getter(caller.data_mut());
                    let r = Host::open(host, arg0,arg1,);
                    Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                  }
                  )?;
                  inst.func_wrap("load", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::Vec<RowKey>, )| {
                    let host = &mut host_getter(caller.data_mut());
                    let r = Host::load(host, arg0,);
                    Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                  }
                  )?;
                  inst.func_wrap("more", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,arg1,) : (Selection, u32, )| {
                    let host = &mut host_getter(caller.data_mut());
                    let r = Host::more(host, arg0,arg1,);
                    Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                  }
                  )?;
                  inst.func_wrap("known", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>, )| {
                    let host = &mut host_getter(caller.data_mut());
                    let r = Host::known(host, arg0,);
                    Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                  }
                  )?;
                  inst.func_wrap("begun", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>, )| {
                    let host = &mut host_getter(caller.data_mut());
                    let r = Host::begun(host, arg0,);
                    Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                  }
                  )?;
                  Ok(())
                }
                
                pub fn add_to_linker<T, D>(
                linker: &mut wasmtime::component::Linker<T>,
                
                host_getter: fn(&mut T) -> D::Data<'_>,
                ) -> wasmtime::Result<()>
                where
                D: HostWithStore<T>,
                for<'a> D::Data<'a>: Host,
                T: 'static ,
                {
                  let mut inst = linker.instance("solobase:products/account@0.2.0-dev")?;
                  add_to_linker_instance::<T, D>(&mut inst, host_getter)
                }
                
                
              }
              
              
              #[allow(clippy::all)]
              pub mod claims {
                #[allow(unused_imports)]
                use wasmtime::component::__internal::Box;
                
                pub type ImportError = super::super::super::solobase::products::types::ImportError;
                const _: () = {
                  assert!(16 == <ImportError as wasmtime::component::ComponentType>::SIZE32);
                  assert!(8 == <ImportError as wasmtime::component::ComponentType>::ALIGN32);
                };
                /// Where a key stands for this account at the event's time. Who else holds it is not told.
                #[derive(wasmtime::component::ComponentType)]
                #[derive(wasmtime::component::Lift)]
                #[derive(wasmtime::component::Lower)]
                #[component(enum)]
                #[derive(Clone, Copy, Eq, PartialEq)]
                #[repr(u8)]
                pub enum ClaimState {
                  /// This account holds it.
                  #[component(name = "mine")]Mine,
                  /// Nobody does: it is reserved, and taken if the decision says so.
                  #[component(name = "free")]Free,
                  /// Another account holds it.
                  #[component(name = "taken")]Taken,
                  /// Nobody may take it yet.
                  #[component(name = "blocked")]Blocked,
                }
                impl core::fmt::Debug for ClaimState {
                  fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    match self {
                      ClaimState::Mine => {
                        f.debug_tuple("ClaimState::Mine").finish()
                      }
                      ClaimState::Free => {
                        f.debug_tuple("ClaimState::Free").finish()
                      }
                      ClaimState::Taken => {
                        f.debug_tuple("ClaimState::Taken").finish()
                      }
                      ClaimState::Blocked => {
                        f.debug_tuple("ClaimState::Blocked").finish()
                      }
                    }
                  }
                }
                const _: () = {
                  assert!(1 == <ClaimState as wasmtime::component::ComponentType>::SIZE32);
                  assert!(1 == <ClaimState as wasmtime::component::ComponentType>::ALIGN32);
                };
                pub trait HostWithStore<T>: wasmtime::component::HasData {
                }
                impl<H: ?Sized, T> HostWithStore<T> for H
                where H: wasmtime::component::HasData
                {}
                pub trait Host:  {
                  /// Ask for keys.
                  fn take(&mut self, keys: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<ClaimState>,ImportError>>;
                  /// Keys that this account holds and that begin with `prefix`.
                  fn mine(&mut self, prefix: wasmtime::component::__internal::String,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,ImportError>>;
                }
                impl <_T: Host + ?Sized > Host for &mut _T {
                  /// Ask for keys.
                  fn take(&mut self, keys: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<ClaimState>,ImportError>>{
                    Host::take(*self,keys,)}
                    /// Keys that this account holds and that begin with `prefix`.
                    fn mine(&mut self, prefix: wasmtime::component::__internal::String,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,ImportError>>{
                      Host::mine(*self,prefix,)}
                    }
                    
                    pub fn add_to_linker_instance<T, D>(
                    inst: &mut wasmtime::component::LinkerInstance<'_, T>,
                    
                    
                    host_getter: fn(&mut T) -> D::Data<'_>,
                    ) -> wasmtime::Result<()>
                    where
                    D: HostWithStore<T>,
                    for<'a> D::Data<'a>: Host,
                    T: 'static ,
                    {
                      
                      inst.func_wrap("take", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>, )| {
                        let host = &mut host_getter(caller.data_mut());
                        let r = Host::take(host, arg0,);
                        Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                      }
                      )?;
                      inst.func_wrap("mine", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::String, )| {
                        let host = &mut host_getter(caller.data_mut());
                        let r = Host::mine(host, arg0,);
                        Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                      }
                      )?;
                      Ok(())
                    }
                    
                    pub fn add_to_linker<T, D>(
                    linker: &mut wasmtime::component::Linker<T>,
                    
                    host_getter: fn(&mut T) -> D::Data<'_>,
                    ) -> wasmtime::Result<()>
                    where
                    D: HostWithStore<T>,
                    for<'a> D::Data<'a>: Host,
                    T: 'static ,
                    {
                      let mut inst = linker.instance("solobase:products/claims@0.2.0-dev")?;
                      add_to_linker_instance::<T, D>(&mut inst, host_getter)
                    }
                    
                    
                  }
                  
                  
                  #[allow(clippy::all)]
                  pub mod catalog {
                    #[allow(unused_imports)]
                    use wasmtime::component::__internal::Box;
                    
                    pub type Page = super::super::super::solobase::products::types::Page;
                    const _: () = {
                      assert!(16 == <Page as wasmtime::component::ComponentType>::SIZE32);
                      assert!(4 == <Page as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    pub type ImportError = super::super::super::solobase::products::types::ImportError;
                    const _: () = {
                      assert!(16 == <ImportError as wasmtime::component::ComponentType>::SIZE32);
                      assert!(8 == <ImportError as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    pub type CatalogKey = super::super::super::solobase::products::rows::CatalogKey;
                    const _: () = {
                      assert!(12 == <CatalogKey as wasmtime::component::ComponentType>::SIZE32);
                      assert!(4 == <CatalogKey as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    pub type CatalogRow = super::super::super::solobase::products::rows::CatalogRow;
                    const _: () = {
                      assert!(136 == <CatalogRow as wasmtime::component::ComponentType>::SIZE32);
                      assert!(8 == <CatalogRow as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    pub type Product = super::super::super::solobase::products::rows::Product;
                    const _: () = {
                      assert!(128 == <Product as wasmtime::component::ComponentType>::SIZE32);
                      assert!(8 == <Product as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    /// What products are looked for by.
                    #[derive(wasmtime::component::ComponentType)]
                    #[derive(wasmtime::component::Lift)]
                    #[derive(wasmtime::component::Lower)]
                    #[component(variant)]
                    #[derive(Clone)]
                    pub enum CatalogQuery{
                      /// Nothing: all of them.
                      #[component(name = "all")] All,
                      /// A product type.
                      #[component(name = "product-type")] ProductType(wasmtime::component::__internal::String),
                      /// A name among their references.
                      #[component(name = "name")] Name(wasmtime::component::__internal::String),
                    }
                    impl core::fmt::Debug for CatalogQuery {
                      fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        match self {
                          CatalogQuery::All => {
                            f.debug_tuple("CatalogQuery::All").finish()
                          }
                          CatalogQuery::ProductType(e) => {
                            f.debug_tuple("CatalogQuery::ProductType").field(e).finish()
                          }
                          CatalogQuery::Name(e) => {
                            f.debug_tuple("CatalogQuery::Name").field(e).finish()
                          }
                        }
                      }
                    }
                    const _: () = {
                      assert!(12 == <CatalogQuery as wasmtime::component::ComponentType>::SIZE32);
                      assert!(4 == <CatalogQuery as wasmtime::component::ComponentType>::ALIGN32);
                    };
                    pub trait HostWithStore<T>: wasmtime::component::HasData {
                    }
                    impl<H: ?Sized, T> HostWithStore<T> for H
                    where H: wasmtime::component::HasData
                    {}
                    pub trait Host:  {
                      /// Read by key; none for what is not there, and for an optional setting without a value.
                      fn read(&mut self, keys: wasmtime::component::__internal::Vec<CatalogKey>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Option<CatalogRow>>,ImportError>>;
                      /// Read products in byte order of their ids, without those that were deleted softly.
                      fn find(&mut self, query: CatalogQuery,page: Page,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Product>,ImportError>>;
                    }
                    impl <_T: Host + ?Sized > Host for &mut _T {
                      /// Read by key; none for what is not there, and for an optional setting without a value.
                      fn read(&mut self, keys: wasmtime::component::__internal::Vec<CatalogKey>,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Option<CatalogRow>>,ImportError>>{
                        Host::read(*self,keys,)}
                        /// Read products in byte order of their ids, without those that were deleted softly.
                        fn find(&mut self, query: CatalogQuery,page: Page,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Product>,ImportError>>{
                          Host::find(*self,query,page,)}
                        }
                        
                        pub fn add_to_linker_instance<T, D>(
                        inst: &mut wasmtime::component::LinkerInstance<'_, T>,
                        
                        
                        host_getter: fn(&mut T) -> D::Data<'_>,
                        ) -> wasmtime::Result<()>
                        where
                        D: HostWithStore<T>,
                        for<'a> D::Data<'a>: Host,
                        T: 'static ,
                        {
                          
                          inst.func_wrap("read", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,) : (wasmtime::component::__internal::Vec<CatalogKey>, )| {
                            let host = &mut host_getter(caller.data_mut());
                            let r = Host::read(host, arg0,);
                            Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                          }
                          )?;
                          inst.func_wrap("find", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,arg1,) : (CatalogQuery, Page, )| {
                            let host = &mut host_getter(caller.data_mut());
                            let r = Host::find(host, arg0,arg1,);
                            Ok((wasmtime::ToWasmtimeResult::to_wasmtime_result(r)?,))
                          }
                          )?;
                          Ok(())
                        }
                        
                        pub fn add_to_linker<T, D>(
                        linker: &mut wasmtime::component::Linker<T>,
                        
                        host_getter: fn(&mut T) -> D::Data<'_>,
                        ) -> wasmtime::Result<()>
                        where
                        D: HostWithStore<T>,
                        for<'a> D::Data<'a>: Host,
                        T: 'static ,
                        {
                          let mut inst = linker.instance("solobase:products/catalog@0.2.0-dev")?;
                          add_to_linker_instance::<T, D>(&mut inst, host_getter)
                        }
                        
                        
                      }
                      
                      
                      #[allow(clippy::all)]
                      pub mod log {
                        #[allow(unused_imports)]
                        use wasmtime::component::__internal::Box;
                        
                        /// Severity.
                        #[derive(wasmtime::component::ComponentType)]
                        #[derive(wasmtime::component::Lift)]
                        #[derive(wasmtime::component::Lower)]
                        #[component(enum)]
                        #[derive(Clone, Copy, Eq, PartialEq)]
                        #[repr(u8)]
                        pub enum Level {
                          /// For developers.
                          #[component(name = "debug")]Debug,
                          /// Normal operation.
                          #[component(name = "info")]Info,
                          /// Needs attention.
                          #[component(name = "warn")]Warn,
                          /// Failed.
                          #[component(name = "error")]Error,
                        }
                        impl core::fmt::Debug for Level {
                          fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                            match self {
                              Level::Debug => {
                                f.debug_tuple("Level::Debug").finish()
                              }
                              Level::Info => {
                                f.debug_tuple("Level::Info").finish()
                              }
                              Level::Warn => {
                                f.debug_tuple("Level::Warn").finish()
                              }
                              Level::Error => {
                                f.debug_tuple("Level::Error").finish()
                              }
                            }
                          }
                        }
                        const _: () = {
                          assert!(1 == <Level as wasmtime::component::ComponentType>::SIZE32);
                          assert!(1 == <Level as wasmtime::component::ComponentType>::ALIGN32);
                        };
                        pub trait HostWithStore<T>: wasmtime::component::HasData {
                        }
                        impl<H: ?Sized, T> HostWithStore<T> for H
                        where H: wasmtime::component::HasData
                        {}
                        pub trait Host:  {
                          /// Write one entry; fields are pairs of name and value, without secrets.
                          fn write(&mut self, level: Level,message: wasmtime::component::__internal::String,fields: wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>,) -> wasmtime::Result<()>;
                        }
                        impl <_T: Host + ?Sized > Host for &mut _T {
                          /// Write one entry; fields are pairs of name and value, without secrets.
                          fn write(&mut self, level: Level,message: wasmtime::component::__internal::String,fields: wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>,) -> wasmtime::Result<()>{
                            Host::write(*self,level,message,fields,)}
                          }
                          
                          pub fn add_to_linker_instance<T, D>(
                          inst: &mut wasmtime::component::LinkerInstance<'_, T>,
                          
                          
                          host_getter: fn(&mut T) -> D::Data<'_>,
                          ) -> wasmtime::Result<()>
                          where
                          D: HostWithStore<T>,
                          for<'a> D::Data<'a>: Host,
                          T: 'static ,
                          {
                            
                            inst.func_wrap("write", move |mut caller: wasmtime::StoreContextMut<'_, T>, (arg0,arg1,arg2,) : (Level, wasmtime::component::__internal::String, wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>, )| {
                              let host = &mut host_getter(caller.data_mut());
                              let r = Host::write(host, arg0,arg1,arg2,);
                              wasmtime::ToWasmtimeResult::to_wasmtime_result(r)
                            }
                            )?;
                            Ok(())
                          }
                          
                          pub fn add_to_linker<T, D>(
                          linker: &mut wasmtime::component::Linker<T>,
                          
                          host_getter: fn(&mut T) -> D::Data<'_>,
                          ) -> wasmtime::Result<()>
                          where
                          D: HostWithStore<T>,
                          for<'a> D::Data<'a>: Host,
                          T: 'static ,
                          {
                            let mut inst = linker.instance("solobase:products/log@0.2.0-dev")?;
                            add_to_linker_instance::<T, D>(&mut inst, host_getter)
                          }
                          
                          
                        }
                        
                        
                        #[allow(clippy::all)]
                        pub mod effects {
                          #[allow(unused_imports)]
                          use wasmtime::component::__internal::Box;
                          
                          pub type Account = super::super::super::solobase::products::types::Account;
                          const _: () = {
                            assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
                            assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
                          };
                          pub type Json = super::super::super::solobase::products::types::Json;
                          const _: () = {
                            assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
                            assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
                          };
                          pub type Timestamp = super::super::super::solobase::products::types::Timestamp;
                          const _: () = {
                            assert!(8 == <Timestamp as wasmtime::component::ComponentType>::SIZE32);
                            assert!(8 == <Timestamp as wasmtime::component::ComponentType>::ALIGN32);
                          };
                          /// How often a passing failure is tried again, and when: there is one attempt more than delays.
                          #[derive(wasmtime::component::ComponentType)]
                          #[derive(wasmtime::component::Lift)]
                          #[derive(wasmtime::component::Lower)]
                          #[component(record)]
                          #[derive(Clone)]
                          pub struct RetryPolicy {
                            /// The wait after each failed attempt; at most 20.
                            #[component(name = "delays-ms")]
                            pub delays_ms: wasmtime::component::__internal::Vec<u32>,
                          }
                          impl core::fmt::Debug for RetryPolicy {
                            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                              f.debug_struct("RetryPolicy").field("delays-ms", &self.delays_ms).finish()
                            }
                          }
                          const _: () = {
                            assert!(8 == <RetryPolicy as wasmtime::component::ComponentType>::SIZE32);
                            assert!(4 == <RetryPolicy as wasmtime::component::ComponentType>::ALIGN32);
                          };
                          /// An effect to enqueue.
                          #[derive(wasmtime::component::ComponentType)]
                          #[derive(wasmtime::component::Lift)]
                          #[derive(wasmtime::component::Lower)]
                          #[component(record)]
                          #[derive(Clone)]
                          pub struct Effect {
                            /// Resource and verb: `database.ensure`, `mail.send`, `stripe.retrieve`. A `timer.at` comes back as an event at
                            /// its not-before time, an `account.send` arrives once at the account in `to`, a `payment.event` comes in as an
                            /// event of the payment source and is placed anew (its payload: `id`, `type`, `date_ms`, `object`); adapters do the rest.
                            /// An `account.erase` (payload `{}`) has the host erase what the account's events and effects said that are
                            /// through by then: ids, amounts, times and rows stay, and no event follows.
                            #[component(name = "kind")]
                            pub kind: wasmtime::component::__internal::String,
                            /// Receiver of an `account.send`.
                            #[component(name = "to")]
                            pub to: Option<Account>,
                            /// Idempotency key: the same key and generation again does nothing. Providers get both.
                            #[component(name = "key")]
                            pub key: wasmtime::component::__internal::String,
                            /// Rises when the wish changes; replaces an older one that has not started.
                            #[component(name = "generation")]
                            pub generation: u32,
                            /// Arguments; secrets by reference only.
                            #[component(name = "payload")]
                            pub payload: Json,
                            /// The extension's own, a JSON value: comes back with the result, and no provider sees it.
                            #[component(name = "context")]
                            pub context: Json,
                            /// Caller who waits for the end of it: `reply-to` of the command.
                            #[component(name = "reply-to")]
                            pub reply_to: Option<wasmtime::component::__internal::String>,
                            /// Effects of the account with the same one run one by one, in order.
                            #[component(name = "ordering-key")]
                            pub ordering_key: Option<wasmtime::component::__internal::String>,
                            /// Earliest start; none is at once. A timer needs one.
                            #[component(name = "not-before")]
                            pub not_before: Option<Timestamp>,
                            /// When the host gives up with `timed-out`; none is never.
                            #[component(name = "deadline")]
                            pub deadline: Option<Timestamp>,
                            /// Retries; none is as declared for the kind.
                            #[component(name = "retry")]
                            pub retry: Option<RetryPolicy>,
                          }
                          impl core::fmt::Debug for Effect {
                            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                              f.debug_struct("Effect").field("kind", &self.kind).field("to", &self.to).field("key", &self.key).field("generation", &self.generation).field("payload", &self.payload).field("context", &self.context).field("reply-to", &self.reply_to).field("ordering-key", &self.ordering_key).field("not-before", &self.not_before).field("deadline", &self.deadline).field("retry", &self.retry).finish()
                            }
                          }
                          const _: () = {
                            assert!(128 == <Effect as wasmtime::component::ComponentType>::SIZE32);
                            assert!(8 == <Effect as wasmtime::component::ComponentType>::ALIGN32);
                          };
                          pub trait HostWithStore<T>: wasmtime::component::HasData {
                          }
                          impl<H: ?Sized, T> HostWithStore<T> for H
                          where H: wasmtime::component::HasData
                          {}
                          pub trait Host:  {
                          }
                          impl <_T: Host + ?Sized > Host for &mut _T {
                          }
                          
                          pub fn add_to_linker_instance<T, D>(
                          inst: &mut wasmtime::component::LinkerInstance<'_, T>,
                          
                          
                          host_getter: fn(&mut T) -> D::Data<'_>,
                          ) -> wasmtime::Result<()>
                          where
                          D: HostWithStore<T>,
                          for<'a> D::Data<'a>: Host,
                          T: 'static ,
                          {
                            
                            Ok(())
                          }
                          
                          pub fn add_to_linker<T, D>(
                          linker: &mut wasmtime::component::Linker<T>,
                          
                          host_getter: fn(&mut T) -> D::Data<'_>,
                          ) -> wasmtime::Result<()>
                          where
                          D: HostWithStore<T>,
                          for<'a> D::Data<'a>: Host,
                          T: 'static ,
                          {
                            let mut inst = linker.instance("solobase:products/effects@0.2.0-dev")?;
                            add_to_linker_instance::<T, D>(&mut inst, host_getter)
                          }
                          
                          
                        }
                        
                      }
                    }
                    pub mod exports {
                      pub mod solobase {
                        pub mod products {
                          
                          #[allow(clippy::all)]
                          pub mod manifest {
                            #[allow(unused_imports)]
                            use wasmtime::component::__internal::Box;
                            
                            pub type Json = super::super::super::super::solobase::products::types::Json;
                            const _: () = {
                              assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type RetryPolicy = super::super::super::super::solobase::products::effects::RetryPolicy;
                            const _: () = {
                              assert!(8 == <RetryPolicy as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <RetryPolicy as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A product type that the extension brings along; a catalog may define more.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct TypeDecl {
                              /// Name.
                              #[component(name = "name")]
                              pub name: wasmtime::component::__internal::String,
                              /// JSON Schema of the metadata.
                              #[component(name = "schema")]
                              pub schema: Json,
                              /// Behaviour.
                              #[component(name = "behaviour")]
                              pub behaviour: Json,
                            }
                            impl core::fmt::Debug for TypeDecl {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("TypeDecl").field("name", &self.name).field("schema", &self.schema).field("behaviour", &self.behaviour).finish()
                              }
                            }
                            const _: () = {
                              assert!(24 == <TypeDecl as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <TypeDecl as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// An effect kind for adapters.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct EffectDecl {
                              /// Kind, for example `bucket.ensure`.
                              #[component(name = "kind")]
                              pub kind: wasmtime::component::__internal::String,
                              /// JSON Schema of the payload.
                              #[component(name = "payload-schema")]
                              pub payload_schema: Json,
                              /// JSON Schema of the result.
                              #[component(name = "result-schema")]
                              pub result_schema: Json,
                              /// Retries unless the effect says otherwise.
                              #[component(name = "retry")]
                              pub retry: RetryPolicy,
                            }
                            impl core::fmt::Debug for EffectDecl {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("EffectDecl").field("kind", &self.kind).field("payload-schema", &self.payload_schema).field("result-schema", &self.result_schema).field("retry", &self.retry).finish()
                              }
                            }
                            const _: () = {
                              assert!(32 == <EffectDecl as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <EffectDecl as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A command that the host offers in its API.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct CommandDecl {
                              /// Event kind, for example `instance.create`.
                              #[component(name = "kind")]
                              pub kind: wasmtime::component::__internal::String,
                              /// JSON Schema of the payload.
                              #[component(name = "schema")]
                              pub schema: Json,
                            }
                            impl core::fmt::Debug for CommandDecl {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("CommandDecl").field("kind", &self.kind).field("schema", &self.schema).finish()
                              }
                            }
                            const _: () = {
                              assert!(16 == <CommandDecl as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <CommandDecl as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Type of a configuration value.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(enum)]
                            #[derive(Clone, Copy, Eq, PartialEq)]
                            #[repr(u8)]
                            pub enum ConfigType {
                              /// Text.
                              #[component(name = "text")]Text,
                              /// Whole number.
                              #[component(name = "integer")]Integer,
                              /// Truth value.
                              #[component(name = "boolean")]Boolean,
                              /// Text that the component sees as a reference only.
                              #[component(name = "secret")]Secret,
                            }
                            impl core::fmt::Debug for ConfigType {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  ConfigType::Text => {
                                    f.debug_tuple("ConfigType::Text").finish()
                                  }
                                  ConfigType::Integer => {
                                    f.debug_tuple("ConfigType::Integer").finish()
                                  }
                                  ConfigType::Boolean => {
                                    f.debug_tuple("ConfigType::Boolean").finish()
                                  }
                                  ConfigType::Secret => {
                                    f.debug_tuple("ConfigType::Secret").finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(1 == <ConfigType as wasmtime::component::ComponentType>::SIZE32);
                              assert!(1 == <ConfigType as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A configuration key.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct ConfigDecl {
                              /// Key, for example `aws_region`.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Type.
                              #[component(name = "value-type")]
                              pub value_type: ConfigType,
                              /// True if the host must not start without it.
                              #[component(name = "required")]
                              pub required: bool,
                              /// Default.
                              #[component(name = "default-value")]
                              pub default_value: Option<wasmtime::component::__internal::String>,
                              /// Environment variable that supplies it.
                              #[component(name = "env")]
                              pub env: Option<wasmtime::component::__internal::String>,
                              /// For operators.
                              #[component(name = "description")]
                              pub description: wasmtime::component::__internal::String,
                            }
                            impl core::fmt::Debug for ConfigDecl {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("ConfigDecl").field("key", &self.key).field("value-type", &self.value_type).field("required", &self.required).field("default-value", &self.default_value).field("env", &self.env).field("description", &self.description).finish()
                              }
                            }
                            const _: () = {
                              assert!(44 == <ConfigDecl as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <ConfigDecl as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Everything the extension declares.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Declarations {
                              /// Name, for example `instance-provisioner`.
                              #[component(name = "name")]
                              pub name: wasmtime::component::__internal::String,
                              /// Semantic version.
                              #[component(name = "version")]
                              pub version: wasmtime::component::__internal::String,
                              /// Version of the data it writes; one that is older than the account's is refused.
                              #[component(name = "data-version")]
                              pub data_version: u32,
                              /// Product types.
                              #[component(name = "product-types")]
                              pub product_types: wasmtime::component::__internal::Vec<TypeDecl>,
                              /// Collections of `records`.
                              #[component(name = "collections")]
                              pub collections: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
                              /// Event kinds of the payment source that it wants; others are ignored without a call.
                              #[component(name = "payment-kinds")]
                              pub payment_kinds: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
                              /// Commands.
                              #[component(name = "commands")]
                              pub commands: wasmtime::component::__internal::Vec<CommandDecl>,
                              /// Effect kinds.
                              #[component(name = "effects")]
                              pub effects: wasmtime::component::__internal::Vec<EffectDecl>,
                              /// Configuration.
                              #[component(name = "config")]
                              pub config: wasmtime::component::__internal::Vec<ConfigDecl>,
                            }
                            impl core::fmt::Debug for Declarations {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Declarations").field("name", &self.name).field("version", &self.version).field("data-version", &self.data_version).field("product-types", &self.product_types).field("collections", &self.collections).field("payment-kinds", &self.payment_kinds).field("commands", &self.commands).field("effects", &self.effects).field("config", &self.config).finish()
                              }
                            }
                            const _: () = {
                              assert!(68 == <Declarations as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Declarations as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            #[derive(Clone)]
                            pub struct Guest {
                              declare: wasmtime::component::Func,
                            }
                            #[derive(Clone)]
                            pub struct GuestIndices {
                              declare: wasmtime::component::ComponentExportIndex,
                            }
                            impl GuestIndices {
                              
                              /// Constructor for [`GuestIndices`] which takes a
                              /// [`Component`](wasmtime::component::Component) as input and can be executed
                              /// before instantiation.
                              ///
                              /// This constructor can be used to front-load string lookups to find exports
                              /// within a component.
                              pub fn new<_T>(
                              _instance_pre: &wasmtime::component::InstancePre<_T>,
                              ) -> wasmtime::Result<GuestIndices> {
                                let instance = _instance_pre.component().get_export_index(None, "solobase:products/manifest@0.2.0-dev")
                                .ok_or_else(|| wasmtime::format_err!("no exported instance named `solobase:products/manifest@0.2.0-dev`"))?;
                                let mut lookup = move |name: &str| {
                                  _instance_pre.component().get_export_index(Some(&instance), name).ok_or_else(|| {
                                    wasmtime::format_err!(
                                    "instance export `solobase:products/manifest@0.2.0-dev` does \
                                    not have export `{name}`"
                                    )
                                  })
                                };
                                let _ = &mut lookup;
                                let declare = lookup("declare")?;
                                Ok(GuestIndices {
                                  declare,
                                })
                              }
                              
                              pub fn load(
                              &self,
                              mut store: impl wasmtime::AsContextMut,
                              instance: &wasmtime::component::Instance,
                              ) -> wasmtime::Result<Guest> {
                                let _instance = instance;
                                let _instance_pre = _instance.instance_pre(&store);
                                let _instance_type = _instance_pre.instance_type();
                                let mut store = store.as_context_mut();
                                let _ = &mut store;
                                let declare = *_instance.get_typed_func::<(), (Declarations, )>(&mut store, &self.declare)?.func();
                                Ok(Guest {
                                  declare,
                                })
                              }
                            }
                            impl Guest {
                              pub fn func_declare(&self) -> wasmtime::component::TypedFunc<(), (Declarations, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(), (Declarations, )>::new_unchecked(self.declare)
                                }
                              }
                              /// The declarations.
                              pub  fn call_declare<S: wasmtime::AsContextMut>(&self, mut store: S, ) -> wasmtime::Result<Declarations>{
                                let callee = self.func_declare();
                                let (ret0,) = callee.call(store.as_context_mut(), ())?;
                                Ok(ret0)
                              }
                            }
                            
                          }
                          
                          
                          #[allow(clippy::all)]
                          pub mod schemas {
                            #[allow(unused_imports)]
                            use wasmtime::component::__internal::Box;
                            
                            pub type ActorKind = super::super::super::super::solobase::products::types::ActorKind;
                            const _: () = {
                              assert!(1 == <ActorKind as wasmtime::component::ComponentType>::SIZE32);
                              assert!(1 == <ActorKind as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Problem = super::super::super::super::solobase::products::types::Problem;
                            const _: () = {
                              assert!(56 == <Problem as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Problem as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type ProductValues = super::super::super::super::solobase::products::rows::ProductValues;
                            const _: () = {
                              assert!(88 == <ProductValues as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <ProductValues as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A product that somebody wants to store.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Candidate {
                              /// Who wants it: fields differ in who may set them.
                              #[component(name = "by")]
                              pub by: ActorKind,
                              /// The stored values, for a change.
                              #[component(name = "current")]
                              pub current: Option<ProductValues>,
                              /// The proposed values.
                              #[component(name = "proposed")]
                              pub proposed: ProductValues,
                            }
                            impl core::fmt::Debug for Candidate {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Candidate").field("by", &self.by).field("current", &self.current).field("proposed", &self.proposed).finish()
                              }
                            }
                            const _: () = {
                              assert!(192 == <Candidate as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Candidate as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            #[derive(Clone)]
                            pub struct Guest {
                              validate: wasmtime::component::Func,
                            }
                            #[derive(Clone)]
                            pub struct GuestIndices {
                              validate: wasmtime::component::ComponentExportIndex,
                            }
                            impl GuestIndices {
                              
                              /// Constructor for [`GuestIndices`] which takes a
                              /// [`Component`](wasmtime::component::Component) as input and can be executed
                              /// before instantiation.
                              ///
                              /// This constructor can be used to front-load string lookups to find exports
                              /// within a component.
                              pub fn new<_T>(
                              _instance_pre: &wasmtime::component::InstancePre<_T>,
                              ) -> wasmtime::Result<GuestIndices> {
                                let instance = _instance_pre.component().get_export_index(None, "solobase:products/schemas@0.2.0-dev")
                                .ok_or_else(|| wasmtime::format_err!("no exported instance named `solobase:products/schemas@0.2.0-dev`"))?;
                                let mut lookup = move |name: &str| {
                                  _instance_pre.component().get_export_index(Some(&instance), name).ok_or_else(|| {
                                    wasmtime::format_err!(
                                    "instance export `solobase:products/schemas@0.2.0-dev` does \
                                    not have export `{name}`"
                                    )
                                  })
                                };
                                let _ = &mut lookup;
                                let validate = lookup("validate")?;
                                Ok(GuestIndices {
                                  validate,
                                })
                              }
                              
                              pub fn load(
                              &self,
                              mut store: impl wasmtime::AsContextMut,
                              instance: &wasmtime::component::Instance,
                              ) -> wasmtime::Result<Guest> {
                                let _instance = instance;
                                let _instance_pre = _instance.instance_pre(&store);
                                let _instance_type = _instance_pre.instance_type();
                                let mut store = store.as_context_mut();
                                let _ = &mut store;
                                let validate = *_instance.get_typed_func::<(&Candidate, ), (Result<ProductValues,Problem>, )>(&mut store, &self.validate)?.func();
                                Ok(Guest {
                                  validate,
                                })
                              }
                            }
                            impl Guest {
                              pub fn func_validate(&self) -> wasmtime::component::TypedFunc<(&Candidate, ), (Result<ProductValues,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Candidate, ), (Result<ProductValues,Problem>, )>::new_unchecked(self.validate)
                                }
                              }
                              /// Check type, fields and who may set them; returns the values with defaults. Quotas and claims are for `handle`.
                              pub  fn call_validate<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Candidate,) -> wasmtime::Result<Result<ProductValues,Problem>>{
                                let callee = self.func_validate();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, ))?;
                                Ok(ret0)
                              }
                            }
                            
                          }
                          
                          
                          #[allow(clippy::all)]
                          pub mod events {
                            #[allow(unused_imports)]
                            use wasmtime::component::__internal::Box;
                            
                            pub type Account = super::super::super::super::solobase::products::types::Account;
                            const _: () = {
                              assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Actor = super::super::super::super::solobase::products::types::Actor;
                            const _: () = {
                              assert!(20 == <Actor as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Actor as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Json = super::super::super::super::solobase::products::types::Json;
                            const _: () = {
                              assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Timestamp = super::super::super::super::solobase::products::types::Timestamp;
                            const _: () = {
                              assert!(8 == <Timestamp as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Timestamp as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Refusal = super::super::super::super::solobase::products::types::Refusal;
                            const _: () = {
                              assert!(48 == <Refusal as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Refusal as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Failure = super::super::super::super::solobase::products::types::Failure;
                            const _: () = {
                              assert!(24 == <Failure as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Failure as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Product = super::super::super::super::solobase::products::rows::Product;
                            const _: () = {
                              assert!(128 == <Product as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Product as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Snapshot = super::super::super::super::solobase::products::rows::Snapshot;
                            const _: () = {
                              assert!(24 == <Snapshot as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Snapshot as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Change = super::super::super::super::solobase::products::rows::Change;
                            const _: () = {
                              assert!(192 == <Change as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Change as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Effect = super::super::super::super::solobase::products::effects::Effect;
                            const _: () = {
                              assert!(128 == <Effect as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Effect as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Facts about an event or an answer of the payment source, as the host read them; none where a fact was absent.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct PaymentFacts {
                              /// Payment source, `stripe`.
                              #[component(name = "source")]
                              pub source: wasmtime::component::__internal::String,
                              /// The source's time: an event's `created`, an answer's date.
                              #[component(name = "time")]
                              pub time: Option<Timestamp>,
                              /// API version that shapes the object.
                              #[component(name = "api-version")]
                              pub api_version: Option<wasmtime::component::__internal::String>,
                              /// Name of the secret that the signature matched; none for an answer.
                              #[component(name = "matched-secret")]
                              pub matched_secret: Option<wasmtime::component::__internal::String>,
                              /// Connected account, `acct_…`.
                              #[component(name = "connected-account")]
                              pub connected_account: Option<wasmtime::component::__internal::String>,
                              /// Idempotency key of the causing request: ours or not.
                              #[component(name = "request-key")]
                              pub request_key: Option<wasmtime::component::__internal::String>,
                              /// Id of the classic event whose thin twin this is.
                              #[component(name = "snapshot-event")]
                              pub snapshot_event: Option<wasmtime::component::__internal::String>,
                            }
                            impl core::fmt::Debug for PaymentFacts {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("PaymentFacts").field("source", &self.source).field("time", &self.time).field("api-version", &self.api_version).field("matched-secret", &self.matched_secret).field("connected-account", &self.connected_account).field("request-key", &self.request_key).field("snapshot-event", &self.snapshot_event).finish()
                              }
                            }
                            const _: () = {
                              assert!(88 == <PaymentFacts as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <PaymentFacts as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A product that somebody else changed: none before means created, none after deleted.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct ProductChange {
                              /// As it was.
                              #[component(name = "before")]
                              pub before: Option<Product>,
                              /// As it is.
                              #[component(name = "after")]
                              pub after: Option<Product>,
                            }
                            impl core::fmt::Debug for ProductChange {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("ProductChange").field("before", &self.before).field("after", &self.after).finish()
                              }
                            }
                            const _: () = {
                              assert!(272 == <ProductChange as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <ProductChange as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// One measurement.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Usage {
                              /// Identity within the account and meter.
                              #[component(name = "id")]
                              pub id: wasmtime::component::__internal::String,
                              /// Meter, for example `tokens` or `executions`.
                              #[component(name = "meter")]
                              pub meter: wasmtime::component::__internal::String,
                              /// Amount in the meter's unit.
                              #[component(name = "quantity")]
                              pub quantity: i64,
                              /// When it was used.
                              #[component(name = "at")]
                              pub at: Timestamp,
                              /// What the cost depends on, for example `model`.
                              #[component(name = "attributes")]
                              pub attributes: wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>,
                            }
                            impl core::fmt::Debug for Usage {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Usage").field("id", &self.id).field("meter", &self.meter).field("quantity", &self.quantity).field("at", &self.at).field("attributes", &self.attributes).finish()
                              }
                            }
                            const _: () = {
                              assert!(40 == <Usage as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Usage as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A timer or a message that arrived.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Delivery {
                              /// Account that enqueued it; for a timer this one.
                              #[component(name = "sender")]
                              pub sender: Account,
                              /// Key of the effect.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Its generation.
                              #[component(name = "generation")]
                              pub generation: u32,
                              /// Its payload.
                              #[component(name = "payload")]
                              pub payload: Json,
                            }
                            impl core::fmt::Debug for Delivery {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Delivery").field("sender", &self.sender).field("key", &self.key).field("generation", &self.generation).field("payload", &self.payload).finish()
                              }
                            }
                            const _: () = {
                              assert!(32 == <Delivery as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Delivery as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Class of a failed effect.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(enum)]
                            #[derive(Clone, Copy, Eq, PartialEq)]
                            #[repr(u8)]
                            pub enum EffectFailureClass {
                              /// A passing failure outlasted the retries.
                              #[component(name = "transient")]Transient,
                              /// The other side refused; trying again cannot help.
                              #[component(name = "final")]Final,
                              /// The deadline passed; what was done is not known.
                              #[component(name = "timed-out")]TimedOut,
                            }
                            impl core::fmt::Debug for EffectFailureClass {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  EffectFailureClass::Transient => {
                                    f.debug_tuple("EffectFailureClass::Transient").finish()
                                  }
                                  EffectFailureClass::Final => {
                                    f.debug_tuple("EffectFailureClass::Final").finish()
                                  }
                                  EffectFailureClass::TimedOut => {
                                    f.debug_tuple("EffectFailureClass::TimedOut").finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(1 == <EffectFailureClass as wasmtime::component::ComponentType>::SIZE32);
                              assert!(1 == <EffectFailureClass as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A failed effect.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct EffectFailure {
                              /// Class.
                              #[component(name = "class")]
                              pub class: EffectFailureClass,
                              /// The adapter's code, for programs.
                              #[component(name = "code")]
                              pub code: wasmtime::component::__internal::String,
                              /// For operators; without secrets.
                              #[component(name = "message")]
                              pub message: wasmtime::component::__internal::String,
                            }
                            impl core::fmt::Debug for EffectFailure {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("EffectFailure").field("class", &self.class).field("code", &self.code).field("message", &self.message).finish()
                              }
                            }
                            const _: () = {
                              assert!(20 == <EffectFailure as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <EffectFailure as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A finished effect.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct EffectReport {
                              /// Its key.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Its generation.
                              #[component(name = "generation")]
                              pub generation: u32,
                              /// Attempts that were made.
                              #[component(name = "attempts")]
                              pub attempts: u32,
                              /// The effect's own context.
                              #[component(name = "context")]
                              pub context: Json,
                              /// The adapter's result, secrets as references, or why there is none.
                              #[component(name = "answer")]
                              pub answer: Result<Json,EffectFailure>,
                            }
                            impl core::fmt::Debug for EffectReport {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("EffectReport").field("key", &self.key).field("generation", &self.generation).field("attempts", &self.attempts).field("context", &self.context).field("answer", &self.answer).finish()
                              }
                            }
                            const _: () = {
                              assert!(48 == <EffectReport as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <EffectReport as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// What happened. Typed where the host makes the value or volume matters; JSON or bytes where the shape belongs to
                            /// somebody else or to the extension, so that a new command, effect or field of the payment source needs no new contract.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(variant)]
                            #[derive(Clone)]
                            pub enum Payload{
                              /// The whole body of the payment source, byte for byte as signed: nobody has checked that it is JSON, the component
                              /// decides what a broken one means. Read it once, into a struct that borrows.
                              #[component(name = "payment")] Payment(wasmtime::component::__internal::Vec<u8>),
                              /// A change of a product: typed, the host has the rows.
                              #[component(name = "product")] Product(ProductChange),
                              /// A request of the API, by the schema declared for its kind.
                              #[component(name = "command")] Command(Json),
                              /// Measurements, many at a time: the largest stream, so typed.
                              #[component(name = "usage")] Usage(wasmtime::component::__internal::Vec<Usage>),
                              /// A timer; its payload is the extension's own.
                              #[component(name = "timer")] Timer(Delivery),
                              /// A message from another account; likewise.
                              #[component(name = "message")] Message(Delivery),
                              /// The end of an effect; the answer by the schema of its kind.
                              #[component(name = "effect-result")] EffectResult(EffectReport),
                            }
                            impl core::fmt::Debug for Payload {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  Payload::Payment(e) => {
                                    f.debug_tuple("Payload::Payment").field(e).finish()
                                  }
                                  Payload::Product(e) => {
                                    f.debug_tuple("Payload::Product").field(e).finish()
                                  }
                                  Payload::Command(e) => {
                                    f.debug_tuple("Payload::Command").field(e).finish()
                                  }
                                  Payload::Usage(e) => {
                                    f.debug_tuple("Payload::Usage").field(e).finish()
                                  }
                                  Payload::Timer(e) => {
                                    f.debug_tuple("Payload::Timer").field(e).finish()
                                  }
                                  Payload::Message(e) => {
                                    f.debug_tuple("Payload::Message").field(e).finish()
                                  }
                                  Payload::EffectResult(e) => {
                                    f.debug_tuple("Payload::EffectResult").field(e).finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(280 == <Payload as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Payload as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// The envelope, the same for all.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Event {
                              /// Unique within business and source. It comes until an outcome other than `deferred` commits; after that only
                              /// if an operator drives a rejected one again.
                              #[component(name = "id")]
                              pub id: wasmtime::component::__internal::String,
                              /// Origin: an intake (`stripe`, `api`; `business` for facts of its own) or `products`, `timer`, `message`, `effects`.
                              #[component(name = "source")]
                              pub source: wasmtime::component::__internal::String,
                              /// The payment source's (`invoice.paid`), `product.created`, a command's, an effect's.
                              #[component(name = "kind")]
                              pub kind: wasmtime::component::__internal::String,
                              /// Business whose catalog, configuration and data apply.
                              #[component(name = "business")]
                              pub business: wasmtime::component::__internal::String,
                              /// Where the envelope names it; none for an event of the payment source, which `account.open` places.
                              #[component(name = "account")]
                              pub account: Option<Account>,
                              /// Mode: as an event of the payment source says, none if it does not; else the host's.
                              #[component(name = "livemode")]
                              pub livemode: Option<bool>,
                              /// When it was stored: the time of all that it causes.
                              #[component(name = "received-at")]
                              pub received_at: Timestamp,
                              /// From 1; for the log, never for a decision.
                              #[component(name = "attempt")]
                              pub attempt: u32,
                              /// Who caused it.
                              #[component(name = "actor")]
                              pub actor: Actor,
                              /// Who waits: the caller of a command or of what its effect reports.
                              #[component(name = "reply-to")]
                              pub reply_to: Option<wasmtime::component::__internal::String>,
                              /// The payment source's view; none for an event that is not from it.
                              #[component(name = "payment")]
                              pub payment: Option<PaymentFacts>,
                              /// What happened.
                              #[component(name = "payload")]
                              pub payload: Payload,
                            }
                            impl core::fmt::Debug for Event {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Event").field("id", &self.id).field("source", &self.source).field("kind", &self.kind).field("business", &self.business).field("account", &self.account).field("livemode", &self.livemode).field("received-at", &self.received_at).field("attempt", &self.attempt).field("actor", &self.actor).field("reply-to", &self.reply_to).field("payment", &self.payment).field("payload", &self.payload).finish()
                              }
                            }
                            const _: () = {
                              assert!(480 == <Event as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Event as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Why an event is none of our business.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(enum)]
                            #[derive(Clone, Copy, Eq, PartialEq)]
                            #[repr(u8)]
                            pub enum IgnoreReason {
                              /// Its kind is not handled.
                              #[component(name = "unhandled-kind")]UnhandledKind,
                              /// It is about nothing that this business sells.
                              #[component(name = "not-ours")]NotOurs,
                              /// Test mode on a live host, or the reverse.
                              #[component(name = "wrong-mode")]WrongMode,
                              /// It says what is already so.
                              #[component(name = "no-change")]NoChange,
                            }
                            impl core::fmt::Debug for IgnoreReason {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  IgnoreReason::UnhandledKind => {
                                    f.debug_tuple("IgnoreReason::UnhandledKind").finish()
                                  }
                                  IgnoreReason::NotOurs => {
                                    f.debug_tuple("IgnoreReason::NotOurs").finish()
                                  }
                                  IgnoreReason::WrongMode => {
                                    f.debug_tuple("IgnoreReason::WrongMode").finish()
                                  }
                                  IgnoreReason::NoChange => {
                                    f.debug_tuple("IgnoreReason::NoChange").finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(1 == <IgnoreReason as wasmtime::component::ComponentType>::SIZE32);
                              assert!(1 == <IgnoreReason as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// What a deferred event waits for, to be delivered again. The host bounds the wait and then tells an operator.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(variant)]
                            #[derive(Clone)]
                            pub enum DeferReason{
                              /// One of these claims, by any account; it is then placed anew.
                              #[component(name = "claim")] Claim(wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>),
                              /// A fact of this account, for example the payment to be refunded.
                              #[component(name = "fact")] Fact(wasmtime::component::__internal::String),
                              /// The end of an effect of this account, by key, for example a retrieve.
                              #[component(name = "effect")] Effect(wasmtime::component::__internal::String),
                            }
                            impl core::fmt::Debug for DeferReason {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  DeferReason::Claim(e) => {
                                    f.debug_tuple("DeferReason::Claim").field(e).finish()
                                  }
                                  DeferReason::Fact(e) => {
                                    f.debug_tuple("DeferReason::Fact").field(e).finish()
                                  }
                                  DeferReason::Effect(e) => {
                                    f.debug_tuple("DeferReason::Effect").field(e).finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(12 == <DeferReason as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <DeferReason as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// What became of an event. Every case commits.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(variant)]
                            #[derive(Clone)]
                            pub enum Outcome{
                              /// State changed.
                              #[component(name = "applied")] Applied,
                              /// The fact is noted already, by another event: its key.
                              #[component(name = "duplicate")] Duplicate(wasmtime::component::__internal::String),
                              /// An older view than the stored one, which is given.
                              #[component(name = "stale")] Stale(Snapshot),
                              /// Left alone.
                              #[component(name = "ignored")] Ignored(IgnoreReason),
                              /// Kept until something arrives.
                              #[component(name = "deferred")] Deferred(DeferReason),
                              /// Not applied: told to a command's caller, else to an operator.
                              #[component(name = "rejected")] Rejected(Refusal),
                            }
                            impl core::fmt::Debug for Outcome {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  Outcome::Applied => {
                                    f.debug_tuple("Outcome::Applied").finish()
                                  }
                                  Outcome::Duplicate(e) => {
                                    f.debug_tuple("Outcome::Duplicate").field(e).finish()
                                  }
                                  Outcome::Stale(e) => {
                                    f.debug_tuple("Outcome::Stale").field(e).finish()
                                  }
                                  Outcome::Ignored(e) => {
                                    f.debug_tuple("Outcome::Ignored").field(e).finish()
                                  }
                                  Outcome::Deferred(e) => {
                                    f.debug_tuple("Outcome::Deferred").field(e).finish()
                                  }
                                  Outcome::Rejected(e) => {
                                    f.debug_tuple("Outcome::Rejected").field(e).finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(56 == <Outcome as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Outcome as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// An answer to who waits; without secrets.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(variant)]
                            #[derive(Clone)]
                            pub enum Reply{
                              /// Done: an object.
                              #[component(name = "answer")] Answer(Json),
                              /// Not done.
                              #[component(name = "refused")] Refused(Refusal),
                            }
                            impl core::fmt::Debug for Reply {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  Reply::Answer(e) => {
                                    f.debug_tuple("Reply::Answer").field(e).finish()
                                  }
                                  Reply::Refused(e) => {
                                    f.debug_tuple("Reply::Refused").field(e).finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(56 == <Reply as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Reply as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A claim to hold.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct ClaimTake {
                              /// Short key, for example `subdomain:acme`.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Until when; none is for good. What is held already is at most prolonged.
                              #[component(name = "until")]
                              pub until: Option<Timestamp>,
                            }
                            impl core::fmt::Debug for ClaimTake {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("ClaimTake").field("key", &self.key).field("until", &self.until).finish()
                              }
                            }
                            const _: () = {
                              assert!(24 == <ClaimTake as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <ClaimTake as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A claim to give back.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct ClaimRelease {
                              /// Short key. What the account does not hold is left alone.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Nobody may take it before.
                              #[component(name = "blocked-until")]
                              pub blocked_until: Option<Timestamp>,
                            }
                            impl core::fmt::Debug for ClaimRelease {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("ClaimRelease").field("key", &self.key).field("blocked-until", &self.blocked_until).finish()
                              }
                            }
                            const _: () = {
                              assert!(24 == <ClaimRelease as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <ClaimRelease as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// A change of a claim.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(variant)]
                            #[derive(Clone)]
                            pub enum ClaimChange{
                              /// Hold it.
                              #[component(name = "take")] Take(ClaimTake),
                              /// Give it back.
                              #[component(name = "release")] Release(ClaimRelease),
                            }
                            impl core::fmt::Debug for ClaimChange {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                match self {
                                  ClaimChange::Take(e) => {
                                    f.debug_tuple("ClaimChange::Take").field(e).finish()
                                  }
                                  ClaimChange::Release(e) => {
                                    f.debug_tuple("ClaimChange::Release").field(e).finish()
                                  }
                                }
                              }
                            }
                            const _: () = {
                              assert!(32 == <ClaimChange as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <ClaimChange as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// What an event means, whole.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Decision {
                              /// What became of it.
                              #[component(name = "outcome")]
                              pub outcome: Outcome,
                              /// To `reply-to`; none: it waits on, or gets the refusal of `rejected`.
                              #[component(name = "reply")]
                              pub reply: Option<Reply>,
                              /// Rows, each key once.
                              #[component(name = "changes")]
                              pub changes: wasmtime::component::__internal::Vec<Change>,
                              /// Facts that happened, for example `paid:in_1`: kept for ever, and what waits for one comes again.
                              #[component(name = "facts")]
                              pub facts: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
                              /// Claims, in order. What is rejected or deferred takes none.
                              #[component(name = "claims")]
                              pub claims: wasmtime::component::__internal::Vec<ClaimChange>,
                              /// What the world is asked to do, in order. The same key and generation again does nothing; with other contents
                              /// it breaks the contract. A higher generation replaces one that has not begun.
                              #[component(name = "effects")]
                              pub effects: wasmtime::component::__internal::Vec<Effect>,
                              /// Effects to call off, by key, if they have not begun: timers above all.
                              #[component(name = "cancel")]
                              pub cancel: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
                            }
                            impl core::fmt::Debug for Decision {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Decision").field("outcome", &self.outcome).field("reply", &self.reply).field("changes", &self.changes).field("facts", &self.facts).field("claims", &self.claims).field("effects", &self.effects).field("cancel", &self.cancel).finish()
                              }
                            }
                            const _: () = {
                              assert!(160 == <Decision as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Decision as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            #[derive(Clone)]
                            pub struct Guest {
                              handle: wasmtime::component::Func,
                            }
                            #[derive(Clone)]
                            pub struct GuestIndices {
                              handle: wasmtime::component::ComponentExportIndex,
                            }
                            impl GuestIndices {
                              
                              /// Constructor for [`GuestIndices`] which takes a
                              /// [`Component`](wasmtime::component::Component) as input and can be executed
                              /// before instantiation.
                              ///
                              /// This constructor can be used to front-load string lookups to find exports
                              /// within a component.
                              pub fn new<_T>(
                              _instance_pre: &wasmtime::component::InstancePre<_T>,
                              ) -> wasmtime::Result<GuestIndices> {
                                let instance = _instance_pre.component().get_export_index(None, "solobase:products/events@0.2.0-dev")
                                .ok_or_else(|| wasmtime::format_err!("no exported instance named `solobase:products/events@0.2.0-dev`"))?;
                                let mut lookup = move |name: &str| {
                                  _instance_pre.component().get_export_index(Some(&instance), name).ok_or_else(|| {
                                    wasmtime::format_err!(
                                    "instance export `solobase:products/events@0.2.0-dev` does \
                                    not have export `{name}`"
                                    )
                                  })
                                };
                                let _ = &mut lookup;
                                let handle = lookup("handle")?;
                                Ok(GuestIndices {
                                  handle,
                                })
                              }
                              
                              pub fn load(
                              &self,
                              mut store: impl wasmtime::AsContextMut,
                              instance: &wasmtime::component::Instance,
                              ) -> wasmtime::Result<Guest> {
                                let _instance = instance;
                                let _instance_pre = _instance.instance_pre(&store);
                                let _instance_type = _instance_pre.instance_type();
                                let mut store = store.as_context_mut();
                                let _ = &mut store;
                                let handle = *_instance.get_typed_func::<(&Event, ), (Result<Decision,Failure>, )>(&mut store, &self.handle)?.func();
                                Ok(Guest {
                                  handle,
                                })
                              }
                            }
                            impl Guest {
                              pub fn func_handle(&self) -> wasmtime::component::TypedFunc<(&Event, ), (Result<Decision,Failure>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Event, ), (Result<Decision,Failure>, )>::new_unchecked(self.handle)
                                }
                              }
                              /// Decide what an event means.
                              pub  fn call_handle<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Event,) -> wasmtime::Result<Result<Decision,Failure>>{
                                let callee = self.func_handle();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, ))?;
                                Ok(ret0)
                              }
                            }
                            
                          }
                          
                          
                          #[allow(clippy::all)]
                          pub mod queries {
                            #[allow(unused_imports)]
                            use wasmtime::component::__internal::Box;
                            
                            pub type Account = super::super::super::super::solobase::products::types::Account;
                            const _: () = {
                              assert!(12 == <Account as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Account as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Actor = super::super::super::super::solobase::products::types::Actor;
                            const _: () = {
                              assert!(20 == <Actor as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Actor as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Json = super::super::super::super::solobase::products::types::Json;
                            const _: () = {
                              assert!(8 == <Json as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Json as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Timestamp = super::super::super::super::solobase::products::types::Timestamp;
                            const _: () = {
                              assert!(8 == <Timestamp as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Timestamp as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Page = super::super::super::super::solobase::products::types::Page;
                            const _: () = {
                              assert!(16 == <Page as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Page as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Problem = super::super::super::super::solobase::products::types::Problem;
                            const _: () = {
                              assert!(56 == <Problem as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Problem as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Product = super::super::super::super::solobase::products::rows::Product;
                            const _: () = {
                              assert!(128 == <Product as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Product as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            pub type Price = super::super::super::super::solobase::products::rows::Price;
                            const _: () = {
                              assert!(88 == <Price as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Price as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Who asks, about whom, as of when.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Question {
                              /// Account that is asked about.
                              #[component(name = "account")]
                              pub account: Account,
                              /// Who asks.
                              #[component(name = "actor")]
                              pub actor: Actor,
                              /// Time of the question: grace and periods are judged by it.
                              #[component(name = "at")]
                              pub at: Timestamp,
                            }
                            impl core::fmt::Debug for Question {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Question").field("account", &self.account).field("actor", &self.actor).field("at", &self.at).finish()
                              }
                            }
                            const _: () = {
                              assert!(40 == <Question as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Question as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Something on sale.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Offer {
                              /// Product.
                              #[component(name = "product")]
                              pub product: Product,
                              /// Its active prices.
                              #[component(name = "prices")]
                              pub prices: wasmtime::component::__internal::Vec<Price>,
                              /// False if this account may not buy it now.
                              #[component(name = "available")]
                              pub available: bool,
                            }
                            impl core::fmt::Debug for Offer {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Offer").field("product", &self.product).field("prices", &self.prices).field("available", &self.available).finish()
                              }
                            }
                            const _: () = {
                              assert!(144 == <Offer as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Offer as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// What an account may use of one thing.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Entitlement {
                              /// Key, for example `instances`.
                              #[component(name = "key")]
                              pub key: wasmtime::component::__internal::String,
                              /// Allowed; -1 is unlimited.
                              #[component(name = "allowed")]
                              pub allowed: i64,
                              /// In use.
                              #[component(name = "used")]
                              pub used: i64,
                              /// When a counter starts anew.
                              #[component(name = "resets-at")]
                              pub resets_at: Option<Timestamp>,
                              /// When it ends unless something is paid.
                              #[component(name = "ends-at")]
                              pub ends_at: Option<Timestamp>,
                              /// Ids of the subscriptions and purchases that give it.
                              #[component(name = "sources")]
                              pub sources: wasmtime::component::__internal::Vec<wasmtime::component::__internal::String>,
                            }
                            impl core::fmt::Debug for Entitlement {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Entitlement").field("key", &self.key).field("allowed", &self.allowed).field("used", &self.used).field("resets-at", &self.resets_at).field("ends-at", &self.ends_at).field("sources", &self.sources).finish()
                              }
                            }
                            const _: () = {
                              assert!(64 == <Entitlement as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Entitlement as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Use of one meter in a period.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct UsageTotal {
                              /// Meter.
                              #[component(name = "meter")]
                              pub meter: wasmtime::component::__internal::String,
                              /// Attributes that the totals are split by.
                              #[component(name = "attributes")]
                              pub attributes: wasmtime::component::__internal::Vec<(wasmtime::component::__internal::String,wasmtime::component::__internal::String,)>,
                              /// Amount in the meter's unit.
                              #[component(name = "quantity")]
                              pub quantity: i64,
                              /// Cost in millionths of a major unit, before rounding.
                              #[component(name = "cost-micros")]
                              pub cost_micros: i64,
                              /// Measurements that it was told by; 0 where they are not counted.
                              #[component(name = "requests")]
                              pub requests: i64,
                              /// What of the cost credits paid, in millionths of a major unit.
                              #[component(name = "covered-micros")]
                              pub covered_micros: i64,
                              /// ISO 4217 code.
                              #[component(name = "currency")]
                              pub currency: wasmtime::component::__internal::String,
                            }
                            impl core::fmt::Debug for UsageTotal {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("UsageTotal").field("meter", &self.meter).field("attributes", &self.attributes).field("quantity", &self.quantity).field("cost-micros", &self.cost_micros).field("requests", &self.requests).field("covered-micros", &self.covered_micros).field("currency", &self.currency).finish()
                              }
                            }
                            const _: () = {
                              assert!(56 == <UsageTotal as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <UsageTotal as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// Balance of one ledger.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Balance {
                              /// Ledger, for example `credits` or `earnings`.
                              #[component(name = "ledger")]
                              pub ledger: wasmtime::component::__internal::String,
                              /// ISO 4217 code (minor units) or the name of a credit.
                              #[component(name = "unit")]
                              pub unit: wasmtime::component::__internal::String,
                              /// Free to use.
                              #[component(name = "available")]
                              pub available: i64,
                              /// Held or not yet due.
                              #[component(name = "pending")]
                              pub pending: i64,
                            }
                            impl core::fmt::Debug for Balance {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Balance").field("ledger", &self.ledger).field("unit", &self.unit).field("available", &self.available).field("pending", &self.pending).finish()
                              }
                            }
                            const _: () = {
                              assert!(32 == <Balance as wasmtime::component::ComponentType>::SIZE32);
                              assert!(8 == <Balance as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            /// An entry of a list.
                            #[derive(wasmtime::component::ComponentType)]
                            #[derive(wasmtime::component::Lift)]
                            #[derive(wasmtime::component::Lower)]
                            #[component(record)]
                            #[derive(Clone)]
                            pub struct Listed {
                              /// Its id; the last one is the next page's `after`.
                              #[component(name = "id")]
                              pub id: wasmtime::component::__internal::String,
                              /// What it is, a JSON object.
                              #[component(name = "value")]
                              pub value: Json,
                            }
                            impl core::fmt::Debug for Listed {
                              fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                                f.debug_struct("Listed").field("id", &self.id).field("value", &self.value).finish()
                              }
                            }
                            const _: () = {
                              assert!(16 == <Listed as wasmtime::component::ComponentType>::SIZE32);
                              assert!(4 == <Listed as wasmtime::component::ComponentType>::ALIGN32);
                            };
                            #[derive(Clone)]
                            pub struct Guest {
                              catalog: wasmtime::component::Func,
                              entitlements: wasmtime::component::Func,
                              usage: wasmtime::component::Func,
                              balances: wasmtime::component::Func,
                              list: wasmtime::component::Func,
                            }
                            #[derive(Clone)]
                            pub struct GuestIndices {
                              catalog: wasmtime::component::ComponentExportIndex,
                              entitlements: wasmtime::component::ComponentExportIndex,
                              usage: wasmtime::component::ComponentExportIndex,
                              balances: wasmtime::component::ComponentExportIndex,
                              list: wasmtime::component::ComponentExportIndex,
                            }
                            impl GuestIndices {
                              
                              /// Constructor for [`GuestIndices`] which takes a
                              /// [`Component`](wasmtime::component::Component) as input and can be executed
                              /// before instantiation.
                              ///
                              /// This constructor can be used to front-load string lookups to find exports
                              /// within a component.
                              pub fn new<_T>(
                              _instance_pre: &wasmtime::component::InstancePre<_T>,
                              ) -> wasmtime::Result<GuestIndices> {
                                let instance = _instance_pre.component().get_export_index(None, "solobase:products/queries@0.2.0-dev")
                                .ok_or_else(|| wasmtime::format_err!("no exported instance named `solobase:products/queries@0.2.0-dev`"))?;
                                let mut lookup = move |name: &str| {
                                  _instance_pre.component().get_export_index(Some(&instance), name).ok_or_else(|| {
                                    wasmtime::format_err!(
                                    "instance export `solobase:products/queries@0.2.0-dev` does \
                                    not have export `{name}`"
                                    )
                                  })
                                };
                                let _ = &mut lookup;
                                let catalog = lookup("catalog")?;
                                let entitlements = lookup("entitlements")?;
                                let usage = lookup("usage")?;
                                let balances = lookup("balances")?;
                                let list = lookup("list")?;
                                Ok(GuestIndices {
                                  catalog,
                                  entitlements,
                                  usage,
                                  balances,
                                  list,
                                })
                              }
                              
                              pub fn load(
                              &self,
                              mut store: impl wasmtime::AsContextMut,
                              instance: &wasmtime::component::Instance,
                              ) -> wasmtime::Result<Guest> {
                                let _instance = instance;
                                let _instance_pre = _instance.instance_pre(&store);
                                let _instance_type = _instance_pre.instance_type();
                                let mut store = store.as_context_mut();
                                let _ = &mut store;
                                let catalog = *_instance.get_typed_func::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Offer>,Problem>, )>(&mut store, &self.catalog)?.func();
                                let entitlements = *_instance.get_typed_func::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Entitlement>,Problem>, )>(&mut store, &self.entitlements)?.func();
                                let usage = *_instance.get_typed_func::<(&Question, Timestamp, Timestamp, ), (Result<wasmtime::component::__internal::Vec<UsageTotal>,Problem>, )>(&mut store, &self.usage)?.func();
                                let balances = *_instance.get_typed_func::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Balance>,Problem>, )>(&mut store, &self.balances)?.func();
                                let list = *_instance.get_typed_func::<(&Question, &str, Option<&str>, &Page, ), (Result<wasmtime::component::__internal::Vec<Listed>,Problem>, )>(&mut store, &self.list)?.func();
                                Ok(Guest {
                                  catalog,
                                  entitlements,
                                  usage,
                                  balances,
                                  list,
                                })
                              }
                            }
                            impl Guest {
                              pub fn func_catalog(&self) -> wasmtime::component::TypedFunc<(&Question, ), (Result<wasmtime::component::__internal::Vec<Offer>,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Offer>,Problem>, )>::new_unchecked(self.catalog)
                                }
                              }
                              /// What is on sale, in display order.
                              pub  fn call_catalog<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Question,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Offer>,Problem>>{
                                let callee = self.func_catalog();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, ))?;
                                Ok(ret0)
                              }
                              pub fn func_entitlements(&self) -> wasmtime::component::TypedFunc<(&Question, ), (Result<wasmtime::component::__internal::Vec<Entitlement>,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Entitlement>,Problem>, )>::new_unchecked(self.entitlements)
                                }
                              }
                              /// What the account may use.
                              pub  fn call_entitlements<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Question,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Entitlement>,Problem>>{
                                let callee = self.func_entitlements();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, ))?;
                                Ok(ret0)
                              }
                              pub fn func_usage(&self) -> wasmtime::component::TypedFunc<(&Question, Timestamp, Timestamp, ), (Result<wasmtime::component::__internal::Vec<UsageTotal>,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Question, Timestamp, Timestamp, ), (Result<wasmtime::component::__internal::Vec<UsageTotal>,Problem>, )>::new_unchecked(self.usage)
                                }
                              }
                              /// Use from `start` until before `end`.
                              pub  fn call_usage<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Question,arg1: Timestamp,arg2: Timestamp,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<UsageTotal>,Problem>>{
                                let callee = self.func_usage();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, arg1, arg2, ))?;
                                Ok(ret0)
                              }
                              pub fn func_balances(&self) -> wasmtime::component::TypedFunc<(&Question, ), (Result<wasmtime::component::__internal::Vec<Balance>,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Question, ), (Result<wasmtime::component::__internal::Vec<Balance>,Problem>, )>::new_unchecked(self.balances)
                                }
                              }
                              /// Balances.
                              pub  fn call_balances<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Question,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Balance>,Problem>>{
                                let callee = self.func_balances();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, ))?;
                                Ok(ret0)
                              }
                              pub fn func_list(&self) -> wasmtime::component::TypedFunc<(&Question, &str, Option<&str>, &Page, ), (Result<wasmtime::component::__internal::Vec<Listed>,Problem>, )> {
                                unsafe {
                                  wasmtime::component::TypedFunc::<(&Question, &str, Option<&str>, &Page, ), (Result<wasmtime::component::__internal::Vec<Listed>,Problem>, )>::new_unchecked(self.list)
                                }
                              }
                              /// A page of a kind of things (`instances`, `products`, `purchases`, `subscriptions`, `invoices`, `ledger`, `listings`,
                              /// `earned`, `earnings`, `sales`), those that fit the filter: an exact status, where the kind has one.
                              pub  fn call_list<S: wasmtime::AsContextMut>(&self, mut store: S, arg0: &Question,arg1: &str,arg2: Option<&str>,arg3: &Page,) -> wasmtime::Result<Result<wasmtime::component::__internal::Vec<Listed>,Problem>>{
                                let callee = self.func_list();
                                let (ret0,) = callee.call(store.as_context_mut(), (arg0, arg1, arg2, arg3, ))?;
                                Ok(ret0)
                              }
                            }
                            
                          }
                          
                        }
                      }
                    }
