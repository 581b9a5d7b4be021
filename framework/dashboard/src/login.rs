//! How a browser is let in: a one-time link becomes a session, which is a cookie.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use raytree_supervise::clock;
use raytree_types::limits;
use serde::Deserialize;

use crate::access::{Shown, hex};
use crate::api::ApiError;
use crate::page;
use crate::router::Desk;

/// What the link of `raytree dashboard` brings.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    code: String,
}

/// What a request shows.
pub(crate) fn shown<'a>(headers: &'a HeaderMap, cookie: &str) -> Shown<'a> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|own| own.to_str().ok());
    let mut cookies = cookies.flat_map(|own| own.split(';'));
    let session = cookies.find_map(|own| own.trim().strip_prefix(cookie)?.strip_prefix('='));
    Shown { bearer, session }
}

/// `/login?code=..`
pub(crate) async fn login(
    State(desk): State<Arc<Desk>>,
    link: Result<axum::extract::Query<Link>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(axum::extract::Query(Link { code })) = link else {
        return page::refused(&ApiError::Unknown);
    };
    let mut secret = [0; 32];
    if let Err(error) = crate::random(&mut secret) {
        return page::refused(&ApiError::Failed(error.to_string()));
    }
    let session = hex(&secret);
    let opened = desk.access.lock().opens(&code, &session, (clock::now(), clock::unix_time()));
    if let Err(no) = opened {
        return page::refused(&ApiError::NoEntry(no));
    }
    let holds = limits::DASHBOARD_SESSION_HOLDS.as_secs();
    let cookie =
        format!("{}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={holds}", desk.cookie);
    // A page and no redirection: a browser that comes from elsewhere would not show a strict cookie on one.
    (StatusCode::OK, [(header::SET_COOKIE, cookie)], page::enter()).into_response()
}

/// `/logout`
pub(crate) async fn logout(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if let Some(session) = shown(&headers, &desk.cookie).session {
        desk.access.lock().leaves(session);
    }
    let cookie = format!("{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0", desk.cookie);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_shows_is_read_from_its_headers() {
        let read = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            let shown = shown(&headers, "raytree_1");
            (shown.bearer.map(str::to_owned), shown.session.map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(header::AUTHORIZATION, "bearer abc"), (some("abc"), None));
        assert_eq!(read(header::AUTHORIZATION, "Basic abc"), (None, None));
        assert_eq!(read(header::COOKIE, "a=b; raytree_1=xyz; c=d"), (None, some("xyz")));
        assert_eq!(read(header::COOKIE, "raytree_11=xyz; raytree_=a"), (None, None));
    }
}
