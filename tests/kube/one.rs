//! One deployment behind a service, and our program with its configuration.

use std::process::{Command, Stdio};
use std::time::Duration;

use backout::adapters::control;
use backout::adapters::kube::{Kind, Patch, Write};
use backout::clock::Clock;
use serde_json::{Value, json};

use super::lab::Site;
use super::place::{Place, Said};

/// A program of one deployment, and its configuration.
pub(super) struct One {
    pub(super) site: Site,
    pub(super) place: Place,
    pub(super) port: u16,
}

impl One {
    /// `web` at a good first revision, answering.
    pub(super) async fn open(site: Site, replicas: u32) -> Self {
        site.deployment("web", "blue", replicas, &[]).await;
        let port = site.service("web", "blue").await;
        site.until_ready("web", i64::from(replicas)).await;
        let one = Self { site, place: Place::new(), port };
        one.configure("");
        one.site.until("it answers", async || one.answers().await).await;
        one
    }

    /// Its configuration, with more at the end.
    pub(super) fn configure(&self, more: &str) {
        self.configure_for("admin", "", more);
    }

    /// The same for a user of the lab, with more about the platform.
    pub(super) fn configure_for(&self, user: &str, platform: &str, more: &str) {
        self.write(user, platform, "4s", more);
    }

    /// The same for a user of the lab, watched so long afterwards.
    pub(super) fn configure_as(&self, user: &str, watch: &str, more: &str) {
        self.write(user, "", watch, more);
    }

    fn write(&self, user: &str, platform: &str, watch: &str, more: &str) {
        let settings = self.site.settings_of(user);
        let text = format!(
            r#"environment: lab
state_dir: state
platform: {{kubernetes: {{kubeconfig: {file}, context: lab, namespace: {namespace}, deployment: web, public_url: "{url}"{platform}}}}}
rollback: {{watch_window: {watch}, watch_every: 1s, good_response: 20s}}
health_checks:
  - {{check_id: api, service: app, check_type: http_response, endpoint_url: "{url}/api/users", expected_status: 200, samples_per_run: 5, interval: 1s, timeout: 20s}}
{more}"#,
            file = settings.kubeconfig.unwrap().display(),
            namespace = settings.namespace,
            url = self.url(),
        );
        std::fs::write(self.place.config(), text).unwrap();
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) async fn answers(&self) -> bool {
        let url = format!("{}/api/users", self.url());
        let said = control::get(&url, Duration::from_secs(2), &Clock::real()).await;
        said.is_ok_and(|reply| reply.is_success())
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        self.place.run(arguments)
    }

    pub(super) async fn at(&self, pointer: &str) -> Value {
        self.site.kube.must_get(Kind::Deployment, "web").await.unwrap().at(pointer).clone()
    }

    /// A deploy: the container's first variable beside its own, or another image.
    async fn deploy(&self, fields: &Value) {
        let patch = json!({"spec": {"template": fields}});
        let patch = Patch::Merge(patch);
        self.site.kube.patch(Kind::Deployment, "web", &patch, Write::default()).await.unwrap();
    }

    pub(super) async fn deploy_image(&self, image: &str, version: &str) {
        let mut containers = self.at("/spec/template/spec/containers").await;
        containers[0]["image"] = json!(image);
        let labels = json!({"app.kubernetes.io/version": version});
        self.deploy(&json!({"metadata": {"labels": labels}, "spec": {"containers": containers}}))
            .await;
    }

    pub(super) async fn deploy_variable(&self, name: &str, value: &str, version: &str) {
        let mut containers = self.at("/spec/template/spec/containers").await;
        let variables = containers[0]["env"].as_array_mut().unwrap();
        variables.retain(|one| one["name"] != json!(name));
        variables.push(json!({"name": name, "value": value}));
        let labels = json!({"app.kubernetes.io/version": version});
        self.deploy(&json!({"metadata": {"labels": labels}, "spec": {"containers": containers}}))
            .await;
    }

    pub(super) fn kubectl(&self, arguments: &[&str]) -> String {
        let settings = self.site.settings_of("admin");
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(settings.kubeconfig.unwrap());
        command.args(["-n", &settings.namespace]).args(arguments).stdin(Stdio::null());
        let said = command.output().unwrap();
        assert!(said.status.success(), "{arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}
