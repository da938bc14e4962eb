//! Conversions between the contract's types and the types that a binding generator derives from the WIT.
//!
//! The generators of the host and the extension produce types of the same shape and name, so both sides use the same
//! list of types. A crate that calls [`crossing!`] needs a module `wire` in scope that exports all generated types at
//! its top level. Conversions move values: they allocate nothing, and a list of records is converted in place.

/// Defines the trait `Cross` and implements it between `extension_contract::T` and `wire::T` in both directions, for
/// every type of the WIT that is passed by value.
#[macro_export]
macro_rules! crossing {
    () => {
        /// Conversion into the corresponding type on the other side of the WIT boundary.
        pub(crate) trait Cross<T> {
            /// Converts the value.
            fn cross(self) -> T;
        }

        $crate::cross_same!(String, bool, u32, u64, i64);

        impl<A: Cross<B>, B> Cross<Vec<B>> for Vec<A> {
            fn cross(self) -> Vec<B> {
                self.into_iter().map(Cross::cross).collect()
            }
        }

        impl<A: Cross<B>, B> Cross<Option<B>> for Option<A> {
            fn cross(self) -> Option<B> {
                self.map(Cross::cross)
            }
        }

        impl<A: Cross<B>, B, E: Cross<F>, F> Cross<Result<B, F>> for Result<A, E> {
            fn cross(self) -> Result<B, F> {
                match self {
                    Ok(value) => Ok(value.cross()),
                    Err(error) => Err(error.cross()),
                }
            }
        }

        impl Cross<()> for () {
            fn cross(self) {}
        }

        impl Cross<(String, String)> for (String, String) {
            fn cross(self) -> (String, String) {
                self
            }
        }

        // types
        $crate::cross_variant!(Account [Platform] [User Organization]);
        $crate::cross_variant!(ActorKind [User Admin Service Extension System] []);
        $crate::cross_record!(Actor { kind, subject, roles });
        $crate::cross_record!(Money { amount_minor, currency });
        $crate::cross_variant!(IntervalUnit [Day Week Month Year] []);
        $crate::cross_record!(BillingInterval { unit, count });
        $crate::cross_variant!(
            FieldErrorCode
            [Missing WrongType OutOfRange BadFormat NotAllowed Taken ReadOnly UnknownField More]
            []
        );
        $crate::cross_record!(FieldError { path, code, found, expected, suggestion });
        $crate::cross_variant!(ImportError [] [Conflict Taken Invalid Denied LimitExceeded Unavailable]);
        $crate::cross_record!(QuotaRefusal { quota, allowed, used, upgrade });
        $crate::cross_record!(AmountMismatch { expected, actual });
        $crate::cross_variant!(
            Refusal
            [Unclaimed ModeMismatch]
            [
                Malformed WrongShape Invalid UnknownStatus UnknownPrice AmountMismatch Inconsistent AlreadyOwned
                RequirementUnmet QuotaExceeded InsufficientBalance NoEntitlement NameTaken BadTransition Forbidden
                NotFound
            ]
        );
        $crate::cross_variant!(Failure [] [Store Internal]);
        $crate::cross_variant!(Problem [] [Refused Failed]);

        // products
        $crate::cross_record!(
            ProductValues { product_type, name, description, active, price, interval, filters, metadata }
        );
        $crate::cross_record!(Product { id, owner, values, version, deleted });
        $crate::cross_record!(Grant { key, amount });
        $crate::cross_record!(
            Price { id, product_id, product_type, family, amount, interval, active, grants, terms }
        );

        // purchases
        $crate::cross_variant!(
            PurchaseStatus [Pending RequiresApproval PaidPendingApproval Paid Cancelled Refunded] []
        );
        $crate::cross_record!(LineItem { product_id, price_id, name, quantity, unit_price });
        $crate::cross_record!(
            PurchaseValues {
                provider, session_id, payment_intent_id, subscription_id, status, items, amount, tax, total, refunded,
                metadata
            }
        );
        $crate::cross_record!(Purchase { id, values, version });

        // subscriptions
        $crate::cross_variant!(
            SubscriptionStatus [Incomplete IncompleteExpired Trialing Active PastDue Canceled Unpaid Paused] []
        );
        $crate::cross_variant!(SnapshotRank [Created Updated Retrieved Deleted] []);
        $crate::cross_record!(Snapshot { at, rank, event_id });
        $crate::cross_record!(SubscriptionItem { id, price_id, quantity, period_start, period_end });
        $crate::cross_record!(
            SubscriptionValues {
                customer_id, status, items, cancel_at_period_end, cancel_at, trial_end, grace_end, snapshot, metadata
            }
        );
        $crate::cross_record!(Subscription { id, values, version });

        // rows
        $crate::cross_record!(StoredRecord { collection, id, value, version });
        $crate::cross_record!(RecordKey { collection, id });
        $crate::cross_variant!(RowKey [] [Product Price Purchase Subscription Record]);
        $crate::cross_variant!(RowKind [Product Price Purchase Subscription] [Record]);
        $crate::cross_variant!(Row [] [Product Price Purchase Subscription Record]);
        $crate::cross_record!(StoredRow { data_version, row });
        $crate::cross_variant!(ConfigValue [] [Text Integer Boolean Secret]);
        $crate::cross_variant!(CatalogKey [] [Product Price Setting]);
        $crate::cross_variant!(CatalogRow [] [Product Price Setting]);
        $crate::cross_variant!(Reference [] [Row Catalog Name]);
        $crate::cross_variant!(Write [Remove] [Product Price Purchase Subscription Record]);
        $crate::cross_record!(Change { key, expected, write, live, references, fingerprint });

        // account, claims, catalog, effects
        $crate::cross_variant!(Mark [Ours ByPrices Unknown] []);
        $crate::cross_record!(Placement { keys, account, mark, names });
        $crate::cross_record!(Here { account, rows, catalog, facts });
        $crate::cross_record!(Listing { kind, prefix, descending, after });
        $crate::cross_variant!(ClaimState [Mine Free Taken Blocked] []);
        $crate::cross_variant!(CatalogQuery [All] [ProductType Name]);
        $crate::cross_record!(Page { after, limit });
        $crate::cross_record!(RetryPolicy { delays_ms });
        $crate::cross_record!(Effect {
            kind, to, key, generation, payload, context, reply_to, ordering_key, not_before, deadline, retry
        });

        impl Cross<$crate::Opened> for wire::Opened {
            fn cross(self) -> $crate::Opened {
                match self {
                    wire::Opened::Here(here) => $crate::Opened::Here(Box::new(here.cross())),
                    wire::Opened::Elsewhere => $crate::Opened::Elsewhere,
                }
            }
        }

        impl Cross<wire::Opened> for $crate::Opened {
            fn cross(self) -> wire::Opened {
                match self {
                    $crate::Opened::Here(here) => wire::Opened::Here((*here).cross()),
                    $crate::Opened::Elsewhere => wire::Opened::Elsewhere,
                }
            }
        }

        impl Cross<$crate::Selection> for wire::Selection {
            fn cross(self) -> $crate::Selection {
                match self {
                    wire::Selection::Listed(listing) => $crate::Selection::Listed(listing.cross()),
                    wire::Selection::Outdated(outdated) => {
                        $crate::Selection::Outdated(outdated.kind.cross(), outdated.fingerprint)
                    }
                }
            }
        }

        impl Cross<wire::Selection> for $crate::Selection {
            fn cross(self) -> wire::Selection {
                match self {
                    $crate::Selection::Listed(listing) => wire::Selection::Listed(listing.cross()),
                    $crate::Selection::Outdated(kind, fingerprint) => {
                        wire::Selection::Outdated(wire::Outdated { kind: kind.cross(), fingerprint })
                    }
                }
            }
        }

        impl Cross<$crate::ClaimChange> for wire::ClaimChange {
            fn cross(self) -> $crate::ClaimChange {
                match self {
                    wire::ClaimChange::Take(it) => $crate::ClaimChange::Take { key: it.key, until: it.until },
                    wire::ClaimChange::Release(it) => {
                        $crate::ClaimChange::Release { key: it.key, blocked_until: it.blocked_until }
                    }
                }
            }
        }

        impl Cross<wire::ClaimChange> for $crate::ClaimChange {
            fn cross(self) -> wire::ClaimChange {
                match self {
                    $crate::ClaimChange::Take { key, until } => {
                        wire::ClaimChange::Take(wire::ClaimTake { key, until })
                    }
                    $crate::ClaimChange::Release { key, blocked_until } => {
                        wire::ClaimChange::Release(wire::ClaimRelease { key, blocked_until })
                    }
                }
            }
        }

        // manifest
        $crate::cross_record!(TypeDecl { name, schema, behaviour });
        $crate::cross_record!(EffectDecl { kind, payload_schema, result_schema, retry });
        $crate::cross_record!(CommandDecl { kind, schema });
        $crate::cross_variant!(ConfigType [Text Integer Boolean Secret] []);
        $crate::cross_record!(ConfigDecl { key, value_type, required, default_value, env, description });
        $crate::cross_record!(
            Declarations {
                name, version, data_version, product_types, collections, payment_kinds, commands, effects, config
            }
        );

        // schemas and events
        $crate::cross_record!(Candidate { by, current, proposed });
        $crate::cross_record!(
            PaymentFacts {
                source, time, api_version, matched_secret, connected_account, request_key, snapshot_event
            }
        );
        $crate::cross_record!(ProductChange { before, after });
        $crate::cross_record!(Usage { id, meter, quantity, at, attributes });
        $crate::cross_record!(Delivery { sender, key, generation, payload });
        $crate::cross_variant!(EffectFailureClass [Transient Final TimedOut] []);
        $crate::cross_record!(EffectFailure { class, code, message });
        $crate::cross_record!(EffectReport { key, generation, attempts, context, answer });
        $crate::cross_record!(
            Event {
                id, source, kind, business, account, livemode, received_at, attempt, actor, reply_to, payment, payload
            }
        );
        $crate::cross_variant!(IgnoreReason [UnhandledKind NotOurs WrongMode NoChange] []);
        $crate::cross_variant!(DeferReason [] [Claim Fact Effect]);
        $crate::cross_variant!(Outcome [Applied] [Duplicate Stale Ignored Deferred Rejected]);
        $crate::cross_variant!(Reply [] [Answer Refused]);
        $crate::cross_record!(Decision { outcome, reply, changes, facts, claims, effects, cancel });

        // Moves the body of the payment source whole, instead of converting its list of bytes.
        impl Cross<$crate::Payload> for wire::Payload {
            fn cross(self) -> $crate::Payload {
                match self {
                    wire::Payload::Payment(body) => $crate::Payload::Payment(body),
                    wire::Payload::Product(change) => $crate::Payload::Product(Box::new(change.cross())),
                    wire::Payload::Command(body) => $crate::Payload::Command(body),
                    wire::Payload::Usage(usage) => $crate::Payload::Usage(usage.cross()),
                    wire::Payload::Timer(delivery) => $crate::Payload::Timer(delivery.cross()),
                    wire::Payload::Message(delivery) => $crate::Payload::Message(delivery.cross()),
                    wire::Payload::EffectResult(report) => $crate::Payload::EffectResult(report.cross()),
                }
            }
        }

        impl Cross<wire::Payload> for $crate::Payload {
            fn cross(self) -> wire::Payload {
                match self {
                    $crate::Payload::Payment(body) => wire::Payload::Payment(body),
                    $crate::Payload::Product(change) => wire::Payload::Product((*change).cross()),
                    $crate::Payload::Command(body) => wire::Payload::Command(body),
                    $crate::Payload::Usage(usage) => wire::Payload::Usage(usage.cross()),
                    $crate::Payload::Timer(delivery) => wire::Payload::Timer(delivery.cross()),
                    $crate::Payload::Message(delivery) => wire::Payload::Message(delivery.cross()),
                    $crate::Payload::EffectResult(report) => wire::Payload::EffectResult(report.cross()),
                }
            }
        }

        // queries
        $crate::cross_record!(Question { account, actor, at });
        $crate::cross_record!(Offer { product, prices, available });
        $crate::cross_record!(Entitlement { key, allowed, used, resets_at, ends_at, sources });
        $crate::cross_record!(UsageTotal { meter, attributes, quantity, cost_micros, requests, covered_micros, currency });
        $crate::cross_record!(Balance { ledger, unit, available, pending });
        $crate::cross_record!(Listed { id, value });
    };
}

/// Implements `Cross` for types that are the same on both sides.
#[doc(hidden)]
#[macro_export]
macro_rules! cross_same {
    ($($name:ty),*) => {
        $(impl Cross<$name> for $name {
            fn cross(self) -> $name {
                self
            }
        })*
    };
}

/// Implements `Cross` for a record, field by field.
#[doc(hidden)]
#[macro_export]
macro_rules! cross_record {
    ($name:ident { $($field:ident),* }) => {
        impl Cross<$crate::$name> for wire::$name {
            fn cross(self) -> $crate::$name {
                $crate::$name { $($field: self.$field.cross()),* }
            }
        }

        impl Cross<wire::$name> for $crate::$name {
            fn cross(self) -> wire::$name {
                wire::$name { $($field: self.$field.cross()),* }
            }
        }
    };
}

/// Implements `Cross` for a variant or an enum. The first list contains the cases without a value, the second list the
/// cases with a value.
#[doc(hidden)]
#[macro_export]
macro_rules! cross_variant {
    ($name:ident [$($unit:ident)*] [$($case:ident)*]) => {
        impl Cross<$crate::$name> for wire::$name {
            fn cross(self) -> $crate::$name {
                match self {
                    $(wire::$name::$unit => $crate::$name::$unit,)*
                    $(wire::$name::$case(value) => $crate::$name::$case(value.cross()),)*
                }
            }
        }

        impl Cross<wire::$name> for $crate::$name {
            fn cross(self) -> wire::$name {
                match self {
                    $($crate::$name::$unit => wire::$name::$unit,)*
                    $($crate::$name::$case(value) => wire::$name::$case(value.cross()),)*
                }
            }
        }
    };
}
