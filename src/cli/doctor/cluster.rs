//! What a cluster has to have: an API server that answers and knows us, what the configuration
//! names, and the rights to change it.

use crate::adapters::kube::{Kind, Kube};
use crate::config::{Config, Traffic};
use crate::engine::stack::{Stack, cluster};
use crate::text::SafeText;

use super::super::World;
use super::Line;

/// The file that gives the rights.
const ROLE: &str = "have config/kubernetes-role.yaml applied, with your user in it";

/// The cluster, the colours' deployments and the rights.
pub(super) async fn all(world: &World, config: &Config, lines: &mut Vec<Line>) {
    let Some(kube) = cluster(config, &world.clock) else { return };
    let name = "cluster";
    match kube.identity().await {
        Ok(found) => {
            let text = format!("{} (kube-system {})", found.server, found.uid);
            lines.push(Line::well(1, name, &text));
        }
        Err(error) => {
            let help =
                "check platform.kubernetes (kubeconfig, context), and the rights of its user";
            lines.push(Line::missing(1, name, &error.message, help));
        }
    }
    lines.push(rights(world, config).await);
    for (color, at) in &config.colors {
        let Some(deployment) = &at.deployment else { continue };
        let name = format!("deployment of {color}");
        lines.push(there(&kube, (&name, Kind::Deployment, deployment), "colors.").await);
    }
}

/// The service that moves traffic.
pub(super) async fn service(world: &World, config: &Config) -> Option<Line> {
    let Some(Traffic::Service(service)) = &config.traffic else { return None };
    let kube = cluster(config, &world.clock)?;
    Some(there(&kube, ("traffic", Kind::Service, &service.name), "traffic.service").await)
}

async fn rights(world: &World, config: &Config) -> Line {
    let name = "rights in the cluster";
    let Some(stack) = Stack::of(config, &world.program, &world.clock) else {
        return Line::missing(1, name, "not asked: no traffic is configured", "add traffic:");
    };
    match stack.workload.missing_rights().await {
        Ok(missing) if missing.is_empty() => Line::well(1, name, "all that are needed"),
        Ok(missing) => {
            let missing: Vec<&str> = missing.iter().map(SafeText::as_str).collect();
            Line::missing(1, name, &format!("missing: {}", missing.join(", ")), ROLE)
        }
        Err(error) => Line::missing(1, name, &error.message, ROLE),
    }
}

async fn there(kube: &Kube, (name, kind, object): (&str, Kind, &str), key: &str) -> Line {
    let shown = format!("{} {object} in {}", kind.word(), kube.namespace());
    match kube.get(kind, object).await {
        Ok(Some(_)) => Line::well(1, name, &shown),
        Ok(None) => {
            let help = format!("name the right one under {key}");
            Line::missing(1, name, &format!("there is no {shown}"), &help)
        }
        Err(error) => Line::missing(1, name, &error.message, ""),
    }
}
