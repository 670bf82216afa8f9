//! The closed list of keys that the documents use and we do not, yet: they load, and a note says
//! that nothing reads them. Every other unknown key is an error.

/// Keys of the file as a whole.
pub(super) const SECTIONS: [&str; 7] = [
    // 000 and 001: what tells people.
    "advanced",
    // 002: the configuration of the rollback itself.
    "health_check_timeout",
    "cross_repo_coordination",
    // Ours, of later issues.
    "slo",
    "playbooks",
    "ui",
    "spool",
];

/// Keys of a check of any kind.
pub(super) const OF_A_CHECK: [&str; 3] = ["metadata", "tags", "description"];

/// Kinds of checks that load and read `unknown: skipped` until they are built.
pub(super) const KINDS: [&str; 12] = [
    "application_metric",
    "error_rate",
    "response_time",
    "throughput",
    "icmp",
    "neo4j",
    "s3_object",
    "cdn_asset",
    "migration",
    "replication_lag",
    "smoke_test",
    "push",
];

/// Kinds of checks that are built.
pub(super) const BUILT: [&str; 15] = [
    "http_response",
    "tcp",
    "file",
    "custom",
    "database_connection",
    "system_resource",
    "process",
    "systemd_unit",
    "log_pattern",
    "prometheus",
    "dns",
    "tls_cert",
    "redis",
    "container",
    "kubernetes",
];

/// Platforms, movers of traffic and databases that come later.
pub(super) const PLATFORMS: [&str; 1] = ["systemd"];
/// See [`PLATFORMS`].
pub(super) const TRAFFIC: [&str; 1] = ["haproxy"];
/// See [`PLATFORMS`].
pub(super) const DATABASES: [&str; 2] = ["redis", "neo4j"];
