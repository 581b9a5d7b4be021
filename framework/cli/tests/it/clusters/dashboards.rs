//! The dashboard of a head: who is told where it is, who is let in, and what it shows of a whole cluster.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use expect_test::expect;

use super::support::{Cluster, of, until};
use crate::json::check;

/// What is answered there: status and body.
pub(crate) fn get(at: SocketAddr, path: &str, line: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{line}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("text");
    let (head, body) = all.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").to_owned();
    (status, body.to_owned())
}

/// Where the dashboard is, and how a script shows that it may look.
pub(crate) fn entrance(cluster: &Cluster) -> (SocketAddr, String) {
    let url = cluster.status().dashboard.expect("a dashboard").url;
    let at = url.strip_prefix("http://").and_then(|at| at.parse().ok()).expect("an address");
    let (token, err, code) = cluster.raytree(&["dashboard", "--token"]);
    assert_eq!((&*err, code), ("", 0));
    (at, format!("Authorization: Bearer {}", token.trim_end()))
}

#[test]
fn a_dashboard_shows_the_whole_cluster_to_who_has_the_token() {
    let plan = of(a_dashboard_shows_the_whole_cluster_to_who_has_the_token);
    let cluster = plan.nodes(1).start();
    let (at, token) = entrance(&cluster);
    assert_eq!(get(at, "/api/v1/cluster", "Accept: */*").0, "401");
    let (status, body) = get(at, "/api/v1/cluster", &token);
    assert_eq!(status, "200", "{body}");
    assert!(body.contains("\"name\":\"node-1\"") && body.contains("\"name\":\"head\""), "{body}");
    assert_eq!(get(at, "/api/healthz", "Accept: */*"), ("200".to_owned(), "ok\n".to_owned()));
    until("a tree that goes on where the head ends", || {
        let (_, body) = get(at, "/api/v1/actors?system=true&limit=1000", &token);
        body.contains("\"path\":\"raytree/node_pool/node-1/uplink\"")
    });
    let (out, _, _) = cluster.raytree(&["status"]);
    assert!(out.contains(&format!("\ndashboard http://{at} (raytree dashboard ")), "{out}");
}

#[test]
fn a_link_that_the_command_prints_opens_the_dashboard_once() {
    let plan = of(a_link_that_the_command_prints_opens_the_dashboard_once);
    let cluster = plan.no_own_node().start();
    let (at, _) = entrance(&cluster);
    let (link, err, code) = cluster.raytree(&["dashboard"]);
    assert_eq!((&*err, code), ("", 0));
    let path =
        link.trim_end().strip_prefix(&format!("http://{at}")).expect("a link that leads there");
    assert_eq!(get(at, path, "Accept: */*").0, "200");
    assert_eq!(get(at, path, "Accept: */*").0, "401", "a second time");
    let said = cluster.raytree(&["dashboard", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said.0).expect("JSON");
    assert_eq!(json["url"], format!("http://{at}"));
    assert_ne!(json["link"], link.trim_end(), "each is its own");
    check(
        said,
        expect![[r#"
        {
          "link": "string",
          "token": "string",
          "url": "string",
          "version": "number"
        }
    "#]],
    );
}

#[test]
fn a_head_says_why_it_has_no_dashboard() {
    let plan = of(a_head_says_why_it_has_no_dashboard);
    let cluster = plan.no_own_node().set("dashboard.enabled=false").start();
    let (out, err, code) = cluster.raytree(&["dashboard"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.contains("it has no dashboard"), "{err}");
    // A port that somebody has said and that is taken.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let head = ["start", "--head", "--block", "--no-node", "--dashboard-port", &port];
    let (out, err, code) = cluster.raytree(&head);
    assert_eq!((&*out, code), ("", 2), "{err}");
    let why = format!("raytree: the dashboard cannot listen on 127.0.0.1:{port}: ");
    assert!(err.contains(&why) && err.contains("--dashboard-port"), "{err}");
    let wrong = ["start", "--head", "--block", "--dashboard-port", "99999"];
    let (_, err, code) = cluster.raytree(&wrong);
    assert!(code == 2 && err.contains("dashboard.port"), "{err}");
    let open = ["start", "--head", "--block", "--set", "dashboard.host=0.0.0.0"];
    let (_, err, code) = cluster.raytree(&open);
    assert!(code == 2 && err.contains("dashboard.insecure"), "{err}");
}

#[test]
fn numbers_for_prometheus_are_read_from_the_head_and_from_each_node() {
    let plan = of(numbers_for_prometheus_are_read_from_the_head_and_from_each_node);
    let cluster = plan.no_own_node().nodes(1).start();
    let (at, token) = entrance(&cluster);
    assert_eq!(get(at, "/api/prometheus/targets", "Accept: */*").0, "401");
    let (status, body) = get(at, "/api/prometheus/targets", &token);
    assert_eq!(status, "200", "{body}");
    let targets: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let numbers = |node: &str| {
        let all = targets.as_array().expect("a list").iter();
        let mut own = all.filter(|target| target["labels"]["raytree_node"] == node);
        let target = own.next().unwrap_or_else(|| panic!("no {node}: {body}"));
        let at = target["targets"][0].as_str().and_then(|at| at.parse().ok()).expect("an address");
        let (_, plain) = get(at, "/metrics", "Accept: */*");
        assert!(plain.contains("\n# TYPE raytree_actor_restarts_total counter\n"), "{plain}");
        let (status, text) = get(at, "/metrics", "Accept: application/openmetrics-text");
        assert_eq!(status, "200", "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        text
    };
    let head = numbers("head");
    assert!(head.contains("\nraytree_cluster_nodes{phase=\"up\"} 1.0\n"), "{head}");
    assert!(head.contains("\nraytree_process_threads{process=\"head\",role=\"head\","), "{head}");
    assert!(!head.contains("process=\"node-1\""), "a node speaks for itself: {head}");
    let node = numbers("node-1");
    assert!(node.contains("\nraytree_process_threads{process=\"node-1\",role=\"node\","), "{node}");
    let running = "raytree_actors{process=\"node-1\",kind=\"system\",state=\"running\"} ";
    assert!(node.contains(running) && !node.contains("raytree_cluster_nodes"), "{node}");
}
