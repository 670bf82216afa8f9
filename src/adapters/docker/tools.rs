//! Tools that are run where they are installed: inside a service's container.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapters::Error;

use super::{DockerHost, Exec, ExecInput, ExecOutput, Executed};

/// The tools of one service's container.
#[derive(Clone, Debug)]
pub struct DockerTools {
    docker: DockerHost,
    project: String,
    service: String,
    user: Option<String>,
}

impl DockerTools {
    /// The tools of whichever container runs `service` of `project` when a tool is called.
    pub fn new(docker: DockerHost, project: &str, service: &str) -> Self {
        Self { docker, project: project.to_owned(), service: service.to_owned(), user: None }
    }

    /// The same, run as `user`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// The container that runs them now.
    pub async fn container(&self) -> Result<String, Error> {
        Ok(self.docker.of_service(&self.project, &self.service).await?.id)
    }

    /// The engine.
    pub fn docker(&self) -> &DockerHost {
        &self.docker
    }

    /// Runs a tool to its end; an exit code other than 0 is no error here. Values of `env` reach
    /// the tool by the engine's API and stand in no argv.
    pub async fn run(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        (input, output): (ExecInput, ExecOutput),
        limit: Duration,
    ) -> Result<Executed, Error> {
        let container = self.docker.of_service(&self.project, &self.service).await?;
        let env: Vec<(String, String)> =
            env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let user = self.user.as_deref();
        let exec = Exec { argv, env: &env, user, input, output, limit };
        self.docker.exec(&container.id, &exec).await
    }
}
