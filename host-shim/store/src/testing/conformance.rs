//! What every store must do. Each case opens empty stores and panics where one does not hold.
//!
//! [`store_conformance!`](crate::store_conformance) makes a test of each.

mod groups;
mod inbox;
mod outbox;
mod rows;

pub use groups::*;
pub use inbox::*;
pub use outbox::*;
pub use rows::*;

use crate::store::Store;

/// Opens an empty store, a new one each time.
pub type Open<'a> = &'a mut dyn FnMut() -> Box<dyn Store>;

/// Make a module with a test for each case, over stores that an expression of type `Box<dyn Store>` opens.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $open:expr) => {
        $crate::store_conformance!(@cases $name, $open,
            rows_come_back_as_they_were_written,
            scopes_do_not_see_each_other,
            prices_are_read_by_every_account_of_the_business_and_mode,
            products_are_scanned_by_type_without_deleted_ones,
            rows_are_scanned_in_byte_order_by_pages,
            records_are_scanned_by_prefix_in_both_directions,
            purchases_are_found_by_their_unique_ids,
            purchases_may_exchange_their_unique_ids,
            a_taken_unique_id_refuses_the_whole_change,
            facts_are_noted_once,
            claims_are_held_until_they_are_given_up,
            an_account_remembers_its_data_version,
            a_group_is_visible_at_once_and_gone_after_a_rollback,
            a_refused_change_leaves_the_rest_of_its_group,
            groups_do_not_nest,
            a_rollback_restores_every_index,
            changes_need_a_scope,
            an_event_is_accepted_once,
            every_payload_comes_back,
            inbox_rows_keep_where_they_stand,
            pending_rows_are_due_in_order_of_acceptance,
            waiting_rows_are_woken_by_their_keys,
            parked_rows_are_counted_and_bounded,
            inbox_rows_are_read_in_order,
            an_unknown_inbox_row_is_an_error,
            effects_come_back_as_they_were_asked_for,
            effects_are_due_in_order_of_time,
            timers_can_be_left_out,
            one_effect_of_an_ordering_key_is_due_at_a_time,
            open_effects_are_listed_until_they_end,
            an_effect_is_inserted_once_and_updated_if_it_is_there,
        );
    };
    (@cases $name:ident, $open:expr, $($case:ident),+ $(,)?) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::testing::conformance::$case(&mut || $open);
                }
            )+
        }
    };
}
