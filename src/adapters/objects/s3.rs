//! A bucket of S3, or of anything that speaks like it. The bucket stands in the path: names with
//! dots and servers of one's own work the same way.

use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use hyper::body::Bytes;
use percent_encoding::percent_decode_str;

use crate::adapters::{Error, Kind};

use super::aws::{Asked, Aws, each, inner};
use super::sign::in_path;
use super::{MOST, Object, Objects};

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a copy may take, which the server makes of up to 5 GB.
const COPY: Duration = Duration::from_mins(5);
/// The most of a page of a listing: a thousand keys of a kibibyte, three times as long encoded.
const PAGE: usize = 4 * 1024 * 1024;
/// The most pages of a listing: a million objects.
const PAGES: usize = 1_000;

/// A bucket.
pub struct S3 {
    aws: Aws,
    bucket: String,
}

/// One page of a listing, or several.
#[derive(Default)]
struct Listed {
    objects: Vec<Object>,
    folders: Vec<String>,
}

impl S3 {
    /// The bucket of that name at a service; nothing is asked yet.
    pub fn new(aws: Aws, bucket: &str) -> Self {
        Self { aws, bucket: bucket.to_owned() }
    }

    fn path(&self, key: &str) -> String {
        format!("/{}/{}", in_path(&self.bucket), in_path(key))
    }

    async fn pages(&self, prefix: &str, delimiter: &str) -> Result<Listed, Error> {
        let what = format!("list {}", self.address(prefix));
        let path = format!("/{}", in_path(&self.bucket));
        let (mut found, mut token) = (Listed::default(), String::new());
        for _ in 0..PAGES {
            let all = [
                ("continuation-token", token.as_str()),
                ("delimiter", delimiter),
                ("encoding-type", "url"),
                ("list-type", "2"),
                ("prefix", prefix),
            ];
            let given = |(name, value): &&(&str, &str)| !value.is_empty() || *name == "prefix";
            let query: Vec<(&str, &str)> = all.iter().filter(given).copied().collect();
            let asked = Asked { query: &query, ..Asked::plain(Method::GET, &path, LIMIT) };
            let page = self.aws.must(&what, &asked, PAGE).await?;
            let page = String::from_utf8_lossy(&page);
            for one in each(&page, "Contents") {
                found.objects.push(object(one).ok_or_else(|| unreadable(&what))?);
            }
            for one in each(&page, "CommonPrefixes") {
                found.folders.extend(inner(one, "Prefix").map(|text| decoded(&text)));
            }
            match inner(&page, "IsTruncated").as_deref() {
                Some("false") => return Ok(found),
                Some("true") => {}
                Some(_) | None => return Err(unreadable(&what)),
            }
            token = inner(&page, "NextContinuationToken").ok_or_else(|| unreadable(&what))?;
        }
        let message = format!("could not {what}: there are more than {PAGES} pages of it");
        Err(Error::new(Kind::Rejected, message))
    }
}

/// What `<Contents>` says of an object.
fn object(xml: &str) -> Option<Object> {
    let key = decoded(&inner(xml, "Key")?);
    let tag = inner(xml, "ETag")?.trim_matches('"').to_owned();
    Some(Object { key, size: inner(xml, "Size")?.parse().ok()?, tag })
}

/// A key as the listing encodes it: a space may be a plus.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn unreadable(what: &str) -> Error {
    Error::new(Kind::Reset, format!("could not {what}: its answer is no listing"))
}

#[async_trait]
impl Objects for S3 {
    fn place(&self) -> String {
        format!("s3://{} at {}", self.bucket, self.aws.host())
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let mut objects = self.pages(prefix, "").await?.objects;
        objects.sort();
        Ok(objects)
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.pages(prefix, "/").await?.folders)
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (what, path) = (format!("read {}", self.address(key)), self.path(key));
        let asked = Asked::plain(Method::GET, &path, COPY);
        match self.aws.must(&what, &asked, MOST).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, key: &str, body: Vec<u8>) -> Result<(), Error> {
        let (what, path) = (format!("write {}", self.address(key)), self.path(key));
        let headers = [
            ("cache-control", "no-cache".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let plain = Asked::plain(Method::PUT, &path, LIMIT);
        let asked = Asked { headers: &headers, body: Bytes::from(body), ..plain };
        self.aws.must(&what, &asked, PAGE).await.map(drop)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let what = format!("copy {} to {}", self.address(from), self.address(to));
        let path = self.path(to);
        let headers = [("x-amz-copy-source", self.path(from))];
        let asked = Asked { headers: &headers, ..Asked::plain(Method::PUT, &path, COPY) };
        self.aws.must(&what, &asked, PAGE).await.map(drop)
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        let (what, path) = (format!("remove {}", self.address(key)), self.path(key));
        let asked = Asked::plain(Method::DELETE, &path, LIMIT);
        match self.aws.must(&what, &asked, PAGE).await {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
