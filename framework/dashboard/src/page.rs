//! The page, which is part of the program: no file is read and nothing is fetched from elsewhere.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::router::Desk;

const HTML: &str = "text/html; charset=utf-8";

/// All files, by name, with their types.
const ASSETS: &[(&str, &str, &str)] =
    &[("style.css", "text/css; charset=utf-8", include_str!("../assets/style.css"))];

/// `/`: the page, or how to be let in.
pub(crate) async fn index(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if desk.admits(&headers) {
        ([(header::CONTENT_TYPE, HTML)], include_str!("../assets/index.html")).into_response()
    } else {
        refused(&ApiError::Unknown)
    }
}

/// `/assets/..`: the same for everybody.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = ASSETS.iter().find(|(own, ..)| *own == name) else {
        return ApiError::NoSuchAddress.into_response();
    };
    // Of one build of the program, which may be replaced at any time.
    let tag = format!("\"{}-{:x}\"", env!("CARGO_PKG_VERSION"), fnv(text));
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let cached = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    (cached, [(header::CONTENT_TYPE, *kind)], *text).into_response()
}

/// Tells one text from another: FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Leads to the page, which then has the new cookie.
pub(crate) fn enter() -> Response {
    let page = document(
        "Welcome",
        "<meta http-equiv=\"refresh\" content=\"0;url=/\">",
        "<p>One moment …</p>",
    );
    ([(header::CONTENT_TYPE, HTML)], page).into_response()
}

/// Says why nobody is let in, and how one is.
pub(crate) fn refused(why: &ApiError) -> Response {
    let why = why.to_string().replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<h1>raytree</h1><p>{}</p><p>A link that opens this dashboard once is printed by</p><pre>raytree dashboard</pre>",
        code_spans(&why)
    );
    let page = document("Not let in", "", &body);
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, HTML)], page).into_response()
}

/// What stands between back quotes is typed.
fn code_spans(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let part = |(at, part): (usize, &str)| match at % 2 {
        0 => part.to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.map(part).collect()
}

fn document(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · raytree</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/assets/style.css\">{head}</head>\
         <body class=\"door\"><main>{body}</main></body></html>"
    )
}
