//! What runs in a namespace, asked once, and the text made from it. Nothing secret is asked for.

use crate::adapters::kube::{Kind, Kube, KubeSettings, Object};
use crate::failure::{Exit, Failure};
use crate::text::SafeText;

use super::World;

mod guess;
mod page;

/// What is known of a namespace.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) settings: KubeSettings,
    /// The host of the API server: where ports of nodes are looked for.
    pub(super) host: String,
    pub(super) deployments: Vec<Object>,
    pub(super) stateful_sets: Vec<Object>,
    pub(super) services: Vec<Object>,
    pub(super) ingresses: Vec<Object>,
    /// What could not be asked for.
    pub(super) missing: Vec<String>,
}

/// The text of a configuration for a namespace.
pub(super) async fn text(
    world: &World,
    namespace: &str,
    context: Option<&str>,
) -> Result<String, Failure> {
    let mut settings = KubeSettings {
        kubeconfig: crate::config::kubeconfig(&world.environment),
        context: context.map(str::to_owned),
        namespace: namespace.to_owned(),
    };
    if settings.namespace.is_empty() {
        let kube = Kube::new(settings.clone(), world.clock.clone());
        settings.namespace = kube.own_namespace().await.map_err(away)?;
    }
    let kube = Kube::new(settings.clone(), world.clock.clone());
    let deployments = kube.list(Kind::Deployment, "").await.map_err(away)?;
    let stateful_sets = kube.list(Kind::StatefulSet, "").await;
    if deployments.is_empty() && !stateful_sets.as_ref().is_ok_and(|sets| !sets.is_empty()) {
        let named = SafeText::new(&settings.namespace);
        let message = format!(
            "could not find a program: namespace {named} has no deployment and no stateful set"
        );
        return Err(Failure::new(Exit::Unknown, message)
            .hint("name another: backout init --from-kube NAMESPACE")
            .hint("kubectl get deployments --all-namespaces shows where they are"));
    }
    let mut facts = Facts { settings, deployments, ..Facts::default() };
    facts.host = host(&kube).await;
    let mut missing = Vec::new();
    let mut told = |listed: Result<Vec<Object>, crate::adapters::Error>| {
        listed.unwrap_or_else(|error| {
            missing.push(error.message);
            Vec::new()
        })
    };
    facts.stateful_sets = told(stateful_sets);
    facts.services = told(kube.list(Kind::Service, "").await);
    facts.ingresses = told(kube.list(Kind::Ingress, "").await);
    facts.missing = missing;
    Ok(page::text(&facts))
}

fn away(error: crate::adapters::Error) -> Failure {
    Failure::new(Exit::Unknown, error.message).hint(
        "KUBECONFIG names the file of the cluster and its user; --context one of its contexts",
    )
}

/// The host of the API server, where its address is known.
async fn host(kube: &Kube) -> String {
    let server = kube.server().await.unwrap_or_default();
    let rest = server.split_once("://").map_or(server.as_str(), |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

#[cfg(test)]
mod tests;
