//! The closed list of keys that the documents use and we do not, yet: they load, and a note says
//! that nothing reads them. Every other unknown key is an error.

/// Keys of the file as a whole.
pub(super) const SECTIONS: [&str; 5] = [
    // 000 and 001: what tells people.
    "advanced",
    // Ours, of later issues.
    "slo",
    "playbooks",
    "ui",
    "spool",
];

/// Keys of a check of any kind.
pub(super) const OF_A_CHECK: [&str; 3] = ["metadata", "tags", "description"];

/// Kinds of checks.
pub(super) const CHECKS: [&str; 26] = [
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
    "s3_object",
    "push",
    "container",
    "kubernetes",
    // Other names for some of them.
    "application_metric",
    "error_rate",
    "response_time",
    "throughput",
    "neo4j",
    "cdn_asset",
    "migration",
    "replication_lag",
    "smoke_test",
];

/// Platforms, movers of traffic and databases that come later.
pub(super) const PLATFORMS: [&str; 1] = ["systemd"];
/// See [`PLATFORMS`].
pub(super) const TRAFFIC: [&str; 1] = ["haproxy"];
/// See [`PLATFORMS`].
pub(super) const DATABASES: [&str; 2] = ["redis", "neo4j"];
