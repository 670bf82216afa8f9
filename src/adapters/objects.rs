//! Object storage, and the frontend that is served from it: versions below a prefix of their own,
//! one of them what users get (P-15, W-32).

use std::path::Path;

use async_trait::async_trait;

use super::Error;

mod aws;
mod edge;
mod folder;
mod s3;
mod site;
mod vault;
mod workload;

pub use aws::{Aws, AwsKeys};
pub use edge::{CloudFront, Edge, Mobile, Purge, compatible, registered, served};
pub use folder::Folder;
pub use s3::S3;
pub use site::{Content, Front, KEPT, Site, SiteSettings};
pub use vault::Vault;
pub use workload::SiteWorkload;

/// An object as a listing names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its key; within a [`Content`] the part below the prefix.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// What the store says of its bytes: the `ETag`, or their SHA-256 in a folder.
    pub tag: String,
}

/// A place that keeps objects by key. Every call has its own time limit; one whose answer did not
/// come is [`super::Kind::TimedOut`] and may have happened. All of them can be repeated.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Where it is, for people and as an identity: `s3://bucket at host:port`.
    fn place(&self) -> String;
    /// How the tool of the place names `key`: `s3://bucket/key`.
    fn address(&self, key: &str) -> String;
    /// All objects whose keys begin with `prefix`, in order of their keys.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error>;
    /// The keys that begin with `prefix`, each up to the next `/` after it, once.
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error>;
    /// The bytes of an object, at most [`MOST`]; none where there is no such object.
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;
    /// Puts a small JSON object in one piece: whoever reads it gets the old one or the new one.
    async fn write(&self, key: &str, body: Vec<u8>) -> Result<(), Error>;
    /// Puts a file of any size; it is there as a whole or not at all.
    async fn upload(&self, key: &str, file: &Path) -> Result<(), Error>;
    /// Puts `from` under the key `to` as well, with its metadata, in one piece.
    async fn copy(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Removes an object; one that is not there is fine.
    async fn remove(&self, key: &str) -> Result<(), Error>;
}

/// The most of one object that is read, in bytes.
pub const MOST: usize = 64 * 1024 * 1024;
