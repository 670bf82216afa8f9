//! The closed list of keys that the documents use and we do not, yet: they load, and a note says
//! that nothing reads them. Every other unknown key is an error.

/// Keys of the file as a whole.
pub(super) const SECTIONS: [&str; 22] = [
    // P-16, 000 and 001: the monitor's own switches.
    "rollback_enabled",
    "log_preservation_enabled",
    "system_resource_thresholds",
    "monitoring_rules",
    "notification_templates",
    "advanced",
    // 002: the configuration of the rollback itself.
    "max_rollback_attempts",
    "health_check_timeout",
    "backup_retention_days",
    "notification_channels",
    "auto_rollback_enabled",
    "cross_repo_coordination",
    // 001: targets; 004: Prometheus alerts.
    "targets",
    "groups",
    // Ours, of later issues.
    "share",
    "witness",
    "on",
    "slo",
    "playbooks",
    "maintenance",
    "ui",
    "spool",
];

/// Keys of a check of any kind.
pub(super) const OF_A_CHECK: [&str; 8] = [
    "metadata",
    "attempts",
    "clear_below",
    "depends_on",
    "unknown_after",
    "tags",
    "description",
    "enabled",
];

/// Kinds of checks that load and read `unknown: skipped` until they are built.
pub(super) const KINDS: [&str; 23] = [
    "system_resource",
    "application_metric",
    "error_rate",
    "response_time",
    "throughput",
    "dns",
    "icmp",
    "tls_cert",
    "redis",
    "neo4j",
    "s3_object",
    "cdn_asset",
    "process",
    "systemd_unit",
    "container",
    "kubernetes",
    "prometheus",
    "log_pattern",
    "migration",
    "replication_lag",
    "smoke_test",
    "push",
    "disk",
];

/// Kinds of checks that are built.
pub(super) const BUILT: [&str; 5] =
    ["http_response", "tcp", "file", "custom", "database_connection"];

/// Platforms, movers of traffic and databases that come later.
pub(super) const PLATFORMS: [&str; 4] = ["docker", "compose", "kubernetes", "systemd"];
/// See [`PLATFORMS`].
pub(super) const TRAFFIC: [&str; 4] = ["nginx", "haproxy", "kubernetes", "compose"];
/// See [`PLATFORMS`].
pub(super) const DATABASES: [&str; 4] = ["postgres", "postgresql", "redis", "neo4j"];
