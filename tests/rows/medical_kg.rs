//! The rows of `Medical_KG`.

use super::rows;

rows! {
    row_M_01 "Failover: an alert of its context must fire"
        by "`rollback --type failover`, its first step"
        in ["kube::procedures::docling_fails_over_to_mineru_and_half_of_it_is_left_over_out_loud",
            "kube::procedures::without_an_alert_that_fires_nothing_fails_over"];
    row_M_02 "Failover: the ingestion is paused by a call and resumed at the end"
        by "step `http_call` of `rollback --type failover`"
        in ["kube::procedures::docling_fails_over_to_mineru_and_half_of_it_is_left_over_out_loud"];
    row_M_03 "Failover: flag, archived manifests and restarts, rehearsed first"
        by "`rollback --type failover`"
        in ["kube::procedures::docling_fails_over_to_mineru_and_half_of_it_is_left_over_out_loud"];
    row_M_04 "Failover: a 503 is expected, and two canaries run"
        by "`expected_status: 503`; steps of `rollback --type failover`"
        in ["src/checks/http_response/tests.rs::fault_5_the_expected_status_of_each_check_is_used",
            "kube::procedures::docling_fails_over_to_mineru_and_half_of_it_is_left_over_out_loud"];
    row_M_05 "Failover: told and followed up"
        by "`guide show docling-failover-alert`"
        in ["guides::what_the_documents_only_tell_is_a_procedure_too"];
    row_M_06 "Undo of a rollout to a revision"
        by "`rollback --quick [--target revision-N]` of a deployment"
        in ["kube::undo::a_broken_image_goes_back_to_the_last_good_revision",
            "kube::undo::a_crash_loop_says_why_and_a_named_revision_is_gone_to"];
    row_M_07 "Argo's file of a rollout: its probes and its thresholds"
        by "`rule_files: [{file: …, probes_url: …}]`"
        in ["configs::probes_of_argos_rollout_become_checks_and_where_they_answer_has_to_be_said",
            "configs::alerts_of_prometheus_and_thresholds_of_argo_become_rules",
            "recorded::every_rule_of_the_documents_acts_on_what_is_true_and_on_nothing_else"];
    row_M_08 "Blue-green switch of a Kubernetes service"
        by "`rollback --quick` with `<name>-active`"
        in ["kube::levels::level_1_moves_the_service_back_drops_no_request_and_keeps_the_failed_version",
            "kube::levels::a_colour_without_ready_pods_gets_no_traffic",
            "kube::levels::traffic_at_a_colour_that_is_not_known_is_said_in_the_documents_words"];
    row_M_09 "Canary rollback"
        by "`rollback --quick` with `canary:`"
        in ["kube::canary::a_canary_behind_the_same_service_gets_none_of_100_requests_and_comes_back"];
    row_M_10 "Schema rollback with Alembic"
        by "`migrations: {tool: alembic}`, level 2"
        in ["full::alembic_is_asked_by_its_command_and_its_own_ledger_says_whether_it_happened"];
    row_M_11 "PostgreSQL data rollback with writers at nothing and back"
        by "`rollback --type database`"
        in ["kube::types::a_database_goes_back_without_its_writers_and_an_empty_one_is_no_success"];
    row_M_12 "Neo4j goes back to a dump"
        by "`rollback --type neo4j`"
        in ["kube::procedures::neo4j_goes_back_to_the_dump_by_its_count_of_nodes"];
    row_M_13 "Redis goes back to an RDB file, with appendonly too"
        by "`rollback --type redis`"
        in ["kube::procedures::redis_goes_back_to_the_rdb_file_with_the_log_on"];
    row_M_14 "Saved objects of the cluster come back in order"
        by "`rollback --type infrastructure`"
        in ["kube::sets::five_kinds_come_back_in_order_exactly_and_secrets_only_where_asked"];
    row_M_15 "Ingress comes back"
        by "`rollback --type ingress`"
        in ["kube::sets::an_ingress_comes_back_and_is_taken_back_to_what_was_there"];
    row_M_16 "Emergency application rollback as one action"
        by "`rollback --type emergency_application`"
        in ["kube::procedures::the_emergency_of_an_application_is_one_command_to_the_last_revision_on_record"];
    row_M_17 "Emergency database rollback as one action"
        by "`rollback --type emergency_database`"
        in ["kube::procedures::the_emergency_of_a_database_is_one_command_and_told_in_the_documents_words"];
    row_M_18 "Data integrity rollback from a verified dump"
        by "`rollback --type data_integrity`"
        in ["kube::procedures::a_dump_that_is_not_whole_is_refused_before_anything_is_stopped"];
    row_M_19 "Validation of endpoints after a rollback"
        by "`validate --environment staging --base-url URL`"
        in ["endpoints::six_endpoints_answer_or_the_one_that_does_not_is_named"];
    row_M_20 "Performance of endpoints after a rollback"
        by "`validate --base-url URL --performance`"
        in ["endpoints::one_slow_answer_fails_on_the_maximum_only_and_a_refusal_is_an_error"];
    row_M_21 "A GitHub Actions workflow"
        by "`assets/github-actions-rollback.yml`"
        in ["pipeline::the_example_of_a_workflow_runs_what_it_says_and_puts_no_input_into_a_shell"];
    row_M_22 "Prometheus alerts as triggers"
        by "`rules: prometheus.yml`; `triggers:` with Alertmanager"
        in ["configs::alerts_of_prometheus_and_thresholds_of_argo_become_rules",
            "monitor::alerts::an_alert_of_a_real_prometheus_reaches_us_by_a_real_alertmanager_and_rolls_back",
            "notify::a_real_alertmanager_calls_for_a_rollback"];
    row_M_23 "Practice before, during and after a rollback"
        by "`guide show rollback-practice`"
        in ["guides::what_the_documents_only_tell_is_a_procedure_too"];
    row_M_24 "Page: why a rollback of the cluster fails"
        by "`doctor --cluster rollback`"
        in ["kube::pages::the_pages_show_what_the_document_types_and_a_service_without_endpoints_is_red"];
    row_M_25 "Page: the database in the cluster"
        by "`doctor --cluster database`"
        in ["kube::pages::the_pages_show_what_the_document_types_and_a_service_without_endpoints_is_red"];
    row_M_26 "Page: services, endpoints, names"
        by "`doctor --cluster services`"
        in ["kube::pages::the_pages_show_what_the_document_types_and_a_service_without_endpoints_is_red"];
    row_M_27 "Page: the nine groups of debug commands"
        by "`doctor --cluster all`"
        in ["kube::pages::the_pages_show_what_the_document_types_and_a_service_without_endpoints_is_red"];
    row_M_28 "Related documents"
        by "`links:`, in Help and on the page of people"
        in ["configs::the_medical_kg_runbook_is_a_configuration_with_a_rollback_of_each_type",
            "console::guide::help_and_the_page_of_people_list_where_to_read_and_ask"];
    row_M_29 "Rollback types: application, database, infrastructure"
        by "`rollback --type application|database|infrastructure`"
        in ["kube::sets::five_kinds_come_back_in_order_exactly_and_secrets_only_where_asked"];
    row_M_30 "Automated and manual strategies for several ways to deploy"
        by "levels 1 to 3, `--type`, `guide`"
        in ["kube::undo::a_broken_image_goes_back_to_the_last_good_revision",
            "kube::levels::level_1_moves_the_service_back_drops_no_request_and_keeps_the_failed_version",
            "kube::canary::a_canary_behind_the_same_service_gets_none_of_100_requests_and_comes_back",
            "endpoints::six_endpoints_answer_or_the_one_that_does_not_is_named"];
}
