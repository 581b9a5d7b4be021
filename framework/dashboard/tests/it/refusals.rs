//! Who is refused, and what is said to them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use raytree_dashboard::access::Key;

use super::support::Board;

#[test]
fn without_token_or_session_nothing_is_told() {
    let board = Board::start();
    for path in
        ["/api/v1/cluster", "/api/v1/tree", "/api/v1/stream", "/api/v1/", "/api/v1/actor?which=x"]
    {
        let said = board.ask("GET", path, &[]);
        assert_eq!((said.status, said.code()), (401, "unknown".to_owned()), "{path}");
        assert_eq!(said.header("www-authenticate"), Some("bearer realm=\"raytree\""));
    }
    let token = Key::new([8; 32]).bearer();
    for bad in [
        format!("Authorization: Bearer {token}"),
        format!("Authorization: Bearer {}0", board.key.bearer()),
        format!("Authorization: Basic {}", board.key.bearer()),
        format!("Cookie: raytree_{}={}", board.address.port(), board.key.bearer()),
    ] {
        assert_eq!(board.ask("GET", "/api/v1/cluster", &[&bad]).status, 401, "{bad}");
    }
    assert_eq!(board.get("/api/v1/cluster").status, 200);
    let page = board.ask("GET", "/", &[]);
    assert_eq!(page.status, 401);
    assert!(page.body.contains("raytree dashboard"), "{}", page.body);
    assert!(!page.body.contains("scores"));
}

#[test]
fn other_hosts_and_pages_from_elsewhere_are_refused_even_with_the_token() {
    let board = Board::start();
    let token = format!("Authorization: Bearer {}", board.key.bearer());
    let ask = |line: &str| {
        let said = board.ask("GET", "/api/v1/cluster", &[&token, line]);
        (said.status, said.code())
    };
    let foreign = |status: u16| (status, "foreign".to_owned());
    assert_eq!(ask("Host: evil.example"), foreign(421));
    assert_eq!(ask("Origin: http://evil.example"), foreign(403));
    assert_eq!(ask("Origin: null"), foreign(403));
    assert_eq!(ask("Sec-Fetch-Site: cross-site"), foreign(403));
    let own = format!("Origin: http://{}", board.address);
    assert_eq!(board.ask("GET", "/api/v1/cluster", &[&token, &own]).status, 200);
    // What needs no token is refused as well.
    assert_eq!(board.ask("GET", "/api/healthz", &["Host: evil.example"]).status, 421);
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let board = Board::start();
    for said in [board.get("/api/v1/cluster"), board.ask("GET", "/", &[]), board.get("/nowhere")] {
        let policy = said.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(said.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(said.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(said.header("cache-control"), Some("no-store"));
        assert_eq!(said.header("access-control-allow-origin"), None);
    }
}

#[test]
fn what_makes_no_sense_is_said_to_make_none() {
    let board = Board::start();
    let said = |path: &str| {
        let said = board.get(path);
        (said.status, said.code())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(said("/api/v1/zebra"), is(404, "no_such_address"));
    assert_eq!(said("/zebra"), is(404, "no_such_address"));
    assert_eq!(said("/assets/../Cargo.toml"), is(404, "no_such_address"));
    assert_eq!(said("/api/v1/tree?depht=1"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/tree?depth=-1"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/actor"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/actors?limit=10001"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/actors?sort=zebra"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/events?kind=zebra"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/events?since=-1"), is(400, "bad_request"));
    assert_eq!(said("/api/v1/actor?which=gcs/score"), is(404, "no_such_path"));
    let near = board.get("/api/v1/actor?which=gcs/score").json();
    assert_eq!(near["error"]["near"][0], "scores", "{near}");
    assert_eq!(board.get(&format!("/api/v1/actor?which={}", "a".repeat(5000))).status, 400);
    let token = format!("Authorization: Bearer {}", board.key.bearer());
    assert_eq!(board.ask("POST", "/api/v1/cluster", &[&token]).status, 405);
    let large = board.ask("GET", "/api/v1/cluster", &[&token, "Content-Length: 1025"]);
    assert_eq!((large.status, large.code()), is(413, "too_large"));
}

#[test]
fn hs_1_a_server_that_panics_is_there_again_on_the_same_port() {
    let board = Board::start();
    // Whoever is being answered is cut off, and has to ask again.
    let mut held = TcpStream::connect(board.address).unwrap();
    write!(held, "GET /api/healthz HTTP/1.1\r\nHost: {}\r\n\r\n", board.address).unwrap();
    assert!(held.read(&mut [0; 16]).unwrap() > 0);
    let probe = board.root.probe().find("dashboard").unwrap();
    probe.panic_now();
    let mut rest = Vec::new();
    // Reset or closed: both are the end.
    _ = held.read_to_end(&mut rest);
    board.until("another life", || probe.restarts() == 1);
    assert_eq!(board.get("/api/v1/cluster").status, 200);
    assert_eq!(board.root.probe().restarts(), 0, "nobody else falls");
}

#[test]
fn what_is_no_request_ends_its_own_connection_alone() {
    let board = Board::start();
    for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", &[b'a'; 40_000]] {
        let mut stream = TcpStream::connect(board.address).unwrap();
        // It may hang up in the middle.
        _ = stream.write_all(bytes);
        _ = stream.shutdown(std::net::Shutdown::Write);
        _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(board.get("/api/v1/cluster").status, 200);
    assert_eq!(board.root.probe().find("dashboard").unwrap().restarts(), 0);
}
