//! Style, script and pictures, compiled into the program. Their names carry a digest of their content, so that a browser
//! may keep them for good and still never shows an old one.

use super::error::Error;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};
use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

static BY_ADDRESS: LazyLock<HashMap<String, (String, EmbeddedFile)>> = LazyLock::new(|| {
    let file = |name: std::borrow::Cow<'static, str>| {
        let file = Files::get(&name).expect("the list names what is there");
        let digest = hex::encode(&file.metadata.sha256_hash()[..6]);
        let (stem, ending) = name.rsplit_once('.').expect("the includes ask for an ending");
        (format!("{stem}.{digest}.{ending}"), (name.into_owned(), file))
    };
    Files::iter().map(file).collect()
});

static ADDRESSES: LazyLock<HashMap<&'static str, String>> = LazyLock::new(|| {
    BY_ADDRESS.iter().map(|(address, (name, _))| (name.as_str(), format!("/static/{address}"))).collect()
});

/// The address of a file in `static/`.
///
/// # Panics
/// When there is no such file: only a slip in a template can do that, and every page's test finds it.
pub fn url(name: &str) -> &'static str {
    ADDRESSES.get(name).unwrap_or_else(|| panic!("static/{name} is not there"))
}

/// `GET /static/{address}`
pub(super) async fn serve(Path(address): Path<String>) -> Response {
    let Some((name, file)) = BY_ADDRESS.get(&address) else { return Error::NotFound.into_response() };
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, file.data.clone()).into_response()
}
