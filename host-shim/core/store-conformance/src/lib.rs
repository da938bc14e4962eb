//! The conformance suite of stores, and random changes by which stores are compared.
//!
//! [`store_conformance!`] and [`reader_conformance!`] generate a test for each case.

pub mod cases;
pub mod random;

/// Generates a module with a test for each case. The expression of type `Box<dyn Store>` opens a store.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $open:expr) => {
        $crate::store_conformance!(@cases $name, $open,
            rows_are_read_as_they_were_written,
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
            claims_are_held_until_they_are_released,
            an_account_remembers_its_newest_data_version,
            open_returns_the_live_rows_in_order_of_their_keys,
            open_follows_references_from_named_and_live_rows,
            open_reaches_a_bounded_number_of_rows,
            open_returns_deleted_products_only_if_named_or_referred_to,
            open_returns_the_named_catalog_rows,
            open_returns_whether_facts_are_known,
            a_group_is_visible_at_once_and_gone_after_a_rollback,
            a_refused_change_leaves_the_rest_of_its_group,
            groups_do_not_nest,
            a_rollback_restores_every_index,
            changes_need_a_scope,
            mismatched_rows_are_refused,
            a_revision_rises_with_rows_facts_and_claims,
            a_conflict_changes_nothing,
            an_event_is_accepted_once,
            every_payload_is_read_as_it_was_written,
            an_event_may_be_inserted_in_its_final_state,
            inbox_rows_keep_their_progress_and_every_run,
            pending_rows_are_due_in_order_of_acceptance,
            waiting_rows_are_woken_by_their_keys,
            waiting_rows_are_counted_and_selected_by_age,
            dead_and_failed_rows_are_listed,
            inbox_queues_are_of_one_partition,
            effect_results_are_read_in_order,
            inbox_rows_are_read_in_order,
            the_events_of_an_account_are_read_in_order,
            an_event_in_another_state_is_a_conflict,
            an_unknown_inbox_row_is_an_error,
            effects_are_read_as_they_were_requested,
            outbox_queues_are_of_one_partition,
            effects_are_due_in_order_of_time,
            timers_can_be_left_out,
            one_effect_of_an_ordering_key_is_due_at_a_time,
            open_effects_are_listed_until_they_end,
            effects_of_an_account_are_listed_in_every_state,
            chosen_effects_are_leased_once,
            effects_of_a_busy_provider_are_passed_over,
            effects_are_due_in_turn_by_account,
            open_effects_of_all_accounts_are_listed_by_pages,
            an_effect_is_read_by_its_number_in_every_state,
            an_effect_is_inserted_once_and_updated_only_if_it_exists,
            the_first_refused_effect_decides_about_the_error,
            a_lost_lease_or_another_state_of_an_effect_is_a_conflict,
            another_generation_state_or_lease_is_a_conflict,
            an_erased_account_keeps_ids_amounts_and_times,
            an_erasure_keeps_unfinished_events_and_other_accounts,
            a_rolled_back_erasure_erases_nothing,
            the_last_reply_to_a_caller_is_kept,
            replies_are_erased_with_their_account,
        );
    };
    (@cases $name:ident, $open:expr, $($case:ident),+ $(,)?) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::cases::$case(&mut || $open);
                }
            )+
        }
    };
}

/// Generates a module with a test for each case of readers. The expression returns a store with several handles, and what
/// must live as long as the store.
#[macro_export]
macro_rules! reader_conformance {
    ($name:ident, $open:expr) => {
        $crate::reader_conformance!(@cases $name, $open,
            a_snapshot_sees_the_last_commit_before_it_began,
            a_snapshot_sees_no_open_group,
            a_reader_needs_a_snapshot,
            readers_see_whole_commits_while_a_writer_writes,
        );
    };
    (@cases $name:ident, $open:expr, $($case:ident),+ $(,)?) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $case() {
                    let (mut store, _guard) = $open;
                    $crate::cases::$case(&mut store);
                }
            )+
        }
    };
}
