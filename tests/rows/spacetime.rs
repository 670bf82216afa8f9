//! The rows of `SpaceTime` VR.

use super::rows;

rows! {
    row_S_01 "Three levels, each with its objective"
        by "Level; `assess --json`"
        in ["src/engine/criteria/tests.rs::each_level_has_the_documents_objective",
            "src/engine/criteria/tests.rs::six_are_measured_and_a_slow_or_a_late_run_misses_exactly_one",
            "console::pictures::every_state_looks_as_it_did"];
    row_S_02 "What each level may lose, before the choice"
        by "the cards of Level; `plan --level N`"
        in ["console::pictures::every_state_looks_as_it_did",
            "point_in_time::corruption_goes_back_to_the_point_and_everything_that_was_live_is_kept"];
    row_S_03 "Four dimensions lead to the level"
        by "the questions of Assess, key `a`"
        in ["console::pictures::the_main_stages_look_as_they_did_in_utf8",
            "src/model/tree/tests.rs::a_breach_means_isolate_and_never_a_level",
            "src/model/tree/tests.rs::corruption_suggests_level_3"];
    row_S_04 "Decision tree in a fixed order"
        by "Assess; `assess`"
        in ["scenarios::every_story_ends_as_written",
            "src/model/tree/tests.rs::at_eleven_percent_it_stops_at_question_2_and_recommends_a_rollback",
            "src/model/tree/tests.rs::all_no_means_monitor"];
    row_S_05 "CRITICAL: at once"
        by "the header; `assess --json`"
        in ["src/model/tree/tests.rs::each_of_the_five_stimuli_alone_is_critical",
            "damage::corruption_is_critical_and_asks_for_level_3"];
    row_S_06 "HIGH: five minutes, then a rollback"
        by "the header; Assess; rules"
        in ["rules::high_has_five_minutes_and_then_it_is_on_record_and_the_rule_acts",
            "src/model/tree/tests.rs::a_better_class_keeps_the_clock_until_it_has_held"];
    row_S_07 "MEDIUM: fifteen minutes, then a rollback is considered"
        by "the header; Assess"
        in ["scenarios::every_story_ends_as_written",
            "src/model/signal/tests.rs::seven_percent_of_errors_are_medium_and_not_slow",
            "src/model/verdict/tests.rs::the_deadline_of_medium_asks"];
    row_S_08 "LOW: monitored"
        by "the header; Assess"
        in ["scenarios::every_story_ends_as_written",
            "src/model/verdict/tests.rs::low_is_monitored"];
    row_S_09 "Level 1: a switch, no data change, the failed version kept"
        by "`rollback --level 1`"
        in ["compose::levels::level_1_moves_traffic_back_drops_no_request_and_puts_the_tag_back"];
    row_S_10 "Level 1, assessed: containers, who serves, errors, a decision"
        by "Assess; `assess`"
        in ["compose::levels::assess_shows_containers_and_errors_and_level_2_runs_by_keys",
            "assess::an_assessment_says_what_runs_what_failed_and_what_can_be_gone_back_to"];
    row_S_11 "The version to go to is verified at its own address"
        by "`rollback --level 1`; `plan`"
        in ["demo::a_dead_target_whose_release_is_gone_blocks_before_anything_changes",
            "compose::traffic::a_colour_that_is_not_there_is_refused_before_anything",
            "src/steps/tests.rs::the_failed_version_behind_the_targets_address_does_not_pass_for_it"];
    row_S_12 "Level 1, executed: its sub-steps with what each may take and took"
        by "`rollback --quick`; Run"
        in ["demo::quick_is_level_1_confirmed_and_the_same_plan",
            "console::pictures::every_state_looks_as_it_did",
            "compose::levels::level_1_moves_traffic_back_drops_no_request_and_puts_the_tag_back"];
    row_S_13 "Level 1, validated: two minutes at five seconds, and the service's own word"
        by "Watch; `validate`"
        in ["demo::the_two_minutes_after_level_1_are_24_looks_five_seconds_apart",
            "compose::levels::level_1_moves_traffic_back_drops_no_request_and_puts_the_tag_back"];
    row_S_14 "The six criteria of level 1, measured"
        by "`rollback --level 1`; Validate"
        in ["compose::levels::level_1_moves_traffic_back_drops_no_request_and_puts_the_tag_back",
            "src/engine/criteria/tests.rs::six_are_measured_and_a_slow_or_a_late_run_misses_exactly_one",
            "src/model/next/tests.rs::outcomes_follow_verdict_and_criteria"];
    row_S_15 "From level 1 to level 2"
        by "the offer of a level 1 that failed"
        in ["src/report/documents/tests.rs::rollback_has_the_keys_that_were_promised"];
    row_S_16 "What level 2 takes back, from what to what"
        by "`plan --level 2`"
        in ["full::a_plan_shows_its_parts_and_a_failing_smoke_command_ends_level_2_failed"];
    row_S_17 "The list of targets"
        by "`rollback --list`; `targets`"
        in ["src/report/documents/tests.rs::targets_are_listed_as_in_the_document"];
    row_S_18 "A safety backup before anything stops"
        by "`rollback --level 2`; `backup now`"
        in ["full::a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost",
            "src/steps/tests/safety_backup.rs::it_holds_states_settings_data_and_database_and_is_named_by_the_pointer",
            "compose::stores::level_3_brings_redis_back_with_the_database_and_says_the_moment_of_each"];
    row_S_19 "The parts of level 2 in their order, each with its budget"
        by "Plan; Run"
        in ["full::a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost"];
    row_S_20 "A graceful stop, and who was killed"
        by "`rollback: {stop_grace}`"
        in ["compose::engine::a_stop_waits_for_its_grace_and_says_who_was_killed",
            "configs::the_defaults_are_those_of_the_documents"];
    row_S_21 "Migrations are taken back, after a dump"
        by "`rollback --level 2`"
        in ["compose::levels::level_2_takes_schema_and_configuration_back_and_loses_no_row",
            "postgres::data::a_dump_restored_beside_holds_everything_of_one_moment"];
    row_S_22 "Configuration goes back, nginx asked before the reload"
        by "`rollback --level 2`"
        in ["full::a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost",
            "compose::traffic::what_nginx_refuses_leaves_the_old_one_and_its_words"];
    row_S_23 "The recorded image runs again, by its digest"
        by "`rollback --level 2`"
        in ["compose::deploys::the_recorded_image_runs_and_nothing_else_is_touched"];
    row_S_24 "Waiting for health, with an end"
        by "`rollback: {health_wait, health_every}`"
        in ["full::a_target_that_is_never_healthy_ends_level_2_failed_and_nobody_is_waited_for",
            "configs::the_defaults_are_those_of_the_documents"];
    row_S_25 "The validation of level 2 with the smoke command"
        by "`smoke_command`; `validate --thorough`"
        in ["full::a_plan_shows_its_parts_and_a_failing_smoke_command_ends_level_2_failed",
            "full::a_thorough_validation_prints_fourteen_lines_and_runs_the_smoke_command"];
    row_S_26 "The seven criteria of level 2, measured"
        by "`rollback --level 2`; Validate"
        in ["compose::levels::level_2_takes_schema_and_configuration_back_and_loses_no_row"];
    row_S_27 "Down scripts as the document writes them"
        by "`rollback --level 2`"
        in ["postgres::migrations::the_example_of_the_document_runs_as_it_is_or_not_at_all"];
    row_S_28 "Without a down script only a restore, and its loss said first"
        by "`plan --level 2`; `rollback --accept-loss`"
        in ["full::a_down_script_that_is_broken_or_missing_blocks_before_anything_stops_and_says_the_loss",
            "compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_29 "From level 2 to level 3"
        by "the offer of a level 2 that failed"
        in ["full::a_table_that_is_gone_ends_level_2_failed_with_the_ways_to_bring_it_back"];
    row_S_30 "What level 3 takes back, and what the logs can do"
        by "`plan --level 3`"
        in ["full::a_plan_shows_its_parts_and_a_failing_smoke_command_ends_level_2_failed",
            "compose::recovery::a_server_goes_back_to_a_moment_and_goes_on_from_there"];
    row_S_31 "Level 3, assessed: marker, counts, points, and who was told"
        by "`assess`, `assess --informed WHO`, `:informed WHO`"
        in ["assess::an_assessment_says_what_runs_what_failed_and_what_can_be_gone_back_to"];
    row_S_32 "Level 3, stopped: nothing of the application runs, no volume is lost"
        by "`rollback --level 3`"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live",
            "compose::engine::a_stop_waits_for_its_grace_and_says_who_was_killed"];
    row_S_33 "Files are restored beside and the live ones kept"
        by "`rollback --level 3`"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_34 "The database is restored beside and the live one kept"
        by "`rollback --level 3`"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live",
            "point_in_time::corruption_goes_back_to_the_point_and_everything_that_was_live_is_kept"];
    row_S_35 "Logs are replayed up to a moment"
        by "`rollback --level 3 --to TIME`"
        in ["compose::recovery::a_server_goes_back_to_a_moment_and_goes_on_from_there"];
    row_S_36 "Configuration goes back at level 3, too"
        by "`rollback --level 3`"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_37 "Services are up when they say so, or the step fails"
        by "`rollback: {health_wait, health_every}`"
        in ["src/steps/tests.rs::a_wait_for_health_ends_when_it_is_ready_and_says_why_when_its_time_is_over",
            "compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_38 "Level 3, the data: tables by size, rows then and now, the marker"
        by "`rollback --level 3`; Validate; the report"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live",
            "src/model/tables.rs::tables_are_listed_largest_first_with_their_rows_then_and_now",
            "full::a_table_that_is_gone_ends_level_2_failed_with_the_ways_to_bring_it_back"];
    row_S_39 "A watch of a fixed length"
        by "`monitor --duration 300`"
        in ["monitor::a_monitor_ends_when_its_time_is_over_and_watches_only_here"];
    row_S_40 "The ten criteria of level 3, measured"
        by "`rollback --level 3`; Validate"
        in ["compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_41 "What may be lost, said after level 3"
        by "`rollback --level 3`; `report`"
        in ["point_in_time::corruption_goes_back_to_the_point_and_everything_that_was_live_is_kept",
            "src/report/loss.rs::the_sentences_are_those_of_the_document",
            "reports::after_level_3_people_are_told_what_may_be_lost"];
    row_S_42 "Colleagues are told what was lost"
        by "`report internal`"
        in ["reports::after_level_3_people_are_told_what_may_be_lost"];
    row_S_43 "Six safety checks before any change, each by itself"
        by "`preflight [--level N]`; `plan --check`"
        in ["preflight::each_of_the_six_fails_alone_and_blocks",
            "preflight::a_dump_or_a_rewrite_in_the_database_blocks_what_touches_data"];
    row_S_44 "The safety backup: what it holds, where it is, who names it"
        by "`rollback --level 2`; `backup now --safety`"
        in ["full::a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost",
            "full::an_undo_after_the_migration_brings_its_values_back",
            "src/evidence/points/prune.rs::only_what_is_old_and_nobodys_goes"];
    row_S_45 "What is gone back to is whole"
        by "`plan --level 3 --target ID`; `backup verify ID`"
        in ["point_in_time::a_flipped_byte_anywhere_in_the_point_is_refused_by_name_before_anything_stops",
            "src/evidence/points/tests.rs::a_trial_restore_counts_and_leaves_nothing"];
    row_S_46 "Typed confirmation"
        by "`ROLLBACK` in the console; `rollback --auto-confirm`"
        in ["console::keys::typing_the_word_and_enter_approves_the_plan_that_was_read",
            "console::keys::enter_does_nothing_before_the_word_is_whole_and_exact",
            "console::keys::a_pasted_word_is_refused",
            "demo::without_a_terminal_and_without_auto_confirm_nothing_starts"];
    row_S_47 "What blocks a rollback before anything changes"
        by "`plan`; `rollback`"
        in ["compose::diagnoses::a_missing_tool_and_an_unknown_target_are_said_before_anything_is_done",
            "compose::faults::what_goes_wrong_ends_with_a_true_word_and_the_next_command",
            "demo::a_dead_target_whose_release_is_gone_blocks_before_anything_changes",
            "point_in_time::a_flipped_byte_anywhere_in_the_point_is_refused_by_name_before_anything_stops",
            "src/evidence/points/tests.rs::thirty_kinds_of_damage_are_refused_and_the_next_older_good_point_is_offered"];
    row_S_48 "Quick validation, ten lines"
        by "`validate`"
        in ["src/report/documents/tests.rs::validate_prints_the_ten_in_their_order",
            "src/report/documents/tests.rs::validate_fails_for_each_failure_and_for_what_is_not_known"];
    row_S_49 "Thorough validation, fourteen lines"
        by "`validate --thorough`"
        in ["full::a_thorough_validation_prints_fourteen_lines_and_runs_the_smoke_command"];
    row_S_50 "Validation by hand, eight items"
        by "`guide show validation-checklist`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "console::guide::it_is_found_by_what_people_call_the_trouble_and_a_step_runs_on_enter",
            "console::guide::what_a_person_does_is_ticked_with_what_was_done",
            "src/checks/prometheus/tests.rs::the_query_is_sent_as_a_form_with_its_time_and_the_password"];
    row_S_51 "Emergency: complete outage"
        by "`guide show complete-outage`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen",
            "console::guide::what_changes_something_takes_the_word_and_never_a_paste"];
    row_S_52 "Emergency: database corruption"
        by "`guide show database-corruption`; `rollback --level 3`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_53 "Emergency: a security breach"
        by "`backout breach report`, `backout guide run security-breach`"
        in ["compose::breach::evidence_is_kept_before_the_containers_are_cut_off_and_our_session_lives",
            "breach::nothing_starts_until_another_user_gives_the_security_release"];
    row_S_54 "Emergency: the rollback is done and services are not well"
        by "`guide show rollback-failed`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "src/model/older.rs::only_points_two_versions_older_and_whole_are_offered",
            "bundle::export_makes_a_bundle_with_and_without_an_engine"];
    row_S_55 "Emergency: network"
        by "`guide show network-issues`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "console::guide::it_is_found_by_what_people_call_the_trouble_and_a_step_runs_on_enter"];
    row_S_56 "What to do after a rollback, in three windows"
        by "`checklist`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "src/report/checklist.rs::ten_items_stand_in_three_windows_without_a_gap"];
    row_S_57 "The watch window"
        by "Watch; `rollback: {watch_window, watch_every}`"
        in ["console::pictures::the_main_stages_look_as_they_did_in_utf8",
            "src/model/watch/tests.rs::looks_every_ten_seconds_fill_a_window",
            "src/model/watch/tests.rs::as_bad_as_before_has_no_effect_and_more_errors_are_worse",
            "pty::a_killed_console_does_not_disturb_the_run"];
    row_S_58 "The notification of colleagues"
        by "`report internal`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "reports::every_document_has_what_the_journal_knows_and_brackets_for_the_rest"];
    row_S_59 "What customers are told"
        by "`report customer`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "reports::customers_get_neither_curves_nor_names"];
    row_S_60 "The incident report"
        by "`report incident`; `notifications: {github}`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "notify::an_issue_is_opened_once_and_kept_up_to_date_and_a_receiver_says_when_to_come_back"];
    row_S_61 "Errors by how often, and what changed in the configuration"
        by "`backout analyze [--from POINT [--to POINT]]`"
        in ["analyze::errors_are_counted_by_what_they_say_and_the_configurations_of_two_points_compared",
            "src/report/causes.rs::equal_errors_are_one_whatever_their_numbers_and_the_most_frequent_comes_first"];
    row_S_62 "The changes that most often break a deploy"
        by "`backout analyze --risky --from TAG --to TAG`"
        in ["analyze::the_risky_files_of_two_versions_are_shown_and_no_value_of_an_env_file"];
    row_S_63 "The fix, tested in staging"
        by "`checklist`; `guide show permanent-fix`; `monitor --duration 7200`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard",
            "src/cli/mod.rs::every_command_that_a_procedure_names_is_one"];
    row_S_64 "The permanent fix"
        by "`checklist`; `guide show permanent-fix`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard"];
    row_S_65 "Runbooks brought up to date"
        by "`checklist`; `guide show permanent-fix`"
        in ["guides::pages::the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard"];
    row_S_66 "The invitation to the post-mortem"
        by "`report meeting`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "reports::every_document_has_what_the_journal_knows_and_brackets_for_the_rest"];
    row_S_67 "The post-mortem"
        by "`report postmortem`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "reports::every_document_has_what_the_journal_knows_and_brackets_for_the_rest"];
    row_S_68 "Backup not found"
        by "`rollback --target`; `BACKUP_DIR`"
        in ["compose::diagnoses::a_missing_tool_and_an_unknown_target_are_said_before_anything_is_done",
            "src/evidence/points/tests.rs::an_unknown_point_is_answered_in_the_words_of_the_runbook",
            "configs::the_environment_wins_and_says_so"];
    row_S_69 "A required tool is missing"
        by "`plan`; `doctor`"
        in ["compose::diagnoses::a_missing_tool_and_an_unknown_target_are_said_before_anything_is_done"];
    row_S_70 "Containers that do not become healthy, diagnosed"
        by "what a failing level says; `health_wait`"
        in ["compose::diagnoses::each_diagnosis_names_what_it_is_and_the_next_command",
            "compose::diagnoses::a_version_outside_the_network_of_its_database_is_told_so"];
    row_S_71 "A migration cannot be taken back"
        by "`rollback --level 2`; `run retry|skip|done`"
        in ["compose::diagnoses::each_diagnosis_names_what_it_is_and_the_next_command",

            "src/steps/migrate_trouble.rs::the_three_fixtures_are_told_apart",
            "full::a_down_script_that_is_broken_or_missing_blocks_before_anything_stops_and_says_the_loss",
            "full::a_down_script_that_fails_while_it_runs_holds_and_an_undo_brings_everything_back"];
    row_S_72 "A timeout is said as one, and the database is reached from the application's network"
        by "what a failing level says; `guide run network-timeout`"
        in ["compose::diagnoses::each_diagnosis_names_what_it_is_and_the_next_command"];
    row_S_73 "A full disk: what could go, with its size"
        by "`guide run disk-full`; `backup prune --dry-run`"
        in ["deploys::a_preview_of_pruning_lists_what_goes_with_its_size_and_never_what_is_needed",
            "src/evidence/points/prune.rs::only_what_is_old_and_nobodys_goes",
            "people::on_a_full_disk_level_1_reaches_stable_and_evidence_is_left_out_with_a_reason"];
    row_S_74 "A line of history a rollback"
        by "`rollback_history.log`; `history`"
        in ["src/report/history.rs::the_documents_two_lines_are_read_and_written_alike",
            "src/report/history.rs::any_line_is_one_line_and_comes_back",
            "full::a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost"];
    row_S_75 "The report over it"
        by "`history --report`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay",
            "src/report/history.rs::words_inside_the_reason_are_not_counted"];
    row_S_76 "Documents to read"
        by "`links`; Help"
        in ["console::guide::help_and_the_page_of_people_list_where_to_read_and_ask",
            "configs::the_spacetime_runbook_is_a_configuration_that_only_needs_its_password"];
    row_S_77 "Who is called, in order"
        by "`notifications: {escalation}`; `:people`"
        in ["console::rules::the_ladder_says_who_was_called_who_is_next_and_who_could_not_be_told"];
    row_S_78 "Channels and support"
        by "`links`; `:people`; `notify show`"
        in ["console::guide::help_and_the_page_of_people_list_where_to_read_and_ask",
            "configs::the_spacetime_runbook_is_a_configuration_that_only_needs_its_password"];
    row_S_79 "Version and review date of each procedure"
        by "`guide list`; `guide show`"
        in ["guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen"];
    row_S_80 "Restore points as the document lays them out"
        by "`restore_points`; `backup list`"
        in ["src/evidence/points/tests.rs::a_point_made_by_hand_is_listed_and_said_to_be_not_proven",
            "compose::levels::level_3_brings_data_and_database_back_and_keeps_what_was_live"];
    row_S_81 "Endpoints and what they must say"
        by "`health_checks: {expect}`"
        in ["configs::the_spacetime_runbook_is_a_configuration_that_only_needs_its_password",
            "src/checks/expect.rs::lines_hold_or_do_not",
            "src/checks/expect.rs::true_as_text_is_not_true"];
}
