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

#[test]
fn tasks_objects_and_the_timeline() {
    let board = Board::start();
    let failed = "/api/v1/tasks?where=state%3Dfailed,name!%3Dstore&limit=5";
    said(&board, failed, &expect_file!["contract/tasks.json"]);
    let counts = "/api/v1/tasks?summary=true";
    said(&board, counts, &expect_file!["contract/summary.json"]);
    said(&board, "/api/v1/objects", &expect_file!["contract/objects.json"]);
    let mut timeline = board.get("/api/v1/timeline?limit=1000").json();
    // Messages of the dashboard itself are in it, too, when they took a moment.
    for process in timeline["data"]["processes"].as_array_mut().expect("processes") {
        process["spans"].as_array_mut().expect("spans").retain(|span| span["kind"] == "task");
    }
    expect_file!["contract/timeline.json"].assert_eq(&timeless(&timeline));
    for wrong in [
        "/api/v1/tasks?where=colour%3Dred",
        "/api/v1/tasks?where=state",
        "/api/v1/objects?limit=0",
        "/api/v1/timeline?limit=0",
        "/api/v1/timeline?since=-1",
        "/api/v1/timeline?format=pdf",
    ] {
        assert_eq!(board.get(wrong).status, 400, "{wrong}");
    }
    let file = board.get("/api/v1/timeline?format=chrome");
    let named = file.header("content-disposition").expect("a file");
    assert!(named.contains("raytree-timeline.json"), "{named}");
    let events = file.json()["traceEvents"].as_array().map(Vec::len);
    assert!(events.is_some_and(|count| count > 0), "{}", file.body);
}
