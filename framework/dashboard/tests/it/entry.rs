//! How a browser is let in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use super::support::Board;

/// The cookie that a one-time link gives.
fn enter(board: &Board, code: &str) -> String {
    let said = board.ask("GET", &format!("/login?code={code}"), &[]);
    assert_eq!(said.status, 200, "{}", said.body);
    let cookie = said.header("set-cookie").expect("a cookie");
    for word in ["httponly", "samesite=strict", "path=/", "max-age=43200"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(said.body.contains("url=/"), "it leads on");
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

#[test]
fn a_link_lets_one_browser_in_until_it_leaves() {
    let board = Board::start();
    let code = board.code(1);
    let cookie = enter(&board, &code);
    assert_eq!(board.ask("GET", "/api/v1/cluster", &[&cookie]).status, 200);
    let page = board.ask("GET", "/", &[&cookie]);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let again = board.ask("GET", &format!("/login?code={code}"), &[]);
    assert!(again.status == 401 && again.body.contains("used already"), "{}", again.body);
    assert_eq!(board.ask("GET", "/logout", &[&cookie]).status, 405, "a link does not log out");
    assert_eq!(board.ask("POST", "/logout", &[&cookie]).status, 204);
    assert_eq!(board.ask("GET", "/api/v1/cluster", &[&cookie]).status, 401);
    for code in ["", "?code=", "?code=1-2-3", "?other=1"] {
        let said = board.ask("GET", &format!("/login{code}"), &[]);
        assert_eq!(said.status, 401, "{code}");
        assert_eq!(said.header("set-cookie"), None);
    }
}

#[test]
fn health_is_told_to_everybody() {
    let board = Board::start();
    let said = board.ask("GET", "/api/healthz", &[]);
    assert_eq!((said.status, &*said.body), (200, "ok\n"));
    let gcs = board.root.probe().find("gcs").unwrap();
    // It gives up after its restarts: a head without it can do nothing.
    board.until("its end", || {
        gcs.panic_now();
        board.ask("GET", "/api/healthz", &[]).status == 503
    });
}

#[test]
fn a_viewer_is_told_the_tree_and_then_what_changes() {
    let board = Board::start();
    let mut stream = TcpStream::connect(board.address).unwrap();
    let (host, token) = (board.address, board.key.bearer());
    write!(
        stream,
        "GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("HTTP/1.1 200 OK"));
    let mut next = |name: &str| {
        let event = format!("event: {name}");
        lines.find(|line| *line == event).expect("it goes on");
        lines.next().and_then(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("data")
    };
    let tree = next("tree");
    assert!(tree.contains("\"name\":\"scores\"") && tree.contains("\"seq\":1,"), "{tree}");
    let cluster = next("cluster");
    assert!(cluster.contains("\"name\":\"node-1\""), "{cluster}");
    let mut changes = next("changes");
    assert!(changes.contains("\"from\":1,\"seq\":2,"), "{changes}");
    // All may have changed at first, where much else goes on.
    while !changes.contains("{\"keep\":") {
        changes = next("changes");
    }
}

#[test]
fn who_logs_out_sees_nothing_more() {
    let board = Board::start();
    let cookie = enter(&board, &board.code(1));
    let mut stream = TcpStream::connect(board.address).unwrap();
    let host = board.address;
    let head = format!("Host: {host}\r\n{cookie}\r\nConnection: close");
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.find(|line| line == "event: tree").expect("it begins");
    assert_eq!(board.ask("POST", "/logout", &[&cookie]).status, 204);
    lines.find(|line| line == "event: out").expect("it is told so");
    let rest: Vec<_> = lines.take(8).filter(|line| line.starts_with("event: ")).collect();
    assert!(rest.is_empty(), "{rest:?}");
}
