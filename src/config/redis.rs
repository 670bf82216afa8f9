//! The Redis of the application: `redis: {url: redis://…, service: redis}`.

use std::sync::LazyLock;

use crate::adapters::redis::Server;

use super::remote_kinds;
use super::take::{Table, Variable};
use super::target::{Platform, name};

/// Where it is, where nothing else is written.
static REDIS_URL: LazyLock<Variable> = LazyLock::new(|| Variable::new("REDIS_URL"));

/// A Redis whose keys are in every restore point.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where it is, and as whom to ask.
    pub server: Server,
    /// The Compose service that it is; none where it runs on its own.
    pub service: Option<String>,
}

/// `redis: {url: redis://:${REDIS_PASSWORD}@127.0.0.1:6379, service: redis}`; `user`, `password`
/// and `ca_file` as in a check of it.
pub(super) fn redis(root: &mut Table<'_>, platform: &Platform) -> Option<Redis> {
    let mut table = root.table("redis")?;
    let address = table.address("url", &REDIS_URL);
    let server = remote_kinds::redis_at(&mut table, address);
    let service = table.take("service").and_then(|item| {
        if !matches!(platform, Platform::Compose(_)) {
            item.wrong_with(
                "names a service where no Compose project is configured",
                "name it (platform: {compose: {project: …}}), or leave service out",
            );
        }
        name(&item)
    });
    table.finish();
    Some(Redis { server: server?, service })
}
