//! What escalating asks for (P-73): the looks of the procedure `escalation-info`, each as a file of
//! the bundle. Only where a person asks for one: a bundle that a step waits for is not held up.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::adapters::process;
use crate::clock::Clock;
use crate::config::{Config, guides};
use crate::evidence::bundle::{From, Item};
use crate::model::guide::Act;

/// The procedure.
const GUIDE: &str = "escalation-info";
/// How long one look may take; all run side by side.
const LIMIT: Duration = Duration::from_secs(10);
/// What is kept of its output, in bytes.
const OUTPUT: u64 = 256 * 1024;

/// One file a look: `escalation/1-host.txt`. It must not be called where a runtime is running.
pub(super) fn items(config: &Config) -> Vec<Item> {
    let guides = guides::load(config.guides.as_deref()).unwrap_or_default();
    let Some(guide) = guides.into_iter().find(|guide| guide.id == GUIDE) else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let url = config.traffic.as_ref().map(|traffic| traffic.public_url().to_owned());
    let variables = BTreeMap::from([("BACKOUT_URL", url.unwrap_or_default())]);
    let (dir, clock) = (config.state_dir.clone(), Clock::real());
    let looks = (1_u8..).zip(&guide.steps).filter_map(|(number, step)| match &step.act {
        // What backout itself says is in the bundle anyhow.
        Act::Look(line) if !line.starts_with("backout ") => Some((number, step, line)),
        Act::Look(_) | Act::Change(_) | Act::Command(_) | Act::Hand => None,
    });
    let looks = looks.map(|(number, step, line)| {
        let (variables, dir, clock) = (&variables, &dir, &clock);
        async move {
            let ran = process::shell_with(line, variables, dir, (LIMIT, OUTPUT), clock).await;
            let text = match ran {
                Ok(done) => {
                    let said = [done.stdout, done.stderr].concat();
                    format!("$ {line}\n{}", String::from_utf8_lossy(&said))
                }
                Err(error) => format!("$ {line}\n{}\n", error.message),
            };
            let name = step.title.as_str().to_lowercase().replace(' ', "-");
            let path = format!("escalation/{number}-{}.txt", super::plain(&name));
            Item { path, kind: "state", from: From::Text(text) }
        }
    });
    runtime.block_on(join_all(looks))
}
