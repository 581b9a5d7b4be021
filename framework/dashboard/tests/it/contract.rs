//! What the JSON looks like: changes in `contract/` are changes of a contract.

use expect_test::{ExpectFile, expect_file};

use super::support::{Board, timeless};

fn said(board: &Board, path: &str, expect: &ExpectFile) {
    let said = board.get(path);
    assert_eq!(said.status, 200, "{path}: {}", said.body);
    assert_eq!(said.header("content-type"), Some("application/json"));
    expect.assert_eq(&timeless(&said.json()));
}

#[test]
fn the_cluster_and_its_parts() {
    let board = Board::start();
    said(&board, "/api/v1/", &expect_file!["contract/index.json"]);
    said(&board, "/api/v1/cluster", &expect_file!["contract/cluster.json"]);
    said(&board, "/api/v1/nodes", &expect_file!["contract/nodes.json"]);
    said(&board, "/api/v1/jobs", &expect_file!["contract/jobs.json"]);
}

#[test]
fn trees_and_lists_of_actors() {
    let board = Board::start();
    said(&board, "/api/v1/tree?depth=1&path=gcs", &expect_file!["contract/tree.json"]);
    said(&board, "/api/v1/owners", &expect_file!["contract/owners.json"]);
    said(&board, "/api/v1/actors?limit=1", &expect_file!["contract/actors.json"]);
}

#[test]
fn one_actor_and_its_story() {
    let board = Board::start();
    said(&board, "/api/v1/actor?which=gcs/scores", &expect_file!["contract/actor.json"]);
    said(&board, "/api/v1/why?which=scores", &expect_file!["contract/why.json"]);
    said(&board, "/api/v1/waits", &expect_file!["contract/waits.json"]);
    let scores = board.root.probe().find("gcs/scores").unwrap();
    scores.panic_now();
    board.until("another life", || scores.restarts() == 1);
    board.until("an entry in the log", || {
        let up = board.get("/api/v1/events?kind=up").json();
        up["data"]["events"].as_array().is_some_and(|all| !all.is_empty())
    });
    let path = "/api/v1/events?kind=restart&path=gcs";
    said(&board, path, &expect_file!["contract/events.json"]);
}

#[test]
fn what_a_process_has_written() {
    let board = Board::start();
    let path = "/api/v1/logs?which=scores&tail=20&output=err";
    said(&board, path, &expect_file!["contract/logs.json"]);
    for wrong in
        ["/api/v1/logs", "/api/v1/logs?which=a&output=all", "/api/v1/logs?which=a&tail=99999"]
    {
        assert_eq!(board.get(wrong).status, 400, "{wrong}");
    }
    assert_eq!(board.get("/api/v1/logs?which=nobody").status, 404);
}
