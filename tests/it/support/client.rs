//! A browser without a screen: it keeps cookies, finds forms on pages, and sends them as a person would.

use super::html::{self, Form};
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE, USER_AGENT};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// More redirects than this are a circle.
const REDIRECTS: usize = 10;

/// One person at one browser.
pub struct Client {
    http: reqwest::Client,
    base: String,
    cookies: Mutex<BTreeMap<String, String>>,
    htmx: bool,
    browser: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Page {
    pub status: u16,
    /// Path and query of what was answered in the end.
    pub url: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The form that posts to this address.
    pub fn form(&self, action: &str) -> Form {
        let form = html::form(&self.body, action);
        form.unwrap_or_else(|| panic!("{} has no form for {action}: {}", self.url, self.body))
    }

    /// What people read.
    pub fn text(&self) -> String {
        html::text(&self.body)
    }
}

impl Client {
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: base.to_owned(), cookies: Mutex::default(), htmx: false, browser: None }
    }

    /// The same, with every request as htmx sends it.
    pub fn htmx(mut self) -> Self {
        self.htmx = true;
        self
    }

    /// The same, as a browser that calls itself so.
    pub fn named(mut self, browser: &str) -> Self {
        self.browser = Some(browser.to_owned());
        self
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// One GET.
    pub async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(self.at(path)), path).await
    }

    /// A GET, and wherever it leads.
    pub async fn open(&self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// One POST of these fields and nothing else.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(self.http.post(self.at(path)).form(fields), path).await
    }

    /// One POST with whatever headers and body.
    pub async fn post_raw(&self, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Page {
        let mut request = self.http.post(self.at(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, path).await
    }

    /// Fills a form of a page in, sends it with all its hidden fields, and goes where it leads.
    pub async fn submit(&self, page: &Page, action: &str, fill: &[(&str, &str)]) -> Page {
        let answer = self.submit_once(page, action, fill).await;
        self.follow(answer).await
    }

    /// The same, up to the first answer.
    pub async fn submit_once(&self, page: &Page, action: &str, fill: &[(&str, &str)]) -> Page {
        let fields = page.form(action).filled(fill);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(action, &fields).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..REDIRECTS {
            let Some(target) = page.headers.get(LOCATION).filter(|_| (300..400).contains(&page.status)) else {
                return page;
            };
            let target = target.to_str().unwrap().to_owned();
            page = self.get(&target).await;
        }
        panic!("{} leads round in a circle", page.url);
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, path: &str) -> Page {
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        if self.htmx {
            request = request.header("hx-request", "true");
        }
        if let Some(browser) = &self.browser {
            request = request.header(USER_AGENT, browser);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let kind = headers.get(CONTENT_TYPE).cloned();
        let body = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap_or_else(|_| format!("{kind:?}"));
        Page { status, url: path.to_owned(), headers, body }
    }

    fn keep(&self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        let mut cookies = self.cookies.lock().unwrap();
        if cookie.to_lowercase().contains("max-age=0") || value.is_empty() {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
