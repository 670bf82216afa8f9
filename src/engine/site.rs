//! Level 1 of a frontend in object storage (P-15): which version is gone to, what speaks for it, and
//! the plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::objects::{Content, Front, KEPT, compatible, registered};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::config::{Config, FrontendSite};
use crate::model::deploys::ChangeState;
use crate::model::entry::Outcome;
use crate::model::ids::{Color, Digest, PointId};
use crate::model::plan::{Level, Plan, PlanCore, PlanFace, Preflight, PreflightAnswer};
use crate::text::SafeText;

use super::planner::{self, Facts, NoPlan};
use super::playbook::{Filled, Playbook};
use super::preflight;
use super::stack::Stack;

/// How long caches may take: the objective of level 1 less what is around it.
const EDGE_SECONDS: u64 = 90;
/// Objects of a second that a copy is given time for, and the seconds that it has at least.
const COPIES: (u64, u64) = (100, 60);

/// What is seen of the site before a plan is made.
struct Seen {
    live: SafeText,
    /// Where what users get now lies beside that: under its own version, or where it is copied.
    before: Before,
    to: SafeText,
    content: Content,
    named: usize,
    /// What is on record of that version; nothing where there is no record.
    recorded: Option<String>,
}

/// The way back.
enum Before {
    /// What users get is what lies under its own version.
    Kept { prefix: String, digest: Digest },
    /// It is copied there first; this is the digest of what is copied.
    Copied { prefix: String, digest: Digest },
    /// Users get nothing.
    Nothing,
}

/// Makes the plan. Looks, changes nothing.
pub(super) async fn plan(
    (config, at): (&Config, &FrontendSite),
    stack: &Stack,
    facts: &Facts,
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |error: &Error| NoPlan { why: SafeText::new(&error.message), offer: None };
    let Some(front) = &stack.front else {
        return Err(NoPlan { why: "no site is configured".into(), offer: None });
    };
    let seen = look(front, at, facts, clock).await.map_err(|error| no(&error))?;
    let plan = make((config, at), stack, facts, &seen, clock).await.map_err(|error| no(&error))?;
    let mut lines = lines(at, &seen, clock).await;
    lines.extend(preflight::procedure(config, stack, (facts, &plan), clock).await);
    Ok((plan, lines))
}

async fn look(
    front: &Front,
    at: &FrontendSite,
    facts: &Facts,
    clock: &Clock,
) -> Result<Seen, Error> {
    let site = &front.site;
    let live = site.live().await?.unwrap_or_default();
    let to = choose(front, facts, &live).await?;
    if let Some(url) = &at.registry_url {
        registered(&url.replace("{version}", to.as_str()), clock).await?;
    }
    let (content, named) = site.whole(to.as_str()).await?;
    let before = if site.settings().pointer.is_some() {
        Before::Kept { prefix: site.prefix(live.as_str()), digest: Digest::default() }
    } else {
        before(front, &live).await?
    };
    Ok(Seen { before, content, named, recorded: recorded(facts, &to), live, to })
}

async fn before(front: &Front, live: &SafeText) -> Result<Before, Error> {
    let site = &front.site;
    let current = site.content(&site.settings().current).await?;
    if current.objects.is_empty() {
        return Ok(Before::Nothing);
    }
    let prefix = site.prefix(live.as_str());
    let kept = site.content(&prefix).await?;
    if !live.is_empty() && !kept.objects.is_empty() && site.is_at(&kept, &current.prefix).await? {
        return Ok(Before::Kept { prefix, digest: kept.digest() });
    }
    let digest = current.digest();
    let name: String = digest.0.chars().take(12).collect();
    Ok(Before::Copied { prefix: site.prefix(&format!("{KEPT}{name}")), digest })
}

/// The version that was asked for, else the last that is on record as good, else the one before by
/// its number.
async fn choose(front: &Front, facts: &Facts, live: &SafeText) -> Result<SafeText, Error> {
    let no =
        |kind, why: String| Err(Error::new(kind, format!("could not choose a version: {why}")));
    if let Some(target) = &facts.target {
        let word = target.as_str();
        let point = facts.points.iter().find(|point| &point.id == target);
        let version = match point {
            Some(point) => point.version.clone(),
            None => SafeText::new(word.strip_prefix("release-").unwrap_or(word)),
        };
        if version == *live {
            return no(Kind::Rejected, format!("{target} is what users get now"));
        }
        return Ok(version);
    }
    let known = front.site.versions().await?;
    let at = known.iter().position(|version| version == live.as_str()).unwrap_or(known.len());
    let other = |version: &&String| version.as_str() != live.as_str();
    let good = known.iter().rev().filter(other).find(|version| {
        let version = SafeText::new(version);
        recorded(facts, &version).is_some()
    });
    let before = || known.get(..at).and_then(<[String]>::last);
    match good.or_else(before) {
        Some(version) => Ok(SafeText::new(version)),
        None => no(Kind::NotFound, format!("none is kept that is older than {live}; name one")),
    }
}

/// What is on record for a version, unless something is on record against it.
fn recorded(facts: &Facts, version: &SafeText) -> Option<String> {
    let run = facts.history.iter().find(|run| run.to == *version || run.from == *version);
    let ended = run.filter(|run| run.ended.outcome == Outcome::Done);
    if let Some(run) = ended {
        let words = || format!("recorded healthy: run {} ended well at it", run.run);
        return (run.to == *version).then(words);
    }
    let change = facts.known.changes.iter().find(|change| change.version == *version)?;
    (change.state == ChangeState::Done).then(|| {
        let at = change.ended_at.unwrap_or(change.at).format("%Y-%m-%d %H:%M");
        format!("its deploy is recorded as done, {at}")
    })
}

async fn lines(at: &FrontendSite, seen: &Seen, clock: &Clock) -> Vec<Preflight> {
    let line = |name: &str, answer, text: &str| Preflight {
        name: name.into(),
        answer,
        text: SafeText::new(text),
    };
    let (answer, text) = match &seen.recorded {
        Some(words) => (PreflightAnswer::Ok, words.as_str()),
        None => (PreflightAnswer::Warn, "not proven: it is kept, nobody recorded it healthy"),
    };
    let mut lines = vec![line("the version to go to", answer, text)];
    let (many, named) = (seen.content.objects.len(), seen.named);
    let (answer, text) = match named {
        0 => (PreflightAnswer::Warn, format!("its manifest names none, {many} are there")),
        _ => (PreflightAnswer::Ok, format!("all {named} of its manifest, {many} in all")),
    };
    lines.push(line("its objects are there", answer, &text));
    if at.registry_url.is_some() {
        lines.push(line("the registry knows it", PreflightAnswer::Ok, seen.to.as_str()));
    }
    if let Some(url) = &at.compatibility_url {
        let name = "clients go with it";
        let asked = compatible(&url.replace("{version}", seen.to.as_str()), clock).await;
        lines.push(match asked {
            Ok(true) => line(name, PreflightAnswer::Ok, "the service says so"),
            Ok(false) => {
                let text = format!("clients of {} do not go with what runs behind", seen.to);
                line(name, PreflightAnswer::Block, &text)
            }
            Err(error) => line(name, PreflightAnswer::Unknown, &error.message),
        });
    }
    lines
}

async fn make(
    (config, at): (&Config, &FrontendSite),
    stack: &Stack,
    facts: &Facts,
    seen: &Seen,
    clock: &Clock,
) -> Result<Plan, Error> {
    let active = stack.traffic.look().await?.active;
    let mut filled = Playbook::frontend()?.fill(&named(at, seen, &active))?;
    if matches!(seen.before, Before::Nothing) {
        without_way_back(&mut filled);
    }
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(super::bound::configured(config));
    let core = PlanCore {
        level: Level::Switch,
        environment: config.environment.clone(),
        point: PointId(format!("release-{}", seen.to)),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: seen.live.clone(),
        to: seen.to.clone(),
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = planner::face(config, stack, (&plan, &filled), None, &facts.history, clock).await;
    let how = if at.site.pointer.is_some() { "the pointer names" } else { "copy of" };
    plan.face.form = SafeText::new(&format!("{how} version {} of the frontend", seen.to));
    if let Some(mobile) = &at.mobile {
        let names = mobile.platforms.join(" and ");
        let text = format!("{names}: when users have it is the store's matter, look there");
        plan.face.not_undone.push(SafeText::new(&text));
    }
    let opened = format!("pages that are open keep {} until they are loaded again", seen.live);
    plan.face.not_undone.push(SafeText::new(&opened));
    Ok(plan)
}

fn without_way_back(filled: &mut Filled) {
    filled.undo.clear();
    for (spec, _) in &mut filled.steps {
        spec.undo = None;
    }
}

fn named(at: &FrontendSite, seen: &Seen, color: &Color) -> BTreeMap<&'static str, Value> {
    let copies = at.site.pointer.is_none();
    let none = Digest::default();
    let (keep, before, left_digest) = match &seen.before {
        Before::Kept { prefix, digest } => (false, prefix.as_str(), digest),
        Before::Copied { prefix, digest } => (true, prefix.as_str(), digest),
        Before::Nothing => (false, "", &none),
    };
    let platforms = at.mobile.iter().flat_map(|mobile| &mobile.platforms);
    let platforms: Vec<Value> = platforms.map(|name| json!({"name": name})).collect();
    let registry = at.registry_url.as_ref();
    let registry = registry.map(|url| url.replace("{version}", seen.to.as_str()));
    // A pointer only names the version; a copy of our own has a digest only when it is made.
    let approved = |digest: &Digest, whole: bool| whole.then(|| digest.clone());
    BTreeMap::from([
        ("color", json!(color)),
        ("version", json!(seen.to)),
        ("left", json!(seen.live)),
        ("source", json!(seen.content.prefix)),
        ("digest", json!(seen.content.digest())),
        ("live", json!(at.site.current)),
        ("to", json!(copies.then_some(&at.site.current))),
        ("keep", json!(keep)),
        ("before", json!(before)),
        ("left_digest", json!(left_digest)),
        ("before_digest", json!(approved(left_digest, copies && !keep))),
        ("registry_url", json!(registry)),
        ("edges", json!(!at.cloudfront.is_empty() || !at.purge.is_empty())),
        ("paths", json!(at.paths)),
        ("edge_seconds", json!(EDGE_SECONDS)),
        ("edge_budget", json!(format!("{}s", EDGE_SECONDS + 10))),
        (
            "publish_budget",
            json!(format!("{}s", COPIES.1 + seen.content.objects.len() as u64 / COPIES.0)),
        ),
        ("manifest_url", json!(format!("{}/{}", at.public_url, at.site.manifest))),
        ("urls", json!(at.health_check_urls)),
        ("platforms", json!(platforms)),
    ])
}
