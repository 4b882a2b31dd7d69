//! What the door lets in: tokens, origins, and bodies that can be read.

use crate::support::site::Site;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_form_of_another_site_session_or_merchant_does_nothing() {
    let site = Site::staffed().await;
    site.merchant("Globex").await;
    site.person("admin@example.com", "Globex", stipend::role::Role::Admin).await;
    let client = site.signed_in("admin@example.com").await;
    let page = client.open("/affiliates/new").await;
    let token = page.form("/affiliates").value("token").unwrap().to_owned();
    let other = site.signed_in("preparer@example.com").await;
    let foreign = other.open("/affiliates/new").await.form("/affiliates").value("token").unwrap().to_owned();
    assert_ne!(token, foreign);

    for wrong in
        [vec![("code", "A-1")], vec![("code", "A-1"), ("token", "x")], vec![("code", "A-1"), ("token", &foreign)]]
    {
        let page = client.post("/affiliates", &wrong).await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("nothing was done"), "{}", page.text());
    }
    let body = format!("code=A-1&token={token}");
    for origin in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")]
    {
        assert_eq!(client.post_raw("/affiliates", &[FORM, origin], body.clone()).await.status, 403, "{origin:?}");
    }
    // The form of one merchant, sent after choosing the other in another tab.
    let switch = client.open("/affiliates").await;
    let globex = switch.body.split("name=\"merchant\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let landed = client.submit(&switch, "/merchant", &[("merchant", &globex)]).await;
    assert!(landed.text().contains("You now work for Globex"), "{}", landed.text());
    assert_eq!(client.submit(&page, "/affiliates", &[("code", "A-1")]).await.status, 403);
    assert!(client.open("/affiliates?status=all").await.text().contains("No affiliates yet"));

    let page = client.open("/affiliates/new").await;
    let page = client.submit(&page, "/affiliates", &[("code", "A-1")]).await;
    assert_eq!(page.status, 200, "the real form works: {}", page.text());
}

#[tokio::test]
async fn what_cannot_be_read_gets_a_page_and_the_right_status() {
    let site = Site::staffed().await;
    let client = site.signed_in("admin@example.com").await;
    let token = client.open("/affiliates/new").await.form("/affiliates").value("token").unwrap().to_owned();
    let with = |rest: &str| format!("token={token}{rest}");
    let json = ("content-type", "application/json");
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    for (headers, body, status) in [
        (vec![json], r#"{"code":"A-1"}"#.to_owned(), 415),
        (vec![multipart], "--x--".to_owned(), 415),
        (vec![], with("&code=A"), 415),
        (vec![FORM], with("&code=%FF%FE"), 400),
        (vec![FORM], with("&code=a%00b"), 400),
        (vec![FORM], with(&format!("&code={}", "x".repeat(1024 * 1024))), 413),
    ] {
        let page = client.post_raw("/affiliates", &headers, body).await;
        assert_eq!(page.status, status, "{}", page.text());
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.body.contains("<h1>") && page.text().contains("Nothing was changed"), "{}", page.text());
        assert!(page.text().contains("Acme"), "the page knows who asks");
    }
    let id = uuid::Uuid::now_v7();
    let missing = client.post_raw(&format!("/affiliates/{id}"), &[FORM], with("&code=A")).await;
    assert_eq!(missing.status, 422, "a form without its version");
    for (path, status) in [
        ("/affiliates/not-an-id", 404),
        ("/affiliates/%FF", 404),
        ("/affiliates?after=7", 400),
        ("/affiliates?q=%FF", 400),
        ("/affiliates?q=%00", 400),
        ("/affiliates?sort=sideways", 400),
        ("/nowhere", 404),
        ("/static/nothing.css", 404),
        ("/affiliates/1/archival", 405),
    ] {
        let page = client.get(path).await;
        assert_eq!(page.status, status, "{path}: {}", page.text());
    }
}

#[tokio::test]
async fn pages_are_sealed_off() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    for path in ["/affiliates", "/nowhere"] {
        let page = client.get(path).await;
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self';", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("access-control-allow-origin"), "", "nobody else may read it");
        assert!(!page.body.contains("<style") && !page.body.contains(" style=") && !page.body.contains(" onclick"));
        for (place, _) in page.body.match_indices("<script") {
            assert!(page.body[place..].starts_with("<script src=\"/static/"), "no script inside the page");
        }
    }
    let page = client.get("/affiliates").await;
    for part in page.body.split("\"/static/").skip(1) {
        let file = format!("/static/{}", part.split(['"', '#']).next().unwrap());
        let file = client.get(&file).await;
        assert_eq!(file.status, 200);
        assert!(file.header("cache-control").contains("immutable"));
    }
}

#[tokio::test]
async fn htmx_gets_the_problem_alone() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await.htmx();
    let page = client.get("/nowhere").await;
    assert_eq!((page.status, page.header("hx-retarget")), (404, "#problem"));
    assert!(!page.body.contains("<html") && page.body.contains("nothing at this address"));
    let stranger = site.stranger().htmx();
    let page = stranger.get("/affiliates").await;
    assert_eq!((page.status, page.header("hx-redirect")), (200, "/sign-in?next=%2Faffiliates"));
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_and_comes_back() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    site.app.database.pool().close().await;
    for path in ["/affiliates", "/sign-in"] {
        let page = client.get(path).await;
        assert_eq!(page.status, 503, "{}", page.text());
        assert!(page.text().contains("database cannot be reached") && page.header("retry-after") == "5");
    }
}
