//! A frontend in object storage goes back: on a real server of S3's interface (moto), and on a
//! folder, which needs nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backout::adapters::http::{Call, Target, once};
use backout::adapters::objects::{Aws, AwsKeys, Folder, Objects, S3};
use backout::adapters::secret::Secret;
use backout::clock::Clock;
use backout::config::Environment;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::guarantees::{boundaries, plan_of};
use crate::kube::place::Place;
use crate::support::{Stack, long, patience, said};
use crate::tools::{Running, tool};

mod checks;
mod edge;

use edge::Edge;

const QUICK: [&str; 5] = ["rollback", "--quick", "--auto-confirm", "--reason", "a white page"];
const BUCKET: &str = "pratiko-assets";

/// A server of S3's interface with a bucket in it.
fn server() -> Option<(Running, String)> {
    let program: PathBuf = tool("moto", "moto_server")?;
    let server = Running::start(&program, |_, port| {
        ["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()].into()
    });
    let url = format!("http://127.0.0.1:{}", server.port);
    let bucket = Target::parse(&format!("{url}/{BUCKET}")).unwrap();
    let until = Instant::now() + patience(Duration::from_mins(1));
    let made = async {
        let call = Call { method: hyper::Method::PUT, ..Call::get() };
        let limit = Duration::from_secs(10);
        while once(&bucket, &call, limit, &Clock::real()).await.0.is_err() {
            assert!(Instant::now() < until, "no server: {}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    runtime().block_on(made);
    Some((server, url))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn s3(url: &str) -> Arc<dyn Objects> {
    let keys = AwsKeys { id: "AKIA".to_owned(), secret: Secret::new("geheim"), session: None };
    let target = Target::parse(url).unwrap();
    let aws = Aws::new(target, "us-east-1", Some(keys), Clock::real());
    Arc::new(S3::new(aws, BUCKET).unwrap())
}

/// Lays a version of so many assets, and its manifest.
fn lay(objects: &dyn Objects, prefix: &str, version: &str, many: usize) {
    let mut files = serde_json::Map::new();
    let mut all: Vec<(String, String)> = vec![
        ("index.html".to_owned(), format!("<script src=app.js?{version}>")),
        ("images/a b+c.svg".to_owned(), format!("<svg>{version}</svg>")),
    ];
    all.extend((0..many).map(|at| (format!("assets/{at}.js"), format!("{version} {at}"))));
    for (name, body) in &all {
        files.insert(name.clone(), json!({"size": body.len()}));
    }
    let manifest = json!({"version": version, "files": files}).to_string();
    all.push(("manifest.json".to_owned(), manifest));
    let writes = all.into_iter().map(|(name, body)| async move {
        objects.write(&format!("{prefix}{name}"), body.into_bytes()).await.unwrap();
    });
    runtime().block_on(futures_util::stream::iter(writes).buffer_unordered(10).collect::<()>());
}

/// Two versions, the newer one live.
fn lay_both(objects: &dyn Objects, many: usize) {
    lay(objects, "versions/2.0.5/", "2.0.5", many);
    lay(objects, "versions/2.0.6/", "2.0.6", many + 1);
    lay(objects, "current/", "2.0.6", many + 1);
}

fn configure(place: &Place, store: &str, edge: &Edge, more: &str) {
    let url = &edge.url;
    let text = format!(
        r#"environment: lab
state_dir: state
fence: {{file: fence}}
platform:
  frontend:
    {store}
    public_url: "{url}"
    registry_url: "{url}/api/v1/versions/frontend/web/{{version}}"
    compatibility_url: "{url}/compatibility?client_version={{version}}"
    health_check_urls: ["{url}/health", "{url}/mobile/health"]
    cdn: {{cloudfront: [E123], cloudfront_endpoint: "{url}"}}
    {more}
rollback: {{keep_failed_up: 1s, watch_window: 2s, watch_every: 1s, good_response: 1m}}
health_checks:
  - {{check_id: page, service: web, check_type: http_response, endpoint_url: "{url}/index.html", expected_status: 200, samples_per_run: 5, interval: 1s, timeout: 20s}}
"#
    );
    std::fs::write(place.config(), text).unwrap();
}

/// Names and sizes below a prefix.
fn below(objects: &dyn Objects, prefix: &str) -> Vec<(String, u64, String)> {
    let found = runtime().block_on(objects.list(prefix)).unwrap();
    let own = |key: &str| key[prefix.len()..].to_owned();
    found.into_iter().map(|one| (own(&one.key), one.size, one.tag)).collect()
}

fn run(place: &Place, arguments: &[&str], fault: Option<&str>) -> (i32, String) {
    let mut command = place.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "geheim-und-lang");
    command.env("ADMIN_TOKEN", "ein-geheimes-wort");
    command.envs(fault.map(|fault| ("BACKOUT_FAULT", fault)));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
}

/// The main path: the version is put where users get it, one invalidation, then the looks at what
/// users get; the engine is killed in the midst of the copies, and the run ends the same.
fn goes_back(place: &Place, objects: &dyn Objects, edge: &Edge) {
    let (code, said) = run(place, &QUICK, Some("die-at:B5:publish"));
    assert_eq!(code, 0, "{said}");
    assert!(place.folder().join("state/fault-struck").exists(), "the engine was not killed");
    assert_eq!(below(objects, "current/"), below(objects, "versions/2.0.5/"));
    let calls = edge.calls();
    let mobile = |platform: &str| {
        format!("mobile {{\"platform\":\"{platform}\",\"version\":\"2.0.5\"}} true")
    };
    assert_eq!(
        calls,
        [
            "invalidate /*".to_owned(),
            "completed".to_owned(),
            "look /health".to_owned(),
            "look /mobile/health".to_owned(),
            mobile("android"),
            mobile("ios"),
        ],
        "{said}"
    );
    let history = std::fs::read_to_string(place.folder().join("state/rollback_history.log"));
    let history = history.unwrap();
    assert!(history.contains("LEVEL=1 FROM=2.0.6 TO=2.0.5"), "{history}");
}

const MOBILE: &str = "mobile: {url: \"URL/admin/rollback\", token: \"${ADMIN_TOKEN}\", platforms: \
                      [android, ios]}";

#[test]
fn a_frontend_on_a_real_server_goes_back_though_the_engine_is_killed_amid_the_copies() {
    let Some((_server, url)) = server() else { return };
    let objects = s3(&url);
    lay_both(&*objects, 40);
    let (place, edge) = (Place::new(), Edge::start(Arc::clone(&objects)));
    let store = format!("s3: {{bucket: {BUCKET}, endpoint: \"{url}\"}}");
    configure(&place, &store, &edge, &MOBILE.replace("URL", &edge.url));
    goes_back(&place, &*objects, &edge);
    // It can be taken back: what users got before lies under its own version.
    let (code, said) = run(&place, &["history", "--json"], None);
    assert_eq!(code, 0, "{said}");
    let id = said.split("\"run\":\"").nth(1).or_else(|| said.split("\"run\": \"").nth(1)).unwrap();
    let id = id.split('"').next().unwrap();
    let back = ["rollback", "--undo", id, "--auto-confirm", "--reason", "it was not that"];
    let (code, said) = run(&place, &back, None);
    assert_eq!(code, 0, "{said}");
    assert_eq!(below(&*objects, "current/"), below(&*objects, "versions/2.0.6/"));
    let state = std::fs::read(place.folder().join("state/journal.db")).unwrap();
    for secret in ["geheim-und-lang", "ein-geheimes-wort"] {
        let found = state.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{secret} is in the journal");
    }
}

#[test]
fn a_frontend_in_a_folder_goes_back_and_what_has_no_version_is_kept() {
    let (place, dir) = (Place::new(), tempfile::tempdir().unwrap());
    let objects: Arc<dyn Objects> = Arc::new(Folder::new(dir.path().to_owned()));
    lay_both(&*objects, 3);
    std::fs::write(dir.path().join("current/hotfix.js"), "by hand").unwrap();
    let edge = Edge::start(Arc::clone(&objects));
    let store = format!("dir: {}", dir.path().display());
    configure(&place, &store, &edge, &MOBILE.replace("URL", &edge.url));
    goes_back(&place, &*objects, &edge);
    let kept = runtime().block_on(objects.folders("versions/left-")).unwrap();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let hotfix = dir.path().join(&kept[0]).join("hotfix.js");
    assert_eq!(std::fs::read_to_string(hotfix).unwrap(), "by hand");
    // Nothing that does not exist or is not whole, and nothing is done for it.
    let before = edge.calls();
    let refused = |arguments: &[&str], why: &str| {
        let (code, said) = run(&place, arguments, None);
        assert_ne!(code, 0, "{said}");
        assert!(said.contains(why), "{said}");
        assert_eq!(edge.calls(), before);
    };
    let to = |version: &'static str| [&QUICK[..], &["--target", version]].concat();
    refused(&to("2.0.4"), "the registry of versions does not know it");
    refused(&to("2.0.3"), "known are 2.0.5, 2.0.6");
    std::fs::write(dir.path().join("versions/2.0.6/assets/1.js"), "half").unwrap();
    refused(&to("2.0.6"), "assets/1.js has 4 bytes");
}

/// The engine is killed at the boundaries of every step: users get the version, and nothing is ordered
/// twice. An app store cannot be asked: killed around its order, the outcome is not known, and says so.
#[test]
fn killed_at_the_boundaries_of_every_step_a_frontend_ends_the_same() {
    let placed = || {
        let (place, dir) = (Place::new(), tempfile::tempdir().unwrap());
        let objects: Arc<dyn Objects> = Arc::new(Folder::new(dir.path().to_owned()));
        lay_both(&*objects, 3);
        let edge = Edge::start(Arc::clone(&objects));
        let store = format!("dir: {}", dir.path().display());
        configure(&place, &store, &edge, &MOBILE.replace("URL", &edge.url));
        (place, dir, objects, edge)
    };
    let (place, _dir, _objects, _edge) = placed();
    let environment = Environment::of([("HOME", "/srv/dana"), ("ADMIN_TOKEN", "geheim")]);
    let plan = plan_of(&place.config(), &place.folder().join("state"), &environment, (1, None));
    for fault in boundaries(&[plan]).concat() {
        let (place, _dir, objects, edge) = placed();
        let (code, said) = run(&place, &QUICK, Some(&fault));
        assert!(place.folder().join("state/fault-struck").exists(), "{fault} did not strike");
        // Nobody can ask an app store: whether it has the order is not known, and said.
        let open = fault.split_once(":mobile_").filter(|_| code == 15).map(|(_, store)| store);
        assert!(code == 0 || open.is_some(), "{fault}: {code} {said}");
        if let Some(store) = open {
            let words = format!("not known, look there: mobile_{store}");
            assert!(said.contains(&words), "{fault}: {said}");
        }
        assert_eq!(below(&*objects, "current/"), below(&*objects, "versions/2.0.5/"), "{fault}");
        let calls = edge.calls().into_iter();
        let orders: Vec<String> =
            calls.filter(|call| !call.starts_with("look") && call != "completed").collect();
        let of = |word: &str| orders.iter().filter(|order| order.contains(word)).count();
        // Cut off in between, it is ordered anew: what is old goes twice, and nothing else.
        let most = if fault.ends_with(":invalidate") { 2 } else { 1 };
        assert!((1..=most).contains(&of("invalidate /*")), "{fault}: {orders:?}");
        for store in ["android", "ios"] {
            let least = usize::from(open != Some(store));
            assert!((least..=1).contains(&of(store)), "{fault}: {orders:?}");
        }
    }
}

#[test]
fn clients_that_do_not_go_with_a_version_block_it() {
    let (place, dir) = (Place::new(), tempfile::tempdir().unwrap());
    let objects: Arc<dyn Objects> = Arc::new(Folder::new(dir.path().to_owned()));
    lay_both(&*objects, 1);
    let edge = Edge::start(Arc::clone(&objects));
    configure(&place, &format!("dir: {}", dir.path().display()), &edge, "");
    edge.clients_go_with_none();
    let (code, said) = run(&place, &QUICK, None);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("clients of 2.0.5 do not go with what runs behind"), "{said}");
    assert_eq!(below(&*objects, "current/"), below(&*objects, "versions/2.0.6/"));
}

#[test]
fn a_pointer_is_switched_in_one_piece() {
    let (place, dir) = (Place::new(), tempfile::tempdir().unwrap());
    let objects: Arc<dyn Objects> = Arc::new(Folder::new(dir.path().to_owned()));
    lay_both(&*objects, 1);
    let says = |version: &str| json!({"version": version, "path": format!("versions/{version}/")});
    std::fs::create_dir_all(dir.path().join("current")).unwrap();
    let pointer = dir.path().join("current/manifest.json");
    std::fs::write(&pointer, says("2.0.6").to_string()).unwrap();
    let edge = Edge::start(Arc::clone(&objects));
    let store = format!("dir: {}\n    pointer: current/manifest.json", dir.path().display());
    configure(&place, &store, &edge, "");
    let (code, said) = run(&place, &QUICK, None);
    assert_eq!(code, 0, "{said}");
    let now: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&pointer).unwrap()).unwrap();
    assert_eq!(now, says("2.0.5"));
}

/// Ten thousand objects, beside `aws s3 sync` with as many at once: the ratio is printed.
#[test]
#[expect(clippy::print_stdout, reason = "a measurement is there to be read")]
fn ten_thousand_objects_beside_aws_s3_sync() {
    if !long() {
        return;
    }
    let Some(aws) = tool("awscli", "aws") else { return };
    // Each has a server of its own: a listing takes longer the more the bucket holds.
    let prepared = || {
        let (server, url) = server()?;
        let objects = s3(&url);
        lay_both(&*objects, 10_000);
        Some((server, url, objects))
    };
    let Some((theirs, url, objects)) = prepared() else { return };
    let place = Place::new();
    let began = Instant::now();
    let said = std::process::Command::new(aws)
        .args(["--endpoint-url", &url, "s3", "sync", "--delete", "--only-show-errors"])
        .args([format!("s3://{BUCKET}/versions/2.0.5/"), format!("s3://{BUCKET}/synced/")])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", place.folder())
        .env("AWS_ACCESS_KEY_ID", "AKIA")
        .env("AWS_SECRET_ACCESS_KEY", "geheim-und-lang")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .unwrap();
    let sync = began.elapsed();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let of = |prefix: &str| below(&*objects, prefix);
    assert_eq!(of("synced/"), of("versions/2.0.5/"));
    drop(theirs);
    let (_ours, url, objects) = prepared().unwrap();
    let edge = Edge::start(Arc::clone(&objects));
    let store = format!("s3: {{bucket: {BUCKET}, endpoint: \"{url}\"}}");
    configure(&place, &store, &edge, "");
    let began = Instant::now();
    let (code, said) = run(&place, &QUICK, None);
    let whole = began.elapsed();
    assert_eq!(code, 0, "{said}");
    assert_eq!(below(&*objects, "current/"), below(&*objects, "versions/2.0.5/"));
    let took = published(&place);
    println!(
        "10,003 objects: publish {took:.1?} of a run of {whole:.1?}; aws s3 sync {sync:.1?}; \
         ratio {:.2}",
        took.as_secs_f64() / sync.as_secs_f64()
    );
}

/// How long the step `publish` took, by the journal.
fn published(place: &Place) -> Duration {
    let state: &Path = &place.folder().join("state");
    let situation = runtime().block_on(async {
        backout::journal::Reader::open(state).await.unwrap().situation().await.unwrap()
    });
    let steps = situation.history.iter().flat_map(|run| &run.steps);
    steps.filter(|(name, _)| name == "publish_version").map(|(_, took)| *took).max().unwrap()
}

/// P-14, P-19, P-33: the safety backup of a level 2 lies in the bucket before the first migration.
#[test]
fn the_safety_backup_is_in_the_bucket_before_the_first_migration() {
    let Some((_server, url)) = server() else { return };
    let stack = Stack::up(Some("bad-migration"));
    let run = |arguments: &[&str]| {
        let mut command = stack.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "geheim")
            .env("S3_BACKUP_BUCKET", BUCKET);
        said(command)
    };
    let doctor = run(&["doctor"]);
    assert!(doctor.out.contains("takes, gives and forgets an object"), "{doctor:?}");
    let objects = s3(&url);
    assert_eq!(below(objects.as_ref(), "rollback/"), [], "what doctor wrote is gone");

    let plan = run(&["plan", "--level", "2"]);
    assert!(plan.out.contains("copy the safety backup off this host"), "{plan:?}");
    let done =
        run(&["rollback", "--level", "2", "--auto-confirm", "--reason", "every write fails"]);
    assert_eq!(done.code, 0, "{done:?}");

    let pointer = std::fs::read_to_string(stack.state().join("last_safety_backup")).unwrap();
    let folder = PathBuf::from(pointer.trim_end());
    let name = folder.file_name().unwrap().to_str().unwrap();
    let kept = below(objects.as_ref(), &format!("rollback/{name}/"));
    let mut here: Vec<(String, u64)> = Vec::new();
    for (below, folder) in [("", folder.clone()), ("config/", folder.join("config"))] {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        here.extend(files.map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (format!("{below}{name}"), entry.metadata().unwrap().len())
        }));
    }
    here.sort();
    let there: Vec<(String, u64)> = kept.into_iter().map(|(name, size, _)| (name, size)).collect();
    assert_eq!(there, here);
    let dump = format!("rollback/{name}/database.sql.gz");
    let bytes = runtime().block_on(objects.read(&dump)).unwrap().unwrap();
    let mut rows = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut rows)
        .unwrap();
    for table in ["users", "documents", "sessions"] {
        let of_table = |line: &&str| line.starts_with("INSERT INTO") && line.contains(table);
        assert!(rows.lines().filter(of_table).count() > 100, "{table}");
    }
    let run = stack.situation().run.unwrap();
    let at = |id: &str| run.steps.iter().find(|step| step.id.as_str().starts_with(id)).unwrap();
    assert!(at("copy_backup").ended_at < at("migrate_").started_at, "{:?}", run.steps);
}
