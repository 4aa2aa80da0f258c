//! The conformance suite: what every store does, written against the traits alone.

pub mod access;
pub mod audit;
pub mod bursts;
pub mod claims;
pub mod egress;
pub mod factors;
pub mod fences;
pub mod files;
pub mod flags;
pub mod flow;
pub mod live;
pub mod logs;
pub mod make;
pub mod notifications;
pub mod organizations;
pub mod outbox;
pub mod parents;
pub mod people;
pub mod places;
pub mod plans;
pub mod pruning;
pub mod runs;
pub mod schedules;
pub mod sealed;
pub mod secrets;
pub mod sessions;
pub mod signals;
pub mod state;
pub mod tenants;
pub mod texts;
pub mod turns;
pub mod versions;

/// One test for each function of the suite. `$open` gives a fresh world.
macro_rules! every_test {
    ($open:path; $($module:ident: $($name:ident),+ $(,)?;)+) => {
        $(
            mod $module {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $name() {
                        let world = $open().await;
                        crate::suite::$module::$name(&world).await;
                        world.store.close().await;
                    }
                )+
            }
        )+
    };
}
pub(crate) use every_test;

/// The whole suite; a test is added here and nowhere else.
macro_rules! suite {
    ($open:path) => {
        crate::suite::every_test! { $open;
            runs: a_run_comes_back_as_it_was_written, lists_are_newest_first_and_page, filters_of_runs, an_ending_is_stored_once,
                a_create_with_its_end_in_one_write, totals_count_what_ended, large_inputs_stay;
            turns: calls_wait_in_line_and_never_exceed_the_limit, who_does_not_come_is_passed_over_and_a_run_gives_its_places_up,
                many_who_ask_at_once_are_let_begin_one_by_one, what_is_not_counted_any_more_goes;
            fences: another_epoch_is_late, an_unknown_run_is_late, nothing_follows_the_end, a_key_gives_the_first_run,
                a_slot_is_filled_once, duplicates_inside_one_batch, writes_of_one_run_keep_their_order, a_gap_is_refused_alone,
                a_second_create_of_the_same_run_exists, only_the_present_epoch_is_trusted, a_slot_of_a_removed_schedule_is_late;
            claims: oldest_due_first, a_claimed_run_is_held, a_wait_ends_at_its_moment, release_gives_back, work_arrives,
                cancelling, a_cancel_while_held_is_not_lost, recovery_leaves_the_living_alone, wake_cuts_a_wait_short,
                claims_never_overlap, a_flood_stands_behind_who_comes_later, many_waits_that_are_due_do_not_hold_up_the_queue;
            flow: a_run_over_the_limit_is_held_until_its_turn, the_limit_holds_whoever_admits, keys_and_organizations_are_apart,
                one_over_the_limit_is_refused_and_says_for_whom, the_oldest_makes_way, a_trigger_is_delivered_once,
                one_that_is_held_can_be_cancelled, urgent_ones_begin_first, held_keys_are_found_in_pages, a_paused_run_is_nobodys,
                a_run_that_is_held_lies_down_when_its_holder_says, a_pause_before_the_turn_keeps_the_line, a_cancel_ends_a_pause;
            bursts: the_last_of_a_burst_begins_when_none_came_for_a_while, a_batch_gets_what_fits_and_the_rest_is_the_next,
                a_burst_that_changed_meanwhile_is_not_closed, a_burst_whose_firings_have_all_gone_goes_too,
                a_paused_firing_is_merged_and_a_paused_run_begins_when_it_is_resumed, what_does_not_fit_is_claimed_to_be_ended,
                bursts_of_keys_and_organizations_are_apart, firings_and_closings_at_once_lose_nothing;
            places: no_more_are_at_work_than_there_are_places, who_waits_has_no_place_and_waits_for_one_to_go_on,
                one_without_a_place_can_be_paused_and_cancelled, a_limit_that_changes_holds_from_then_on, a_long_line_hides_nobody_else,
                places_hold_for_claims_at_once;
            parents: the_end_of_a_child_wakes_its_parent, a_child_that_ends_first_is_not_missed, parent_and_child_in_one_batch;
            plans: versions, stale_and_missing, file_names_are_unique, exclusive_routes, removal_keeps_versions, the_revision_moves,
                listing, integrations;
            versions: a_draft_stands_beside, only_a_draft, what_is_unpublished_rests, history_says_who_and_why, a_waiting_run_moves;
            schedules: due_and_next, replacing_keeps_what_did_not_change, skipping, the_last_status_is_that_of_the_last_slot,
                who_listens_is_due_until_it_looked, what_a_trigger_remembers_moves_with_its_schedule;
            secrets: credentials, the_default_credential, data_keys_and_canary, touching, who_may_use_a_credential, changing_a_credential;
            egress: rules;
            people: users, organizations, members;
            sealed: rows_in_pages, values_are_replaced_where_they_were_seen, every_table_is_listed_and_replaced, keys_are_wrapped_anew_where_they_were_seen;
            sessions: a_session_lasts_until_it_ends, a_refresh_token_is_used_once, a_lost_answer_is_given_again, refreshing_at_once,
                tokens_for_one_use, attempts_are_counted, attempts_at_once, passwords_are_replaced, what_has_ended_goes;
            factors: second_factors, recovery_codes, outside_identities;
            access: api_keys, idempotent_answers, stale_idempotency;
            audit: entries_come_back_in_order, entries_are_found_by_what_they_say, what_was_begun_is_settled, entries_go_by_age;
            organizations: an_invitation_is_used_once, the_last_owner_stays, who_goes_leaves_plans_and_takes_keys, variables, sharing,
                one_that_is_to_go_rests, a_held_run_ends_before_its_organization;
            logs: one_row_per_attempt, filters, paging_is_exact, previews, monitoring;
            live: states_without_values, what_changed_since, the_journal_in_pages;
            pruning: by_age_and_count, never_too_young, a_child_stays_for_its_parent, blobs_follow_their_last_run, versions_follow_theirs,
                totals_stay;
            outbox: a_key_is_one_message, it_is_known_how_far_messages_have_come, a_taken_message_comes_back_when_nobody_ends_it, takers_never_overlap,
                messages_of_a_rule_keep_their_distance;
            flags: flags_come_back;
            files: a_file_comes_back_in_pieces, what_is_not_finished_is_no_file, the_quota_holds_for_writers_at_once, files_end_at_their_time,
                files_are_listed_newest_first;
            signals: events_are_listed_newest_first, a_signal_wakes_who_waits_for_it, only_those_whose_key_it_holds, a_signal_is_kept_once, signals_are_read_in_pages,
                a_wait_goes_with_its_run;
            state: a_run_leaves_its_state_with_its_end, counts_of_many_runs_add_up, a_change_at_once_happens_once,
                what_is_past_its_time_is_not_there, state_is_listed_and_mended, state_goes_with_its_plan;
            notifications: rules_belong_to_an_organization, notifications_are_a_persons, what_ended_badly_is_found,
                endings_of_a_schedule_go_backwards, credentials_that_expire_soon;
            tenants: ids_of_another_organization_lead_nowhere;
            texts: hostile_text_comes_back, whole_numbers_are_exact, deep_values_come_back, blobs;
        }
    };
}
pub(crate) use suite;
