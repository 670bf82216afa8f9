//! A bucket of a service with the interface of S3.

use std::path::Path as File;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions,
    RetryConfig, WriteMultipart,
};
use tokio::io::AsyncReadExt as _;

use crate::adapters::{Error, Kind};
use crate::model::ids::Time;

use super::aws::{Aws, said};
use super::{MOST, Object, Objects};

/// Bytes of one part of a large object.
const PART: usize = 8 * 1024 * 1024;
/// Parts under way at once.
const AT_ONCE: usize = 2;

/// A bucket.
pub struct S3 {
    aws: Aws,
    bucket: String,
    store: Arc<AmazonS3>,
}

impl S3 {
    /// The bucket of that name at a service; nothing is asked yet. Fails where the settings are none
    /// that could be asked with.
    pub fn new(aws: Aws, bucket: &str) -> Result<Self, Error> {
        // Whoever is on call waits for the answer: a fault of a moment is bridged, not more.
        let retry = RetryConfig {
            max_retries: 2,
            retry_timeout: std::time::Duration::from_secs(20),
            backoff: BackoffConfig {
                init_backoff: std::time::Duration::from_millis(100),
                ..BackoffConfig::default()
            },
        };
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(aws.endpoint())
            .with_allow_http(true)
            .with_region(aws.region())
            .with_bucket_name(bucket)
            .with_retry(retry)
            .with_disable_bulk_delete(true)
            .with_http_connector(aws.clone())
            .with_skip_signature(aws.keys().is_none());
        if let Some(keys) = aws.keys() {
            builder = builder.with_access_key_id(&keys.id);
            builder = builder.with_secret_access_key(keys.secret.reveal());
            if let Some(token) = &keys.session {
                builder = builder.with_token(token.reveal());
            }
        }
        let store = builder
            .build()
            .map_err(|e| Error::new(Kind::Local, format!("could not use bucket {bucket}: {e}")))?;
        Ok(Self { aws, bucket: bucket.to_owned(), store: Arc::new(store) })
    }

    /// Bytes of an object and when it was written, without reading it; none where there is no such
    /// object.
    pub async fn head(&self, key: &str) -> Result<Option<(u64, Time)>, Error> {
        let (path, what) = (self.path(key)?, format!("look at {}", self.address(key)));
        let found = match self.store.head(&path).await {
            // An answer to HEAD says nothing more; one to GET says whether it is the bucket.
            Err(object_store::Error::NotFound { .. }) => {
                self.store.get(&path).await.map(|found| found.meta)
            }
            found => found,
        };
        match found.map_err(|e| self.refused(&what, &e)) {
            Ok(meta) => Ok(Some((meta.size, meta.last_modified))),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, key: &str) -> Result<Path, Error> {
        Path::parse(key).map_err(|e| {
            let address = self.address(key);
            Error::new(Kind::Local, format!("could not use {address}: it is no name: {e}"))
        })
    }

    fn refused(&self, what: &str, error: &object_store::Error) -> Error {
        // Of the chain of causes the innermost says most; one of ours says all.
        let (mut last, mut cause): (&dyn std::error::Error, _) =
            (error, Some(error as &dyn std::error::Error));
        while let Some(one) = cause {
            if let Some(own) = one.downcast_ref::<Error>() {
                return Error::new(own.kind, format!("could not {what}: {}", own.message));
            }
            (last, cause) = (one, one.source());
        }
        let (host, text) = (self.aws.host(), last.to_string());
        let kind = match error {
            // That there is no such bucket says nothing of the object.
            object_store::Error::NotFound { .. } if !text.contains("NoSuchBucket") => {
                Kind::NotFound
            }
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Kind::Denied,
            _ => Kind::Rejected,
        };
        Error::new(kind, format!("could not {what}: {host} answers {}", said(&text)))
    }

    /// The folder that a prefix begins with, and nothing where it begins with none.
    fn folder(&self, prefix: &str) -> Result<Option<Path>, Error> {
        match prefix.rsplit_once('/') {
            Some((folder, _)) => self.path(folder).map(Some),
            None => Ok(None),
        }
    }
}

fn object(meta: ObjectMeta) -> Object {
    let tag = meta.e_tag.unwrap_or_default().trim_matches('"').to_owned();
    Object { key: meta.location.into(), size: meta.size, tag }
}

fn json() -> PutOptions {
    let attributes =
        [(Attribute::ContentType, "application/json"), (Attribute::CacheControl, "no-cache")];
    PutOptions { attributes: Attributes::from_iter(attributes), ..PutOptions::default() }
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
        let folder = self.folder(prefix)?;
        let found: Result<Vec<ObjectMeta>, _> =
            self.store.list(folder.as_ref()).try_collect().await;
        let found =
            found.map_err(|e| self.refused(&format!("list {}", self.address(prefix)), &e))?;
        let objects = found.into_iter().map(object);
        let mut objects: Vec<Object> = objects.filter(|one| one.key.starts_with(prefix)).collect();
        objects.sort();
        Ok(objects)
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let folder = self.folder(prefix)?;
        let found = self.store.list_with_delimiter(folder.as_ref()).await;
        let found =
            found.map_err(|e| self.refused(&format!("list {}", self.address(prefix)), &e))?;
        let keys = found.common_prefixes.into_iter().map(|path| format!("{path}/"));
        let mut keys: Vec<String> = keys.filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        Ok(keys)
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let what = format!("read {}", self.address(key));
        let read = async {
            let found = self.store.get(&self.path(key)?).await;
            let found = found.map_err(|e| self.refused(&what, &e))?;
            if found.meta.size > MOST as u64 {
                let message = format!("could not {what}: it is longer than {MOST} bytes");
                return Err(Error::new(Kind::Rejected, message));
            }
            found.bytes().await.map_err(|e| self.refused(&what, &e))
        };
        match read.await {
            Ok(body) => Ok(Some(body.into())),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, key: &str, body: Vec<u8>) -> Result<(), Error> {
        let written = self.store.put_opts(&self.path(key)?, body.into(), json()).await;
        let what = format!("write {}", self.address(key));
        written.map(drop).map_err(|e| self.refused(&what, &e))
    }

    async fn upload(&self, key: &str, file: &File) -> Result<(), Error> {
        let what = format!("copy {} to {}", file.display(), self.address(key));
        let io = |e: std::io::Error| Error::io("read", file.display(), &e);
        let mut source = tokio::fs::File::open(file).await.map_err(io)?;
        let begun = self.store.put_multipart(&self.path(key)?).await;
        let begun = begun.map_err(|e| self.refused(&what, &e))?;
        let mut upload = WriteMultipart::new_with_chunk_size(begun, PART);
        let mut part = vec![0; PART];
        loop {
            let read = match source.read(&mut part).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) => {
                    upload.abort().await.ok();
                    return Err(io(e));
                }
            };
            upload.wait_for_capacity(AT_ONCE).await.map_err(|e| self.refused(&what, &e))?;
            upload.write(part.get(..read).unwrap_or_default());
        }
        upload.finish().await.map(drop).map_err(|e| self.refused(&what, &e))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let copied = self.store.copy(&self.path(from)?, &self.path(to)?).await;
        let what = format!("copy {} to {}", self.address(from), self.address(to));
        copied.map_err(|e| self.refused(&what, &e))
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        let removed = self.store.delete(&self.path(key)?).await;
        match removed.map_err(|e| self.refused(&format!("remove {}", self.address(key)), &e)) {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
