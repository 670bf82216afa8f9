//! The rows of `PratikoAI`.

use super::rows;

rows! {
    row_P_01 "Executor, monitor daemon, console"
        by "`backout daemon`, `backout monitor`"
        in ["monitor::the_flags_of_the_documents_the_status_and_the_log_files",
            "pty::a_killed_console_does_not_disturb_the_run"];
    row_P_02 "Two configuration files from examples"
        by "`backout init --examples`"
        in ["configs::the_example_files_are_written_once_and_load"];
    row_P_03 "Monitoring by the documents' flags"
        by "`backout monitor --deployment-id ID --environment NAME --services A B C`"
        in ["monitor::three_services_are_watched_by_the_flags_of_the_document",
            "monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_04 "A rollback by hand, with its reason"
        by "`backout monitor --manual-rollback REASON`"
        in ["monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_05 "Strategies"
        by "`backout plan|rollback --strategy NAME`"
        in ["strategies::batches_go_one_after_the_other_and_an_unhealthy_one_halts_what_follows",
            "strategies::a_switch_by_name_keeps_the_failed_version_and_goes_back_where_users_are_not_served_well",
            "src/model/strategy.rs::a_strategy_is_known_by_each_of_its_names"];
    row_P_06 "Services go back in reverse deployment order"
        by "`services: {web: {depends_on: [api]}}`"
        in ["strategies::services_go_back_in_reverse_order_and_with_what_no_longer_works_with_them",
            "src/model/strategy.rs::who_depends_on_others_goes_first_and_a_way_round_is_told",
            "configs::every_mistake_is_told_with_its_place_and_what_to_do"];
    row_P_07 "Progress as it happens, and going on after a crash"
        by "`backout attach`"
        in ["crash::killed_at_every_boundary_of_every_step_the_run_ends_the_same",
            "pty::a_second_terminal_watches_and_can_stop_the_run"];
    row_P_08 "The record of what called for a rollback"
        by "`backout history --json`, `backout history RUN`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay"];
    row_P_09 "Targets: services of an environment"
        by "`targets:`; `backout plan --service NAME`"
        in ["strategies::services_go_back_in_reverse_order_and_with_what_no_longer_works_with_them",
            "configs::the_documents_targets_are_how_services_go_back"];
    row_P_10 "Check types, rules, logs kept first, alerts that grow louder"
        by "`health_checks:`, `monitoring_rules:`, `notifications:`"
        in ["demo::web_database_resource_and_own_checks_are_looked_at_side_by_side",
            "src/model/notice/tests.rs::a_rule_that_has_to_act_again_is_told_louder_each_time_and_its_end_to_whoever_heard",
            "rules::a_rule_rolls_back_with_the_logs_preserved_first_and_a_restart_doubles_nothing"];
    row_P_11 "Verification afterwards, overrides by hand, who did what, how it stands"
        by "`history`, `report incident`, `status`"
        in ["audit::every_command_and_override_is_on_record_with_who_and_when",
            "reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay"];
    row_P_12 "Blue-green, and its options"
        by "`--strategy blue-green`"
        in ["strategies::a_switch_by_name_keeps_the_failed_version_and_goes_back_where_users_are_not_served_well",
            "configs::the_documents_targets_are_how_services_go_back"];
    row_P_13 "Rolling, and its options"
        by "`--strategy rolling`"
        in ["strategies::batches_go_one_after_the_other_and_an_unhealthy_one_halts_what_follows",
            "configs::the_documents_targets_are_how_services_go_back"];
    row_P_14 "Database rollback with data preservation"
        by "`rollback --level 2` with `backup: {location: s3://…}`"
        in ["frontend::the_safety_backup_is_in_the_bucket_before_the_first_migration",
            "postgres::migrations::rows_and_values_that_a_down_script_removes_come_back_with_the_up_script"];
    row_P_15 "Frontend rollback"
        by "`platform: {frontend: …}`, `rollback --quick`"
        in ["frontend::a_frontend_on_a_real_server_goes_back_though_the_engine_is_killed_amid_the_copies",
            "frontend::a_frontend_in_a_folder_goes_back_and_what_has_no_version_is_kept",
            "frontend::clients_that_do_not_go_with_a_version_block_it",
            "frontend::a_pointer_is_switched_in_one_piece"];
    row_P_16 "The keys of the monitor's file"
        by "`backout config show`"
        in ["configs::the_documents_monitor_means_what_it_says",
            "configs::every_file_of_the_documents_loads_as_it_stands",
            "configs::thresholds_of_resources_come_from_their_section_or_the_documents",
            "src/journal/samples/tests.rs::readings_and_the_last_word_are_read_back_and_trimmed",
            "src/model/rule/tests/following.rs::every_guard_holds_it_or_makes_it_propose"];
    row_P_17 "The keys of a check"
        by "`health_checks:`"
        in ["configs::every_file_of_the_documents_loads_as_it_stands",
            "configs::a_check_that_only_has_a_name_is_its_own_service",
            "configs::what_a_check_stands_beside_is_read_and_the_rest_has_a_default"];
    row_P_18 "A part of a check changes the check"
        by "`health_checks:` with a known `check_id`"
        in ["configs::an_override_changes_only_what_it_says",
            "configs::every_file_of_the_documents_loads_as_it_stands"];
    row_P_19 "The documents' variables"
        by "the environment; `backout doctor`"
        in ["postgres::checks::the_documents_variables_say_where_things_are",
            "configs::an_address_that_is_not_written_is_that_of_the_documents_variable",
            "monitor::the_flags_of_the_documents_the_status_and_the_log_files",
            "frontend::the_safety_backup_is_in_the_bucket_before_the_first_migration"];
    row_P_20 "Console, log files, metrics, Slack, mail for what is critical"
        by "`notifications:`, `log_files:`"
        in ["notify::a_critical_alert_reaches_slack_and_mail_a_warning_slack_alone_and_its_end_whoever_heard",
            "monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_21 "Check of kind http_response"
        by "`check_type: http_response`"
        in ["src/checks/http_response/tests.rs::fault_2_http_500_is_a_failure",
            "src/checks/http_response/tests.rs::the_threshold_of_a_warning_is_on_the_status",
            "src/checks/http_response/tests.rs::silence_of_the_target_is_bad_each_in_its_own_class",
            "src/checks/http_response/tests.rs::an_expected_answer_is_good_and_its_phases_are_known"];
    row_P_22 "Check of kind database_connection"
        by "`check_type: database_connection`"
        in ["postgres::checks::every_answer_of_a_server_is_told_apart",
            "src/checks/database_connection/tests.rs::a_server_that_does_not_listen_is_refused_and_its_password_is_not_shown"];
    row_P_23 "Check of kind system_resource"
        by "`check_type: system_resource`"
        in ["src/checks/system_resource.rs::a_busy_machine_reads_busier_than_an_idle_one_can",
            "src/checks/threshold.rs::the_threshold_itself_is_over_it",
            "configs::the_documents_resource_check_means_what_it_says"];
    row_P_24 "Check of kind custom"
        by "`check_type: custom`"
        in ["src/checks/custom/tests.rs::fault_6_a_pipe_in_a_command_works",
            "src/checks/custom/tests.rs::text_where_a_number_is_judged_and_a_no_are_failures",
            "src/checks/custom/tests.rs::the_whole_process_group_ends_with_the_limit"];
    row_P_25 "Rules and their three actions"
        by "`monitoring_rules:`"
        in ["configs::the_documents_rules_mean_what_they_say",
            "src/model/rule/tests/following.rs::a_rule_acts_once_in_its_cooldown_and_says_what_it_rests_on",
            "src/model/rule/tests/following.rs::every_guard_holds_it_or_makes_it_propose"];
    row_P_26 "The language of conditions"
        by "`condition:` of a rule"
        in ["recorded::every_rule_of_the_documents_acts_on_what_is_true_and_on_nothing_else",
            "recorded::hostile_conditions_are_refused_or_broken_and_never_take_long"];
    row_P_27 "Rules as a name with a threshold"
        by "`monitoring_rules: [{name, threshold, window_minutes, severity}]`"
        in ["configs::the_documents_rules_mean_what_they_say",
            "recorded::every_rule_of_the_documents_acts_on_what_is_true_and_on_nothing_else",
            "src/model/overrule.rs::a_rule_that_is_met_raises_the_class_and_never_lowers_it"];
    row_P_28 "Status of a deployment as JSON"
        by "`backout status --deployment-id ID --json`"
        in ["src/report/documents/tests.rs::a_deployments_status_has_exactly_the_documents_keys_and_types",
            "monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_29 "Health report in four sections"
        by "`backout report health`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay"];
    row_P_30 "History of a deployment"
        by "`backout history --deployment-id ID`"
        in ["reports::real::a_real_run_leaves_documents_a_history_a_checklist_and_a_replay"];
    row_P_31 "Guided: a rollback does not start"
        by "`backout guide run rollback-does-not-start`"
        in ["guides::pages::each_page_looks_at_what_its_row_names",
            "guides::built_in_procedures_look_at_the_demo",
            "guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen"];
    row_P_32 "Guided: health checks fail, in short"
        by "`backout guide run network-timeout`, `backout config edit`"
        in ["assess::a_change_of_the_configuration_is_shown_before_it_counts_and_nothing_typed_is_lost",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_33 "Guided: a database rollback fails, in short"
        by "`backout guide run migration-rollback-fails`, `backout doctor`"
        in ["guides::pages::each_page_looks_at_what_its_row_names",
            "guides::built_in_procedures_look_at_the_demo",
            "frontend::the_safety_backup_is_in_the_bucket_before_the_first_migration"];
    row_P_34 "Guided: the frontend does not go back, in short"
        by "`backout guide run frontend-rollback`"
        in ["guides::pages::each_page_looks_at_what_its_row_names",
            "guides::built_in_procedures_look_at_the_demo",
            "frontend::a_frontend_in_a_folder_goes_back_and_what_has_no_version_is_kept"];
    row_P_35 "Guided: alarms that are not true, with own samples beside the thresholds"
        by "`backout guide run false-alarms`, `backout check --samples 60`"
        in ["assess::own_samples_stand_beside_the_thresholds_of_an_alarm",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_36 "Components that lost each other"
        by "`backout doctor`, `backout guide run components-lost`"
        in ["monitor::a_monitor_ends_when_its_time_is_over_and_watches_only_here",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_37 "Looking for a failure in the logs"
        by "the log pane: `s`, `/`; `backout logs FILE --find '~rollback.*failed' --around 10`"
        in ["src/tui/logs/lines.rs::a_match_is_shown_with_the_lines_around_it",
            "src/tui/logs/pager/tests.rs::find_looks_through_the_whole_file_and_steps_both_ways_round",
            "console::keys::find_steps_through_the_places"];
    row_P_38 "Every check once, and a report, without a rollback"
        by "`backout check [DEPLOYMENT] --once`, `backout report health`"
        in ["demo::checks_look_once_and_a_report_tells_of_them_without_a_rollback",
            "src/report/documents/tests.rs::the_four_exit_codes_and_unknown_is_never_healthy"];
    row_P_39 "Rehearsal of a rollback"
        by "`backout rollback --dry-run`"
        in ["reports::dry_run::a_rehearsal_prints_the_whole_plan_and_changes_nothing_anywhere",
            "reports::dry_run::a_deploy_or_a_service_that_does_not_fit_refuses_the_real_thing"];
    row_P_40 "State of the database and a named snapshot"
        by "`backout db state`, `backout db snapshot NAME`"
        in ["full::the_database_says_its_head_and_is_copied_by_a_name",
            "full::alembic_is_asked_by_its_command_and_its_own_ledger_says_whether_it_happened"];
    row_P_41 "Where logs and what was preserved of them lie"
        by "`log_files: documents`, key `e`"
        in ["bundle::a_rollback_leaves_two_bundles_that_verify_and_hold_what_was_logged_before",
            "configs::the_log_files_of_the_documents_by_one_word"];
    row_P_42 "Guided: recovery by hand when the automatic rollback fails"
        by "`backout guide run recovery-by-hand`, `rollback --strategy …`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen",
            "frontend::a_frontend_on_a_real_server_goes_back_though_the_engine_is_killed_amid_the_copies",
            "strategies::batches_go_one_after_the_other_and_an_unhealthy_one_halts_what_follows"];
    row_P_43 "Guided: recovery of the system"
        by "`backout guide run system-recovery`"
        in ["guides::pages::each_page_looks_at_what_its_row_names",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_44 "Logs are kept before a rollback and by a rule"
        by "`action: preserve_logs`, the step `preserve`"
        in ["rules::a_rule_rolls_back_with_the_logs_preserved_first_and_a_restart_doubles_nothing",
            "bundle::a_rollback_leaves_two_bundles_that_verify_and_hold_what_was_logged_before"];
    row_P_45 "Status checker: JSON and exit codes"
        by "`backout check --json`"
        in ["src/report/documents/tests.rs::check_has_the_keys_of_the_document",
            "src/report/documents/tests.rs::the_four_exit_codes_and_unknown_is_never_healthy"];
    row_P_46 "A rollback does not start: what is looked at"
        by "`backout guide run rollback-does-not-start`"
        in ["guides::built_in_procedures_look_at_the_demo",
            "guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_47 "A rollback does not start: what is done"
        by "the steps of that page, each with its danger"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "console::guide::what_changes_something_takes_the_word_and_never_a_paste"];
    row_P_48 "Health checks fail: what is looked at"
        by "`backout guide run network-timeout`, `backout check --explain`"
        in ["guides::built_in_procedures_look_at_the_demo"];
    row_P_49 "Health checks fail: what is done"
        by "`backout guide show network-timeout`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_50 "A migration cannot be taken back"
        by "`backout guide show migration-rollback-fails`, `backout backup verify --restore-test`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "guides::upkeep_is_overdue_until_somebody_did_it",
            "src/evidence/points/tests.rs::a_trial_restore_counts_and_leaves_nothing"];
    row_P_51 "The frontend does not go back: version registry, invalidation, apps"
        by "`backout rollback --quick --target VERSION`, `backout guide run frontend-rollback`"
        in ["frontend::a_frontend_in_a_folder_goes_back_and_what_has_no_version_is_kept",
            "frontend::a_frontend_on_a_real_server_goes_back_though_the_engine_is_killed_amid_the_copies",
            "guides::pages::each_page_looks_at_what_its_row_names"];
    row_P_52 "Resources of the host, and the limits of a rollback"
        by "`ROLLBACK_…`, `backout config show`, `backout doctor`"
        in ["configs::the_environment_wins_and_says_so",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_53 "Trouble of the backend"
        by "`backout guide show backend-trouble`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_54 "Trouble of the database"
        by "console: the database's page; `backout db activity`, `backout guide show database-trouble`"
        in ["console::database::the_database_s_page_looks_as_it_did",
            "postgres::data::what_is_wrong_inside_is_found_and_what_goes_on_is_seen"];
    row_P_55 "Guided: trouble of the frontend"
        by "`backout guide run frontend-rollback`"
        in ["guides::pages::each_page_looks_at_what_its_row_names",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_56 "Emergency stop of a running rollback"
        by "`backout stop --emergency`"
        in ["locks::an_emergency_stop_ends_the_run_within_its_grace_and_nothing_starts_until_it_is_released",
            "postgres::migrations::an_emergency_stop_ends_the_sessions_of_its_step_and_no_others"];
    row_P_57 "Deployment lock during rollback"
        by "`backout lock check`"
        in ["locks::a_rollback_takes_the_lock_and_gives_it_back_and_a_touched_file_is_a_lock_too"];
    row_P_58 "Recovery of the whole system"
        by "`backout guide show system-recovery`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_59 "Recovery of rows"
        by "`backout guide show data-recovery`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "point_in_time::beside_leaves_both_up_with_the_commands_for_single_tables_and_lifts_what_was_held"];
    row_P_60 "Summary of health in five sections"
        by "`backout doctor`"
        in ["guides::built_in_procedures_look_at_the_demo"];
    row_P_61 "Performance log and its alerts"
        by "`log_files: {performance: FILE}`"
        in ["monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_62 "Log files that are followed"
        by "`log_sources:`, `config/pratiko.yaml`"
        in ["configs::the_pratiko_runbook_is_a_configuration_that_follows_all_its_logs",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_63 "The six queries on log files"
        by "`backout logs --analyze FILE`"
        in ["src/report/log_analysis.rs::the_six_queries_of_the_documents_find_what_a_known_file_holds",
            "monitor::the_flags_of_the_documents_the_status_and_the_log_files"];
    row_P_64 "Rotation of log files"
        by "`config/logrotate`, SIGHUP"
        in ["monitor::the_flags_of_the_documents_the_status_and_the_log_files",
            "configs::the_shipped_rotation_is_the_documents"];
    row_P_65 "The rollback itself takes too much of the processors"
        by "`ROLLBACK_MAX_WORKERS`, `backout guide show performance-trouble`"
        in ["strategies::a_switch_by_name_keeps_the_failed_version_and_goes_back_where_users_are_not_served_well",
            "configs::the_environment_wins_and_says_so",
            "guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_66 "… of the memory"
        by "`backout guide show performance-trouble`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_67 "… of the network"
        by "`backout guide show performance-trouble`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_68 "Recovery of a rollback that stands half done"
        by "`backout run show|retry|skip|done`"
        in ["guarantees::unknown::a_person_has_it_tried_again_or_left_out",
            "console::keys::vouching_for_a_step_needs_the_word_and_a_reason"];
    row_P_69 "Alarms that are not true"
        by "`backout guide show false-alarms`, `backout check set CHECK KEY=VALUE --for SPAN`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "guides::upkeep_is_overdue_until_somebody_did_it"];
    row_P_70 "Recovery with the database by level 3"
        by "`backout guide show system-recovery`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_71 "When to escalate"
        by "the banner in the header; `A`"
        in ["console::rules::the_ladder_says_who_was_called_who_is_next_and_who_could_not_be_told"];
    row_P_72 "Whom to call, level by level"
        by "`A`; `notifications: {escalation: …}`"
        in ["console::rules::the_ladder_says_who_was_called_who_is_next_and_who_could_not_be_told",
            "src/model/notice/tests.rs::what_nobody_looks_after_is_told_again_and_climbs_the_ladder_until_somebody_does"];
    row_P_73 "What to give when you escalate"
        by "`backout export`, `e`; `backout guide run escalation-info`"
        in ["guides::built_in_procedures_look_at_the_demo",
            "guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid"];
    row_P_74 "Version and review date of each procedure"
        by "`backout guide list`"
        in ["guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen"];
    row_P_75 "Quick diagnostic checklist"
        by "`backout doctor`, `backout guide run quick-checklist`"
        in ["guides::built_in_procedures_look_at_the_demo",
            "configs::every_mistake_is_told_with_its_place_and_what_to_do"];
    row_P_76 "The configuration is checked"
        by "`backout config check`"
        in ["configs::every_mistake_is_told_with_its_place_and_what_to_do",
            "guides::built_in_procedures_look_at_the_demo"];
    row_P_77 "Upkeep by week, month and quarter"
        by "`backout guide list upkeep`"
        in ["guides::upkeep_is_overdue_until_somebody_did_it",
            "src/model/guide/tests.rs::upkeep_is_overdue_until_it_is_done_and_again_after_its_days"];
    row_P_78 "Where to get help"
        by "`backout guide show getting-help`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "console::guide::every_procedure_reads_well_on_a_small_screen"];
    row_P_79 "Four kinds of triggers"
        by "`backout trigger`, `triggers: {listen: …}`"
        in ["notify::a_pipeline_calls_for_a_rollback_and_a_person_finds_the_plan_of_level_1",
            "notify::calls_come_in_over_a_socket_of_this_user_without_a_token",
            "rules::a_rule_rolls_back_with_the_logs_preserved_first_and_a_restart_doubles_nothing"];
    row_P_80 "Four phases of three tasks"
        by "`backout run phases`; `z` on the list of steps"
        in ["strategies::a_switch_by_name_keeps_the_failed_version_and_goes_back_where_users_are_not_served_well",
            "console::arrange::the_steps_of_a_run_stand_under_four_phases_when_there_is_room"];
    row_P_81 "Versions that work with each other"
        by "`services: {web: {works_with: …}}`"
        in ["strategies::services_go_back_in_reverse_order_and_with_what_no_longer_works_with_them"];
    row_P_82 "Automatic rollbacks, how often and whether at all"
        by "`max_rollback_attempts`, `auto_rollback_enabled`"
        in ["src/model/rule/tests/following.rs::after_three_failed_attempts_a_person_decides",
            "configs::the_documents_rules_mean_what_they_say",
            "rules::people_veto_and_freeze_and_a_bad_configuration_changes_nothing"];
    row_P_83 "Drills"
        by "`backout drill --environment staging`"
        in ["guides::a_drill_makes_a_failure_rolls_back_says_its_times_and_is_no_thing_for_production"];
    row_P_84 "Points are kept as long as configured, pinned ones longer"
        by "`backup_retention_days`, `backout targets pin`"
        in ["src/evidence/points/prune.rs::only_what_is_old_and_nobodys_goes",
            "deploys::a_pinned_point_is_marked_and_missed_when_it_is_gone"];
    row_P_85 "Prometheus, asked and scraped"
        by "`check_type: prometheus`, `backout monitor`, `backout dashboard`"
        in ["prometheus::a_real_prometheus_answers_every_form_of_the_check",
            "monitor::a_real_prometheus_scrapes_the_monitor_and_answers_the_whole_dashboard",
            "monitor::alerts::a_rule_of_ours_asks_a_real_prometheus_and_rolls_back"];
    row_P_86 "Four groups of what is watched"
        by "console: the list of checks; `backout --json check`"
        in ["console::arrange::checks_are_counted_in_four_groups_where_there_is_room"];
    row_P_87 "Procedures and practices"
        by "`backout guide show best-practices`"
        in ["guides::pages::the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid",
            "guides::row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen"];
    row_P_88 "A first press asks, a second one kills"
        by "`backout stop --emergency [--now]`"
        in ["locks::an_emergency_stop_ends_the_run_within_its_grace_and_nothing_starts_until_it_is_released"];
}
