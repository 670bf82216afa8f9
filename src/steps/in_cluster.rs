//! The cluster that a step works in.

use crate::adapters::cluster::Cluster;
use crate::adapters::{Error, Kind};

use super::LookCx;

/// It, or an error that says where it is configured.
pub(super) fn in_cluster(cx: &LookCx) -> Result<&dyn Cluster, Error> {
    cx.cluster.as_deref().ok_or_else(|| {
        let message = "could not ask a cluster: none is configured (platform.kubernetes)";
        Error::new(Kind::Local, message)
    })
}
