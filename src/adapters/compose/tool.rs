//! The compose tool: always the one that made the containers, since another one makes them all
//! anew under other names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::adapters::docker::Container;
use crate::adapters::process::{Bounded, Finished};
use crate::adapters::{Error, Kind};
use crate::text::{SafeText, fit};

use super::Compose;

/// How long a question to the tool may take: the old one is slow to start.
const ASK_LIMIT: Duration = Duration::from_secs(30);
/// The most that it may answer, in bytes.
const ANSWER: u64 = 4 * 1024 * 1024;
/// Where it is looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of `compose config` that is read.
#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
}

impl Compose {
    /// The tool's environment: nothing of ours gets into it but our home, where a user's own
    /// plugins and logins to registries are.
    pub(super) fn tool_env(&self) -> BTreeMap<String, String> {
        let home = std::env::home_dir().map(|home| ("HOME".to_owned(), home.display().to_string()));
        let fixed = [
            ("PATH".to_owned(), PATH.to_owned()),
            ("DOCKER_HOST".to_owned(), self.docker.address()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ];
        fixed.into_iter().chain(home).collect()
    }

    async fn ask_tool(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<Finished, Error> {
        self.docker.reach().await?;
        let dir = self.settings.dir.as_path();
        let bounded = Bounded { argv, env: Some(env), dir, limit: ASK_LIMIT, bytes: ANSWER };
        bounded.run(&self.clock).await
    }

    /// The tool that made the project's containers, as it is called here.
    pub async fn tool_found(&self) -> Result<String, Error> {
        self.maker(None).await.map(|tool| tool.join(" "))
    }

    /// The command of the tool whose major version made the project's containers.
    pub(super) async fn maker(&self, container: Option<&Container>) -> Result<Vec<String>, Error> {
        let mut made = container.and_then(|one| one.compose_version.clone());
        if made.is_none() {
            let all = self.docker.of_project(&self.settings.project, None).await?;
            made = all.into_iter().find_map(|one| one.compose_version);
        }
        let no = |why: String| {
            let project = SafeText::new(&self.settings.project);
            let message = format!("could not find the compose tool of project {project}: {why}");
            Err(Error::new(Kind::NotFound, message))
        };
        let Some(made) = made else {
            return no("none of its containers says which version made it".to_owned());
        };
        let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect();
        let mut candidates: Vec<Vec<String>> = self.tool.clone().into_iter().collect();
        candidates.push(words(&["docker", "compose"]));
        candidates.push(words(&["docker-compose"]));
        let env = self.tool_env();
        for candidate in candidates {
            let mut argv = candidate.clone();
            argv.extend(["version".to_owned(), "--short".to_owned()]);
            // One that is not there is not the one.
            let Ok(said) = self.ask_tool(&argv, &env).await else { continue };
            let version = String::from_utf8_lossy(&said.stdout);
            if said.code == Some(0) && major(&version) == major(&made) {
                return Ok(candidate);
            }
        }
        // S-69's line for the one that is missing.
        let name = if major(&made) == Some(1) { "docker-compose" } else { "docker compose" };
        let made = SafeText::new(&made);
        no(format!(
            "[ERROR] Required tool not found: {name} (its containers were made by {made}, and another \
             major version makes them all anew)"
        ))
    }

    /// The tool with everything said that it would else guess: project, folder, files, variables.
    pub(super) fn command(&self, tool: &[String]) -> Vec<String> {
        let shown = |path: &Path| path.display().to_string();
        let mut argv = tool.to_vec();
        argv.extend(["--project-directory".to_owned(), shown(&self.settings.dir)]);
        argv.extend(["-p".to_owned(), self.settings.project.clone()]);
        for file in &self.settings.files {
            argv.extend(["-f".to_owned(), shown(&self.in_dir(file))]);
        }
        argv.extend(["--env-file".to_owned(), shown(&self.env_file())]);
        argv
    }

    /// Whether the compose files can be read; the tool's words where they cannot.
    pub(super) async fn check_files(&self, tool: &[String]) -> Result<(), Error> {
        let mut argv = self.command(tool);
        argv.extend(["config", "-q"].map(str::to_owned));
        let said = self.ask_tool(&argv, &self.tool_env()).await?;
        if said.code == Some(0) {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&said.stderr).into_owned();
        let why = fit(SafeText::new(why.trim()).as_str(), 300);
        Err(Error::new(Kind::Rejected, format!("could not read the compose files: {why}")))
    }

    /// Which image `service` would be made of if the tag variable were `version`.
    pub(super) async fn image_for(
        &self,
        tool: &[String],
        service: &str,
        version: &str,
    ) -> Result<String, Error> {
        let mut argv = self.command(tool);
        argv.push("config".to_owned());
        let mut env = self.tool_env();
        if let Some(variable) = &self.settings.tag_variable {
            env.insert(variable.clone(), version.to_owned());
        }
        let said = self.ask_tool(&argv, &env).await?;
        let no = |why: &str| {
            let why = fit(SafeText::new(why).as_str(), 300);
            let message = format!("could not read the compose files of {service}: {why}");
            Error::new(Kind::Rejected, message)
        };
        if said.code != Some(0) {
            return Err(no(String::from_utf8_lossy(&said.stderr).trim()));
        }
        // Its answer holds secrets: it is read here and goes nowhere.
        let resolved: Resolved = crate::yaml::one(&String::from_utf8_lossy(&said.stdout))
            .map_err(|_| no("the tool's answer is no list of services"))?;
        let found = resolved.services.get(service).ok_or_else(|| no("no such service in them"))?;
        found.image.clone().ok_or_else(|| no("it is built there, no image is named"))
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_first_number() {
        assert_eq!(major("1.29.2\n"), Some(1));
        assert_eq!(major("v2.26.1-4"), Some(2));
        assert_eq!(major(""), None);
    }
}
