//! What every store must do. Each case opens empty stores and panics where one does not hold.
//!
//! [`store_conformance!`](crate::store_conformance) makes a test of each.

mod erase;
mod groups;
mod inbox;
mod open;
mod outbox;
mod replies;
mod rows;

pub use erase::*;
pub use groups::*;
pub use inbox::*;
pub use open::*;
pub use outbox::*;
pub use replies::*;
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
            the_catalog_is_read_by_key,
            products_of_the_catalog_are_found,
            products_are_listed_without_deleted_ones,
            rows_are_scanned_in_byte_order_by_pages,
            rows_are_listed_by_prefix_in_both_directions,
            outdated_rows_come_least_recently_written_first,
            purchases_may_exchange_their_unique_ids,
            a_taken_unique_id_refuses_the_whole_change,
            facts_are_noted_once,
            claims_are_held_until_they_are_given_up,
            an_account_remembers_its_newest_data_version,
            open_gives_the_live_rows_in_order_of_their_keys,
            open_follows_references_from_named_and_live_rows,
            open_reaches_a_bounded_number_of_rows,
            open_gives_deleted_products_only_where_they_are_meant,
            open_gives_what_is_named_of_the_catalog,
            open_answers_for_facts,
            a_group_is_visible_at_once_and_gone_after_a_rollback,
            a_refused_change_leaves_the_rest_of_its_group,
            groups_do_not_nest,
            a_rollback_restores_every_index,
            changes_need_a_scope,
            what_no_row_can_be_is_refused,
            a_revision_rises_with_what_an_account_decides,
            a_conflict_changes_nothing,
            an_event_is_accepted_once,
            every_payload_comes_back,
            an_event_may_come_in_its_final_state,
            inbox_rows_keep_where_they_stand_and_every_run,
            pending_rows_are_due_in_order_of_acceptance,
            waiting_rows_are_woken_by_their_keys,
            waiting_rows_are_counted_and_bounded_by_their_wait,
            dead_and_failed_rows_are_listed,
            inbox_queues_are_of_one_partition,
            inbox_rows_are_read_in_order,
            an_unknown_inbox_row_is_an_error,
            the_latest_time_is_that_of_the_last_event_or_run,
            effects_come_back_as_they_were_asked_for,
            outbox_queues_are_of_one_partition,
            effects_are_due_in_order_of_time,
            timers_can_be_left_out,
            one_effect_of_an_ordering_key_is_due_at_a_time,
            open_effects_are_listed_until_they_end,
            effects_of_an_account_are_listed_whatever_became_of_them,
            an_effect_is_inserted_once_and_updated_if_it_is_there,
            an_erased_account_keeps_ids_amounts_and_times,
            an_erasure_leaves_what_is_not_through_and_other_accounts,
            an_erasure_that_is_rolled_back_erased_nothing,
            the_last_answer_to_a_caller_is_kept,
            answers_are_erased_with_their_account,
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
