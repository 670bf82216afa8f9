//! What is kept of a container before it is changed: what it is, what it wrote, what ran in it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;

use crate::adapters::Error;
use crate::adapters::docker::Container;
use crate::adapters::local::without_values;

use super::Compose;

/// The most lines that are kept of a log.
const LOG_LINES: usize = 50_000;
/// The most bytes that are kept of a log.
const LOG_BYTES: usize = 16 * 1024 * 1024;
/// How long reading a log may take.
const LOG_LIMIT: Duration = Duration::from_secs(20);
/// The largest compose file that is copied, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

impl Compose {
    /// Writes what can be said of a container into `dir`; the names of the files.
    pub(super) async fn keep_traces(
        &self,
        container: &Container,
        dir: &Path,
    ) -> Result<Vec<String>, Error> {
        let mut kept = Vec::new();
        let inspected = self.docker.inspected(&container.id).await?;
        save(dir, "inspect.json", pretty(&inspected).as_bytes(), &mut kept)?;
        let log = self.log_of(container).await?;
        save(dir, "container.log", &log, &mut kept)?;
        // An image may be gone while its container is still there.
        if let Ok(image) = self.docker.image(&container.image_id).await {
            let labels: Vec<String> =
                image.labels.iter().map(|(name, value)| format!("label {name}={value}")).collect();
            let text = format!(
                "asked for {}\nid {}\nmade {}\ntags {}\ndigests {}\n{}\n",
                container.image,
                image.id,
                image.created,
                image.tags.join(" "),
                image.digests.join(" "),
                labels.join("\n")
            );
            save(dir, "image.txt", text.as_bytes(), &mut kept)?;
        }
        if container.is_up()
            && let Ok(top) = self.docker.top(&container.id).await
        {
            let lines = std::iter::once(&top.titles).chain(&top.processes);
            let lines: Vec<String> = lines.map(|line| line.join("\t")).collect();
            save(dir, "top.txt", (lines.join("\n") + "\n").as_bytes(), &mut kept)?;
        }
        if let Ok(text) = fs::read_to_string(self.env_file()) {
            save(dir, "env-names", without_values(&text).as_bytes(), &mut kept)?;
        }
        for (number, file) in self.settings.files.iter().enumerate() {
            let path = self.in_dir(file);
            let small = fs::metadata(&path).is_ok_and(|f| f.is_file() && f.len() <= FILE_LIMIT);
            if small && let Ok(bytes) = fs::read(&path) {
                save(dir, &format!("compose-{number}.yml"), &bytes, &mut kept)?;
            }
        }
        Ok(kept)
    }

    /// The last of what it wrote, with the engine's times.
    async fn log_of(&self, container: &Container) -> Result<Vec<u8>, Error> {
        let mut lines = self.docker.logs(&container.id, None, Some(LOG_LINES), false).await?;
        let mut text = Vec::new();
        let read = async {
            while let Some(line) = lines.next().await {
                let line = line?;
                let at = line.at.map(|at| at.to_rfc3339()).unwrap_or_default();
                let stream = if line.stderr { "err" } else { "out" };
                text.extend_from_slice(format!("{at} {stream} ").as_bytes());
                text.extend_from_slice(&line.text);
                text.push(b'\n');
                // The end of a log is what is looked for.
                let over = text.len().saturating_sub(2 * LOG_BYTES);
                if over > 0 {
                    text.drain(..text.len() - LOG_BYTES);
                }
            }
            Ok::<(), Error>(())
        };
        match self.clock.timeout(LOG_LIMIT, read).await {
            Ok(done) => done?,
            Err(_) => text.extend_from_slice(b"(the engine did not end the log in time)\n"),
        }
        let over = text.len().saturating_sub(LOG_BYTES);
        text.drain(..over);
        Ok(text)
    }
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn save(dir: &Path, name: &str, bytes: &[u8], kept: &mut Vec<String>) -> Result<(), Error> {
    let path = dir.join(name);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|e| Error::io("write", path.display(), &e))?;
    kept.push(name.to_owned());
    Ok(())
}
