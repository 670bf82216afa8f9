//! `s3_object`: an object of a bucket that has to be there, or must not be; its age and size. It is
//! asked for its metadata and never read.

use std::time::Duration;

use crate::adapters::http::Target;
use crate::adapters::objects::{Aws, AwsKeys, Objects as _, S3};
use crate::clock::Clock;

use super::file::Limits;
use super::seen::Seen;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service.
    pub endpoint: Target,
    /// The region that calls are signed for.
    pub region: String,
    /// Who asks; none where anybody may.
    pub keys: Option<AwsKeys>,
    /// The bucket.
    pub bucket: String,
    /// The name of the object.
    pub key: String,
    /// Whether it has to be there.
    pub present: bool,
    /// Its age and size.
    pub limits: Limits,
}

impl Settings {
    /// What it looks at.
    pub fn target(&self) -> String {
        format!("s3://{}/{} at {}", self.bucket, self.key, self.endpoint.place())
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let aws = Aws::new(self.endpoint.clone(), &self.region, self.keys.clone(), clock.clone());
        let found = async {
            let bucket = S3::new(aws, &self.bucket)?;
            let found = bucket.head(&self.key).await?;
            Ok((bucket.address(&self.key), found))
        };
        match clock.timeout(limit, found).await {
            Ok(Ok((name, found))) => {
                let found = found.map(|(bytes, changed)| (bytes, Some(changed)));
                self.limits.judge(&name, found, self.present, clock.now())
            }
            Ok(Err(error)) => Seen::of_error(&error),
            Err(_) => Seen::timed_out(limit),
        }
    }
}
