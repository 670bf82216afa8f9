//! The site of a configuration, and what serves it.

use std::sync::Arc;

use crate::adapters::http::Target;
use crate::adapters::objects::{
    Aws, AwsKeys, CloudFront, Edge, Folder, Front, Mobile, Objects, Purge, S3, Site, Vault,
};
use crate::clock::Clock;
use crate::config::{Config, FrontendSite, Platform, Store};

/// Where AWS has the API of `CloudFront`, and the region that its calls are signed for.
const CLOUDFRONT: (&str, &str) = ("https://cloudfront.amazonaws.com", "us-east-1");

/// The site, where the platform is one. Nothing is asked yet.
pub fn front(config: &Config, clock: &Clock) -> Option<Arc<Front>> {
    let Platform::Frontend(at) = &config.platform else { return None };
    let objects = objects(&at.store, at.keys.as_ref(), clock)?;
    let mobile = match &at.mobile {
        Some(mobile) => {
            Some(Mobile { url: Target::parse(&mobile.url).ok()?, token: mobile.token.clone() })
        }
        None => None,
    };
    let site = Site::new(objects, at.site.clone());
    Some(Arc::new(Front { site, edges: edges(at, clock)?, mobile }))
}

fn objects(store: &Store, keys: Option<&AwsKeys>, clock: &Clock) -> Option<Arc<dyn Objects>> {
    Some(match store {
        Store::Folder(dir) => Arc::new(Folder::new(dir.clone())),
        Store::S3(bucket) => {
            let target = Target::parse(&bucket.endpoint).ok()?;
            let aws = Aws::new(target, &bucket.region, keys.cloned(), clock.clone());
            Arc::new(S3::new(aws, &bucket.name).ok()?)
        }
    })
}

/// Where copies of backups go, where that is configured. Nothing is asked yet.
pub fn vault(config: &Config, clock: &Clock) -> Option<Arc<Vault>> {
    let at = config.backup.location.as_ref()?;
    let objects = objects(&at.store, at.keys.as_ref(), clock)?;
    Some(Arc::new(Vault::new(objects, &at.prefix)))
}

fn edges(at: &FrontendSite, clock: &Clock) -> Option<Vec<Edge>> {
    let mut edges = Vec::new();
    for distribution in &at.cloudfront {
        let endpoint = at.cloudfront_endpoint.as_deref().unwrap_or(CLOUDFRONT.0);
        let target = Target::parse(endpoint).ok()?;
        let aws = Aws::new(target, CLOUDFRONT.1, at.keys.clone(), clock.clone());
        edges.push(Edge::CloudFront(CloudFront { aws, distribution: distribution.clone() }));
    }
    for purge in &at.purge {
        let status_url = match &purge.status_url {
            Some(url) => Some(Target::parse(url).ok()?),
            None => None,
        };
        let url = Target::parse(&purge.url).ok()?;
        let (token, clock) = (purge.token.clone(), clock.clone());
        edges.push(Edge::Purge(Box::new(Purge { url, status_url, token, clock })));
    }
    Some(edges)
}
