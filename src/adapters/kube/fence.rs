//! A Lease as the fence: two bastions cannot work on one namespace at once (design 12).

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::adapters::{Error, Fence, FenceTake, Kind as No, fence_file};
use crate::model::ids::RunId;
use crate::text::SafeText;

use super::{Kind, Kube, Object, Patch, Write};

/// Who holds it, whole: a Lease of its own has room for a name only.
const TAKE: &str = "backout.io/take";
/// How long a holder is trusted by others that read Leases, in seconds. We do not let it expire:
/// a run that waits for a person holds it all the same.
const SECONDS: u32 = 3600;

/// How often it is taken again when somebody changed it meanwhile.
const TRIES: usize = 5;

/// The Lease `name` of a namespace.
#[derive(Clone, Debug)]
pub struct KubeFence {
    kube: Kube,
    name: String,
}

impl KubeFence {
    /// The Lease `name` where `kube` works.
    pub fn new(kube: Kube, name: &str) -> Self {
        Self { kube, name: name.to_owned() }
    }

    fn place(&self) -> String {
        format!("lease {} in {}", self.name, self.kube.namespace())
    }

    /// Who holds a Lease. One that is held without saying so in our way never counts as free.
    fn held(&self, lease: &Object) -> Result<Option<FenceTake>, Error> {
        let holder = lease.text("/spec/holderIdentity");
        if holder.is_empty() {
            return Ok(None);
        }
        let text = lease.annotation(TAKE).unwrap_or_default();
        serde_json::from_str(text).map(Some).map_err(|_| {
            let message = format!(
                "could not read {}: held by {} since {}; find out who that is, then empty its \
                 holderIdentity",
                self.place(),
                SafeText::new(holder),
                SafeText::new(lease.text("/spec/acquireTime"))
            );
            Error::new(No::Held, message)
        })
    }

    fn fields(take: &FenceTake) -> Value {
        let since = take.since.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        json!({
            "metadata": {"annotations": {TAKE: serde_json::to_string(take).unwrap_or_default()}},
            "spec": {
                "holderIdentity": format!("{}@{}", take.run, take.host),
                "leaseDurationSeconds": SECONDS,
                "acquireTime": since,
                "renewTime": since,
            },
        })
    }

    async fn look(&self) -> Result<Option<Object>, Error> {
        self.kube.get(Kind::Lease, &self.name).await
    }

    async fn change(&self, lease: &Object, fields: Value) -> Result<(), Error> {
        let (patch, write) = (Patch::Merge(fields), Write::unchanged(lease));
        self.kube.patch(Kind::Lease, &self.name, &patch, write).await.map(drop)
    }

    /// Takes it once; a conflict is somebody who took it meanwhile.
    async fn take_once(&self, take: &FenceTake) -> Result<(), Error> {
        let lease = if let Some(lease) = self.look().await? {
            lease
        } else {
            let mut body = Self::fields(take);
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("name".to_owned(), self.name.clone().into());
            }
            match self.kube.create(Kind::Lease, &body, false).await {
                Ok(_) => return Ok(()),
                // Somebody was faster: who that is decides.
                Err(error) if error.kind == No::Conflict => {
                    self.kube.must_get(Kind::Lease, &self.name).await?
                }
                Err(error) => return Err(error),
            }
        };
        let held = self.held(&lease)?;
        if let Some(no) =
            held.as_ref().and_then(|held| fence_file::refusal(held, take, &self.place()))
        {
            return Err(no);
        }
        if held.as_ref() == Some(take) {
            return Ok(());
        }
        self.change(&lease, Self::fields(take)).await
    }
}

/// What was changed while we looked is in somebody's hand.
fn meanwhile(error: Error) -> Error {
    if error.kind == No::Conflict { Error::new(No::Held, error.message) } else { error }
}

#[async_trait]
impl Fence for KubeFence {
    async fn take(&self, take: &FenceTake) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.take_once(take).await {
                // Steps of one run that begin together take it side by side: who has it is looked
                // at anew, and decides.
                Err(error) if error.kind == No::Conflict => {}
                done => return done,
            }
        }
        let last = self.take_once(take).await;
        last.map_err(meanwhile)
    }

    async fn holder(&self) -> Result<Option<FenceTake>, Error> {
        match self.look().await? {
            Some(lease) => self.held(&lease),
            None => Ok(None),
        }
    }

    async fn release(&self, run: &RunId) -> Result<(), Error> {
        let Some(lease) = self.look().await? else { return Ok(()) };
        if self.held(&lease)?.is_none_or(|held| held.run != *run) {
            return Ok(());
        }
        let free = json!({
            "metadata": {"annotations": {TAKE: null}}, "spec": {"holderIdentity": null},
        });
        self.change(&lease, free).await.map_err(meanwhile)
    }
}
