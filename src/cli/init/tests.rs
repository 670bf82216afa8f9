use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::facts::Mounted;
use super::*;
use crate::config::{self, Config, Database, Environment, Platform, Traffic};

/// The laboratory's stack, as its engine tells it.
fn lab() -> Facts {
    let said: Value = serde_json::from_str(include_str!("recorded/lab.json")).unwrap();
    let dir = PathBuf::from("/opt/spacetime/production");
    let mounted = |folder: &str, name: &str, text: &str| Mounted {
        service: "nginx".into(),
        host: dir.join("nginx").join(folder).join(name),
        inside: Path::new("/etc/nginx").join(folder).join(name),
        text: text.into(),
    };
    let server = "# server app-blue;\ninclude /etc/nginx/upstreams/active.conf;\n\
                  server {\n  location / { proxy_pass http://app; }\n}\n";
    let upstream = |color: &str| format!("upstream app {{ server app-{color}:8080; }}\n");
    let compose = "x-app: &app\n  image: spacetime:${IMAGE_TAG:-v2.4.9}\nservices:\n  \
                   app-blue: {<<: *app}\n  app-green: {<<: *app}\n  postgres:\n    \
                   environment: {POSTGRES_USER: spacetime, POSTGRES_PASSWORD: \
                   '${POSTGRES_PASSWORD}', POSTGRES_DB: spacetime_db}\n";
    let names = ["ACTIVE", "IMAGE_TAG", "POSTGRES_PASSWORD"].map(str::to_owned).to_vec();
    let answered = |color: &str| {
        let answer = |path, ready: bool| Answered {
            path,
            status: 200,
            says_ready: ready,
            environment: ready.then(|| color.to_owned()),
        };
        vec![answer("/health", false), answer("/status", true)]
    };
    Facts {
        project: "spacetime".into(),
        files: vec![dir.join("docker-compose.yml")],
        described: facts::described(&[compose.to_owned()]),
        env_file: Some((dir.join(".env"), names)),
        services: Container::of_inspect(said),
        mounted: vec![
            mounted("conf.d", "default.conf", server),
            mounted("upstreams", "active.conf", &upstream("blue")),
            mounted("upstreams", "blue.upstream", &upstream("blue")),
            mounted("upstreams", "green.upstream", &upstream("green")),
        ],
        points: Some(("/opt/spacetime/backups".into(), 3)),
        migrations: Some(dir.join("migrations")),
        answers: BTreeMap::from([
            ("app-blue".to_owned(), answered("blue")),
            ("app-green".to_owned(), answered("green")),
            ("nginx".to_owned(), answered("blue")),
        ]),
        engine: None,
        dir,
    }
}

/// What the text means; that it loads as it stands, without a variable of the environment that is
/// not named.
fn loaded(facts: &Facts, variables: &[(&str, &str)]) -> (String, Config) {
    let text = page::text(facts);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backout.yaml");
    std::fs::write(&path, &text).unwrap();
    let environment = Environment::of([("HOME", "/srv/dana")].iter().chain(variables).copied());
    let config = config::load(&path, &environment).unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{text}\n{}", all.join("\n"))
    });
    (text, config)
}

fn kinds(config: &Config) -> Vec<String> {
    config.checks.iter().map(|check| format!("{} {}", check.id, check.kind.name())).collect()
}

const PASSWORD: (&str, &str) = ("POSTGRES_PASSWORD", "geheim");

#[test]
fn two_colours_behind_nginx_are_found_whole() {
    let (text, config) = loaded(&lab(), &[PASSWORD]);
    let Platform::Compose(compose) = &config.platform else { panic!("{text}") };
    assert_eq!(
        (compose.project.as_str(), compose.tag_variable.as_deref()),
        ("spacetime", Some("IMAGE_TAG"))
    );
    let colors: Vec<String> = config
        .colors
        .iter()
        .map(|(color, at)| format!("{color} {} {}", at.url, at.service.as_deref().unwrap()))
        .collect();
    assert_eq!(
        colors,
        ["blue http://127.0.0.1:18281 app-blue", "green http://127.0.0.1:18282 app-green"]
    );
    let Some(Traffic::Nginx(nginx)) = &config.traffic else { panic!("{text}") };
    let upstreams = Path::new("/opt/spacetime/production/nginx/upstreams");
    assert_eq!(nginx.include, upstreams.join("active.conf"));
    let files: Vec<&PathBuf> = nginx.upstreams.values().collect();
    assert_eq!(files, [&upstreams.join("blue.upstream"), &upstreams.join("green.upstream")]);
    assert_eq!(nginx.public_url, "http://127.0.0.1:18280");
    assert_eq!(nginx.active_variable.as_deref(), Some("ACTIVE"));
    let Some(Database::Postgres { url, .. }) = &config.database else { panic!("{text}") };
    assert_eq!(url.reveal(), "postgresql://spacetime:geheim@127.0.0.1:18283/spacetime_db");
    assert_eq!(config.backup.volume.as_deref(), Some("spacetime_godot-data"));
    let redis = config.redis.as_ref().unwrap();
    assert_eq!((redis.server.port, redis.service.as_deref()), (18284, Some("redis")), "{text}");
    assert!(config.production && !text.contains("geheim"), "{text}");
    assert_eq!(config.container_logs.as_ref().map(|logs| logs.all), Some(true));
    let found = kinds(&config);
    for check in [
        "users http_response",
        "status http_response",
        "blue_direct http_response",
        "app_blue_container container",
        "redis_container container",
        "postgres_query database_connection",
        "redis_ping redis",
        "disk system_resource",
    ] {
        assert!(found.iter().any(|one| one == check), "{check} in {found:?}");
    }
    // Every guess says what it rests on.
    let guesses = ["restore_points:", "tag_variable:", "  blue:", "    include:", "    url:"];
    for line in text.lines().filter(|line| guesses.iter().any(|guess| line.starts_with(guess))) {
        let whole = line.contains("# guessed from") || line.contains(".upstream");
        assert!(whole, "{line}");
    }
}

#[test]
fn a_side_that_rests_is_found_by_the_ports_that_it_was_made_with() {
    let mut said: Value = serde_json::from_str(include_str!("recorded/lab.json")).unwrap();
    for one in said.as_array_mut().unwrap() {
        if one["Name"] == "/spacetime_app-green_1" {
            one["HostConfig"]["PortBindings"] = one["NetworkSettings"]["Ports"].take();
            one["State"]["Running"] = json!(false);
            one["State"]["Status"] = json!("exited");
            one["State"]["FinishedAt"] = json!("2026-11-22T11:50:00Z");
        }
    }
    let mut facts = Facts { services: Container::of_inspect(said), ..lab() };
    facts.answers.remove("app-green");
    let (text, config) = loaded(&facts, &[PASSWORD]);
    let urls: Vec<&str> = config.colors.values().map(|at| at.url.as_str()).collect();
    assert_eq!(urls, ["http://127.0.0.1:18281", "http://127.0.0.1:18282"], "{text}");
}

#[test]
fn one_service_is_one_colour_and_a_proxy_without_a_switch_is_told() {
    let mut facts = lab();
    facts.services.retain(|one| one.service != "app-green");
    for one in &mut facts.services {
        if one.service == "app-blue" {
            one.service = "app".into();
        }
    }
    facts.described = BTreeMap::new();
    facts.env_file = None;
    facts.mounted.clear();
    facts.points = None;
    facts.answers = BTreeMap::new();
    let (text, config) = loaded(&facts, &[]);
    let colors: Vec<&str> = config.colors.keys().map(|color| color.0.as_str()).collect();
    assert_eq!(colors, ["app"]);
    assert!(config.traffic.is_none() && text.contains("nothing switches it"), "{text}");
    assert!(text.contains("# restore_points:"), "{text}");
    // Without a variable that holds it there is no password in the address.
    let Some(Database::Postgres { url, .. }) = &config.database else { panic!("{text}") };
    assert_eq!(url.reveal(), "postgresql://postgres@127.0.0.1:18283/postgres");
    let container = config.checks.iter().find(|check| check.id.as_str() == "app_container");
    assert!(container.is_some_and(|check| check.role.critical), "{text}");
}

/// A container as an engine tells it: service, image, published port, and what is mounted.
fn said(
    project: &str,
    (service, image): (&str, &str),
    port: Option<(u16, u16)>,
    mounts: &[Value],
) -> Value {
    let ports = port.map_or(json!({}), |(inside, outside)| {
        let key = format!("{inside}/tcp");
        json!({ key: [
            {"HostIp": "0.0.0.0", "HostPort": outside.to_string()},
            {"HostIp": "::", "HostPort": outside.to_string()},
        ]})
    });
    let network = format!("{project}_default");
    json!({
        "Id": format!("{service:0<64}"),
        "Name": format!("/{project}-{service}-1"),
        "Image": format!("sha256:{image}"),
        "RestartCount": 0,
        "State": {"Status": "running", "Running": true, "StartedAt": "2026-11-01T10:00:00Z"},
        "HostConfig": {"RestartPolicy": {"Name": "always"}},
        "Mounts": mounts,
        "Config": {"Image": image, "Labels": {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.project.working_dir": format!("/srv/{project}"),
        }},
        "NetworkSettings": {"Ports": ports, "Networks": {network: {"IPAddress": "172.20.0.9"}}},
    })
}

fn volume(name: &str, at: &str) -> Value {
    json!({"Type": "volume", "Name": name, "Destination": at, "RW": true,
        "Source": format!("/var/lib/docker/volumes/{name}/_data")})
}

fn facts(project: &str, compose: &str, containers: Vec<Value>) -> Facts {
    Facts {
        project: project.into(),
        dir: format!("/srv/{project}").into(),
        files: vec![format!("/srv/{project}/compose.yaml").into()],
        described: facts::described(&[compose.to_owned()]),
        services: Container::of_inspect(containers.into()),
        ..Facts::default()
    }
}

#[test]
fn wordpress_with_mariadb() {
    let compose = "services:\n  db:\n    image: mariadb:10.6.4-focal\n    environment:\n      \
                   - MYSQL_ROOT_PASSWORD=somewordpress\n      - MYSQL_PASSWORD=wordpress\n  \
                   wordpress:\n    image: wordpress:latest\n    ports: ['80:80']\n    \
                   environment: [WORDPRESS_DB_PASSWORD=wordpress]\n";
    let db = volume("blog_db_data", "/var/lib/mysql");
    let html = volume("blog_wp_data", "/var/www/html");
    let mut facts = facts(
        "blog",
        compose,
        vec![
            said("blog", ("db", "mariadb:10.6.4-focal"), None, &[db]),
            said("blog", ("wordpress", "wordpress:latest"), Some((80, 80)), &[html]),
        ],
    );
    let root = Answered { path: "/", status: 200, ..Answered::default() };
    facts.answers.insert("wordpress".into(), vec![root]);
    let (text, config) = loaded(&facts, &[]);
    let colors: Vec<&str> = config.colors.keys().map(|color| color.0.as_str()).collect();
    assert_eq!(colors, ["wordpress"]);
    assert_eq!(config.backup.volume.as_deref(), Some("blog_wp_data"));
    assert!(config.database.is_none() && config.traffic.is_none());
    assert!(!text.contains("somewordpress"), "{text}");
    let expected = [
        "users http_response",
        "db_container container",
        "wordpress_container container",
        "disk system_resource",
    ];
    assert_eq!(kinds(&config), expected);
}

#[test]
fn gitea_with_postgres() {
    let compose = "services:\n  server:\n    image: docker.gitea.com/gitea:1.24.0\n    environment:\n      \
                   - GITEA__database__PASSWD=gitea\n    ports: ['3000:3000', '222:22']\n  db:\n    \
                   image: docker.io/library/postgres:14\n    environment:\n      - POSTGRES_USER=gitea\n      \
                   - POSTGRES_PASSWORD=gitea-secret\n      - POSTGRES_DB=gitea\n";
    let data =
        json!({"Type": "bind", "Source": "/srv/gitea/gitea", "Destination": "/data", "RW": true});
    let mut server =
        said("gitea", ("server", "docker.gitea.com/gitea:1.24.0"), Some((3000, 3000)), &[data]);
    server["NetworkSettings"]["Ports"]["22/tcp"] =
        json!([{"HostIp": "0.0.0.0", "HostPort": "222"}]);
    let db = said("gitea", ("db", "docker.io/library/postgres:14"), None, &[]);
    let mut facts = facts("gitea", compose, vec![db, server]);
    let healthz = Answered { path: "/healthz", status: 200, ..Answered::default() };
    let root = Answered { path: "/", status: 200, ..Answered::default() };
    facts.answers.insert("server".into(), vec![healthz, root]);
    let (text, config) = loaded(&facts, &[]);
    let side = config.colors.values().next().unwrap();
    assert_eq!(side.url, "http://127.0.0.1:3000", "{text}");
    let Some(Database::Postgres { url, .. }) = &config.database else { panic!("{text}") };
    // The password stands openly in the Compose file: it is not written a second time.
    assert_eq!(url.reveal(), "postgresql://gitea@172.20.0.9:5432/gitea");
    assert!(!text.contains("gitea-secret") && text.contains("put it into one"), "{text}");
    assert!(text.contains("publish it on 127.0.0.1"), "{text}");
    assert!(text.contains("http://127.0.0.1:3000/healthz"), "{text}");
}

#[test]
fn django_with_celery_redis_and_nginx() {
    let compose = "services:\n  web:\n    build: .\n  celery:\n    build: .\n  nginx:\n    \
                   image: nginx:1.25-alpine\n  db:\n    image: postgres:15\n    environment:\n      \
                   POSTGRES_USER: ${DB_USER:-django}\n      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}\n      \
                   POSTGRES_DB: $DB_NAME\n";
    let built = |service: &str| {
        let mut one = said(
            "shop",
            (service, &format!("shop-{service}")),
            None,
            &[volume("shop_media", "/media")],
        );
        one["Image"] = json!("sha256:0011223344");
        one
    };
    let mut migrate = built("migrate");
    migrate["State"] = json!({"Status": "exited", "Running": false, "ExitCode": 0,
        "FinishedAt": "2026-11-01T10:00:05Z"});
    migrate["HostConfig"]["RestartPolicy"]["Name"] = json!("no");
    let mut facts = facts(
        "shop",
        compose,
        vec![
            built("celery"),
            said("shop", ("db", "postgres:15"), Some((5432, 5433)), &[]),
            migrate,
            said("shop", ("nginx", "nginx:1.25-alpine"), Some((80, 8080)), &[]),
            said("shop", ("redis", "redis:7-alpine"), None, &[]),
            built("web"),
        ],
    );
    let names = ["DB_PASSWORD", "DB_NAME"].map(str::to_owned).to_vec();
    facts.env_file = Some(("/srv/shop/.env".into(), names));
    facts.mounted = vec![Mounted {
        service: "nginx".into(),
        host: "/srv/shop/nginx/default.conf".into(),
        inside: "/etc/nginx/conf.d/default.conf".into(),
        text: "upstream django {\n  server web:8000;\n}\nserver { location / { proxy_pass http://django; } }\n".into(),
    }];
    let (text, config) = loaded(&facts, &[("DB_PASSWORD", "x"), ("DB_NAME", "shopdb")]);
    let (color, side) = config.colors.iter().next().unwrap();
    assert_eq!((color.0.as_str(), side.service.as_deref()), ("web", Some("web")), "{text}");
    assert_eq!(
        (side.url.as_str(), side.workers.as_slice()),
        ("http://127.0.0.1:8080", &["celery".to_owned()][..])
    );
    assert!(text.contains("publishes no port of its own"), "{text}");
    let Some(Database::Postgres { url, .. }) = &config.database else { panic!("{text}") };
    assert_eq!(url.reveal(), "postgresql://django:x@127.0.0.1:5433/shopdb");
    assert!(text.contains("# migrate did what it is for"), "{text}");
    let found = kinds(&config);
    assert!(
        !found.iter().any(|one| one.starts_with("migrate") || one.starts_with("redis_ping")),
        "{found:?}"
    );
}

#[test]
fn names_of_others_are_text_and_nothing_else() {
    let evil = "a: b # ]\n\u{1b}[2Jx: \"${HOME}\"";
    let mut facts = lab();
    facts.dir = PathBuf::from(format!("/srv/{evil}"));
    facts.files = vec![facts.dir.join("c.yml")];
    facts.points = Some((facts.dir.join("backups"), 0));
    let (text, config) = loaded(&facts, &[PASSWORD]);
    assert!(!text.contains('\u{1b}'), "{text}");
    let Platform::Compose(compose) = &config.platform else { panic!("{text}") };
    assert_eq!(compose.dir, facts.dir);
    assert_eq!(config.restore_points, Some(facts.dir.join("backups")));
}

#[test]
fn a_file_that_is_there_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backout.yaml");
    write(&file, "environment: a\n").unwrap();
    for refused in [refuse_if_there(&file), write(&file, "environment: b\n")] {
        let failure = refused.unwrap_err();
        assert_eq!(failure.exit, Exit::Blocked);
        assert!(failure.message.contains(file.to_str().unwrap()), "{failure}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "environment: a\n");
    std::os::unix::fs::symlink("/nowhere", dir.path().join("link")).unwrap();
    assert!(refuse_if_there(&dir.path().join("link")).is_err());
}

#[test]
fn the_tag_of_an_image_is_a_variable_or_none() {
    for (image, name) in [
        ("shop:${TAG}", Some("TAG")),
        ("host:5000/shop:${IMAGE_TAG:-v1}", Some("IMAGE_TAG")),
        ("shop:v1", None),
        ("${IMAGE}", None),
        ("shop:v${N}", None),
        ("shop:${TAG}-alpine", None),
    ] {
        assert_eq!(guess::tag_variable(image), name, "{image}");
    }
}
