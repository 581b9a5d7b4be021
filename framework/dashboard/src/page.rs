//! The page, which is part of the program: no file is read and nothing is fetched from elsewhere.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::router::Desk;

const HTML: &str = "text/html; charset=utf-8";

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// All files, by name, with their types.
const ASSETS: &[(&str, &str, &str)] = &[
    ("actors.js", JS, include_str!("../assets/actors.js")),
    ("app.js", JS, include_str!("../assets/app.js")),
    ("cluster.js", JS, include_str!("../assets/cluster.js")),
    ("detail.js", JS, include_str!("../assets/detail.js")),
    ("events.js", JS, include_str!("../assets/events.js")),
    ("failures.js", JS, include_str!("../assets/failures.js")),
    ("icon.svg", SVG, include_str!("../assets/icon.svg")),
    ("jobs.js", JS, include_str!("../assets/jobs.js")),
    ("lanes.js", JS, include_str!("../assets/lanes.js")),
    ("logs.js", JS, include_str!("../assets/logs.js")),
    ("nodes.js", JS, include_str!("../assets/nodes.js")),
    ("objects.js", JS, include_str!("../assets/objects.js")),
    ("outline.js", JS, include_str!("../assets/outline.js")),
    ("store.js", JS, include_str!("../assets/store.js")),
    ("style.css", CSS, include_str!("../assets/style.css")),
    ("table.js", JS, include_str!("../assets/table.js")),
    ("tasks.js", JS, include_str!("../assets/tasks.js")),
    ("timeline.js", JS, include_str!("../assets/timeline.js")),
    ("tree.js", JS, include_str!("../assets/tree.js")),
    ("treemap.js", JS, include_str!("../assets/treemap.js")),
    ("ui.js", JS, include_str!("../assets/ui.js")),
    ("views.css", CSS, include_str!("../assets/views.css")),
    ("waits.js", JS, include_str!("../assets/waits.js")),
];

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
    let why = match why {
        ApiError::Unknown => "You are not logged in.".to_owned(),
        why => sentence(&why.to_string()).replace('&', "&amp;").replace('<', "&lt;"),
    };
    let body = format!(
        "<h1>{}</h1><p>A link that opens this dashboard once is printed by</p><pre>raytree dashboard</pre>\
         <p class=\"muted\">Scripts show a token: <code>raytree dashboard --token</code></p>",
        code_spans(&why)
    );
    let page = document("Not let in", "", &body);
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, HTML)], page).into_response()
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
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
         <link rel=\"icon\" href=\"/assets/icon.svg\"><link rel=\"stylesheet\" href=\"/assets/style.css\">{head}</head>\
         <body class=\"door\"><main>{body}</main></body></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_there_and_nothing_is_fetched_from_elsewhere() {
        let files = ASSETS.iter().map(|(name, _, text)| (*name, *text));
        for (name, text) in files.chain([("index.html", include_str!("../assets/index.html"))]) {
            let mut named = Vec::new();
            named.extend(
                text.split("/assets/").skip(1).filter_map(|rest| rest.split(['"', '\'']).next()),
            );
            named.extend(text.split("from './").skip(1).filter_map(|rest| rest.split('\'').next()));
            for other in named {
                let is_there = ASSETS.iter().any(|(own, ..)| *own == other);
                assert!(is_there, "{name} names {other}");
            }
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            for elsewhere in ["http://", "https://", "@import", "url(", "eval(", "innerHTML"] {
                assert!(!foreign.contains(elsewhere), "{name} has {elsewhere}");
            }
            assert!(text.lines().count() < 500, "{name}");
        }
    }

    #[test]
    fn what_is_said_of_a_refusal_is_text_and_no_markup() {
        assert_eq!(
            code_spans("say `raytree dashboard` now"),
            "say <code>raytree dashboard</code> now"
        );
        let page = document("a", "", "b");
        assert!(page.starts_with("<!doctype html>") && !page.contains("<script"));
    }
}
