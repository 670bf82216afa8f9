//! The real cluster as steps and plans use it.

use async_trait::async_trait;
use serde_json::Value;

use crate::adapters::Error;
use crate::adapters::cluster::{Cluster, ObjectName};
use crate::text::SafeText;

use super::{Delete, Kind, Kube, LogAsk, Object, Patch, Right, Write};

impl Kube {
    fn place_of(&self, object: &ObjectName) -> Self {
        object.namespace.as_ref().map_or_else(|| self.clone(), |name| self.in_namespace(name))
    }
}

#[async_trait]
impl Cluster for Kube {
    async fn identity(&self) -> Result<String, Error> {
        let found = Self::identity(self).await?;
        Ok(format!("kubernetes {}/{}", found.uid, self.namespace()))
    }

    fn namespace(&self) -> &str {
        Self::namespace(self)
    }

    fn kubectl(&self) -> String {
        Self::kubectl(self)
    }

    async fn get(&self, object: &ObjectName) -> Result<Option<Object>, Error> {
        Self::get(&self.place_of(object), object.kind, &object.name).await
    }

    async fn list(&self, kind: Kind, labels: &str) -> Result<Vec<Object>, Error> {
        Self::list(self, kind, labels).await
    }

    async fn patch(
        &self,
        object: &ObjectName,
        patch: &Patch,
        write: Write<'_>,
    ) -> Result<Object, Error> {
        Self::patch(&self.place_of(object), object.kind, &object.name, patch, write).await
    }

    async fn create(&self, kind: Kind, body: &Value) -> Result<Object, Error> {
        Self::create(self, kind, body, false).await
    }

    async fn delete(&self, object: &ObjectName, uid: Option<&str>) -> Result<bool, Error> {
        let how = Delete { uid, ..Delete::default() };
        Self::delete(&self.place_of(object), object.kind, &object.name, how).await
    }

    async fn apply(&self, kind: Kind, body: &Value, dry_run: bool) -> Result<Object, Error> {
        Self::apply(self, kind, body, dry_run).await
    }

    async fn changed(&self, of: &ObjectName, object: &Object) {
        Self::changed(&self.place_of(of), of.kind, object).await;
    }

    async fn missing_rights(&self, rights: &[Right]) -> Result<Vec<SafeText>, Error> {
        super::rights::missing(self, rights).await
    }

    async fn last_words(
        &self,
        pod: &str,
        container: &str,
        (previous, lines): (bool, u32),
    ) -> Result<String, Error> {
        let ask = LogAsk { container: Some(container), previous, since: None, tail: Some(lines) };
        let bytes = self.logs(pod, ask).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
