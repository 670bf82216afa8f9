//! A frontend in object storage as the platform: `platform: {frontend: {s3: …, public_url: …}}`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::http::Target;
use crate::adapters::objects::{AwsKeys, SiteSettings};
use crate::adapters::secret::Secret;
use crate::model::ids::Color;

use super::kinds::address;
use super::take::{Desk, Item, Table};
use super::target::url;
use super::{ColorAddress, Traffic};

/// The only side of a frontend.
const SIDE: &str = "web";
/// Where AWS has its service when no region is said.
pub(super) const REGION: &str = "us-east-1";
/// Objects that are copied at once, as `aws s3 sync` does.
const AT_ONCE: u32 = 10;

/// A frontend, and what else serves it (P-15, P-51).
#[derive(Clone, Debug, PartialEq)]
pub struct FrontendSite {
    /// Where its objects are.
    pub store: Store,
    /// Who calls AWS's interfaces; none where anybody may.
    pub keys: Option<AwsKeys>,
    /// How they lie there.
    pub site: SiteSettings,
    /// Where users come in.
    pub public_url: String,
    /// Where the registry says that there is a version, which stands for `{version}`.
    pub registry_url: Option<String>,
    /// Where it is said whether clients go with a version, which stands for `{version}`.
    pub compatibility_url: Option<String>,
    /// Addresses that must answer well afterwards.
    pub health_check_urls: Vec<String>,
    /// Distributions of `CloudFront` before it.
    pub cloudfront: Vec<String>,
    /// Their API, where it is not AWS's own.
    pub cloudfront_endpoint: Option<String>,
    /// Caches that are told by one call: address, where it says `completed`, token.
    pub purge: Vec<PurgeAt>,
    /// What they are told is old.
    pub paths: Vec<String>,
    /// Platforms that are told to go back, too.
    pub mobile: Option<MobileAt>,
}

/// A cache that is told by one call.
#[derive(Clone, Debug, PartialEq)]
pub struct PurgeAt {
    /// It is sent a POST.
    pub url: String,
    /// Where it says that it is completed.
    pub status_url: Option<String>,
    /// Its bearer token.
    pub token: Option<Secret>,
}

/// What releases a version on phones.
#[derive(Clone, Debug, PartialEq)]
pub struct MobileAt {
    /// It is sent a POST.
    pub url: String,
    /// Its bearer token.
    pub token: Option<Secret>,
    /// `android`, `ios`.
    pub platforms: Vec<String>,
}

/// Object storage.
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    /// A folder of this host.
    Folder(PathBuf),
    /// A bucket.
    S3(Bucket),
}

/// A bucket of S3 or of what speaks like it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its service.
    pub endpoint: String,
    /// The region that calls are signed for.
    pub region: String,
}

/// `frontend: {dir: …}` or `frontend: {s3: {bucket: …}}`, with what serves it.
pub(super) fn platform(mut table: Table<'_>) -> Option<FrontendSite> {
    let dir = table.path("dir").map(|dir| (Store::Folder(dir), keys(table.desk, None, None)));
    let bucket = table.table("s3").map(|mut of| {
        let found = bucket(&mut of);
        of.finish();
        found
    });
    let store = match (dir, bucket) {
        (Some(dir), None) => Some(dir),
        (None, Some(bucket)) => bucket.map(|(bucket, keys)| (Store::S3(bucket), keys)),
        (None, None) | (Some(_), Some(_)) => {
            let hint = "s3: {bucket: NAME}, or dir: PATH".to_owned();
            let message = "does not say where its objects are";
            table.desk.problem(table.at, &table.path, message, Some(hint));
            None
        }
    };
    let site = settings(&mut table);
    let public_url = url(&mut table, "public_url");
    let registry_url = named(&mut table, "registry_url");
    let compatibility_url = named(&mut table, "compatibility_url");
    let health_check_urls = addresses(&table.list("health_check_urls"));
    let (mut cloudfront, mut endpoint, mut purge, mut paths) = (vec![], None, vec![], vec![]);
    if let Some(mut cdn) = table.table("cdn") {
        let all = cdn.take("cloudfront").and_then(|item| item.one_or_list()).unwrap_or_default();
        cloudfront = all.iter().filter_map(Item::text).collect();
        endpoint = cdn.has("cloudfront_endpoint").then(|| url(&mut cdn, "cloudfront_endpoint"));
        purge = cdn.list("purge").iter().filter_map(|one| one.table().and_then(purge_at)).collect();
        paths = cdn.list("paths").iter().filter_map(Item::text).collect();
        cdn.finish();
    }
    let mobile = table.table("mobile").and_then(mobile);
    table.finish();
    let (store, keys) = store?;
    Some(FrontendSite {
        store,
        keys,
        site: site?,
        public_url: public_url?,
        registry_url,
        compatibility_url,
        health_check_urls,
        cloudfront,
        cloudfront_endpoint: endpoint.flatten(),
        purge,
        paths: if paths.is_empty() { vec!["/*".to_owned()] } else { paths },
        mobile,
    })
}

fn settings(table: &mut Table<'_>) -> Option<SiteSettings> {
    let versions = match table.take("versions") {
        None => Some(("versions/".to_owned(), "/".to_owned())),
        Some(item) => item.text().and_then(|text| {
            let parts = text.split_once("{version}");
            let parts = parts.filter(|(_, after)| *after == "/");
            if parts.is_none() {
                let hint = "write versions/{version}/ or v{version}/";
                item.wrong_with(&format!("{text:?} is no prefix of a version"), hint);
            }
            parts.map(|(before, after)| (before.to_owned(), after.to_owned()))
        }),
    };
    let current = match table.take("current") {
        None => Some("current/".to_owned()),
        Some(item) => item.text().filter(|text| {
            let good = text.ends_with('/') && !text.starts_with('/');
            if !good {
                item.wrong_with(&format!("{text:?} is no prefix"), "write current/");
            }
            good
        }),
    };
    let pointer = table.text("pointer");
    let manifest = table.text("manifest").unwrap_or_else(|| "manifest.json".to_owned());
    let at_once = table.count("at_once", 1, 64).unwrap_or(AT_ONCE) as usize;
    Some(SiteSettings { versions: versions?, current: current?, pointer, manifest, at_once })
}

/// `bucket`, `region`, `endpoint` and the keys.
pub(super) fn bucket(table: &mut Table<'_>) -> Option<(Bucket, Option<AwsKeys>)> {
    let environment = table.desk.environment;
    let name = table.need("bucket").and_then(|item| super::target::name(&item));
    let region = table.text("region");
    let region = region.or_else(|| environment.get("AWS_REGION").map(str::to_owned));
    let region = region.unwrap_or_else(|| REGION.to_owned());
    let endpoint = table.has("endpoint").then(|| url(table, "endpoint"));
    let id = table.take("access_key").and_then(|item| item.secret());
    let secret = table.take("secret_key").and_then(|item| item.key());
    let keys = keys(table.desk, id, secret);
    let endpoint = match endpoint {
        Some(given) => given?,
        None => format!("https://s3.{region}.amazonaws.com"),
    };
    Some((Bucket { name: name?, endpoint, region }, keys))
}

/// The keys of the file, else those of the environment.
pub(super) fn keys(desk: &Desk<'_>, id: Option<Secret>, secret: Option<Secret>) -> Option<AwsKeys> {
    let of = |name: &str| desk.environment.get(name).map(str::to_owned);
    let kept = |name: &str| {
        let value = of(name)?;
        desk.secrets.borrow_mut().push(value.clone());
        Some(Secret::new(value))
    };
    // What goes with a key that is lent comes from the same place.
    let session = if secret.is_some() { None } else { kept("AWS_SESSION_TOKEN") };
    let id = id.map(|id| id.reveal().to_owned()).or_else(|| of("AWS_ACCESS_KEY_ID"))?;
    let secret = secret.or_else(|| kept("AWS_SECRET_ACCESS_KEY"))?;
    Some(AwsKeys { id, secret, session })
}

fn purge_at(mut table: Table<'_>) -> Option<PurgeAt> {
    let at = url(&mut table, "url");
    let status_url = table.has("status_url").then(|| url(&mut table, "status_url")).flatten();
    let token = table.take("token").and_then(|item| item.key());
    table.finish();
    Some(PurgeAt { url: at?, status_url, token })
}

fn mobile(mut table: Table<'_>) -> Option<MobileAt> {
    let at = url(&mut table, "url");
    let token = table.take("token").and_then(|item| item.key());
    let platforms = table.list("platforms").iter().filter_map(super::target::name).collect();
    table.finish();
    Some(MobileAt { url: at?, token, platforms })
}

/// An address in which `{version}` stands for a version.
fn named(table: &mut Table<'_>, key: &str) -> Option<String> {
    let item = table.take(key)?;
    let text = item.text()?;
    if let Err(why) = Target::parse(&text.replace("{version}", "1")) {
        item.wrong(&why);
        return None;
    }
    if !text.contains("{version}") {
        item.wrong_with("names no version", "put {version} where the version stands");
        return None;
    }
    Some(text)
}

fn addresses(items: &[Item<'_>]) -> Vec<String> {
    let all = items.iter().filter_map(address);
    all.map(|(url, _)| url.reveal().to_owned()).collect()
}

/// A frontend is its own only side, and nothing moves its traffic.
pub(super) fn only_side(site: &FrontendSite) -> (Traffic, BTreeMap<Color, ColorAddress>) {
    let url = site.public_url.clone();
    let address =
        ColorAddress { url: url.clone(), service: None, deployment: None, workers: Vec::new() };
    (Traffic::Fixed { public_url: url }, [(Color(SIDE.to_owned()), address)].into())
}
