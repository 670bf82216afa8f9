//! What the proxy answers while something is held.

use hyper::Method;

use super::super::super::http::{gather, request};
use super::super::super::pool::Pool;
use super::{LIMIT, scene};

/// Status, `Retry-After`, and text of one request at the public address.
async fn ask(scene: &super::Scene, method: Method, path: &str) -> (u16, Option<String>, String) {
    let at = scene.proxy.public;
    let pool = Pool::new(at, &scene.stage.clock);
    let asking = pool.ask(request(method, at, path, String::new()));
    let response = scene.stage.clock.timeout(LIMIT, asking).await.unwrap().unwrap();
    let status = response.status().as_u16();
    let again = response.headers().get("retry-after");
    let again = again.map(|value| value.to_str().unwrap().to_owned());
    let body = gather(response.into_body(), 64 * 1024).await.unwrap();
    (status, again, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn writers_get_503_and_readers_their_answer_until_it_is_lifted() {
    let scene = scene().await;
    let order = |held: bool| format!(r#"{{"part":"writers","held":{held},"effect":"k.{held}"}}"#);
    for _ in 0..2 {
        let (status, state) = scene.stage.post(scene.proxy.control, "/hold", &order(true)).await;
        assert_eq!((status, &state["holds"]), (200, &serde_json::json!(["writers"])));
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (status, again, _) = ask(&scene, method, "/x").await;
        assert_eq!((status, again.as_deref()), (503, Some("30")));
    }
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(ask(&scene, method, "/x").await.0, 200);
    }
    scene.stage.post(scene.proxy.control, "/hold", &order(false)).await;
    assert_eq!(ask(&scene, Method::POST, "/x").await.0, 200);
    assert_eq!(scene.ledger(), ["hold writers k.true", "unhold writers k.false"]);
}

#[tokio::test]
async fn the_page_is_for_everybody_and_outlives_the_proxy() {
    let scene = scene().await;
    let order = r#"{"part":"page","held":true}"#;
    assert_eq!(scene.stage.post(scene.proxy.control, "/hold", order).await.0, 200);
    let (status, again, text) = ask(&scene, Method::GET, "/api/v1/users").await;
    assert_eq!((status, again.as_deref()), (503, Some("30")));
    assert!(text.contains("<h1>"), "{text}");
    // Another proxy in the same folder knows it too.
    let (blue, green) = (scene.blue.at, scene.green.at);
    let again = super::run_proxy(&scene.stage, blue, green).await;
    assert_eq!(scene.stage.get(again.public, "/").await.0, 503);
}

#[tokio::test]
async fn what_does_not_pass_the_proxy_is_not_held_by_it() {
    let scene = scene().await;
    let order = r#"{"part":"consumers","held":true}"#;
    let (status, said) = scene.stage.post(scene.proxy.control, "/hold", order).await;
    assert_eq!(status, 400, "{said}");
}
